"""Repair of lookup keys: items say their words anew, and nothing that the stream says is ever overruled."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.sync.tables import TableClient

from ddb_cache_sync import (
    CacheError,
    Compressed,
    Image,
    JsonEncoding,
    KeyTemplate,
    LookupKey,
    Projection,
    Replicator,
    Version,
)
from ddb_cache_sync.core.comparison import Drift
from ddb_cache_sync.core.guards import guard_key
from ddb_cache_sync.sync.repair import repair
from ddb_cache_sync.sync.repair_report import RepairAction, Repaired, RepairTarget
from ddb_cache_sync.sync.verify import VerifyOptions, verify
from ddb_cache_sync.testing import MemoryCache

if TYPE_CHECKING:
    from collections.abc import Callable

    from ddb_cache_sync.core.lookups import Holds

BY = "users:by-name:"


class Pair:
    """A table and a cache with a lookup key by name, and what happens just before words are said."""

    def __init__(self, holds: Holds = "key", keys: Any = None) -> None:
        self.client = TableClient()
        self.race: list[Callable[[], object]] = []
        self.cache = Racing(self.race)
        lookups = [LookupKey("users:by-name:{name}", holds=holds)]
        self.router = Projection(keys or KeyTemplate("users:{id}"), lookups=lookups)
        self.replicator = Replicator(cast("Any", self.cache), self.router)

    def put(self, identity: str, name: str) -> None:
        """Put an item, and apply its record."""
        self.replicator.apply([self.client.put(identity, name=name)])

    def repair(self, *targets: RepairTarget, apply: bool = True) -> list[Repaired]:
        """Repair these keys."""
        return [*repair(cast("Any", self.cache), self.router, cast("Any", self.client), "users", targets, apply=apply)]

    def repair_all(self) -> None:
        """What a verification of the whole table finds."""
        client, options = cast("Any", self.client), VerifyOptions(looks=(0.01,))
        report = verify(cast("Any", self.cache), self.router, client, "users", options, sleep=lambda _: None)
        self.repair(
            *(
                RepairTarget(each.key, None if each.item is None else Image(each.item), each.kind)
                for each in report.drifts
            )
        )

    def lookups(self) -> dict[str, bytes]:
        """What the lookup keys hold."""
        return {key.removeprefix(BY): value for key, value in self.cache.values.items() if key.startswith(BY)}


class Racing(MemoryCache):
    """A cache to which something happens just before words are said by a repair, and which can refuse them."""

    def __init__(self, race: list[Callable[[], object]]) -> None:
        super().__init__()
        self.race = race
        self.refusing = False
        self.refused = 0

    __slots__ = ("race", "refused", "refusing")

    def apply(self, writes: Any, deadline: float | None = None) -> Any:
        """Refuse words, where it is told to."""
        if not self.refusing:
            return super().apply(writes, deadline)
        self.refused += len(writes)
        return [CacheError("no words are taken") for _ in writes]

    def last_words(self, guards: Any, deadline: float | None = None) -> Any:
        """Let it happen once the words were read."""
        read = super().last_words(guards, deadline)
        if self.race and guards:
            self.race.pop()()
        return read


def actions(found: list[Repaired]) -> list[tuple[RepairAction, Drift | None]]:
    return [(each.action, each.drift) for each in found]


@pytest.mark.parametrize("holds", ["key", "item"])
def test_what_drifted_is_put_right_by_the_words_of_its_items(holds: Holds) -> None:
    """Missing, overwritten, and what no item has; a dry run tells the same."""
    pair = Pair(holds)
    for number in range(4):
        pair.put(str(number), f"n{number}")
    right = pair.lookups()
    del pair.cache.values[f"{BY}n0"]
    pair.cache.values[f"{BY}n1"] = right["n2"]
    pair.cache.values[f"{BY}nobody"] = b"users:3"
    targets = [
        RepairTarget(f"{BY}n0"),
        RepairTarget(f"{BY}n1"),
        RepairTarget(f"{BY}nobody", Image({"id": {"S": "3"}})),
        RepairTarget(f"{BY}n3"),
    ]
    expected = [
        (RepairAction.WRITTEN, Drift.MISSING),
        (RepairAction.WRITTEN, Drift.STALE),
        (RepairAction.DELETED, Drift.ORPHANED),
        (RepairAction.AGREES, None),
    ]
    assert actions(pair.repair(*targets, apply=False)) == expected
    assert f"{BY}n0" not in pair.cache.values
    done = pair.repair(*targets)
    assert actions(done) == expected
    assert [each.applied for each in done] == [True, True, True, False]
    assert done[0].guard_after == f"{done[0].guard_before}:1"
    assert pair.lookups() == right
    assert {action for action, _ in actions(pair.repair(*targets))} == {RepairAction.AGREES}


def test_a_value_that_was_passed_on_unseen_leads_to_its_new_item() -> None:
    """Both records were lost; who had it releases it, whichever claim is the greater."""
    for late, early in (("1", "2"), ("2", "1")):
        pair = Pair()
        pair.put(early, "a")
        pair.put(late, "b")
        pair.client.put(early, name="c")
        pair.client.put(late, name="a")
        pair.repair_all()
        assert pair.lookups() == {"c": f"users:{early}".encode(), "a": f"users:{late}".encode()}


def test_what_was_repaired_is_not_undone_by_what_comes_again_nor_in_the_way_of_what_is_new() -> None:
    """The versions that were found are stale."""
    pair = Pair()
    records = [pair.client.put("1", name="a"), pair.client.put("1", name="b"), pair.client.put("1", name="a")]
    pair.replicator.apply(records)
    pair.cache.values.pop(f"{BY}a")
    assert actions(pair.repair(RepairTarget(f"{BY}a"))) == [(RepairAction.WRITTEN, Drift.MISSING)]
    for record in records:
        pair.replicator.apply([record])
    assert pair.lookups() == {"a": b"users:1"}
    pair.put("1", "c")
    assert pair.lookups() == {"c": b"users:1"}


def test_where_the_words_were_lost_the_items_own_guard_tells_what_is_old() -> None:
    """A failover took the lookup key and its guard, and not those of the item."""
    pair = Pair()
    records = [pair.client.put("1", name="a"), pair.client.put("1", name="b"), pair.client.put("1", name="a")]
    pair.replicator.apply(records)
    pair.cache.values.pop(f"{BY}a")
    pair.cache.words.clear()
    assert actions(pair.repair(RepairTarget(f"{BY}a", Image({"id": {"S": "1"}})))) == [
        (RepairAction.WRITTEN, Drift.MISSING)
    ]
    assert pair.replicator.apply(records[:2]).stale == 2
    assert pair.lookups() == {"a": b"users:1"}


def test_where_all_guards_have_gone_every_change_wins_still() -> None:
    """What the repair says has the least version of all."""
    pair = Pair()
    record = pair.client.put("1", name="a")
    [done] = pair.repair(RepairTarget(f"{BY}a", Image({"id": {"S": "1"}})))
    assert (done.action, done.guard_before, done.guard_after) == (RepairAction.WRITTEN, "", "0000000000000:01:0")
    pair.replicator.apply([record])
    pair.put("1", "b")
    assert pair.lookups() == {"b": b"users:1"}


def test_a_change_that_is_applied_meanwhile_counts() -> None:
    """A word that is said once more, of a key that the item has just given up, does no harm."""
    pair = Pair()
    pair.put("1", "a")
    pair.cache.values.clear()
    pair.race.append(lambda: pair.put("1", "b"))
    pair.repair(RepairTarget(f"{BY}a"))
    assert pair.lookups() == {"b": b"users:1"}
    pair.put("1", "a")
    assert pair.lookups() == {"a": b"users:1"}


@pytest.mark.parametrize("holds", ["key", "item"])
def test_a_record_that_the_repair_of_the_items_own_key_made_stale_takes_no_lookup_key_away(holds: Holds) -> None:
    """It is delivered again: stale by the guard that the repair has left, it releases what the item claims."""
    pair = Pair(holds)
    records = [pair.client.put("1", name="b"), pair.client.put("1", name="a")]
    pair.replicator.apply(records)
    del pair.cache.values["users:1"]
    right = pair.lookups()
    assert actions(pair.repair(RepairTarget("users:1"), apply=False)) == [(RepairAction.WRITTEN, Drift.MISSING)]
    assert actions(pair.repair(RepairTarget("users:1"))) == [(RepairAction.WRITTEN, Drift.MISSING)]
    for record in records:
        assert pair.replicator.apply([record]).stale == 1
    assert pair.lookups() == right
    pair.put("1", "c")
    assert [*pair.lookups()] == ["c"]


def test_an_own_key_is_not_repaired_before_its_item_could_say_its_claims() -> None:
    """They are said the next time then, and nothing is stale before."""
    pair = Pair()
    record = pair.client.put("1", name="a")
    pair.replicator.apply([record])
    del pair.cache.values["users:1"]
    pair.cache.refusing = True
    [refused] = pair.repair(RepairTarget("users:1"))
    assert (refused.action, refused.reason, pair.cache.refused) == (RepairAction.REFUSED, "no words are taken", 1)
    pair.cache.refusing = False
    assert pair.replicator.apply([record]).applied == 1
    assert pair.lookups() == {"a": b"users:1"}


def test_what_nobody_can_tell_needs_a_verification_of_the_whole_table() -> None:
    """A key that leads nowhere, with no word on it."""
    pair = Pair()
    pair.cache.values[f"{BY}x"] = b"spoilt"
    [refused] = pair.repair(RepairTarget(f"{BY}x"))
    assert (refused.action, "report of verify" in (refused.reason or "")) == (RepairAction.REFUSED, True)
    assert actions(pair.repair(RepairTarget(f"{BY}x", None, Drift.ORPHANED))) == [
        (RepairAction.DELETED, Drift.ORPHANED)
    ]
    assert pair.lookups() == {}


def test_what_can_not_be_sound_is_refused() -> None:
    """Claims of items that nobody can read, and guards that are no versions."""
    pair = Pair(keys=KeyTemplate("users:{id}", max_bytes=80))
    pair.put("x" * 100, "a")
    pair.put("1", "b")
    pair.cache.values[f"{BY}a"] = b"spoilt"
    [refused] = pair.repair(RepairTarget(f"{BY}a"))
    assert (refused.action, refused.reason) == (
        RepairAction.REFUSED,
        "an item that claims it can't be told from its cache key",
    )
    pair.repair_all()  # which names the item
    assert pair.lookups()["a"].startswith(b"users:%#")
    pair.cache.values[f"{BY}b"] = b"spoilt"
    pair.cache.guards[guard_key("users:1")] = Version("who knows")
    [refused] = pair.repair(RepairTarget(f"{BY}b"))
    assert (refused.action, "no version" in (refused.reason or "")) == (RepairAction.REFUSED, True)


def test_what_the_cache_refuses_is_told() -> None:
    """With its reason, and as nothing that was done."""

    class Refusing(Racing):
        def apply(self, writes: Any, deadline: float | None = None) -> Any:
            return [CacheError("NOPERM") for _ in writes]

    pair = Pair()
    pair.cache = Refusing(pair.race)
    pair.client.put("1", name="a")
    [refused] = pair.repair(RepairTarget(f"{BY}a", Image({"id": {"S": "1"}})))
    assert (refused.action, refused.drift, refused.reason) == (RepairAction.REFUSED, Drift.MISSING, "NOPERM")
    assert not refused.applied


def test_an_item_that_can_not_be_carried_leaves_its_lookup_key_alone() -> None:
    """Nobody knows what the key should hold."""
    pair = Pair("item")
    small = Compressed(JsonEncoding(), max_bytes=1000)
    pair.router = Projection(KeyTemplate("users:{id}"), small, lookups=pair.router.lookups)
    pair.client.put("1", name="a", data="long" * 1000)
    pair.cache.values[f"{BY}a"] = b"spoilt"
    [refused] = pair.repair(RepairTarget(f"{BY}a", Image({"id": {"S": "1"}})))
    assert (refused.action, "more than 1000 bytes" in (refused.reason or "")) == (RepairAction.REFUSED, True)
    assert pair.lookups() == {"a": b"spoilt"}


NAMES, ITEMS = ("a", "b", "c"), ("1", "2", "3")
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["name", "name", "remove", "deliver", "deliver", "again", "lose", "spoil", "wipe"]),
        st.sampled_from(ITEMS),
        st.sampled_from(NAMES),
        st.integers(0, 12),
    ),
    max_size=14,
)


class History:
    """A table in which no two items have a name at once, and a stream that is late, comes again, and loses records."""

    def __init__(self, holds: Holds) -> None:
        self.pair = Pair(holds)
        self.delivered = 0
        self.came: list[Any] = []
        self.wiped: set[str] = set()

    def take(self, what: str, identity: str, name: str, number: int) -> None:
        """Let a step happen."""
        pair, records = self.pair, self.pair.client.table.records
        if what == "name":
            taken = {item["name"] for (other,), item in pair.client.table.items.items() if other != identity}
            if name not in taken:
                pair.client.put(identity, name=name)
        elif what == "remove":
            pair.client.remove(identity)
        elif what == "deliver" and self.delivered < len(records):
            self.came.append(records[self.delivered])
            self.delivered += 1
            assert pair.replicator.apply(self.came[-1:]).failed == 0
        elif what == "lose" and self.delivered < len(records):
            self.delivered += 1
        elif what == "again" and self.came:
            pair.replicator.apply([self.came[number % len(self.came)]])
        elif what == "spoil" and name not in self.wiped:  # or the key could be right, and its guard gone
            pair.cache.values[f"{BY}{name}"] = f"users:{identity}".encode()
        elif what == "wipe":
            self.wiped.add(name)
            pair.cache.values.pop(f"{BY}{name}", None)
            pair.cache.words.pop(guard_key(f"{BY}{name}"), None)

    def right(self) -> dict[str, bytes]:
        """What the lookup keys should hold."""
        values = self.pair.cache.values
        holds_key = self.pair.router.lookups[0].holds == "key"
        return {
            item["name"]: f"users:{number}".encode() if holds_key else values[f"users:{number}"]
            for (number,), item in self.pair.client.table.items.items()
        }


@settings(deadline=None, max_examples=50)
@given(st.sampled_from(["key", "item"]), STEPS, STEPS, STEPS)
def test_whatever_was_lost_or_spoilt_is_put_right_whatever_happens_meanwhile(
    holds: Holds, steps: list[Any], meanwhile: list[Any], after: list[Any]
) -> None:
    """Changes are made, delivered late and again, lost and spoilt, before a repair and within it.

    Then a repair is done in which nothing else happens; from there on the stream alone keeps everything right.
    """
    history = History(holds)
    for step in steps:
        history.take(*step)
    history.pair.race += [partial(history.take, *step) for step in meanwhile if step[0] not in ("spoil", "wipe")]
    history.pair.repair_all()
    history.pair.race.clear()
    history.pair.repair_all()
    for step in after:
        if step[0] not in ("spoil", "wipe", "lose"):
            history.take(*step)
    while history.delivered < len(history.pair.client.table.records):
        history.take("deliver", "1", "a", 0)
    assert history.pair.lookups() == history.right()
    for record in history.came:
        history.pair.replicator.apply([record])
    assert history.pair.lookups() == history.right()
