"""Verify looks at lookup keys too: what leads nowhere, to the wrong item, or from nothing."""

from __future__ import annotations

from typing import Any

import pytest
from tests.sync.test_verify import Pair, kinds

from ddb_cache_sync import EntityRouter, Expiry, KeyTemplate, LookupKey, Projection, Route, where
from ddb_cache_sync.core.comparison import Drift
from ddb_cache_sync.sync.verify import VerifyOptions

KEYS = KeyTemplate("users:{id}")


def pair_of(holds: Any = "key", items: int = 3, **options: Any) -> Pair:
    """Items `0`, `1` and so on, of the names `n0`, `n1`, with a lookup key by name."""
    pair = Pair(Projection(KEYS, lookups=[LookupKey("users:by-name:{name}", holds=holds)], **options))
    for number in range(items):
        pair.put(str(number), name=f"n{number}")
    return pair


def test_lookup_keys_that_are_right_are_counted_by_themselves() -> None:
    """And taken for no orphans."""
    report = pair_of().verify()
    assert (report.consistent, report.keys, report.lookup_keys, report.cached_keys) == (True, 3, 3, 6)
    assert report.checked == 6


@pytest.mark.parametrize("holds", ["key", "item"])
def test_what_somebody_spoilt_is_found_all_of_it(holds: Any) -> None:
    """Missing, leading to the wrong item, leading to garbage, and keys that no item has."""
    pair = pair_of(holds, items=5)
    del pair.cache.values["users:by-name:n0"]
    pair.cache.values["users:by-name:n1"] = pair.cache.values["users:by-name:n2"]
    pair.cache.values["users:by-name:n3"] = b"spoilt"
    pair.cache.values["users:by-name:nobody"] = pair.cache.values["users:by-name:n4"]
    pair.cache.values["users:by-name:unheard of"] = b"spoilt"
    report = pair.verify()
    assert kinds(report) == {
        "users:by-name:n0": Drift.MISSING,
        "users:by-name:n1": Drift.STALE,
        "users:by-name:n3": Drift.STALE,
        "users:by-name:nobody": Drift.ORPHANED,
        "users:by-name:unheard of": Drift.ORPHANED,
    }
    assert (report.lookups_missing, report.lookups_stale, report.lookups_orphaned) == (1, 2, 2)
    assert (report.missing, report.stale, report.orphaned, report.drift) == (0, 0, 0, 5)
    assert all(each.lookup for each in report.drifts)
    assert report.drifts[0].item == {"id": {"S": "0"}}
    assert report.share_consistent == pytest.approx(7 / 12)
    assert report.places == {"users:by-name:": 5}


def test_a_change_that_never_came_shows_in_both_lookup_keys_that_it_names() -> None:
    """The one that the item gave up, and the one that it took."""
    pair = pair_of()
    pair.client.put("1", name="other")
    assert kinds(pair.verify()) == {
        "users:1": Drift.STALE,
        "users:by-name:n1": Drift.ORPHANED,
        "users:by-name:other": Drift.MISSING,
    }


def test_a_value_that_was_passed_on_is_found_to_lead_to_the_old_item() -> None:
    """Neither record came."""
    pair = pair_of()
    pair.client.put("1", name="free")
    pair.client.put("2", name="n1")
    report = pair.verify()
    assert kinds(report)["users:by-name:n1"] is Drift.STALE
    assert {each.key: each.item for each in report.drifts}["users:by-name:n1"] == {"id": {"S": "2"}}


def test_a_claim_that_nobody_has_is_found_before_anybody_is_led_astray() -> None:
    """The key shows the right item, and would show the wrong one when that gives it up: a record was lost."""
    pair = pair_of()
    lost = pair.client.put("1", name="free")
    pair.put("2", name="n1")
    assert pair.cache.values["users:by-name:n1"] == b"users:2"
    assert kinds(pair.verify())["users:by-name:n1"] is Drift.STALE
    pair.replicator.apply([lost])
    assert pair.verify().consistent


def test_where_two_items_have_a_value_at_once_either_is_right() -> None:
    """Nothing is said of which."""
    pair = pair_of()
    pair.put("3", name="n1")
    assert pair.cache.values["users:by-name:n1"] == b"users:3"
    assert pair.verify().consistent
    pair.cache.values["users:by-name:n1"] = b"users:2"
    assert kinds(pair.verify()) == {"users:by-name:n1": Drift.STALE}


def test_what_is_put_right_between_two_looks_is_no_drift_and_what_moves_is_in_flight() -> None:
    """As with an item's own key."""
    pair = pair_of()
    late = [pair.client.put("1", name="a")]
    pair.meanwhile = [lambda: None, lambda: pair.replicator.apply(late)]
    assert (pair.verify().consistent, pair.waits[-1:]) == (True, pair.waits[1:2])
    pair.client.put("1", name="b")
    pair.meanwhile = [lambda: None, lambda: None, lambda: pair.client.put("1", name="b", n=1)]
    report = pair.verify()
    assert (report.consistent, report.in_flight) == (True, 3)


def test_an_item_that_came_after_the_table_was_read_explains_its_lookup_key() -> None:
    """Though nobody can tell it from the key, nor from what the key holds."""
    pair = pair_of("item")
    pair.cache.values["users:by-name:late"] = b'{"id":"late","name":"late"}'
    pair.cache.values["users:late"] = b'{"id":"late","name":"late"}'
    pair.meanwhile = [lambda: pair.client.put("late", name="late")]
    assert pair.verify().consistent


def test_an_item_that_is_left_out_has_no_lookup_key() -> None:
    """By a transform; by another route it has that route's."""
    pair = pair_of(transforms=[where(lambda item: "hidden" not in item)])
    pair.put("1", name="n1", hidden=True)
    pair.cache.values["users:by-name:n1"] = b"users:1"
    assert kinds(pair.verify()) == {"users:by-name:n1": Drift.ORPHANED}
    lookups = [LookupKey("users:by-name:{name}")]
    admins = Projection(KeyTemplate("admins:{id}"), lookups=lookups)
    routed = Pair(EntityRouter([Route(admins, attribute={"kind": "a"}), Route(Projection(KEYS, lookups=lookups))]))
    routed.put("1", kind="a", name="x")
    routed.put("2", name="y")
    assert (routed.verify().consistent, routed.verify().lookup_keys) == (True, 2)
    routed.cache.values["users:by-name:x"] = b"users:1"
    assert kinds(routed.verify()) == {"users:by-name:x": Drift.STALE}


def test_what_has_expired_on_either_side_is_no_drift() -> None:
    """And what has a fixed time to live may be missing."""
    pair = pair_of(items=0, expiry=Expiry("ttl"))
    pair.put("1", name="a", ttl=4_000_000_000)
    assert pair.verify(clock=lambda: 4_000_000_001).consistent
    pair.cache.values.clear()
    assert pair.verify(clock=lambda: 4_000_000_001).consistent
    assert pair.verify().lookups_missing == 1
    fixed = pair_of(items=1, expiry=Expiry(seconds=60))
    del fixed.cache.values["users:by-name:n0"]
    assert fixed.verify().consistent


def test_a_sample_looks_at_lookup_keys_from_both_sides() -> None:
    """Those of its items, and those among the keys of the cache that tell their item."""
    pair = pair_of(items=40)
    del pair.cache.values["users:by-name:n0"]
    pair.cache.values["users:by-name:nobody"] = b"users:1"
    pair.cache.values["users:by-name:garbage"] = b"spoilt"
    report = pair.verify(VerifyOptions(sample=1000))
    assert kinds(report) == {"users:by-name:n0": Drift.MISSING, "users:by-name:nobody": Drift.ORPHANED}
    assert (report.lookup_keys, report.lookups_orphaned, report.unexplained) == (40, 1, 1)
