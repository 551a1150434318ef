"""Verify: what differs is found, all of it, and what is only on its way is not."""

from __future__ import annotations

import random
import time
from typing import TYPE_CHECKING, Any, cast

import pytest
from tests.sync.tables import TableClient

from ddb_cache_sync import (
    Compressed,
    ConfigurationError,
    EntityRouter,
    Expiry,
    JsonEncoding,
    KeyTemplate,
    Projection,
    Replicator,
    Route,
    where,
)
from ddb_cache_sync.core.comparison import Drift
from ddb_cache_sync.core.encodings import HashEncoding
from ddb_cache_sync.core.versions import Version
from ddb_cache_sync.sync.verify import VerifyOptions, verify
from ddb_cache_sync.sync.verify_report import VerifyReport, wilson_interval
from ddb_cache_sync.testing import MemoryCache

if TYPE_CHECKING:
    from collections.abc import Callable

    from ddb_cache_sync.core.projection import Router

KEYS = KeyTemplate("users:{id}")


class Pair:
    """A table and a cache that holds what it holds, and waits in which something may happen."""

    def __init__(self, router: Router | None = None, items: int = 0) -> None:
        self.client = TableClient()
        self.cache = MemoryCache()
        self.router: Router = router or Projection(KEYS)
        self.replicator = Replicator(self.cache, self.router)
        self.waits: list[float] = []
        self.meanwhile: list[Callable[[], object]] = []
        for number in range(items):
            self.put(str(number), name=f"name {number}")

    def put(self, identity: str, **others: Any) -> None:
        """Put an item, and apply its record."""
        self.replicator.apply([self.client.put(identity, **others)])

    def remove(self, identity: str) -> None:
        """Remove an item, and apply its record."""
        self.replicator.apply([self.client.remove(identity)])

    def wait(self, seconds: float) -> None:
        """Let something happen in place of a wait."""
        self.waits.append(seconds)
        if self.meanwhile:
            self.meanwhile.pop(0)()

    def verify(self, options: VerifyOptions | None = None, clock: Callable[[], float] = time.time) -> VerifyReport:
        """Compare them."""
        client = cast("Any", self.client)
        return verify(
            self.cache, self.router, client, "users", options, sleep=self.wait, clock=clock, chance=random.Random(1)
        )


def kinds(report: VerifyReport) -> dict[str, Drift]:
    return {each.key: each.kind for each in report.drifts}


def test_a_cache_that_follows_its_table_is_consistent_at_once() -> None:
    """Nothing is looked at again, since there is no suspect."""
    pair = Pair(items=100)
    report = pair.verify()
    assert (report.items, report.keys, report.cached_keys) == (100, 100, 100)
    assert (report.consistent, report.share_consistent, report.interval) == (True, 1.0, (1.0, 1.0))
    assert pair.waits == []


def test_what_somebody_spoilt_behind_the_caches_back_is_found_all_of_it() -> None:
    """Values deleted, values changed, and keys of items that the table does not have."""
    pair = Pair(items=100)
    del pair.cache.values["users:1"]
    pair.cache.values["users:2"] = b"{}"
    pair.cache.values["users:nobody"] = b"{}"
    report = pair.verify()
    assert kinds(report) == {"users:1": Drift.MISSING, "users:2": Drift.STALE, "users:nobody": Drift.ORPHANED}
    assert (report.missing, report.stale, report.orphaned, report.drift) == (1, 1, 1, 3)
    assert report.share_consistent == pytest.approx(98 / 101)
    assert report.drifts[0].item == {"id": {"S": "1"}}
    assert [round(each) for each in pair.waits] == [1, 5, 30]
    assert report.places == {"users:": 3}


def test_what_is_put_right_between_two_looks_is_no_drift() -> None:
    """The stream was late."""
    pair = Pair(items=3)
    late = pair.client.put("1", name="changed"), pair.client.put("new"), pair.client.remove("2")
    pair.meanwhile = [lambda: None, lambda: pair.replicator.apply([*late])]
    report = pair.verify()
    assert (report.consistent, report.in_flight) == (True, 0)


def test_what_still_moves_at_the_last_look_is_in_flight_and_no_drift() -> None:
    """An item that changes all the time, and whose change is never applied in time."""
    pair = Pair(items=3)
    pair.client.put("1", name="a")
    pair.meanwhile = [lambda: None, lambda: None, lambda: pair.client.put("1", name="b")]
    report = pair.verify()
    assert (report.consistent, report.in_flight) == (True, 1)


def test_a_guard_that_moved_is_in_flight_too() -> None:
    """A change was applied, though the value is as it was: a removal, of what was missing already."""
    pair = Pair()
    old = [pair.client.put("1", name="a"), pair.client.remove("1")]
    pair.client.put("1", name="b")
    pair.meanwhile = [lambda: None, lambda: None, lambda: pair.replicator.apply([*old])]
    report = pair.verify()
    assert (report.consistent, report.in_flight) == (True, 1)


def test_an_item_that_came_after_the_table_was_read_is_no_orphan() -> None:
    """Its cache key was seen, and its item is read again."""
    pair = Pair(items=1)
    pair.cache.values["users:late"] = b'{"id":"late"}'
    pair.meanwhile = [lambda: pair.client.put("late")]
    assert pair.verify().consistent


def test_keys_that_do_not_tell_their_item_are_found_by_reading_the_table_once_more() -> None:
    """Long ones are shortened."""
    short = KeyTemplate("users:{id}", max_bytes=80)
    pair = Pair(Projection(short))
    pair.put("x" * 100)
    pair.cache.values["users:%#" + "A" * 43] = b"{}"
    report = pair.verify()
    assert kinds(report) == {"users:%#" + "A" * 43: Drift.ORPHANED}
    assert report.drifts[0].item is None
    assert len(pair.client.scans) == 5


def test_an_item_that_the_configuration_leaves_out_must_not_be_there() -> None:
    """Its key, where it exists, is an orphan."""
    pair = Pair(Projection(KEYS, transforms=[where(lambda item: item["name"] != "hidden")]))
    pair.put("1", name="hidden")
    assert pair.verify().left_out == 1
    pair.cache.values["users:1"] = b"{}"
    assert kinds(pair.verify()) == {"users:1": Drift.ORPHANED}


@pytest.mark.parametrize("mode", ["invalidate", "refresh"])
def test_in_these_modes_a_key_may_be_missing_and_must_not_be_stale(mode: Any) -> None:
    """Readers fill it."""
    pair = Pair(Projection(KEYS, mode=mode))
    pair.put("1", name="a")
    assert pair.verify().consistent
    pair.cache.values["users:1"] = b"{}"
    assert kinds(pair.verify()) == {"users:1": Drift.STALE}


def test_what_has_expired_on_either_side_is_no_drift() -> None:
    """DynamoDB takes its time to remove such items, and the cache does not."""
    pair = Pair(Projection(KEYS, expiry=Expiry("ttl")))
    pair.put("1", ttl=4_000_000_000)
    assert pair.verify().consistent
    assert pair.verify(clock=lambda: 4_000_000_001).consistent
    del pair.cache.values["users:1"]
    assert pair.verify(clock=lambda: 4_000_000_001).consistent
    assert not pair.verify().consistent


def test_compressed_values_are_compared_expanded() -> None:
    """Another library, or level, gives other bytes."""
    pair = Pair(Projection(KEYS, Compressed(JsonEncoding(), level=1)))
    pair.put("1", text="abc " * 1000)
    pair.router = Projection(KEYS, Compressed(JsonEncoding(), level=9))
    assert pair.verify().consistent


def test_every_route_of_a_table_is_checked() -> None:
    """An item is expected under one key and under no other."""
    users = Projection(KeyTemplate("users:{id}"))
    orders = Projection(KeyTemplate("orders:{id}"))
    pair = Pair(EntityRouter([Route(users, attribute={"kind": "user"}), Route(orders, table="users")]))
    pair.put("1", kind="user")
    pair.put("2", kind="order")
    assert pair.verify().consistent
    pair.cache.values["orders:1"] = b"{}"
    assert kinds(pair.verify()) == {"orders:1": Drift.ORPHANED}


def test_a_key_mapping_of_ones_own_is_checked_but_for_orphans() -> None:
    """Nobody knows where to look for them, and the report says so."""
    pair = Pair(Projection(lambda change: f"u:{change.key.attributes['id']}"), items=3)
    del pair.cache.values["u:1"]
    report = pair.verify()
    assert kinds(report) == {"u:1": Drift.MISSING}
    assert "orphans were not looked for" in report.notes[0]


def test_a_sample_reads_part_of_the_table_and_says_how_sure_it_is() -> None:
    """Where nothing is wrong: at most 3 of as many as were read."""
    pair = Pair(items=2000)
    report = pair.verify(VerifyOptions(sample=200))
    assert 200 <= report.items < 400
    assert report.interval == (1 - 3 / report.keys, 1.0)
    assert (report.orphans_searched, report.cached_keys) == (True, 200)
    assert report.interval_orphaned == (0.0, 3 / 200)


def test_a_sample_of_the_cache_tells_the_share_of_orphans_by_itself() -> None:
    """Some keys of the cache are read back into their items; the share of the table's keys has nothing of it."""
    pair = Pair(items=100)
    for number in range(100):
        pair.cache.values[f"users:nobody-{number}"] = b"{}"
    report = pair.verify(VerifyOptions(sample=60))
    assert report.cached_keys == 60
    assert 10 < report.orphaned == report.unexplained < 50
    assert report.share_orphaned == report.orphaned / 60
    assert 0 < report.interval_orphaned[0] < 0.5 < report.interval_orphaned[1] < 1
    assert (report.share_consistent, report.consistent) == (1.0, False)
    without = pair.verify(VerifyOptions(sample=60, orphans=False))
    assert (without.cached_keys, without.orphaned, without.orphans_searched) == (0, 0, False)


def test_a_sample_never_reads_the_whole_table_for_a_key_that_does_not_tell_its_item() -> None:
    """It is passed over."""
    pair = Pair(Projection(KeyTemplate("users:{id}", max_bytes=80)), items=50)
    pair.cache.values["users:%#" + "A" * 43] = b"{}"
    report = pair.verify(VerifyOptions(sample=500))
    assert (report.consistent, report.cached_keys) == (True, 50)
    assert {segments for _, segments in pair.client.scans} == {2}


def test_a_sample_can_be_a_share_of_the_items() -> None:
    """By what the table says it has."""
    assert 100 <= Pair(items=1000).verify(VerifyOptions(sample_share=0.1)).items < 200


def test_the_interval_of_a_sample_is_wilsons() -> None:
    """Two textbook values, and the bounds."""
    assert wilson_interval(1, 10) == pytest.approx((0.0179, 0.4042), abs=1e-4)
    assert wilson_interval(50, 100) == pytest.approx((0.4038, 0.5962), abs=1e-4)
    assert wilson_interval(0, 0) == (0.0, 1.0)
    assert wilson_interval(0, 2) == (0.0, 1.0)
    assert wilson_interval(10, 10)[1] == pytest.approx(1.0)


def test_the_report_names_so_many_keys_and_counts_them_all() -> None:
    """Its size is bounded."""
    pair = Pair(items=301)
    pair.cache.values = {"users:0": pair.cache.values["users:0"]}
    report = pair.verify(VerifyOptions(most_listed=10))
    assert (report.missing, len(report.drifts)) == (300, 10)
    assert "10 of the 300 keys" in report.notes[-1]
    assert pair.verify(VerifyOptions(most_listed=300)).notes == ()


ALL_MISSING = "every key is missing (30 of 30): are the key template and the cache's address those of the replicator?"


@pytest.mark.parametrize("options", [VerifyOptions(), VerifyOptions(sample=30), VerifyOptions(orphans=False)])
def test_where_all_is_missing_the_report_asks_whether_it_looked_in_the_right_place(options: VerifyOptions) -> None:
    """A wrong address or a wrong template looks just so; one key that is there tells that neither is."""
    pair = Pair(items=30)
    cached = dict(pair.cache.values)
    pair.cache.values.clear()
    report = pair.verify(options)
    assert (report.missing, report.notes) == (report.keys, (ALL_MISSING,))
    pair.cache.values["users:1"] = cached["users:1"]
    assert pair.verify(options).notes == ()


@pytest.mark.parametrize("options", [VerifyOptions(), VerifyOptions(sample=30)])
def test_where_all_is_missing_and_others_are_there_the_report_says_so(options: VerifyOptions) -> None:
    """The template is another, or its encoding of a key: they begin alike, whatever follows."""
    pair = Pair(items=30)
    pair.cache.values = {key.replace("users:", "users:v2:"): value for key, value in pair.cache.values.items()}
    [note] = pair.verify(options).notes
    assert note == f"{ALL_MISSING} There are 30 other keys that begin with users:, so it may be the template"


ALL_STALE = "every key that was found is stale (30 of 30): is the encoding that of the replicator?"


@pytest.mark.parametrize("options", [VerifyOptions(), VerifyOptions(sample=30), VerifyOptions(orphans=False)])
def test_where_all_that_is_there_is_stale_the_report_asks_for_the_encoding(options: VerifyOptions) -> None:
    """Another one looks just so, whatever is missing besides; one key that is right tells that it is not that."""
    pair = Pair(items=31)
    cached = dict(pair.cache.values)
    del pair.cache.values["users:0"]
    pair.router = Projection(KEYS, encoding=HashEncoding())
    report = pair.verify(options)
    assert (report.missing, report.stale, report.notes) == (1, 30, (ALL_STALE,))
    pair.router = Projection(KEYS)
    pair.cache.values = {**dict.fromkeys(cached, b"{}"), "users:1": cached["users:1"]}
    report = pair.verify(options)
    assert (report.stale, report.notes) == (30, ())


def test_a_table_without_items_is_missing_nothing() -> None:
    """So there is nothing to ask; nor where no key has to be there."""
    assert Pair().verify().notes == ()
    pair = Pair(Projection(KEYS, mode="invalidate"), items=3)
    assert pair.verify().notes == ()


def test_keys_whose_guards_are_of_a_later_stream_are_told() -> None:
    """Every change of the table's own stream is stale to them: a Region was switched, and the label was not set."""
    pair = Pair(items=3)
    for number in range(2):
        pair.cache.values[f"users:{number}"] = b"{}"
    own = Version.parse(pair.verify().drifts[0].guard).stream_label_ms
    assert pair.verify(VerifyOptions(stream_label_ms=own)).notes == ()
    [note] = pair.verify(VerifyOptions(stream_label_ms=own - 1)).notes
    assert note.startswith("2 of the keys named have the guard of a stream that was made after the table's")
    assert "DDB_CACHE_SYNC_STREAM_LABEL" in note
    pair.client.stream_label = "2001-01-01T00:00:00.000"
    assert pair.verify().notes == (note,)
    assert pair.verify(VerifyOptions(stream_label_ms=own)).notes == ()


def test_keys_can_be_hashed_in_the_report() -> None:
    """And nothing else tells them."""
    pair = Pair(items=1)
    pair.cache.values.clear()
    shown = pair.verify().to_json(hash_keys=True)
    assert shown["drifts"][0]["key"] == "7bd618475f80cecc"
    assert "users:0" not in str(shown)
    assert shown["drifts"][0]["item"] is None


@pytest.mark.parametrize(
    "options",
    [
        {"looks": ()},
        {"looks": (5, 1)},
        {"looks": (0, 1)},
        {"sample": 0},
        {"sample_share": 0},
        {"sample_share": 1.1},
        {"sample": 1, "sample_share": 1},
        {"segments": 0},
        {"most_listed": -1},
    ],
)
def test_options_that_can_not_be_right_are_refused(options: Any) -> None:
    """When they are made."""
    with pytest.raises(ConfigurationError):
        VerifyOptions(**options)
