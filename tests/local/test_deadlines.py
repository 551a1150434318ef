"""No batch is cut off by the function's time-out: there is always an answer, or an error, in time."""

from __future__ import annotations

import logging
import threading
import time
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from ddb_cache_sync import Image, JsonEncoding, KeyTemplate, LookupKey, Replicator, apply_stream_event
from ddb_cache_sync.local.batching import Batch, Lane, PolledRecord
from ddb_cache_sync.local.invocation import LocalFunction
from ddb_cache_sync.local.properties import EventSourceMappingProperties
from ddb_cache_sync.local.responses import Result
from ddb_cache_sync.testing import MemoryCache, stream_record

if TYPE_CHECKING:
    from collections.abc import Callable

    from ddb_cache_sync import Change

TIMEOUT_SECONDS = 30.0


class Clock:
    """Time that passes only where something is said to take long."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Give a clock that is `time.monotonic` as well."""
    clock = Clock()
    monkeypatch.setattr(time, "monotonic", clock)
    return clock


class SlowEncoding(JsonEncoding):
    """Takes 50 milliseconds an item."""

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self._clock = clock

    def encode(self, item: Image) -> bytes:
        self._clock.now += 0.05
        return super().encode(item)


def polled(records: list[dict[str, Any]]) -> list[PolledRecord]:
    texts = [orjson.dumps(record).decode() for record in records]
    return [
        PolledRecord(record["dynamodb"]["SequenceNumber"], None, text, len(text.encode()))
        for record, text in zip(records, texts, strict=True)
    ]


def function(replicator: Replicator, clock: Callable[[], float], timeout_seconds: float) -> LocalFunction:
    def handler(event: Any, context: Any) -> Any:
        return apply_stream_event(event, replicator, context=context)

    return LocalFunction(handler, "f", "arn", timeout_seconds, report_batch_item_failures=True, clock=clock)


def slow(where: str, clock: Clock) -> dict[str, Any]:
    """Options of a replicator that takes 50 milliseconds a record, in one place or another."""

    def key(change: Change) -> str:
        clock.now += 0.05
        return f"users:{change.key.attributes['id']}"

    return {"keys": key} if where == "decoding" else {"encoding": SlowEncoding(clock)}


@pytest.mark.parametrize("where", ["decoding", "encoding"])
def test_a_giant_batch_is_raised_in_time_and_halved_until_it_fits(
    where: str, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    """1,000 records that take 50 s, in a function of 30 s: none of its invocations times out, and all is applied."""
    records = [stream_record({"id": str(n)}, {"id": str(n)}, sequence_number=n) for n in range(1, 1001)]
    cache = MemoryCache()
    invoked = function(Replicator(cache, **slow(where, clock)), clock, TIMEOUT_SECONDS)
    properties = EventSourceMappingProperties(batch_size=1000, bisect_batch_on_function_error=True)
    lane, results = Lane(properties), []
    for each in polled(records):
        lane.offer(each, clock.now)
    with caplog.at_level(logging.WARNING):
        while not lane.idle:
            batch = lane.next_step(clock.now)
            assert isinstance(batch, Batch)
            started = clock.now
            _, verdict = invoked.invoke(batch)
            assert clock.now - started < TIMEOUT_SECONDS
            results.append((len(batch.records), verdict.result))
            lane.settle(verdict)
    assert results[0] == (1000, Result.FAILURE)
    assert [each for each in results if each[1] is Result.SUCCESS] == [(500, Result.SUCCESS)] * 2
    assert len(cache.values) == 1000
    assert "DeadlineExceeded" in caplog.text
    assert "timed out" not in caplog.text


def test_words_of_lookup_keys_are_in_time_too(clock: Clock) -> None:
    """They come after the items' own writes, and count."""

    class SlowCache(MemoryCache):
        """Takes nearly all the time for the items' own writes."""

        calls = 0

        def apply(self, writes: Any, deadline: float | None = None) -> Any:
            SlowCache.calls += 1
            result = super().apply(writes, deadline)
            clock.now += 29.5
            return result

    cache = SlowCache()
    replicator = Replicator(cache, keys=KeyTemplate("users:{id}"), lookups=[LookupKey("users:by-email:{email}")])
    records = [
        stream_record({"id": str(n)}, {"id": str(n), "email": f"{n}@x"}, sequence_number=n) for n in range(1, 201)
    ]
    _, verdict = function(replicator, clock, TIMEOUT_SECONDS).invoke(Batch(tuple(polled(records))))
    assert (SlowCache.calls, verdict.result) == (2, Result.FAILURE)


def test_a_small_batch_is_applied_even_at_the_last_moment() -> None:
    """A healthy cache answers within the margin; giving up on it would only make it come again."""
    report = Replicator(MemoryCache()).apply([stream_record({"id": "a"}, {"id": "a"})], deadline=time.monotonic() - 1)
    assert report.applied == 1


def test_a_quarantine_that_hangs_does_not_cost_the_answer(caplog: pytest.LogCaptureFixture) -> None:
    """In real time, with a function of two seconds: its answer names the poison record, and all others are applied."""
    release, cache = threading.Event(), MemoryCache()

    class Hanging:
        asked = 0

        def put(self, _: object) -> None:
            self.asked += 1
            assert release.wait(60)

    sink = Hanging()
    poison = stream_record({"id": "p"}, {"id": "p"}, sequence_number=2)
    poison["dynamodb"]["NewImage"]["n"] = {"N": "x"}
    records = [stream_record({"id": str(n)}, {"id": str(n)}, sequence_number=n) for n in (1, 3)]
    replicator = Replicator(cache, quarantine=sink)
    batch = Batch(tuple(polled([records[0], poison, records[1]])))
    _, verdict = function(replicator, time.monotonic, 2.0).invoke(batch)
    release.set()
    assert (verdict.result, verdict.first_failed, sink.asked) == (Result.PARTIAL_FAILURE, 1, 1)
    assert len(cache.values) == 2
    assert "timed out" not in caplog.text
