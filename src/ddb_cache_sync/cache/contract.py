"""What a replicator expects of a cache. Imports no redis, so that a model in memory can keep the same contract."""

from collections.abc import Iterable, Sequence
from typing import Literal, Protocol, TypeAlias, runtime_checkable

from ddb_cache_sync.core.outcomes import Outcome
from ddb_cache_sync.core.writes import Write
from ddb_cache_sync.errors import CacheError

WriteResult: TypeAlias = Literal[Outcome.APPLIED, Outcome.STALE] | CacheError
"""APPLIED or STALE, or why the cache will never take this one write."""


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
        """Write each value where its key has no guard, and leave none: what a backfill does.

        Arguments, results and errors are those of `apply`; STALE means that the stream has spoken already.
        """
        ...
