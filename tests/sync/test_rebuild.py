"""Rebuild: keys move to another layout, and readers of neither ever find less than a cache of it alone would show."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tests.sync.tables import TableClient

from ddb_cache_sync import (
    BothLayouts,
    ConfigurationError,
    EntityRouter,
    HashEncoding,
    Image,
    KeyTemplate,
    LookupKey,
    Projection,
    Replicator,
    Route,
    Version,
)
from ddb_cache_sync.core.guards import guard_key
from ddb_cache_sync.errors import CacheError
from ddb_cache_sync.sync.dropping import DropOptions
from ddb_cache_sync.sync.rebuild import Rebuild
from ddb_cache_sync.sync.repair import repair
from ddb_cache_sync.sync.repair_report import RepairTarget
from ddb_cache_sync.sync.verify import VerifyOptions
from ddb_cache_sync.testing import MemoryCache

if TYPE_CHECKING:
    from collections.abc import Callable

    from ddb_cache_sync import Router

OLD = Projection(KeyTemplate("users:{id}"), lookups=[LookupKey("users:by-name:{name}")])
NEW = Projection(KeyTemplate("v2:{id}"), HashEncoding())
APPLY = DropOptions(apply=True, keys_per_second=None, looks=(0.01,))


class StreamingClient(TableClient):
    """A table with a stream, and something that happens between the reading of a page and what is made of it."""

    def __init__(self) -> None:
        super().__init__()
        self.meanwhile: list[Callable[[], object]] = []

    def describe_table(self, **_: Any) -> Any:
        described = super().describe_table()
        described["Table"]["StreamSpecification"] = {"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"}
        return described

    def scan(self, **request: Any) -> Any:
        read = super().scan(**request)
        while self.meanwhile:
            self.meanwhile.pop()()
        return read


class Move:
    """A table whose keys move."""

    def __init__(self, old: Router = OLD, new: Router = NEW) -> None:
        self.client = StreamingClient()
        self.cache = MemoryCache()
        self.old, self.both, self.new = (Replicator(self.cache, router) for router in (old, BothLayouts(old, new), new))
        self.rebuild = Rebuild(self.cache, old, new, cast("Any", self.client), "users", sleep=lambda _: None)

    def put(self, replicator: Replicator, identity: str, **others: Any) -> None:
        """Put an item, and apply its record."""
        assert replicator.apply([self.client.put(identity, **others)]).failed == 0

    def keys(self) -> set[str]:
        """All keys of the cache."""
        return {*self.cache.values, *self.cache.guards, *self.cache.words}


def moved(items: int = 3) -> Move:
    """All done but the dropping; the old guards have gone by themselves."""
    move = Move()
    for number in range(items):
        move.put(move.both, str(number), name=f"n{number}")
    for number in range(items):
        del move.cache.guards[guard_key(f"users:{number}")]
    return move


def test_items_from_before_are_filled_into_the_new_layout_and_compared() -> None:
    """What the stream brings meanwhile is left alone."""
    move = Move()
    for number in range(5):
        move.put(move.old, str(number), name=f"n{number}")
    move.put(move.both, "5", name="n5")
    assert move.rebuild.verify().missing == 5
    report = move.rebuild.prepare_fill().run()
    assert (report.carried, report.complete) == ((6, 5, 0), True)
    assert (report.backfill.items, report.backfill.written, report.backfill.guarded) == (6, 0, 6)
    assert move.rebuild.verify().consistent
    assert move.cache.values["v2:0"] == {"id": b"0", "name": b"n0"}
    assert move.cache.values["users:0"] == b'{"id":"0","name":"n0"}'


def test_items_that_have_long_been_idle_are_filled_without_a_guard() -> None:
    """As by any backfill: nothing of theirs can come again."""
    move = Move()
    move.put(move.old, "1", name="a")
    move.cache.guards.clear()
    report = move.rebuild.prepare_fill().run()
    assert (report.carried, report.backfill.written) == ((0, 0, 0), 1)
    assert (move.cache.values["v2:1"], move.cache.guards) == ({"id": b"1", "name": b"a"}, {})


def test_what_was_applied_before_is_stale_in_the_new_layout_when_it_comes_again() -> None:
    """An item that has changed since, and one that is gone."""
    move = Move()
    records = [move.client.put("1", n=1), move.client.put("1", n=2), move.client.put("2"), move.client.remove("2")]
    move.old.apply([*records])
    move.rebuild.prepare_fill().run()
    assert move.new.apply([records[0], records[2]]).stale == 2
    assert {key for key in move.cache.values if key.startswith("v2:")} == {"v2:1"}
    assert move.cache.values["v2:1"] == {"id": b"1", "n": b"2"}


def test_what_came_again_before_it_was_filled_is_put_right() -> None:
    """Its guard is behind that of the old layout."""
    move = Move()
    records = [move.client.put("1", n=1), move.client.put("1", n=2), move.client.put("2"), move.client.remove("2")]
    move.old.apply([*records])
    move.both.apply([records[0], records[2]])
    assert {*move.cache.values} == {"users:1", "v2:1", "v2:2"}
    assert move.rebuild.prepare_fill().run().carried == (2, 2, 0)
    assert move.cache.values["v2:1"] == {"id": b"1", "n": b"2"}
    assert "v2:2" not in move.cache.values
    assert move.rebuild.prepare_fill().run().carried == (2, 0, 0)


def test_a_layout_that_the_stream_left_is_put_right_when_it_comes_back() -> None:
    """The way back from a new layout is the same way."""
    move = Move()
    for identity in "123":
        move.put(move.both, identity, name="a")
    move.put(move.new, "1", name="b")
    move.new.apply([move.client.remove("2")])
    back = Rebuild(move.cache, NEW, OLD, cast("Any", move.client), "users", sleep=lambda _: None)
    back.prepare_fill().run()
    assert move.cache.values["users:1"] == b'{"id":"1","name":"b"}'
    assert {key for key in move.cache.values if key.startswith("users:") and "by" not in key} == {"users:1", "users:3"}


def test_guards_that_do_not_tell_their_item_are_counted() -> None:
    """Those of keys that were shortened, and what is no version."""
    move = Move(old=Projection(KeyTemplate("users:{id}", max_bytes=80)))
    move.put(move.old, "x" * 100)
    move.put(move.old, "1")
    move.cache.guards[guard_key("users:1")] = Version("who knows")
    report = move.rebuild.prepare_fill().run()
    assert (report.carried, report.backfill.written) == ((2, 0, 2), 2)


def test_a_guard_whose_item_could_not_say_its_lookup_keys_is_left_for_the_next_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Carried, nobody would say them any more."""
    new = Projection(KeyTemplate("v2:{id}"), lookups=[LookupKey("v2:by-name:{name}")])
    move = Move(OLD, new)
    for identity in "123":
        move.put(move.old, identity, name=f"n{identity}")
    apply = move.cache.apply
    refused: list[str] = []

    def refusing(writes: Any, deadline: float | None = None) -> Any:
        results = [*apply([each for each in writes if each.key != "v2:by-name:n2"], deadline)]
        for place, each in enumerate(writes):
            if each.key == "v2:by-name:n2":
                refused.append(each.key)
                results.insert(place, CacheError("TOOMANY items have a word on one lookup key"))
        return results

    with monkeypatch.context() as patched:
        patched.setattr(MemoryCache, "apply", lambda _, *arguments: refusing(*arguments))
        assert move.rebuild.prepare_fill().run().carried == (3, 2, 1)
    assert refused == ["v2:by-name:n2"]
    assert guard_key("v2:2") not in move.cache.guards
    assert move.rebuild.prepare_fill().run().carried == (3, 1, 0)
    assert {key: value for key, value in move.cache.values.items() if key.startswith("v2:by-name:")} == {
        f"v2:by-name:n{identity}": f"v2:{identity}".encode() for identity in "123"
    }


def test_guards_of_other_keys_stop_none() -> None:
    """Of lookup keys for instance, or of somebody else's, that begin in the same way."""
    move = Move()
    move.cache.guards[guard_key("users:!:else")] = Version("who knows")
    move.put(move.old, "1", name="a")
    assert move.rebuild.prepare_fill().run().carried == (1, 1, 0)


def test_what_is_dropped_is_the_old_layout_all_of_it_and_nothing_else() -> None:
    """Keys, lookup keys, guards, tombstones; and a dry run tells the same and drops nothing."""
    move = moved(3)
    foreign = {"users:1:x", "users:", "v2:x", "users", "xusers:1", "users:%zz", "guests:1"}
    move.cache.values |= dict.fromkeys(foreign, b"")
    move.cache.values["users:%#" + "A" * 43] = b"{}"
    before = move.keys()
    told = move.rebuild.prepare_drop(DropOptions()).run()
    assert (told.keys, told.dropped, told.applied, told.refused) == (7, 0, False, None)
    assert move.keys() == before
    done = move.rebuild.prepare_drop(APPLY).run()
    assert (done.keys, done.dropped, done.applied, done.complete) == (7, 7, True, True)
    assert move.keys() == foreign | {key for number in range(3) for key in (f"v2:{number}", guard_key(f"v2:{number}"))}
    again = move.rebuild.prepare_drop(APPLY).run()
    assert (again.keys, again.dropped, again.complete) == (0, 0, True)


def test_tombstones_go_too_where_they_are_old_enough() -> None:
    """A guard in memory has all of its life left, so no quiet time is asked for."""
    move = moved(1)
    move.put(move.both, "gone")
    move.both.apply([move.client.remove("gone")])
    quiet = DropOptions(apply=True, quiet_seconds=0, looks=(0.01,))
    report = move.rebuild.prepare_drop(quiet).run()
    assert (report.guards, report.keys, report.dropped) == (1, 2, 3)
    assert move.keys() == {"v2:0", guard_key("v2:0"), guard_key("v2:gone")}


def test_nothing_is_dropped_while_the_stream_is_applied_to_it() -> None:
    """Young guards show it; a dry run says so as well."""
    move = moved()
    move.put(move.both, "1", name="again")
    before = move.keys()
    for options in (DropOptions(), APPLY):
        report = move.rebuild.prepare_drop(options).run()
        assert (report.young, report.dropped, report.complete) == (1, 0, False)
        assert "still applied" in (report.refused or "")
    assert move.keys() == before


def test_nothing_is_dropped_while_the_new_layout_is_not_right() -> None:
    """Whoever forgot to fill it is told."""
    move = moved()
    del move.cache.values["v2:1"]
    before = move.keys()
    report = move.rebuild.prepare_drop(APPLY).run()
    assert "1 of 3 keys that were compared are not right in the new layout" in (report.refused or "")
    assert (report.complete, report.dropped, move.keys()) == (False, 0, before)


def test_a_key_that_is_kept_again_in_the_midst_of_it_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """And counted."""
    move = moved()
    drop, race = move.cache.drop, [lambda: move.put(move.both, "1", name="again")]

    def dropped(drops: Any, deadline: float | None = None) -> Any:
        if race:
            race.pop()()
        return drop(drops, deadline)

    monkeypatch.setattr(MemoryCache, "drop", lambda _, *arguments: dropped(*arguments))
    report = move.rebuild.prepare_drop(APPLY).run()
    assert (report.young, report.applied) == (2, True)  # found by its key, and by its guard
    assert move.cache.values["users:1"] == b'{"id":"1","name":"again"}'


def test_the_rate_is_kept() -> None:
    """So many keys a second, after the first second's."""
    move = moved(20)
    waits: list[float] = []
    rebuild = Rebuild(move.cache, OLD, NEW, cast("Any", move.client), "users", sleep=waits.append)
    options = DropOptions(apply=True, keys_per_second=10, looks=(0.01,))
    assert rebuild.prepare_drop(options).run().dropped == 40
    assert max(waits) == pytest.approx(2, abs=0.5)  # no time passes here, so the fourth ten wait for two tens


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        (Projection(KeyTemplate("{id}:users:x")), NEW, "begins with a value"),
        (
            EntityRouter([Route(Projection(KeyTemplate("a:{id}")), table="users"), Route(NEW, table="orders")]),
            EntityRouter([Route(NEW, table="users"), Route(Projection(KeyTemplate("a:o-{id}")), table="orders")]),
            "of table orders could give the same keys",
        ),
        (
            EntityRouter(
                [
                    Route(Projection(KeyTemplate("a:{id}")), attribute={"kind": "x"}),
                    Route(keeps := Projection(KeyTemplate("a:{id}"))),
                ]
            ),
            EntityRouter([Route(NEW, attribute={"kind": "x"}), Route(keeps)]),
            "of table users could give the same keys",
        ),
    ],
    ids=["a value first", "another table's", "a route that stays"],
)
def test_keys_that_can_not_be_found_or_told_from_others_are_not_dropped(old: Any, new: Any, problem: str) -> None:
    """It is said why."""
    rebuild = Rebuild(MemoryCache(), old, new, cast("Any", StreamingClient()), "users")
    with pytest.raises(ConfigurationError, match=problem):
        rebuild.prepare_drop()


def test_a_table_that_stays_has_nothing_to_drop() -> None:
    """Another table of the same function moves."""
    stays = Route(Projection(KeyTemplate("u:{id}")), table="users")
    old = EntityRouter([stays, Route(Projection(KeyTemplate("o:{id}")), table="orders")])
    new = EntityRouter([stays, Route(Projection(KeyTemplate("v2:{id}")), table="orders")])
    rebuild = Rebuild(MemoryCache(), old, new, cast("Any", StreamingClient()), "users")
    with pytest.raises(ConfigurationError, match="nothing of table users"):
        rebuild.prepare_drop()


@pytest.mark.parametrize(
    "options", [{"keys_per_second": 0}, {"quiet_seconds": -1}, {"sample": 0}, {"looks": (2, 1)}], ids=str
)
def test_options_that_can_not_be_right_are_refused(options: Any) -> None:
    """When they are made."""
    with pytest.raises(ConfigurationError):
        DropOptions(**options)


CHANGES = st.tuples(
    st.sampled_from(["put", "put", "remove", "deliver", "deliver", "deliver", "again"]),
    st.integers(0, 1),
    st.integers(0, 2),
)
SOME = st.lists(CHANGES, max_size=8)
TWICE = [("put", 0, 0), ("put", 0, 1), ("deliver", 0, 0), ("deliver", 0, 0)]


class History:
    """A table, its cache, and a stream that is delivered late and again, to whichever function there is."""

    def __init__(self) -> None:
        self.new = Projection(KeyTemplate("v2:{id}"), lookups=[LookupKey("v2:by-name:{name}")])
        self.move = Move(new=self.new)
        self.function = self.move.old
        self.delivered = 0

    def go_on(self, steps: list[Any]) -> None:
        """Let things happen."""
        records, client = self.move.client.table.records, self.move.client
        for what, number, other in steps:
            if what == "put":
                client.put(str(number), name=f"{number}-{other}")
            elif what == "remove":
                client.remove(str(number))
            elif what == "again" and self.delivered:
                self.function.apply([records[other % self.delivered]])
            elif what == "deliver" and self.delivered < len(records):
                self.function.apply([records[self.delivered]])
                self.delivered += 1

    def repair(self) -> None:
        """Put right in the new layout what a verification of it finds, as the guide says."""
        report = self.move.rebuild.verify(VerifyOptions(looks=(0.01,)))
        targets = [
            RepairTarget(each.key, None if each.item is None else Image(each.item), each.kind) for each in report.drifts
        ]
        cache, client = self.move.cache, cast("Any", self.move.client)
        assert all(each.applied for each in repair(cache, self.new, client, "users", targets, apply=True))

    def drain(self) -> None:
        """Deliver what is left."""
        self.go_on([("deliver", 0, 0)] * (len(self.move.client.table.records) - self.delivered))

    def holds(self, beginning: str, *, lookups: bool = True) -> bool:
        """Whether a layout holds the table, its lookup keys too if they are asked for, and nothing else."""
        items = self.move.client.table.items
        right: dict[str, bytes] = {}
        for (identity,), item in items.items():
            right[f"{beginning}:{identity}"] = b'{"id":"%s","name":"%s"}' % (identity.encode(), item["name"].encode())
            right[f"{beginning}:by-name:{item['name']}"] = f"{beginning}:{identity}".encode()
        values = {key: value for key, value in self.move.cache.values.items() if key.startswith(f"{beginning}:")}
        if not lookups:
            values, right = ({key: each[key] for key in each if ":by-name:" not in key} for each in (values, right))
        return values == right


@settings(deadline=None, max_examples=60)
@example(TWICE, [("again", 0, 0)], [], [], [("again", 0, 1)])
@example(TWICE, [], [], [("again", 0, 0)], [("again", 0, 0)])
@given(SOME, SOME, SOME, SOME, SOME)
def test_whatever_happens_meanwhile_both_layouts_end_right(
    before: list[Any], first: list[Any], within: list[Any], then: list[Any], after: list[Any]
) -> None:
    """Changes are made, delivered late and again, in each step, and between the reading of a page and its writing."""
    history = History()
    move = history.move
    history.go_on(before)
    history.function = move.both
    history.go_on(first)
    move.client.meanwhile.append(lambda: history.go_on(within))
    assert move.rebuild.prepare_fill().run().backfill.failed == 0
    history.go_on(then)
    history.drain()
    assert history.holds("users")
    assert history.holds("v2", lookups=False)
    history.repair()
    assert history.holds("v2")
    history.function = move.new
    history.go_on(after)
    history.drain()
    assert history.holds("v2")
    quiet = DropOptions(apply=True, quiet_seconds=0, keys_per_second=None, looks=(0.01,))
    assert move.rebuild.prepare_drop(quiet).run().complete
    history.go_on([("again", 0, number) for number in range(history.delivered)])
    assert history.holds("v2")
    assert not {key for key in (*move.keys(),) if "users:" in key}
