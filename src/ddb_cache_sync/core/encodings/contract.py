"""What every encoding keeps to.

Rules: an encoding is pure. The same item gives the same value, in whatever order its attributes come, so that comparing
a cache with a table is comparing bytes. What can't be carried is a `RecordError`; what is no value of the encoding is a
`ValueError` to its reader; neither repeats contents.
"""

from collections.abc import Mapping
from typing import Any, Final, Literal, Protocol, TypeAlias

from ddb_cache_sync.core.attribute_values import Image
from ddb_cache_sync.errors import RecordError

StoredValue: TypeAlias = bytes | Mapping[str, bytes]
"""What a cache key holds: bytes for a string key; for a hash key its fields, at least one."""

Kind: TypeAlias = Literal["string", "hash"]
"""What sort of key holds the value: a string is read by `GET`, a hash by `HGETALL`."""

MALFORMED: Final = (ValueError, TypeError, LookupError, AttributeError, RecursionError)
"""What a walk over a malformed item may raise, if it does not look at each part before it uses it."""


class Encoding(Protocol):
    """Gives the value that a cache key holds for an item, and reads it again."""

    @property
    def kind(self) -> Kind:
        """What sort of key holds the values; always the same for one encoding. A class attribute will do."""
        ...

    def encode(self, item: Image, /) -> StoredValue | None:
        """The value to store; None: this item has none, and its cache key is removed.

        Raises:
            RecordError: The item can't be carried, which makes its record a poison record. Any other exception does
                so too; only its type is told, since its text may repeat the item's contents.
        """
        ...

    def decode(self, value: StoredValue, /) -> Any:
        """What a reader makes of a value that `GET` or `HGETALL` gave.

        Raises:
            ValueError: No value of this encoding.
        """
        ...


def refused(item: Image) -> RecordError:
    """The error for an item that a walk stumbled over.

    The item is walked again by the strict decoder, which says what is wrong; a fast walk only sees that something is.
    """
    return RecordError(f"item: {item.fault() or 'malformed'}")
