"""What a replicator expects of a cache. Imports no redis, so that a model in memory can keep the same contract."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from random import Random
from typing import Literal, Protocol, TypeAlias, runtime_checkable

from ddb_cache_sync.core.drops import Drop
from ddb_cache_sync.core.encodings.contract import StoredValue
from ddb_cache_sync.core.fills import Claim, Claimed, Fill
from ddb_cache_sync.core.lookup_words import LastWord
from ddb_cache_sync.core.outcomes import Outcome
from ddb_cache_sync.core.repairs import Repair
from ddb_cache_sync.core.writes import Write
from ddb_cache_sync.errors import CacheError

WriteResult: TypeAlias = Literal[Outcome.APPLIED, Outcome.STALE] | CacheError
"""APPLIED or STALE, or why the cache will never take this one write."""

ReadResult: TypeAlias = StoredValue | CacheError | None
"""What a key holds, None where it is missing, or why this one key can't be read."""


@runtime_checkable
class Cache(Protocol):
    """What a replicator writes to."""

    def apply(self, writes: Iterable[Write], deadline: float | None = None) -> Sequence[WriteResult]:
        """Apply each write unless its key has seen a newer version. No two writes have the same key.

        Applying again is safe. `writes` is read once, lazily, and may raise; what was sent by then may be applied.

        Args:
            writes: What to apply.
            deadline: When to stop trying again, on the clock of `time.monotonic()`. None: after ten seconds.

        Returns:
            A result for each write, in order.

        Raises:
            CacheUnavailable: Not all could be applied by the deadline; some may be.
            CacheError: The cache refuses us altogether.
        """
        ...

    def fill(self, writes: Iterable[Write], deadline: float | None = None) -> Sequence[WriteResult]:
        """Write each value, or delete its key, where there is no guard, and leave none: what a backfill does.

        A write with an owner is that item's word on a lookup key, as in `apply`: any change's version is greater.

        Arguments, results and errors are those of `apply`; STALE means that the stream has spoken already.
        """
        ...


@runtime_checkable
class ReadableCache(Protocol):
    """What a `CacheReader` reads and fills. In what it is given no two have the same key.

    Deadlines and errors of every method are those of `Cache.apply`; an error in the place of a result is about that
    key alone.
    """

    def read(self, keys: Sequence[str], kind: str, deadline: float | None = None) -> Sequence[ReadResult]:
        """What each key holds; None: it is missing.

        Args:
            keys: The cache keys.
            kind: What the keys hold: `string` or `hash`.
            deadline: When to stop trying again.
        """
        ...

    def claim(self, claims: Sequence[Claim], deadline: float | None = None) -> Sequence[Claimed | CacheError]:
        """Claim each key, if it is missing and nobody else has claimed it; asking again is safe."""
        ...

    def fill_unmoved(self, fills: Sequence[Fill], deadline: float | None = None) -> Sequence[WriteResult]:
        """Store each item where its key is missing and its guard is unmoved, and end the lease; asking again is safe.

        STALE means that nothing was stored.
        """
        ...


@runtime_checkable
class InspectableCache(Cache, ReadableCache, Protocol):
    """What verify, repair, inspect and rebuild need of a cache, besides writing and reading it.

    Deadlines and errors are those of `ReadableCache`.
    """

    def versions(self, guards: Sequence[str], deadline: float | None = None) -> Sequence[str | CacheError]:
        """What each of these guards, given by key, holds; empty: there is none."""
        ...

    def last_words(
        self, guards: Sequence[str], deadline: float | None = None
    ) -> Sequence[Mapping[str, LastWord] | CacheError]:
        """The last word of each item on the lookup keys beside these guards, by the item's own cache key."""
        ...

    def lifetimes_ms(self, keys: Sequence[str], deadline: float | None = None) -> Sequence[int | CacheError | None]:
        """In how many milliseconds each key expires; None: never, or it is missing."""
        ...

    def keys_beginning(self, beginning: str) -> Iterator[Sequence[str]]:
        """The keys that begin so, page by page, on all nodes.

        A key that is there all the time is given at least once; one that comes or goes meanwhile may be.

        Raises:
            CacheUnavailable: The cache can't be read.
            CacheError: The cache refuses us.
        """
        ...

    def some_keys(self, beginning: str, most: int, chance: Random) -> Sequence[str]:
        """Some keys that begin so, each once, about as many from each node, from a random place on; at most so many.

        It may find fewer, where few begin so. Errors are those of `keys_beginning`.
        """
        ...

    def repair(self, repairs: Sequence[Repair], deadline: float | None = None) -> Sequence[WriteResult]:
        """Carry out each repair where its guard is still what was found. STALE: it has moved; nothing was written."""
        ...

    def drop(self, drops: Sequence[Drop], deadline: float | None = None) -> Sequence[WriteResult]:
        """Delete each key with its guard. STALE: the guard is too young, and both were left alone."""
        ...

    def remember(self, key: str, value: bytes, seconds: int, deadline: float | None = None) -> None:
        """Keep a text of the library's own under a key that is no cache key, for so long.

        Raises:
            CacheUnavailable: The cache can't be reached.
            CacheError: The cache refuses us.
        """
        ...

    def place_of(self, key: str) -> tuple[int | None, str]:
        """The slot of a key, None where there are none, and the node that serves it."""
        ...
