"""Lookup keys: a second cache key by other attributes, such as an e-mail address.

Rules:

1. An item *claims* the lookup key of its new image and *releases* that of its old image where it is another one. A
   removal releases, and so does an item that the configuration leaves out, or that has expired.
2. Versions of two items are not comparable, so a lookup key keeps, for each item that has touched it, that item's last
   word: its version, and whether it claims. An item's newer word replaces its older one and nobody else's.
3. Of several items that claim one lookup key, the one with the greatest version is shown, by its cache key where
   versions are equal: any rule would do that depends on their last words alone, and not on the order of arrival. Where
   values are unique at any moment, one item is left claiming once all records have arrived.
4. No lookup key is ever a cache key: both have a fixed number of colons, since no value has any; where that is the same
   they begin differently.
"""

from typing import Final, Literal, TypeAlias, get_args

from ddb_cache_sync.core.attribute_values import Image
from ddb_cache_sync.core.templates import DEFAULT_MAX_KEY_BYTES, Template
from ddb_cache_sync.errors import ConfigurationError, RecordError

Holds: TypeAlias = Literal["key", "item"]

_NO_KEY: Final = ({"NULL": True}, {"S": ""}, {"B": ""}, {"B": b""})


class LookupKey(Template):
    """A second key by other attributes: `LookupKey("users:by-email:{email}")`.

    An item without one of the attributes, or with an empty one, has no such key. The rules of escaping are those of
    `KeyTemplate`.

    Args:
        template: The template; it may name any attributes, the table's name and those of the primary key as well.
        holds: What the lookup key holds: the item's cache key, which a reader then gets, or the encoded item.
        max_bytes: Keys longer than this (bytes of UTF-8) are shortened.

    Raises:
        ConfigurationError: A template that can't keep values apart, or another `holds`.
    """

    __slots__ = ("holds",)

    def __init__(self, template: str, *, holds: Holds = "key", max_bytes: int = DEFAULT_MAX_KEY_BYTES) -> None:
        super().__init__(template, max_bytes=max_bytes)
        if holds not in get_args(Holds):
            raise ConfigurationError(
                f"lookup key {template!r} holds {holds!r}", hint="It can hold the item's 'key', or the 'item'."
            )
        self.holds: Final = holds

    def of(self, table: str, image: Image) -> str | None:
        """The lookup key of an item; None where it has none.

        Raises:
            RecordError: An attribute of the template that is not S, N or B.
        """
        wire = image.wire
        for name in self._attributes:
            value = wire.get(name)
            if value is None or value in _NO_KEY:
                return None
            if not (isinstance(value, dict) and len(value) == 1 and value.keys() <= {"S", "N", "B"}):
                raise RecordError(f"attribute {name} of a lookup key is not S, N or B")
        return self.text(table, wire)


def check_apart(one: Template, other: Template) -> None:
    """Make sure that no key of one template is a key of the other.

    Raises:
        ConfigurationError: It can't be told.
    """
    begins_alike = one.beginning.startswith(other.beginning) or other.beginning.startswith(one.beginning)
    if one.colons == other.colons and begins_alike:
        raise ConfigurationError(
            f"{one!r} and {other!r} could give the same key",
            hint="Let them begin differently, or put a word and a colon more into one, as in users:by-email:{email}.",
        )
