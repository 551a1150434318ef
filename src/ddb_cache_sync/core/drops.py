"""What dropping an old layout asks of the cache: delete one key and its guard. Pure.

Rule: a key is dropped only where its guard was set long enough ago, by what the guard has left of its life. A younger
guard shows that the stream still keeps the key, and a key that is kept must not be dropped. Where there is no guard the
stream has not touched the key for as long as guards live.
"""

from typing import NamedTuple

from ddb_cache_sync.core.guards import guard_key
from ddb_cache_sync.errors import RecordError


class Drop(NamedTuple):
    """One key to be dropped."""

    key: str
    """The cache key."""
    guard: str
    """The guard's key."""
    most_left_ms: int | None
    """The key is left alone where its guard has more than this left of its life, milliseconds. None: whatever it has,
    as the guards of lookup keys, which live as long as items claim them."""


def most_left_ms(guard_ttl_seconds: float, quiet_seconds: float) -> int:
    """What a guard has left of its life, at most, that was set so long ago, milliseconds."""
    return max(0, int((guard_ttl_seconds - quiet_seconds) * 1000))


def guarded_key(guard: str, prefix: str) -> str | None:
    """The cache key that a guard stands beside; None: it is no guard."""
    rest = guard.removeprefix(prefix)
    for key in (rest[1:-1], rest):
        try:
            if guard_key(key, prefix) == guard:
                return key
        except RecordError:
            continue
    return None
