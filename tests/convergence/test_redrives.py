"""However records are delivered, given up and redriven, and however long that takes, the cache ends as the table is."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, cast

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from tests.sync.tables import TableClient

from ddb_cache_sync import (
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
from ddb_cache_sync.core.guards import DEFAULT_GUARD_TTL_SECONDS
from ddb_cache_sync.core.versions import Version
from ddb_cache_sync.sync.preparing_redrive import RedriveClients, prepare_redrive
from ddb_cache_sync.sync.redrive import RedriveOptions
from ddb_cache_sync.testing import MemoryCache, MemoryTable, stream_event

if TYPE_CHECKING:
    from ddb_cache_sync import Router

IDS = ("1", "2")
HOUR = 3600.0
RETENTION = 24 * HOUR
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


class Clock:
    now = 1_750_000_000.0


class Expiring(MemoryCache):
    """A cache in memory whose guards expire."""

    __slots__ = ("clock", "set_at")

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self.clock = clock
        self.set_at: dict[str, float] = {}

    def _apply(self, write: Any) -> Any:
        result = super()._apply(write)
        self.set_at[write.guard] = self.clock.now  # a stale one renews it as well
        return result

    def _repair(self, repair: Any) -> Any:
        result = super()._repair(repair)
        self.set_at[repair.write.guard] = self.clock.now
        return result

    def forget(self) -> None:
        """Let go of the guards whose time is over."""
        for guard in [*self.guards]:
            if self.clock.now - self.set_at[guard] >= DEFAULT_GUARD_TTL_SECONDS:
                del self.guards[guard]


class Table(TableClient):
    """A table whose description tells its stream."""

    def describe_table(self, **request: Any) -> Any:
        found = super().describe_table(**request)
        arn = "arn:aws:dynamodb:eu-west-1:111122223333:table/users/stream/2025-04-23T13:37:16.991"
        found["Table"] |= {"LatestStreamArn": arn, "StreamSpecification": {"StreamEnabled": True}}
        return found


class Happening(NamedTuple):
    what: Literal["change", "pass", "deliver", "give up", "redrive"]
    number: int
    """Which item, hours, record or entry, counted round and round."""
    kind: str | None = None
    """What an item is changed to; None: removed."""


HAPPENINGS = st.lists(
    st.builds(Happening, st.just("change"), st.integers(0, 1), st.sampled_from(["a", "b", None]))
    | st.builds(Happening, st.just("pass"), st.sampled_from([1, 5, 23, 26, 50]))
    | st.builds(Happening, st.sampled_from(["deliver", "deliver", "give up", "redrive"]), st.integers(0, 9)),
    min_size=4,
    max_size=25,
)


class World:
    """A table that changes, its stream, what was given up of it, and a cache."""

    def __init__(self, router: Router, folder: Path) -> None:
        self.router = router
        self.folder = folder
        self.clock = Clock()
        self.table = Table(MemoryTable(name="users"))
        self.cache = Expiring(self.clock)
        self.replicator = Replicator(self.cache, router, clock=lambda: self.clock.now)
        self.undelivered: list[dict[str, Any]] = []
        self.entries = 0
        self.places = 0

    def happens(self, happening: Happening) -> None:
        number = happening.number
        match happening.what:
            case "change":
                self.change(IDS[number], happening.kind)
            case "pass":
                self.clock.now += number * HOUR
                self.cache.forget()
                for record in [*self.undelivered]:
                    if self.clock.now - record["dynamodb"]["ApproximateCreationDateTime"] >= RETENTION:
                        self.give_up(record)  # before the stream drops it
            case "deliver" if self.table.table.records:
                record = self.table.table.records[number % len(self.table.table.records)]
                if self.clock.now - record["dynamodb"]["ApproximateCreationDateTime"] < RETENTION:
                    self.replicator.apply([record])
                    self.undelivered = [each for each in self.undelivered if each is not record]
            case "give up" if self.undelivered:
                self.give_up(self.undelivered[number % len(self.undelivered)])
            case "redrive" if self.entries:
                self.redrive(f"{number % self.entries:03d}")
            case _:
                pass

    def change(self, identity: str, kind: str | None) -> None:
        self.places += 1
        record = (
            self.table.remove(identity)
            if kind is None
            else self.table.put(identity, kind=kind, email=f"{identity}-{self.places % 3}@x", place=self.places)
        )
        if record is not None:
            record["dynamodb"]["ApproximateCreationDateTime"] = self.clock.now
            self.undelivered.append(record)

    def give_up(self, record: dict[str, Any]) -> None:
        self.undelivered = [each for each in self.undelivered if each is not record]
        entry = {"DDBStreamBatchInfo": {}, "payload": json.dumps(stream_event([record]))}
        folder = self.folder / f"{self.entries:03d}"
        folder.mkdir()
        (folder / "entry").write_text(json.dumps(entry))
        self.entries += 1

    def redrive(self, entry: str = "") -> None:
        """One entry, or all."""
        report = prepare_redrive(
            str(self.folder / entry),
            self.cache,
            self.router,
            RedriveClients(cast("Any", self.table)),
            "users",
            options=RedriveOptions(),
            clock=lambda: self.clock.now,
        ).run()
        assert report.failed == 0, report.problems


def expected_of(world: World) -> dict[str, Any]:
    """What a cache ends with that sees nothing but each item's newest image."""
    cache, fresh = MemoryCache(), MemoryTable(name="users")
    for item in world.table.table.items.values():
        fresh.put(item)
    Replicator(cache, world.router).apply(fresh.records)
    return cache.values


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(name=st.sampled_from([*ROUTERS]), happenings=HAPPENINGS)
@example(  # with an old payload believed, the first change comes back
    name="plain",
    happenings=[
        Happening("change", 1, "a"),
        Happening("change", 1, "a"),
        Happening("deliver", 1),
        Happening("pass", 26),
    ],
)
def test_the_cache_ends_as_the_table_does(name: str, happenings: list[Happening]) -> None:
    """In whatever order, however late and however often; a last redrive takes all there is."""
    run(name, happenings)


@pytest.mark.long
@settings(max_examples=1000, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(name=st.sampled_from([*ROUTERS]), happenings=HAPPENINGS)
def test_it_does_so_in_many_histories(name: str, happenings: list[Happening]) -> None:
    """The same, for longer."""
    run(name, happenings)


def run(name: str, happenings: list[Happening]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        world = World(ROUTERS[name], Path(folder))
        for happening in happenings:
            world.happens(happening)
        for record in [*world.undelivered]:
            world.give_up(record)
        world.redrive()
        assert world.cache.values == expected_of(world)
        guards: dict[str, Version] = {**world.cache.guards}
        world.redrive()  # once more, and nothing changes
        assert world.cache.values == expected_of(world)
        assert world.cache.guards == guards
