"""A write: what one cache key needs, ready to be sent."""

from typing import NamedTuple

from ddb_cache_sync.core.encodings.contract import StoredValue
from ddb_cache_sync.core.versions import Version


class Write(NamedTuple):
    """What one cache key should hold from this version on."""

    key: str
    guard: str
    """The guard's key."""
    version: Version
    value: StoredValue | None
    """The encoded item; None: the key is deleted."""
    expires_at_ms: int | None = None
    """When the value expires, epoch milliseconds; None: never, or as long as the key has where it is `only_cached`."""
    only_cached: bool = False
    """The value is written only where the key exists."""
    owner: str | None = None
    """The item's own cache key, where this one is a lookup key: items pass those between them. None: it is its own."""
    left_out: bool = False
    """The key is deleted because the configuration leaves the item out. For the report."""
    notice: str | None = None
    """What the report should say about it; None: nothing."""
