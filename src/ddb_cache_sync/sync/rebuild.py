"""Rebuild: moves the keys of a table to another layout, while readers and the stream go on.

Rules (decision 0010 gives the reasons):

1. The stream is applied to both layouts (`BothLayouts`) before anything is filled in, and until every reader has
   switched. So at any moment readers of either see what a cache of that layout alone would show.
2. Before the new layout is filled, the guards of the old one are carried over (`carrying`), so that a record that was
   applied before and comes again is stale in both. Then it is filled as any cache is: only where the stream has not
   spoken.
3. Readers switch when the new layout was compared with the table and is consistent.
4. The old layout is dropped when the stream leaves it alone, and the new one is right; and only what has the form of
   its keys, which no key of the new one has.
5. Each step can be stopped, and done again.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from ddb_cache_sync.cache.inspecting import inspectable_cache_of
from ddb_cache_sync.core.expectations import Known
from ddb_cache_sync.core.guards import DEFAULT_GUARD_TTL_SECONDS
from ddb_cache_sync.core.key_forms import key_forms
from ddb_cache_sync.core.layouts import check_layouts, droppable, only_in_one
from ddb_cache_sync.sync.carrying import Carried, Carrying
from ddb_cache_sync.sync.dropping import DropOptions, Dropping
from ddb_cache_sync.sync.preparing import BackfillOptions, limiter_of, prepare_backfill
from ddb_cache_sync.sync.sides import Sides
from ddb_cache_sync.sync.verify import VerifyOptions, verify

if TYPE_CHECKING:
    from collections.abc import Callable

    from mypy_boto3_dynamodb import DynamoDBClient

    from ddb_cache_sync.cache.filling import Readable
    from ddb_cache_sync.core.projection import Router
    from ddb_cache_sync.sync.backfill import Backfill, BackfillReport
    from ddb_cache_sync.sync.sides import OnLooks, OnProgress
    from ddb_cache_sync.sync.verify_report import VerifyReport


@dataclass(frozen=True, slots=True)
class FillReport:
    """What became of the new layout."""

    carried: Carried
    """The guards of the old layout, and what was written for them."""
    backfill: BackfillReport
    """The rest."""

    @property
    def complete(self) -> bool:
        """False: it was stopped; the same again goes on."""
        return self.backfill.complete

    def to_json(self) -> dict[str, Any]:
        """As one object of plain values."""
        guards, carried, left = self.carried
        return {"guards": guards, "carried": carried, "left": left, **self.backfill.to_json()}


class LayoutFill:
    """Fills a new layout. Made by `Rebuild.prepare_fill`; it runs once."""

    def __init__(self, carrying: Carrying, backfill: Backfill) -> None:
        self._carrying = carrying
        self._backfill = backfill
        self._carried = False

    @property
    def goes_on(self) -> bool:
        """Whether the backfill's checkpoint has something to go on from."""
        return self._backfill.goes_on

    @property
    def report(self) -> FillReport:
        """What it has done so far."""
        counts = Carried(self._carrying.guards, self._carrying.carried, self._carrying.left)
        filled = self._backfill.report
        return FillReport(counts, replace(filled, complete=filled.complete and self._carried))

    def run(self, on_progress: OnProgress = lambda *_: None) -> FillReport:
        """Carry the guards, then fill in every item. Errors are those of both.

        Args:
            on_progress: Told of the progress, from several threads.
        """
        self._carrying.run(on_progress)
        self._carried = True
        about = self._backfill.about
        self._backfill.run(lambda items: on_progress("filling", items, about))
        return self.report


class Rebuild:
    """One table's way from an old layout to a new one; the steps are to be done in the order of the methods.

    Args:
        cache: What `connect` returns, or anything that keeps the contracts of `Cache` and `InspectableCache`.
        old: The layout that is to be given up: a projection or a router.
        new: The layout that takes its place.
        client: boto3's client of DynamoDB.
        table: The table's name.
        guard_ttl_seconds: The replicator's.
        clock: Epoch seconds.
        sleep: Waits so many seconds.

    Raises:
        ConfigurationError: Keys of the two layouts can't be told apart.
        TableError: The table can't be described.
    """

    def __init__(
        self,
        cache: Readable,
        old: Router,
        new: Router,
        client: DynamoDBClient,
        table: str,
        *,
        guard_ttl_seconds: int = DEFAULT_GUARD_TTL_SECONDS,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        from ddb_cache_sync.table.descriptions import table_description  # noqa: PLC0415 - loads boto3

        described = table_description(client, table)
        check_layouts(old, new, table, described.key_names)
        self._known = Known.of(old, table, described.key_names, described.key_types)
        self._cache = inspectable_cache_of(cache, guard_ttl_seconds)
        self._old = old
        self._new = new
        self._client = client
        self._guard_ttl_seconds = guard_ttl_seconds
        self._clock = clock
        self._sleep = sleep

    def prepare_fill(self, options: BackfillOptions | None = None) -> LayoutFill:
        """The filling of the new layout, ready to run. The stream has to be applied to both layouts by now.

        Raises:
            ConfigurationError: It can't be right.
            TableError: The table can't be read.
        """
        backfill = prepare_backfill(
            self._cache,
            self._new,
            self._client,
            self._known.table,
            options,
            guard_ttl_seconds=self._guard_ttl_seconds,
            clock=self._clock,
        )
        limiter = limiter_of(options or BackfillOptions(), threading.Event())
        sides = Sides(self._cache, self._old, self._client, self._known, self._clock, limiter)
        olds, _ = only_in_one(self._old, self._new, self._known.table)
        forms = key_forms(olds, self._known.table, self._known.key_names)
        return LayoutFill(Carrying(sides, forms, self._new), backfill)

    def verify(
        self,
        options: VerifyOptions | None = None,
        *,
        on_progress: OnProgress = lambda *_: None,
        on_looks: OnLooks = lambda *_: None,
    ) -> VerifyReport:
        """Compare the table with the new layout. Errors are those of `verify`."""
        return verify(
            self._cache,
            self._new,
            self._client,
            self._known.table,
            replace(options or VerifyOptions(), guard_ttl_seconds=self._guard_ttl_seconds),
            on_progress=on_progress,
            on_looks=on_looks,
            clock=self._clock,
            sleep=self._sleep,
        )

    def prepare_drop(self, options: DropOptions | None = None) -> Dropping:
        """The end of the old layout, ready to run: every reader has to have switched, and the stream too.

        Raises:
            ConfigurationError: Its keys can't be found, or told from others.
        """
        projections = droppable(self._old, self._new, self._known.table, self._known.key_names)
        return Dropping(
            self._cache,
            key_forms(projections, self._known.table, self._known.key_names),
            self.verify,
            options or DropOptions(),
            guard_ttl_seconds=self._guard_ttl_seconds,
            sleep=self._sleep,
        )
