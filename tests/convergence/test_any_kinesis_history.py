"""A Kinesis data stream may repeat changes and mix up their order: once all have come, the cache holds the newest."""

from itertools import accumulate
from typing import Any, NamedTuple

from hypothesis import given, settings
from hypothesis import strategies as st

from ddb_cache_sync import CacheUnavailable, KeyTemplate, Replicator
from ddb_cache_sync.testing import MemoryCache, kinesis_event, stream_record

START_US = 1_732_550_000_123_456
KEYS = KeyTemplate("users:{id}")


class Change(NamedTuple):
    """A change of an item, and how long after the one before it was made, in units of the precision."""

    identity: str
    version: int | None
    """What the item holds after it; None: it was removed."""
    after: int


changes = st.builds(
    Change, st.sampled_from(["a", "b", "c:%{}"]), st.one_of(st.none(), st.integers(0, 9)), st.integers(1, 3)
)


def records_of(history: list[Change], unit_us: int) -> list[dict[str, Any]]:
    """The stream records of these changes, each made at another time."""
    return [
        stream_record(
            {"id": change.identity},
            None if change.version is None else {"id": change.identity, "version": change.version},
            {"id": change.identity},
            created_at=(START_US + passed * unit_us) / 1e6,
        )
        for change, passed in zip(history, accumulate(change.after for change in history), strict=True)
    ]


def newest_of(history: list[Change]) -> dict[str, bytes]:
    """What a cache with the newest image of each item holds."""
    newest = {change.identity: change.version for change in history}
    values = {"a": "users:a", "b": "users:b", "c:%{}": "users:c%3A%25%7B%7D"}
    return {
        values[identity]: f'{{"id":"{identity}","version":{version}}}'.encode()
        for identity, version in newest.items()
        if version is not None
    }


@settings(deadline=None)
@given(st.data(), st.lists(changes, min_size=1, max_size=12), st.sampled_from(["MICROSECOND", "MILLISECOND"]))
def test_the_newest_change_wins_however_often_and_in_whatever_order_changes_come(
    data: st.DataObject, history: list[Change], precision: Any
) -> None:
    """At either precision, in batches of any size, some of which break half-way and come again."""
    records = records_of(history, 1 if precision == "MICROSECOND" else 1000)
    again = data.draw(st.lists(st.sampled_from(records), max_size=8))
    arrived = kinesis_event(data.draw(st.permutations(records + again)), precision=precision)["Records"]
    cache = MemoryCache()
    replicator = Replicator(cache, keys=KEYS)
    size = data.draw(st.integers(1, len(arrived)))
    for start in range(0, len(arrived), size):
        batch = arrived[start : start + size]
        cache.break_after = data.draw(st.one_of(st.none(), st.integers(0, 3)))
        try:
            replicator.apply(batch)
        except CacheUnavailable:
            replicator.apply(batch)
        cache.break_after = None
    assert cache.values == newest_of(history)


@settings(deadline=None)
@given(st.data())
def test_changes_of_one_item_at_one_time_may_end_in_either_order(data: st.DataObject) -> None:
    """The weaker promise: the cache holds one of the two, and never anything else."""
    records = records_of([Change("a", 1, 1), Change("a", 2, 1)], unit_us=100)
    event = kinesis_event(data.draw(st.permutations(records)), precision="MILLISECOND")
    cache = MemoryCache()
    for record in event["Records"]:
        Replicator(cache, keys=KEYS).apply([record])
    assert cache.values in ({"users:a": b'{"id":"a","version":1}'}, {"users:a": b'{"id":"a","version":2}'})


def test_a_stream_of_the_table_wins_over_kinesis_at_once() -> None:
    """Whatever the times: a table can move from Kinesis to its own stream without a setting."""
    late = stream_record({"id": "a"}, {"id": "a", "from": "kinesis"}, created_at=4_000_000_000.0)
    early = stream_record({"id": "a"}, {"id": "a", "from": "stream"}, created_at=1_000_000_000.0)
    cache = MemoryCache()
    replicator = Replicator(cache, keys=KEYS)
    for record in (*kinesis_event([late])["Records"], early, *kinesis_event([late])["Records"]):
        replicator.apply([record])
    assert cache.values == {"users:a": b'{"from":"stream","id":"a"}'}


def test_kinesis_wins_over_the_stream_before_it_with_a_label() -> None:
    """One that is later than the stream's, given for the move."""
    stream = stream_record({"id": "a"}, {"id": "a", "from": "stream"}, stream_label="2025-04-23T13:37:16.991")
    later = kinesis_event([stream_record({"id": "a"}, {"id": "a", "from": "kinesis"})])["Records"]
    cache = MemoryCache()
    Replicator(cache, keys=KEYS).apply([stream])
    assert Replicator(cache, keys=KEYS).apply(later).stale == 1
    Replicator(cache, keys=KEYS, stream_label="2026-01-01T00:00:00.000").apply(later)
    assert cache.values == {"users:a": b'{"from":"kinesis","id":"a"}'}
