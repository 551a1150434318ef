"""From a page of items to the writes that fill them in, and what became of them. Pure: no cache, no table, no clock.

Rules:

1. An item is written by the projection that holds it. For those that do not, nothing is deleted: either they never had
   it, or the change by which it left them is in the stream's hands.
2. Items go first and lookup keys after them, so that no reader finds a lookup key that leads to nothing.
3. An item that can't be carried stops no other.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ddb_cache_sync.core.changes import Change, Remove, Upsert
from ddb_cache_sync.core.outcomes import APPLIED, STALE
from ddb_cache_sync.errors import ConfigurationError, RecordError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ddb_cache_sync.cache.contract import WriteResult
    from ddb_cache_sync.core.projection import Projection, Router
    from ddb_cache_sync.core.writes import Write
    from ddb_cache_sync.sync.item_sources import Page


class PageWrites:
    """The writes of a page, to be iterated over once, and their counts, those of `BackfillReport`.

    Args:
        page: The page.
        router: What makes keys and values of items.
        now: Epoch seconds, for the expiry.
    """

    def __init__(self, page: Page, router: Router, now: float) -> None:
        self.items = page.items
        self.written = 0
        self.removed = 0
        self.guarded = 0
        self.left_out = page.gone
        self.failed = 0
        self.problems: dict[str, None] = {}
        self._page = page
        self._router = router
        self._now = now
        self._deletions: set[int] = set()
        for error in page.errors:
            self._fail(error.problem)

    def __iter__(self) -> Iterator[Write]:
        """Each write.

        Raises:
            ConfigurationError: The projection can't be right for these items.
        """
        place = 0
        words: list[Write] = []
        for change in self._page.changes:
            own: list[Write] = []
            try:
                made = [*self._of(change, own)]
            except RecordError as error:
                self._fail(error.problem)
                continue
            words += own
            self.left_out += not made
            for write in made:
                if write.value is None:
                    self._deletions.add(place)
                yield write
                place += 1
        for write in words:
            if write.value is None:
                self._deletions.add(place)
            yield write
            place += 1

    def count(self, results: Sequence[WriteResult]) -> None:
        """Count what became of the writes, given a result for each."""
        for place, result in enumerate(results):
            if result is APPLIED:
                if place in self._deletions:
                    self.removed += 1
                else:
                    self.written += 1
            elif result is STALE:
                self.guarded += 1
            else:
                self._fail(result.problem)

    def _of(self, change: Change, words: list[Write]) -> Iterator[Write]:
        """The writes of an item; its words on lookup keys are added to the others."""
        for projection, seen in self._router.routed(change):
            if isinstance(seen, Remove):
                if not isinstance(change, Remove):
                    continue  # rule 1
                if projection.keeps_ttl_removals:
                    raise ConfigurationError(
                        "an incremental export does not tell removals by time to live, which the configuration keeps, "
                        "from others",
                        hint="Fill from a scan or from a full export.",
                    )
            key = projection.cache_key(seen)
            write = projection.write(key, seen, self._now, filling=True)
            if write.value is None and isinstance(seen, Upsert):
                continue  # left out, or expired
            words += self._words(projection, key, seen)
            yield write

    def _words(self, projection: Projection, key: str, seen: Change) -> list[Write]:
        """What an item says of lookup keys: of the one that it has, and where its old image is known of that."""
        if not projection.lookups:
            return []
        lookup_keys = projection.lookup_keys(key, seen)
        return [projection.lookup_write(each, key, seen, self._now) for each in lookup_keys]

    def _fail(self, reason: str) -> None:
        self.failed += 1
        self.problems[reason] = None
