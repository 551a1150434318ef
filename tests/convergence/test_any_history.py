"""Delivered twice, late, out of order, half or interleaved: once drained, the cache holds what the table holds."""

from typing import Any

from hypothesis import HealthCheck, assume, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule

from ddb_cache_sync import CacheUnavailable, JsonEncoding, KeyTemplate, Replicator, decode_stream_event
from ddb_cache_sync.core.attribute_values import Image
from ddb_cache_sync.core.changes import ItemKey, Upsert
from ddb_cache_sync.core.projection import Projection
from ddb_cache_sync.core.versions import Version
from ddb_cache_sync.core.writes import Write
from ddb_cache_sync.testing import MemoryCache, MemoryTable, attribute_value
from ddb_cache_sync.testing.events import attributes

KEYS = KeyTemplate("users:{id}")
IDS = st.sampled_from(["a", "b", "c:%{}"])
NAMES = st.one_of(st.text(max_size=5), st.integers(-(10**37), 10**37), st.binary(max_size=3), st.none())


class Pipeline(RuleBasedStateMachine):
    """A table whose stream reaches a cache over a transport that keeps no order and repeats itself."""

    read_items = Bundle("read_items")

    def __init__(self) -> None:
        super().__init__()
        self.table = MemoryTable(first_sequence_number=97)
        self.cache = MemoryCache()
        self.replicator = Replicator(self.cache, keys=KEYS)
        self.done: set[int] = set()

    @rule(identity=IDS, name=NAMES)
    def put(self, identity: str, name: Any) -> None:
        self.table.put({"id": identity, "name": name})

    @rule(identity=IDS)
    def remove(self, identity: str) -> None:
        self.table.remove(id=identity)

    @rule(data=st.data())
    def deliver_any_records_in_any_order(self, data: st.DataObject) -> None:
        assume(self.table.records)
        places = data.draw(st.lists(st.integers(0, len(self.table.records) - 1), min_size=1, max_size=6))
        report = self.replicator.apply([self.table.records[place] for place in places])
        assert report.records == len(places)
        assert not report.failures
        self.done.update(places)

    @rule(data=st.data(), writes_before=st.integers(0, 3))
    def deliver_and_break_half_way(self, data: st.DataObject, writes_before: int) -> None:
        assume(self.table.records)
        places = data.draw(st.lists(st.integers(0, len(self.table.records) - 1), min_size=1, max_size=6))
        self.cache.break_after = writes_before
        try:
            self.replicator.apply([self.table.records[place] for place in places])
            self.done.update(places)
        except CacheUnavailable:
            # The invocation failed: each of its records will come again, even those that came before.
            self.done.difference_update(places)
        self.cache.break_after = None

    @rule(target=read_items, identity=IDS)
    def backfill_reads(self, identity: str) -> Write | None:
        item = self.table.items.get((identity,))
        if item is None:
            return None
        wire = attributes(item)
        change = Upsert(ItemKey("T", Image({"id": attribute_value(identity)})), Version.of(0, "0"), Image(wire))
        return Projection(KEYS).write(KEYS(change), change)

    @rule(write=consumes(read_items))
    def backfill_writes_later(self, write: Write | None) -> None:
        self.cache.fill([] if write is None else [write])

    @invariant()
    def every_value_was_an_image_of_its_item(self) -> None:
        images = {
            (KEYS(change), JsonEncoding().encode(change.item))
            for change in (record.to_change() for record in decode_stream_event({"Records": self.table.records}))
            if isinstance(change, Upsert)
        }
        assert set(self.cache.values.items()) <= images

    def teardown(self) -> None:
        """Drain the stream: what was not yet done comes, newest first, which is as wrong as an order can be."""
        left = [record for place, record in enumerate(self.table.records) if place not in self.done]
        self.replicator.apply(left[::-1])
        expected = {
            KEYS(Upsert(ItemKey("T", Image({"id": attribute_value(identity)})), Version.of(0, "0"), Image({}))): (
                JsonEncoding().encode(Image(attributes(item)))
            )
            for (identity,), item in self.table.items.items()
        }
        streamed = {record["dynamodb"]["Keys"]["id"]["S"] for record in self.table.records}
        assert streamed or not self.cache.values
        assert self.cache.values == expected


Pipeline.TestCase.settings = settings(
    max_examples=150, stateful_step_count=25, deadline=None, suppress_health_check=[HealthCheck.filter_too_much]
)
TestPipeline = Pipeline.TestCase
