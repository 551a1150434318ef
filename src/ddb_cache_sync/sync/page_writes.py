"""From a page of items to the writes that fill them in, and what became of them. Pure: no cache, no table, no clock.

Rules:

1. An item is written by the projection that holds it. For those that do not, nothing is deleted: either they never had
   it, or the change by which it left them is in the stream's hands.
2. Items go first and lookup keys after them, so that no reader finds a lookup key that leads to nothing. An item of
   which the stream has spoken says nothing of lookup keys: its changes do.
3. An item that can't be carried stops no other.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from ddb_cache_sync.core.changes import Change, Remove, Upsert, new_tuple
from ddb_cache_sync.core.outcomes import APPLIED, STALE
from ddb_cache_sync.core.projection import Projection, routed
from ddb_cache_sync.errors import ConfigurationError, RecordError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ddb_cache_sync.cache.contract import WriteResult
    from ddb_cache_sync.core.projection import Router
    from ddb_cache_sync.core.writes import Write
    from ddb_cache_sync.sync.item_sources import Page


class _Made(NamedTuple):
    """A write, and what it was made of."""

    write: Write
    projection: Projection
    change: Change


class PageWrites:
    """The writes of a page, and their counts, those of `BackfillReport`.

    Use it once: fill in `of_items`, give the results to `count`; where it `has_words`, the same with `words` and
    `count_words`.

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
        self._made: list[_Made] = []
        self._speakers: list[_Made] = []
        self._words: list[Write] = []
        for error in page.errors:
            self._fail(error.problem)

    def of_items(self) -> Iterator[Write]:
        """The writes of the items.

        Raises:
            ConfigurationError: The projection can't be right for these items.
        """
        router = self._router
        straight = router.straight if isinstance(router, Projection) else None
        for change in self._page.changes:
            try:
                if straight is not None and isinstance(router, Projection) and type(change) is Upsert:
                    key = straight.key_of(change.key.table, change.key.attributes.wire)
                    write = straight.write(key, change.version, change.item.wire)
                    made = [new_tuple(_Made, (write, router, change))]
                else:
                    made = [*self._of(change)]
            except RecordError as error:
                self._fail(error.problem)
                continue
            self.left_out += not made
            self._made += made
            for each in made:
                yield each.write

    def count(self, results: Sequence[WriteResult]) -> None:
        """Count what became of the writes of items, given a result for each."""
        for made, result in zip(self._made, results, strict=True):
            self._count(made.write, result)
            if result is APPLIED and made.projection.lookups:
                self._speakers.append(made)

    @property
    def has_words(self) -> bool:
        """Whether items have something to say of lookup keys, once they are written."""
        return bool(self._speakers)

    def words(self) -> Iterator[Write]:
        """What items say of lookup keys: of those that they have, and where old images are known of those."""
        for write, projection, change in self._speakers:
            try:
                words = [*projection.words(write, change, [change], stale=False)]
            except RecordError as error:
                self._fail(error.problem)
                continue
            self._words += words
            yield from words

    def count_words(self, results: Sequence[WriteResult]) -> None:
        """Count what became of the words, given a result for each."""
        for write, result in zip(self._words, results, strict=True):
            self._count(write, result)

    def _of(self, change: Change) -> Iterator[_Made]:
        """The writes of an item."""
        for projection, seen in routed(self._router, change):
            if isinstance(seen, Remove):
                if not isinstance(change, Remove):
                    continue  # rule 1
                if projection.keeps_ttl_removals:
                    raise ConfigurationError(
                        "an incremental export does not tell removals by time to live, which the configuration keeps, "
                        "from others",
                        hint="Fill from a scan or from a full export.",
                    )
            if projection.lookups:
                projection.check_table(seen)
            write = projection.write(projection.cache_key(seen), seen, self._now, filling=True)
            if write.value is not None or isinstance(seen, Remove):  # else left out, or expired
                yield _Made(write, projection, seen)

    def _count(self, write: Write, result: WriteResult) -> None:
        if result is STALE:
            self.guarded += 1
        elif result is not APPLIED:
            self._fail(result.problem)
        elif write.value is None:
            self.removed += 1
        else:
            self.written += 1

    def _fail(self, reason: str) -> None:
        self.failed += 1
        self.problems[reason] = None
