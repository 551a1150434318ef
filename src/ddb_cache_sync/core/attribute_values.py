"""Attribute values of DynamoDB JSON, decoded exactly.

An `Image` keeps the wire form and decodes what is asked for: replicating an item walks it once, into its encoding,
and never builds Python values that nobody reads.

| type | wire form | Python value |
|---|---|---|
| S | text | str |
| N | text of a number | Decimal, all 38 digits |
| B | base64 text (Lambda) or bytes (boto3) | bytes |
| BOOL, NULL | true, false | bool, None |
| M, L | object, array | dict, list |
| SS, NS, BS | array | frozenset of str, Decimal, bytes |
"""

import binascii
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from typing import Any, Final, TypeAlias

from ddb_cache_sync.core.numbers import json_number

Scalar: TypeAlias = str | Decimal | bytes | bool | frozenset[str] | frozenset[Decimal] | frozenset[bytes] | None
Value: TypeAlias = Scalar | dict[str, "Value"] | list["Value"]
"""One attribute value as Python has it."""

MAX_NESTING: Final = 32
"""DynamoDB's limit on the depth of an item; nothing deeper can come from a table."""


def decode_bytes(wire: object) -> bytes:
    """The bytes of a B value: strict base64 text, or bytes as they are.

    Raises:
        ValueError: Neither.
    """
    if isinstance(wire, bytes | bytearray):
        return bytes(wire)
    if not isinstance(wire, str):
        raise ValueError("neither base64 text nor bytes")  # noqa: TRY004 - one error type for malformed values
    try:
        return binascii.a2b_base64(wire.encode("ascii"), strict_mode=True) if wire else b""
    except (binascii.Error, UnicodeEncodeError):
        raise ValueError("not base64") from None


def decode_number(wire: object) -> Decimal:
    """The number of an N value.

    Raises:
        ValueError: Not the text of a DynamoDB number.
    """
    return Decimal(json_number(decode_text(wire)))


def decode_text(wire: object) -> str:
    """The text of an S value.

    Raises:
        ValueError: Not a string.
    """
    if not isinstance(wire, str):
        raise ValueError("not a string")  # noqa: TRY004 - one error type for malformed values
    return wire


def utf8_text(wire: object) -> str:
    """The text of an S value that can be written as UTF-8, as all of DynamoDB's can.

    Raises:
        ValueError: Not a string, or one with half a surrogate pair.
    """
    text = decode_text(wire)
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError:
            raise ValueError("not valid Unicode: half a surrogate pair") from None
    return text


def decode_bool(wire: object) -> bool:
    """The truth of a BOOL value.

    Raises:
        ValueError: Not a boolean.
    """
    if not isinstance(wire, bool):
        raise ValueError("not a boolean")  # noqa: TRY004 - one error type for malformed values
    return wire


def decode_null(wire: object) -> None:
    """Check a NULL value, which is always true.

    Raises:
        ValueError: Anything but true.
    """
    if wire is not True:
        raise ValueError("a NULL that is not true")


def members(wire: object) -> list[Any]:
    """The members of an L, SS, NS or BS value, undecoded.

    Raises:
        ValueError: Not an array.
    """
    if not isinstance(wire, list):
        raise ValueError("not an array")  # noqa: TRY004 - one error type for malformed values
    return wire


def fields(wire: object) -> dict[str, Any]:
    """The fields of an M value or an image, undecoded.

    Raises:
        ValueError: Not an object with text names.
    """
    if not isinstance(wire, dict):
        raise ValueError("not an object")  # noqa: TRY004 - one error type for malformed values
    return wire


def tag_and_wire(value: object) -> tuple[str, Any]:
    """Take an attribute value apart: its type's name and its content.

    Raises:
        ValueError: Not an object with exactly one member.
    """
    if not isinstance(value, dict) or len(value) != 1:
        raise ValueError("not an attribute value: an object with one member, named for its type")
    (tag,) = value
    return tag, value[tag]


def decode_value(value: object, depth: int = 0) -> Value:
    """Decode one attribute value to its Python value.

    Raises:
        ValueError: Malformed, or nested deeper than DynamoDB allows. The content is not repeated in the error.
    """
    tag, wire = tag_and_wire(value)
    if tag in _SCALARS:
        return _SCALARS[tag](wire)
    if depth >= MAX_NESTING:
        raise ValueError(f"nested deeper than {MAX_NESTING} levels")
    if tag == "M":
        return {utf8_text(name): decode_value(member, depth + 1) for name, member in fields(wire).items()}
    if tag == "L":
        return [decode_value(member, depth + 1) for member in members(wire)]
    raise ValueError("an unknown attribute type")


_SCALARS: Final[Mapping[str, Callable[[object], Scalar]]] = {
    "S": utf8_text,
    "N": decode_number,
    "B": decode_bytes,
    "BOOL": decode_bool,
    "NULL": decode_null,
    "SS": lambda wire: frozenset(map(utf8_text, members(wire))),
    "NS": lambda wire: frozenset(map(decode_number, members(wire))),
    "BS": lambda wire: frozenset(map(decode_bytes, members(wire))),
}


class Image(Mapping[str, Any]):
    """An item, or its key, as a mapping from attribute name to Python value; decoded when asked for.

    A value's type is that of a `Value`, though type checkers are told Any: whoever reads `image["age"] > 18` knows what
    the attribute is, and a checker can't.

    Attributes:
        wire: The same in DynamoDB JSON, as it was delivered; not to be changed.
    """

    __slots__ = ("wire",)

    def __init__(self, wire: Mapping[str, Any]) -> None:
        self.wire: Final = wire

    def fault(self) -> str | None:
        """What is wrong with the first malformed attribute, naming no content; None: every attribute can be decoded."""
        try:
            for name, value in self.wire.items():
                utf8_text(name)
                decode_value(value)
        except ValueError as error:
            return str(error)
        return None

    def __getitem__(self, name: str) -> Any:
        return decode_value(self.wire[name])

    def __iter__(self) -> Iterator[str]:
        return iter(self.wire)

    def __len__(self) -> int:
        return len(self.wire)

    def __str__(self) -> str:
        raise TypeError("an Image has no text of its own: format its values, as in image['id']")

    def __repr__(self) -> str:
        # Contents must not reach a log by way of a record's repr; nor must that text become part of a cache key, where
        # it would be the same for every item.
        return f"<{type(self).__name__} of {len(self.wire)} attributes>"
