"""Whatever an item becomes, and in whatever order that is told: in the end it is in its place and in no other."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ddb_cache_sync import (
    CacheUnavailable,
    EntityRouter,
    JsonEncoding,
    KeyTemplate,
    LookupKey,
    Projection,
    Replicator,
    Route,
)
from ddb_cache_sync.core.attribute_values import Image
from ddb_cache_sync.testing import MemoryCache, MemoryTable, stream_record
from ddb_cache_sync.testing.events import attributes

USERS = Projection(KeyTemplate("users:{PK}:{SK}"))
ORDERS = Projection(KeyTemplate("orders:{PK}:{SK}"), guard_prefix="~orders:")
INVALIDATED = Projection(KeyTemplate("users:{PK}:{SK}"), mode="invalidate")
REST = Projection()
FOUND = Projection(KeyTemplate("users:{PK}:{SK}"), lookups=[LookupKey("by:n:{PK}:{SK}:{n}")])

Place = Callable[[dict[str, Any]], str | None]
"""The cache key that an item belongs under; None: under none."""


def by_type(item: dict[str, Any]) -> str | None:
    kind = item.get("type")
    return f"{kind}s:{item['PK']}:{item['SK']}" if kind in ("user", "order") else None


def by_type_or_rest(item: dict[str, Any]) -> str:
    return by_type(item) or f"T:{item['PK']}:{item['SK']}"


def only_orders(item: dict[str, Any]) -> str | None:
    return None if item.get("type") == "user" else by_type(item)


def by_key_then_type(item: dict[str, Any]) -> str | None:
    return f"T:{item['PK']}:{item['SK']}" if item["PK"] == "a" else by_type(item)


TYPED = [Route(USERS, attribute={"type": "user"}), Route(ORDERS, attribute={"type": "order"})]
ROUTERS: dict[str, tuple[EntityRouter, Place]] = {
    "types, the others ignored": (EntityRouter(TYPED, "ignore"), by_type),
    "types, the others elsewhere": (EntityRouter([*TYPED, Route(REST, table="T")]), by_type_or_rest),
    "two types that share a cache key": (
        EntityRouter(
            [Route(INVALIDATED, attribute={"type": "user"}), Route(USERS, attribute={"type": "u*"}), TYPED[1]], "ignore"
        ),
        only_orders,
    ),
    "types, one of which has lookup keys": (
        EntityRouter([Route(FOUND, attribute={"type": "user"}), TYPED[1]], "ignore"),
        by_type,
    ),
    "keys, then types": (EntityRouter([Route(REST, key={"PK": "a"}), *TYPED], "ignore"), by_key_then_type),
}

KEYS = st.fixed_dictionaries({"PK": st.sampled_from(["a", "b"]), "SK": st.sampled_from(["x", "y:%"])})
KINDS = st.sampled_from(["user", "order", "other", None, 7, "\N{SNOWMAN}"])
STEPS = st.lists(st.tuples(KEYS, st.one_of(st.none(), st.tuples(KINDS, st.integers(0, 3)))), min_size=1, max_size=12)
"""A key and what becomes of its item: None is its removal."""


def history(steps: list[Any], *, old_images: bool) -> MemoryTable:
    """A table to which this was done; its stream carries new images, and old ones where they are asked for."""
    table = MemoryTable(key=("PK", "SK"), first_sequence_number=97)
    for key, becomes in steps:
        if becomes is None:
            table.remove(**key)
        else:
            kind, n = becomes
            table.put(key | {"n": n} | ({} if kind is None else {"type": kind}))
    for record in [] if old_images else table.records:
        record["dynamodb"].pop("OldImage", None)
        record["dynamodb"]["StreamViewType"] = "NEW_IMAGE"
    return table


@pytest.mark.parametrize("name", ROUTERS)
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data(), steps=STEPS)
def test_in_the_end_every_item_is_in_its_place_and_in_no_other(name: str, data: st.DataObject, steps: Any) -> None:
    """Batches repeat, overlap, come in any order and break half-way; at last every record has come."""
    router, place = ROUTERS[name]
    table, cache = history(steps, old_images=router.needs_old_images), MemoryCache()
    replicator = Replicator(cache, router)
    every = range(len(table.records))
    left = set(every)
    if every:
        for batch in data.draw(st.lists(st.lists(st.sampled_from(every), max_size=6), max_size=5)):
            cache.break_after = data.draw(st.one_of(st.none(), st.integers(0, 4)))
            try:
                assert not replicator.apply([table.records[at] for at in batch]).failures
                left -= set(batch)
            except CacheUnavailable:
                left |= set(batch)
        cache.break_after = None
        order = data.draw(st.permutations(sorted(left)))
        cut = data.draw(st.integers(0, len(order)))
        for batch in (order[:cut], order[cut:]):
            replicator.apply([table.records[at] for at in batch])
    expected = {}
    for item in table.items.values():
        key = (place(item) or "").replace("y:%", "y%3A%25")
        if key:
            expected[key] = JsonEncoding().encode(Image(attributes(item)))
        if router.needs_old_images and item.get("type") == "user":
            expected[f"{key.replace('users:', 'by:n:')}:{item['n']}"] = key.encode()
    assert cache.values == expected


def test_an_item_that_becomes_another_leaves_its_old_place() -> None:
    """Also where the report of its becoming comes first."""
    key = {"PK": "a", "SK": "x"}
    was = stream_record(key, key | {"type": "user"}, sequence_number=1)
    now = stream_record(key, key | {"type": "order"}, sequence_number=2)
    for records in ([was, now], [now, was]):
        cache = MemoryCache()
        for record in records:
            Replicator(cache, EntityRouter(TYPED)).apply([record])
        assert [*cache.values] == ["orders:a:x"]


def test_what_is_ignored_counts_as_filtered() -> None:
    """Whether it was removed from where it may have been, or nothing was written at all."""
    key = {"PK": "a", "SK": "x"}
    records = [
        stream_record(key, key | {"type": "user"}, sequence_number=1),
        stream_record({"PK": "b", "SK": "x"}, {"type": "user"}, sequence_number=2),
        stream_record(key, key | {"type": "other"}, sequence_number=3),
    ]
    cache = MemoryCache()
    replicator = Replicator(cache, EntityRouter([Route(USERS, key={"PK": "a"}, attribute={"type": "user"})], "ignore"))
    reports = [replicator.apply([record]) for record in records]
    assert [(report.applied, report.filtered) for report in reports] == [(1, 0), (0, 1), (0, 1)]
    assert cache.values == {}


def test_what_is_refused_is_reported_and_all_others_are_applied() -> None:
    """A poison record like any other: what the cache holds of its item stays until a route takes it."""
    key = {"PK": "a", "SK": "x"}
    records = [
        stream_record(key, key | {"type": "user"}, sequence_number=1),
        stream_record(key, key | {"type": "SECRET"}, sequence_number=2),
        stream_record({"PK": "b", "SK": "x"}, {"type": "order"}, sequence_number=3),
    ]
    cache = MemoryCache()
    report = Replicator(cache, EntityRouter(TYPED)).apply(records)
    assert [(each.sequence_number, "SECRET" in each.reason) for each in report.failures] == [("2", False)]
    assert sorted(cache.values) == ["orders:b:x", "users:a:x"]
