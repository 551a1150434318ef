"""Backfill: fills a cache from a table, while the stream goes on.

Rules:

1. A value is written, or its key deleted, only where there is no guard, and no guard is left: where there is one the
   stream has spoken, and what it says is at least as new, or will be followed by what is. So a change always wins.
2. The stream is there first: without one, a change made after an item was read would be in nobody's hands.
3. The time from reading an item to writing it stays below half of a guard's time to live: else the guard of a change
   made in between could have gone. What is older is not written.
4. A page counts as done when the cache has answered for all of it; so at most one page of each piece is done twice
   after a kill.

How a backfill is put together from a table's name, and refused where it can't be right: `preparing`.
"""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final

from ddb_cache_sync.core.guards import DEFAULT_GUARD_TTL_SECONDS
from ddb_cache_sync.errors import TableError
from ddb_cache_sync.sync.page_writes import PageWrites

if TYPE_CHECKING:
    from collections.abc import Callable

    from ddb_cache_sync.cache.contract import Cache
    from ddb_cache_sync.core.projection import Router
    from ddb_cache_sync.sync.checkpoint import Checkpoint
    from ddb_cache_sync.sync.item_sources import ItemSource, Page

DEFAULT_PATIENCE_SECONDS: Final = 60.0
"""How long a failing cache is tried again for one page."""
_MOST_PROBLEMS: Final = 100  # kept for the report


@dataclass(frozen=True, slots=True)
class BackfillReport:
    """What a backfill did. After it was gone on with: what was done since."""

    items: int = 0
    """Items read, removals of an incremental export among them."""
    written: int = 0
    """Values written, lookup keys among them."""
    removed: int = 0
    """Keys deleted, or without a value already, since an incremental export says that their items are gone."""
    guarded: int = 0
    """Keys left alone, since the stream had spoken."""
    left_out: int = 0
    """Items that the configuration leaves out, that have expired, or that are gone by now."""
    failed: int = 0
    """Items that can't be read or carried, and keys that the cache does not take."""
    problems: tuple[str, ...] = ()
    """Why: the first hundred different reasons; no contents."""
    seconds: float = 0.0
    """How long it took."""
    complete: bool = True
    """False: it was stopped, and can go on from its checkpoint."""

    def to_json(self) -> dict[str, Any]:
        """As one object of plain values."""
        return asdict(self)


class Backfill:
    """Fills a cache from a table. Made by `prepare_backfill`; it runs once.

    Args:
        cache: The cache.
        router: What makes keys and values of items: that of the replicator.
        source: Where the items come from.
        checkpoint: How far it has come.
        guard_ttl_seconds: The replicator's.
        patience_seconds: How long a failing cache is tried again for one page.
        threads: How many pieces are read at the same time.
        stopping: Set by `stop`; for those who wait in between, such as a limiter.
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
        stopping: threading.Event | None = None,
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
        self._stopping = stopping or threading.Event()
        self._lock = threading.Lock()
        self._counts = dict.fromkeys(("items", "written", "removed", "guarded", "left_out", "failed"), 0)
        self._problems: dict[str, None] = {}
        self._started: float | None = None
        self._seconds: float | None = None

    @property
    def about(self) -> int:
        """About how many items there are, those done before among them; 0: not known."""
        return self._source.about

    @property
    def goes_on(self) -> bool:
        """Whether its checkpoint has something to go on from."""
        return self._checkpoint.begun

    @property
    def report(self) -> BackfillReport:
        """What it has done so far."""
        now = time.monotonic()
        seconds = (
            self._seconds if self._seconds is not None else now - (now if self._started is None else self._started)
        )
        with self._lock:
            return BackfillReport(
                **self._counts,
                problems=tuple(self._problems),
                seconds=round(seconds, 3),
                complete=all(self._checkpoint.is_done(piece) for piece in self._source.pieces),
            )

    def stop(self) -> None:
        """Stop after the pages that are under way; the checkpoint tells where."""
        self._stopping.set()

    def run(self, on_progress: Callable[[int], object] = lambda _: None) -> BackfillReport:
        """Fill in every item; a checkpoint that is done with is removed.

        Args:
            on_progress: Called with the number of items of each page that is done, from several threads.

        Raises:
            CacheUnavailable: The cache kept failing; go on from the checkpoint.
            CacheError: The cache refuses us.
            TableError: The table or the export can't be read, or what was read is too old.
            ConfigurationError: The projection can't be right for these items, or the checkpoint can't be written.
        """
        self._started = time.monotonic()
        waiting = [piece for piece in self._source.pieces if not self._checkpoint.is_done(piece)]
        try:
            with ThreadPoolExecutor(max(1, min(self._threads, len(waiting)))) as pool:
                futures = [pool.submit(self._piece, piece, on_progress) for piece in waiting]
                try:
                    for future in futures:
                        future.result()
                except BaseException:
                    self.stop()
                    raise
        finally:
            self._seconds = time.monotonic() - self._started
        report = self.report
        if report.complete:
            self._checkpoint.remove()
        return report

    def _piece(self, piece: str, on_progress: Callable[[int], object]) -> None:
        if self._stopping.is_set():
            return
        try:
            with closing(self._source.pages(piece, self._checkpoint.position(piece))) as pages:
                for page in pages:
                    self._fill(page)
                    if page.position is None:
                        self._checkpoint.finished(piece)
                    else:
                        self._checkpoint.reached(piece, page.position)
                    on_progress(page.items)
                    if self._stopping.is_set():
                        return
        except BaseException:
            self.stop()  # at once: the one who waits for us may be waiting for another piece
            raise

    def _fill(self, page: Page) -> None:
        now = self._clock()
        left = page.as_of + self._longest - now
        if left < 0:
            raise TableError(
                "what was read is too old to be written: guards of later changes may have expired",
                hint="Go on from the checkpoint: a scan is read anew. From an export, with each item read again "
                "(--read-again).",
            )
        deadline = time.monotonic() + min(self._patience, left)
        writes = PageWrites(page, self._router, now)
        writes.count(self._cache.fill(writes.of_items(), deadline))
        if writes.has_words:
            writes.count_words(self._cache.fill(writes.words(), deadline))
        with self._lock:
            for name in self._counts:
                self._counts[name] += getattr(writes, name)
            for reason in writes.problems:
                if len(self._problems) < _MOST_PROBLEMS:
                    self._problems[reason] = None
