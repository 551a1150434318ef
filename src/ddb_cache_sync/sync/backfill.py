"""Backfill: fills a cache from a table, while the stream goes on.

Rules:

1. A value is written only where its key has no guard, and no guard is left: where there is one the stream has spoken,
   and what it says is at least as new, or will be followed by what is. So a change always wins over a backfill.
2. The stream is read first: without one, a change made after an item was read would be in nobody's hands.
3. The time from reading an item to writing it stays below half of a guard's time to live: else the guard of a change
   made in between could have gone. What is older is not written.
4. A page counts as done when the cache has answered for all of it; so at most one page of each piece is done twice
   after a kill.
"""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from ddb_cache_sync.core.changes import Change, Remove, Upsert
from ddb_cache_sync.core.guards import DEFAULT_GUARD_TTL_SECONDS
from ddb_cache_sync.core.outcomes import APPLIED, STALE
from ddb_cache_sync.errors import ConfigurationError, RecordError, TableError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ddb_cache_sync.cache.contract import Cache
    from ddb_cache_sync.core.projection import Router
    from ddb_cache_sync.core.writes import Write
    from ddb_cache_sync.sync.checkpoint import Checkpoint
    from ddb_cache_sync.sync.item_sources import ItemSource, Page
    from ddb_cache_sync.table.descriptions import TableDescription

DEFAULT_PATIENCE_SECONDS: Final = 60.0
"""How long a failing cache is tried again for one page."""
_MOST_PROBLEMS: Final = 100  # kept for the report, with the count of all


@dataclass(frozen=True, slots=True)
class BackfillReport:
    """What a backfill did."""

    items: int = 0
    """Items read."""
    written: int = 0
    """Values filled in, lookup keys among them."""
    guarded: int = 0
    """Values that were not: the stream had spoken."""
    left_out: int = 0
    """Items that the configuration leaves out, or that have expired."""
    failed: int = 0
    """Items that can't be read or carried."""
    problems: tuple[str, ...] = ()
    """Why, for the first hundred of them; no contents."""
    seconds: float = 0.0
    complete: bool = True
    """False: it was stopped, and can go on from its checkpoint."""


@dataclass
class _Tally:
    """The counts of a running backfill."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    items: int = 0
    written: int = 0
    guarded: int = 0
    left_out: int = 0
    failed: int = 0
    problems: list[str] = field(default_factory=list)

    def problem(self, reason: str) -> None:
        self.failed += 1
        if len(self.problems) < _MOST_PROBLEMS:
            self.problems.append(reason)


class Backfill:
    """Fills a cache from a table.

    Args:
        cache: The cache.
        router: What makes keys and values of items: that of the replicator.
        source: Where the items come from.
        checkpoint: How far it has come.
        guard_ttl_seconds: The replicator's.
        patience_seconds: How long a failing cache is tried again for one page.
        threads: How many pieces are read at the same time.
        clock: Epoch seconds.
    """

    def __init__(
        self,
        cache: Cache,
        router: Router,
        source: ItemSource,
        checkpoint: Checkpoint,
        *,
        guard_ttl_seconds: float = DEFAULT_GUARD_TTL_SECONDS,
        patience_seconds: float = DEFAULT_PATIENCE_SECONDS,
        threads: int = 4,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._cache = cache
        self._router = router
        self._source = source
        self._checkpoint = checkpoint
        self._longest = guard_ttl_seconds / 2
        self._patience = patience_seconds
        self._threads = threads
        self._clock = clock
        self._tally = _Tally()
        self._stop = threading.Event()

    def stop(self) -> None:
        """Stop after the pages that are under way; the checkpoint tells where."""
        self._stop.set()

    def run(self, on_progress: Callable[[int], object] = lambda _: None) -> BackfillReport:
        """Fill in every item.

        Args:
            on_progress: Called with the number of items of each page that is done, from several threads.

        Raises:
            CacheUnavailable: The cache kept failing; go on from the checkpoint.
            CacheError: The cache refuses us.
            TableError: The table or the export can't be read, or what was read is too old.
            ConfigurationError: The projection can't be right for these items.
        """
        started = time.monotonic()
        waiting = [piece for piece in self._source.pieces if not self._checkpoint.is_done(piece)]
        with ThreadPoolExecutor(max(1, min(self._threads, len(waiting)))) as pool:
            futures = [pool.submit(self._piece, piece, on_progress) for piece in waiting]
            try:
                for future in futures:
                    future.result()
            except BaseException:
                self.stop()
                raise
        tally = self._tally
        return BackfillReport(
            tally.items,
            tally.written,
            tally.guarded,
            tally.left_out,
            tally.failed,
            tuple(tally.problems),
            round(time.monotonic() - started, 3),
            complete=all(self._checkpoint.is_done(piece) for piece in self._source.pieces),
        )

    def _piece(self, piece: str, on_progress: Callable[[int], object]) -> None:
        if self._stop.is_set():
            return
        for page in self._source.pages(piece, self._checkpoint.position(piece)):
            self._fill(page)
            if page.position is None:
                self._checkpoint.finished(piece)
            else:
                self._checkpoint.reached(piece, page.position)
            on_progress(len(page.changes) + len(page.errors))
            if self._stop.is_set():
                return

    def _fill(self, page: Page) -> None:
        now = self._clock()
        if now - page.as_of > self._longest:
            raise TableError(
                "what was read is too old to be written: guards of later changes may have expired",
                hint="Have each item read again (--read-again), or take a newer export.",
            )
        counts = _Tally()
        for error in page.errors:
            counts.problem(error.problem)
        results = self._cache.fill(self._writes(page, now, counts), time.monotonic() + self._patience)
        for result in results:
            if result is APPLIED:
                counts.written += 1
            elif result is STALE:
                counts.guarded += 1
            else:
                counts.problem(result.problem)
        with self._tally.lock:
            self._tally.items += len(page.changes) + len(page.errors)
            self._tally.written += counts.written
            self._tally.guarded += counts.guarded
            self._tally.left_out += counts.left_out
            for reason in counts.problems:
                self._tally.problem(reason)
            self._tally.failed += counts.failed - len(counts.problems)

    def _writes(self, page: Page, now: float, counts: _Tally) -> Iterator[Write]:
        """The writes of a page, those of items first and those of lookup keys after them."""
        lookups: list[Write] = []
        for change in page.changes:
            try:
                yield from self._writes_of(change, now, counts, lookups)
            except RecordError as error:
                counts.problem(error.problem)
        yield from lookups

    def _writes_of(self, change: Change, now: float, counts: _Tally, lookups: list[Write]) -> Iterator[Write]:
        written = False
        for projection, seen in self._router.routed(change):
            if isinstance(seen, Remove) and not isinstance(change, Remove):
                continue  # another projection's item: it never had this key, or the stream takes it away
            key = projection.cache_key(seen)
            write = projection.write(key, seen, now, filling=True)
            if write.value is None and isinstance(seen, Upsert):
                continue
            if projection.lookups and isinstance(seen, Upsert):
                lookups += projection.words(write, seen, [seen], stale=False)
            written = True
            yield write
        counts.left_out += not written


def check_can_be_right(
    table: TableDescription, *, guard_ttl_seconds: float, as_of: float | None, stream_since: float | None, now: float
) -> None:
    """Make sure that a backfill can be right.

    Args:
        table: The table.
        guard_ttl_seconds: The replicator's.
        as_of: How old the items are, epoch seconds; None: they are read now.
        stream_since: Since when the table has had its stream, epoch seconds; None: not known.
        now: Epoch seconds.

    Raises:
        ConfigurationError: Why it can't.
    """
    if not table.stream_enabled:
        raise ConfigurationError(
            f"table {table.name} has no stream: changes made after an item was read would be lost to the cache",
            hint="Enable the stream and start the function that applies it, then fill the cache.",
        )
    if as_of is None:
        return
    if stream_since is not None and as_of < stream_since:
        raise ConfigurationError(
            "the export is older than the table's stream: changes made in between are in neither",
            hint="Export the table again, or have each item read again (--read-again).",
        )
    if now - as_of > guard_ttl_seconds / 2:
        raise ConfigurationError(
            f"the export is {(now - as_of) / 3600:.0f} h old, and guards live {guard_ttl_seconds / 3600:.0f} h: those "
            "of later changes may have expired, and older items would win over them",
            hint="Have each item read again (--read-again), or take a newer export.",
        )
