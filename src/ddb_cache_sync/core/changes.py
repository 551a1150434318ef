"""A change: what a stream record says happened to one item."""

from typing import Final, NamedTuple, TypeAlias

from ddb_cache_sync.core.attribute_values import Image
from ddb_cache_sync.core.versions import Version

# Named tuples, because a batch makes thousands: frozen, typed, and a third of a frozen dataclass's cost to make.

new_tuple: Final = tuple.__new__
"""Makes a named tuple of its class and a tuple of fields as its own constructor does, at half the cost: for the few
places that every record passes."""


class ItemKey(NamedTuple):
    """The identity of an item."""

    table: str
    attributes: Image
    """The primary key: the partition key and, where the table has one, the sort key, in no particular order."""

    def __str__(self) -> str:
        """Refused: its text leaves the values out, so that in a cache key it would be the same for every item.

        Raises:
            TypeError: Always.
        """
        raise TypeError("an ItemKey has no text of its own: format its values, as in key.attributes['id']")


class Upsert(NamedTuple):
    """The item was put or updated, and is now `item`."""

    key: ItemKey
    version: Version
    item: Image
    old: Image | None = None
    """The item before the change; None where there was none, or nobody asked for it."""


class Touch(NamedTuple):
    """The item was put or updated; what it is now the stream does not carry, by its view type."""

    key: ItemKey
    version: Version


class Remove(NamedTuple):
    """The item is gone."""

    key: ItemKey
    version: Version
    old: Image | None = None
    """The item before the change; None where nobody asked for it."""
    by_ttl: bool = False
    """DynamoDB's time to live removed it. (Not marked in the other Regions of a global table.)"""


class LeftOut(Remove):
    """The table has the item, and by the configuration a cache key does not: a removal that the report counts apart."""

    __slots__ = ()


Change: TypeAlias = Upsert | Remove | Touch
