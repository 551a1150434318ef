"""However a backfill's pages and changes interleave, the cache ends as the table does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from ddb_cache_sync import (
    Backfill,
    EntityRouter,
    HashEncoding,
    KeyTemplate,
    LookupKey,
    Projection,
    Replicator,
    Route,
    exclude,
    where,
)
from ddb_cache_sync.core.outcomes import APPLIED
from ddb_cache_sync.sync.checkpoint import Checkpoint
from ddb_cache_sync.sync.item_sources import Page
from ddb_cache_sync.table.items import as_upsert
from ddb_cache_sync.testing import MemoryCache, MemoryTable
from ddb_cache_sync.testing.events import attributes

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from ddb_cache_sync.core.projection import Router

IDS = ("1", "2", "3", "4")
KEYS = KeyTemplate("users:{id}")
ROUTERS: dict[str, Router] = {
    "plain": Projection(KEYS),
    "hashes": Projection(KEYS, HashEncoding()),
    "lookup keys": Projection(KEYS, lookups=[LookupKey("users:by-email:{email}")]),
    "transforms": Projection(KEYS, transforms=[exclude("place"), where(lambda item: item["kind"] != "b")]),
    "routes": EntityRouter(
        [
            Route(Projection(KeyTemplate("as:{id}")), attribute={"kind": "a"}),
            Route(Projection(KeyTemplate("bs:{id}")), attribute={"kind": "b"}),
        ]
    ),
}


class Unguarded(MemoryCache):
    """The weaker rule: a backfill writes whatever it has read."""

    def _fill(self, write: Any) -> Any:
        self._put(write)
        return APPLIED


class Happening(NamedTuple):
    """What happens before or after a page is read."""

    changes: list[tuple[str, str | None]]
    """Items that are changed, and to which kind; None: removed."""
    delivered: list[int]
    """Which records made so far are delivered then, counted round and round."""


happenings = st.lists(
    st.builds(
        Happening,
        st.lists(st.tuples(st.sampled_from(IDS), st.sampled_from(["a", "b", None])), max_size=2),
        st.lists(st.integers(0, 20), max_size=3),
    ),
    min_size=8,
    max_size=8,
)
"""Two for each page. Drawn beforehand: a backfill reads in threads of its own, where nothing can be drawn."""


class World:
    """A table that changes, its stream, delivered in any way, and a cache."""

    def __init__(self, cache: MemoryCache, router: Router, plan: list[Happening]) -> None:
        self.table = MemoryTable()
        self.replicator = Replicator(cache, router)
        self.plan = plan
        self.place = 0
        self.delivered: set[int] = set()

    def change(self, identity: str, kind: str | None) -> None:
        self.place += 1
        email = f"{identity}-{self.place % 3}@x"  # nobody else's, at any time
        if kind is None:
            self.table.remove(id=identity)
        else:
            self.table.put({"id": identity, "kind": kind, "email": email, "place": self.place})

    def happens(self) -> None:
        """Some changes are made, and some of those made are delivered, in any order, maybe again."""
        changes, delivered = self.plan.pop()
        for identity, kind in changes:
            self.change(identity, kind)
        if records := self.table.records:
            places = [number % len(records) for number in delivered]
            self.replicator.apply([records[place] for place in places])
            self.delivered.update(places)

    @property
    def waiting(self) -> list[dict[str, Any]]:
        """The records that were never delivered."""
        return [record for place, record in enumerate(self.table.records) if place not in self.delivered]


class Interleaved:
    """A source of two pieces of two items each; things happen before and after each is read."""

    about = 0

    def __init__(self, world: World) -> None:
        self.world = world
        self.job: dict[str, Any] = {}
        self.pieces: Sequence[str] = ["first", "second"]

    def pages(self, piece: str, position: Any) -> Generator[Page, None, None]:
        assert position is None
        half = IDS[:2] if piece == "first" else IDS[2:]
        for identity in half:
            self.world.happens()
            found = self.world.table.items.get((identity,))
            changes = [] if found is None else [as_upsert("T", ["id"], attributes(found))]
            self.world.happens()
            yield Page(changes, (), None if identity == half[-1] else identity, 0.0)


def expected_of(table: MemoryTable, router: Router) -> dict[str, Any]:
    """What a cache ends with that sees nothing but each item's newest image."""
    cache = MemoryCache()
    replicator = Replicator(cache, router)
    fresh = MemoryTable()
    for item in table.items.values():
        fresh.put(item)
    replicator.apply(fresh.records)
    return cache.values


def run(data: st.DataObject, cache: MemoryCache, router: Router) -> None:
    world = World(cache, router, data.draw(happenings, "happenings"))
    for identity, kind in data.draw(st.dictionaries(st.sampled_from(IDS), st.sampled_from("ab")), "before").items():
        world.change(identity, kind)
    world.table.records.clear()  # there was no stream yet
    source = Interleaved(world)
    report = Backfill(cache, router, source, Checkpoint(None, {}), threads=1, clock=lambda: 1.0).run()
    assert (report.complete, report.failed) == (True, 0)
    world.replicator.apply(data.draw(st.permutations(world.waiting), "in the end"))
    assert cache.values == expected_of(world.table, router)


@pytest.mark.parametrize("router", ROUTERS)
def test_no_interleaving_of_a_backfill_and_changes_leaves_anything_stale(router: str) -> None:
    """Items that were there before the stream are there, and those that changed are as they are now."""

    @settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(st.data())
    def check(data: st.DataObject) -> None:
        run(data, MemoryCache(), ROUTERS[router])

    check()


@pytest.mark.long
def test_without_the_guard_some_interleaving_leaves_something_stale() -> None:
    """So the check is able to fail."""

    @settings(
        max_examples=2000, deadline=None, database=None, phases=[Phase.generate], suppress_health_check=[*HealthCheck]
    )
    @given(st.data())
    def check(data: st.DataObject) -> None:
        run(data, Unguarded(), ROUTERS["plain"])

    with pytest.raises(AssertionError):
        check()
