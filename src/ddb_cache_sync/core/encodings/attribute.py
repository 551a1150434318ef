"""One attribute as the whole value, without a wrapping that a reader would have to take off.

Rule: text is itself, without quotes; a B value is its bytes; anything else is its JSON, in `JsonEncoding`'s form. An
item without the attribute has no value, so its cache key is removed.
"""

from dataclasses import dataclass
from typing import Literal

from ddb_cache_sync.core.attribute_values import Image, decode_bytes, tag_and_wire, utf8_text
from ddb_cache_sync.core.encodings.contract import MALFORMED, StoredValue, refused
from ddb_cache_sync.core.encodings.json_encoding import json_value
from ddb_cache_sync.errors import ConfigurationError


@dataclass(frozen=True, slots=True)
class AttributeEncoding:
    """One attribute of the item: S as text, N as its digits, B as its bytes, anything else as JSON.

    The other attributes are not looked at, so one that is malformed makes no poison record.

    Attributes:
        name: The attribute, one of the top level.

    Raises:
        ConfigurationError: No name that an attribute can have.
    """

    name: str

    def __post_init__(self) -> None:
        given: object = self.name
        try:
            fits = utf8_text(given) != ""
        except ValueError:
            fits = False
        if not fits:
            raise ConfigurationError(
                "an attribute's name is a text that is not empty", hint="Give the attribute's name."
            )

    @property
    def kind(self) -> Literal["string"]:
        """Read by `GET`."""
        return "string"

    def encode(self, item: Image) -> bytes | None:
        """The attribute's value; None: the item does not have it.

        Raises:
            RecordError: Its value is malformed.
        """
        if self.name not in item.wire:
            return None
        value = item.wire[self.name]
        try:
            tag, wire = tag_and_wire(value)
            if tag == "S":
                return utf8_text(wire).encode()
            return decode_bytes(wire) if tag == "B" else json_value(value)
        except MALFORMED:
            raise refused(Image({self.name: value})) from None

    def decode(self, value: StoredValue) -> bytes:
        """The bytes as they are: what type they were is not stored with them.

        Raises:
            ValueError: Not a string.
        """
        if not isinstance(value, bytes):
            raise ValueError("not a string")  # noqa: TRY004 - one error type for malformed values
        return value
