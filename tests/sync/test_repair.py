"""Repair: what drifted is put right, and nothing that the stream says is ever overwritten."""

from __future__ import annotations

import itertools
from functools import partial
from typing import TYPE_CHECKING, Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.sync.tables import TableClient

from ddb_cache_sync import Image, KeyTemplate, Projection, Replicator, Version
from ddb_cache_sync.core.comparison import Drift
from ddb_cache_sync.core.guards import guard_key
from ddb_cache_sync.sync.repair import repair
from ddb_cache_sync.sync.repair_report import RepairAction, Repaired, RepairTarget
from ddb_cache_sync.testing import MemoryCache

if TYPE_CHECKING:
    from collections.abc import Callable

KEYS = KeyTemplate("users:{id}")


class Pair:
    """A table and its cache."""

    def __init__(self, cache: MemoryCache | None = None) -> None:
        self.client = TableClient()
        self.cache = cache or MemoryCache()
        self.replicator = Replicator(self.cache, keys=KEYS)

    def put(self, identity: str, **others: Any) -> Any:
        """Put an item, and apply its record; gives it."""
        record = self.client.put(identity, **others)
        self.replicator.apply([record])
        return record

    def repair(self, *keys: str, apply: bool = True, item: Image | None = None, **options: Any) -> list[Repaired]:
        """Repair these keys."""
        targets = [RepairTarget(key, item) for key in keys]
        client = cast("Any", self.client)
        return [*repair(self.cache, Projection(KEYS), client, "users", targets, apply=apply, **options)]


def actions(found: list[Repaired]) -> list[tuple[RepairAction, Drift | None]]:
    return [(each.action, each.drift) for each in found]


def test_what_is_missing_or_stale_is_written_and_what_is_orphaned_is_deleted() -> None:
    """As the table has it."""
    pair = Pair()
    pair.put("1", name="Ada")
    pair.put("2", name="Bob")
    del pair.cache.values["users:1"]
    pair.cache.values["users:2"] = pair.cache.values["users:nobody"] = b"spoilt"
    assert actions(pair.repair("users:1", "users:2", "users:nobody")) == [
        (RepairAction.WRITTEN, Drift.MISSING),
        (RepairAction.WRITTEN, Drift.STALE),
        (RepairAction.DELETED, Drift.ORPHANED),
    ]
    assert pair.cache.values == {"users:1": b'{"id":"1","name":"Ada"}', "users:2": b'{"id":"2","name":"Bob"}'}


def test_a_dry_run_tells_the_same_and_touches_nothing() -> None:
    """It is the default."""
    pair = Pair()
    pair.put("1")
    pair.cache.values.clear()
    guards = dict(pair.cache.guards)
    [told] = pair.repair("users:1", apply=False)
    assert (told.action, told.applied) == (RepairAction.WRITTEN, False)
    assert (pair.cache.values, pair.cache.guards) == ({}, guards)
    [done] = pair.repair("users:1")
    assert (done.applied, done.guard_before, done.guard_after) == (True, told.guard_before, told.guard_after)


def test_the_version_that_was_found_is_stale_when_it_comes_again() -> None:
    """And the next change wins."""
    pair = Pair()
    record = pair.put("1", name="a")
    pair.cache.values["users:1"] = b"spoilt"
    [done] = pair.repair("users:1")
    assert done.guard_after == f"{done.guard_before}:1"
    assert pair.replicator.apply([record]).stale == 1
    assert pair.put("1", name="b") is not None
    assert pair.cache.values["users:1"] == b'{"id":"1","name":"b"}'


def test_where_there_is_no_guard_none_is_left() -> None:
    """Every change of the stream wins."""
    pair = Pair()
    record = pair.client.put("1", name="a")
    [done] = pair.repair("users:1")
    assert (done.guard_before, done.guard_after, pair.cache.guards) == ("", "", {})
    assert pair.replicator.apply([record]).applied == 1


def test_a_key_that_agrees_is_left_alone() -> None:
    """So a repair can be done again."""
    pair = Pair()
    pair.put("1")
    pair.cache.values.clear()
    pair.repair("users:1")
    guards = dict(pair.cache.guards)
    assert actions(pair.repair("users:1")) == [(RepairAction.AGREES, None)]
    assert pair.cache.guards == guards


def test_a_key_that_does_not_tell_its_item_needs_to_be_told() -> None:
    """By the report of verify."""
    pair = Pair()
    pair.client.put("1")
    assert actions(pair.repair("other:1")) == [(RepairAction.REFUSED, None)]
    assert actions(pair.repair("users:1", item=Image({"id": {"S": "2"}}))) == [(RepairAction.REFUSED, None)]
    assert actions(pair.repair("users:1", item=Image({"id": {"S": "1"}}))) == [(RepairAction.WRITTEN, Drift.MISSING)]


class Racing(MemoryCache):
    """A cache to which something happens between the reading of the table and the writing of a repair."""

    def repair(self, repairs: Any, deadline: float | None = None) -> Any:
        """Let it happen."""
        RACE.pop()() if RACE else None
        return super().repair(repairs, deadline)


RACE: list[Callable[[], object]] = []


def test_where_a_change_is_applied_meanwhile_the_key_is_looked_at_anew() -> None:
    """And found to agree."""
    pair = Pair(Racing())
    pair.put("1", name="a")
    pair.cache.values.clear()
    RACE.append(lambda: pair.put("1", name="b"))
    assert actions(pair.repair("users:1")) == [(RepairAction.AGREES, None)]
    assert pair.cache.values["users:1"] == b'{"id":"1","name":"b"}'


def test_a_key_that_keeps_moving_is_left_to_the_stream() -> None:
    """After five attempts."""
    pair = Pair(Racing())
    pair.put("1", name="a")
    pair.cache.values.clear()

    def spoil(number: int) -> None:
        pair.put("1", name=f"{number}")
        pair.cache.values.clear()

    RACE.extend(partial(spoil, number) for number in range(5))
    assert [each.action for each in pair.repair("users:1")] == [RepairAction.MOVED]


@pytest.mark.parametrize(("seconds", "action"), [(60.0, RepairAction.WRITTEN), (60.1, RepairAction.MOVED)])
def test_what_was_read_more_than_a_minute_ago_is_not_written(seconds: float, action: RepairAction) -> None:
    """A guard could have come and gone since."""
    pair = Pair()
    pair.put("1")
    pair.cache.values.clear()
    moments = itertools.count(step=seconds)
    assert [each.action for each in pair.repair("users:1", monotonic=lambda: next(moments))] == [action]
    assert bool(pair.cache.values) is (action is RepairAction.WRITTEN)


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("put"), st.integers(0, 3)),
        st.just(("remove", 0)),
        st.just(("deliver", 0)),
        st.tuples(st.just("again"), st.integers(0, 20)),
        st.just(("spoil", 0)),
        st.just(("repair", 0)),
    ),
    max_size=25,
)


class History:
    """A table, its cache, and a stream that is delivered late and again."""

    def __init__(self) -> None:
        self.pair = Pair(Racing())
        self.records = self.pair.client.table.records
        self.delivered = 0
        self.spoilt = False

    def take(self, step: tuple[str, int], within: list[Any]) -> None:
        """Let a step happen; a repair, with others within."""
        what, number = step
        if what == "put":
            self.pair.client.put("1", n=number)
        elif what == "remove":
            self.pair.client.remove("1")
        elif what == "deliver":
            self.deliver()
        elif what == "again" and self.delivered:
            self.pair.replicator.apply([self.records[number % self.delivered]])
        elif what == "spoil":
            self.pair.cache.values["users:1"] = b"spoilt"
            self.spoilt = True
        elif what == "repair":
            self.repair(within)

    def deliver(self) -> None:
        """Deliver the next record."""
        if self.delivered < len(self.records):
            self.delivered += 1
            assert self.pair.replicator.apply([self.records[self.delivered - 1]]).failed == 0

    def repair(self, within: list[Any]) -> None:
        """Repair the key, while other things happen."""

        def happen() -> None:
            for each in within:
                if each[0] not in ("repair", "spoil"):
                    self.take(each, [])

        RACE[:] = [happen]
        self.pair.repair("users:1")
        RACE.clear()
        self.spoilt = False


@given(STEPS, STEPS)
def test_repairs_among_changes_never_leave_anything_stale(steps: list[Any], meanwhile: list[Any]) -> None:
    """Changes are made, delivered late and again, before and within a repair; in the end the stream is drained.

    What was spoilt after the last repair is put right by one more.
    """
    history = History()
    for step in steps:
        history.take(step, meanwhile)
    while history.delivered < len(history.records):
        history.deliver()
    if history.spoilt:
        history.repair([])
    item = history.pair.client.table.items.get(("1",))
    assert history.pair.cache.values.get("users:1") == (None if item is None else b'{"id":"1","n":%d}' % item["n"])
    assert history.pair.repair("users:1")[0].action is RepairAction.AGREES


def test_a_guard_that_is_no_version_is_left_to_a_person() -> None:
    """Somebody else has written it; its text says nothing of what was applied."""
    pair = Pair()
    pair.client.put("1")
    pair.cache.guards[guard_key("users:1")] = Version("a:b:c:d")
    [refused] = pair.repair("users:1")
    assert (refused.action, pair.cache.values) == (RepairAction.REFUSED, {})
    assert refused.reason == "its guard is no version: delete '~v:{users:1}', then repair again"
    assert refused.guard_before == "(not a version)"
    del pair.cache.guards[guard_key("users:1")]
    assert [each.action for each in pair.repair("users:1")] == [RepairAction.WRITTEN]
    assert pair.cache.values == {"users:1": b'{"id":"1"}'}
