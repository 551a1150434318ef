"""The event source mapping with its threads, against a stream in memory."""

from __future__ import annotations

import logging
import threading
from datetime import UTC, datetime
from itertools import pairwise
from typing import TYPE_CHECKING, Any, cast

import pytest
from botocore.exceptions import ClientError

from ddb_cache_sync.errors import ConfigurationError, TableError
from ddb_cache_sync.local.event_source_mapping import (
    DrainTimeout,
    EventSourceMapping,
    EventSourceMappingProperties,
    Metrics,
    Pace,
)
from ddb_cache_sync.local.failure_destination import FolderDestination
from ddb_cache_sync.table.retries import Backoff
from ddb_cache_sync.table.streams import StartingPosition

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from ddb_cache_sync.local.failure_destination import DiscardedBatch

ARN = "arn:aws:dynamodb:eu-west-1:111122223333:table/T/stream/2025-04-23T13:37:16.991"
PACE = Pace(poll_interval_seconds=0.002, stop_grace_seconds=5)
SECONDS = 10.0


class _Stream:
    """A stream in memory behind the three calls of boto3's client; its shards can close and have children."""

    def __init__(self) -> None:
        self.shards: dict[str, list[dict[str, Any]]] = {}
        self.parents: dict[str, str | None] = {}
        self.closed: set[str] = set()
        self.refuses: Exception | None = None
        self.refused = threading.Event()
        self.on_read: Callable[[], None] = lambda: None
        self.written = 0
        self.open("shard-1")

    def open(self, shard_id: str, parent: str | None = None) -> None:
        self.shards[shard_id] = []
        self.parents[shard_id] = parent

    def close(self, shard_id: str) -> None:
        self.closed.add(shard_id)

    def write(self, *keys: str, shard_id: str = "shard-1", created_at: float | None = None) -> None:
        for key in keys:
            self.written += 1
            body: dict[str, Any] = {"Keys": {"pk": {"S": key}}, "SequenceNumber": str(self.written)}
            if created_at is not None:
                body["ApproximateCreationDateTime"] = datetime.fromtimestamp(created_at, UTC)
            self.shards[shard_id].append({"eventName": "INSERT", "dynamodb": body})

    def _refuse(self) -> None:
        if self.refuses is not None:
            self.refused.set()
            raise self.refuses

    def describe_stream(self, **request: Any) -> Any:
        self._refuse()
        listed = [
            {
                "ShardId": shard_id,
                "SequenceNumberRange": {"EndingSequenceNumber": "9"} if shard_id in self.closed else {},
                **({"ParentShardId": parent} if parent else {}),
            }
            for shard_id, parent in self.parents.items()
        ]
        keys = [{"AttributeName": "pk", "KeyType": "HASH"}]
        return {"StreamDescription": {"StreamStatus": "ENABLED", "Shards": listed, "KeySchema": keys}}

    def get_shard_iterator(self, **request: Any) -> Any:
        shard_id = request["ShardId"]
        start = len(self.shards[shard_id]) if request["ShardIteratorType"] == "LATEST" else 0
        return {"ShardIterator": f"{shard_id} {start}"}

    def get_records(self, **request: Any) -> Any:
        self._refuse()
        self.on_read()
        shard_id, start = request["ShardIterator"].split()
        was_closed = shard_id in self.closed
        records = self.shards[shard_id][int(start) :][:3]
        end = int(start) + len(records)
        if was_closed and end == len(self.shards[shard_id]):
            return {"Records": records}
        return {"Records": records, "NextShardIterator": f"{shard_id} {end}"}


class _Recorder:
    """A handler that keeps what it was sent and answers what it is told to."""

    def __init__(self, answer: Callable[[list[str]], object] = lambda keys: None) -> None:
        self.invocations: list[list[str]] = []
        self.contexts: list[Any] = []
        self._answer = answer

    def __call__(self, event: Any, context: Any) -> object:
        keys = [record["dynamodb"]["Keys"]["pk"]["S"] for record in event["Records"]]
        self.invocations.append(keys)
        self.contexts.append(context)
        return self._answer(keys)

    @property
    def keys(self) -> list[str]:
        return [key for keys in self.invocations for key in keys]


class _Destination:
    """Keeps the batches given up."""

    def __init__(self) -> None:
        self.discarded: list[DiscardedBatch] = []

    def deliver(self, discarded: DiscardedBatch) -> None:
        self.discarded.append(discarded)


def mapping_of(
    stream: _Stream, handler: Callable[[Any, Any], object], *, pace: Pace = PACE, more: Any = None, **properties: Any
) -> EventSourceMapping:
    return EventSourceMapping(
        cast("Any", stream), ARN, handler, EventSourceMappingProperties(**properties), pace=pace, **(more or {})
    )


def fail(keys: list[str]) -> object:
    raise RuntimeError("the content of " + ",".join(keys))


@pytest.fixture
def stream() -> _Stream:
    return _Stream()


def test_everything_written_before_a_drain_has_arrived_after_it(stream: _Stream) -> None:
    """In order, over several pages and batches, and metrics tell of it."""
    handler = _Recorder()
    stream.write(*"abcdefgh")
    with mapping_of(stream, handler, batch_size=2) as mapping:
        mapping.drain(SECONDS)
        assert handler.keys == list("abcdefgh")
        stream.write("i")
        mapping.drain(SECONDS)
        assert handler.keys == list("abcdefghi")
    assert max(len(keys) for keys in handler.invocations) <= 2
    assert mapping.metrics() == Metrics(
        polled_event_count=9, invoked_event_count=9, invocations=len(handler.invocations)
    )


def test_latest_delivers_what_is_written_after_the_start_only(stream: _Stream) -> None:
    """A closed shard of the past is not read, and what is written at once after the start is."""
    stream.write("old")
    stream.close("shard-1")
    stream.open("shard-2", parent="shard-1")
    stream.write("older", shard_id="shard-2")
    handler = _Recorder()
    with mapping_of(stream, handler, starting_position=StartingPosition.LATEST) as mapping:
        stream.write("new", shard_id="shard-2")
        mapping.drain(SECONDS)
    assert handler.keys == ["new"]


def test_a_child_shard_is_delivered_after_its_parent_is_finished(stream: _Stream) -> None:
    """Reading the parent to its end is not enough: its last batch must have succeeded."""
    attempts = iter(range(100))
    handler = _Recorder(lambda keys: fail(keys) if "p" in keys and next(attempts) < 5 else None)
    with mapping_of(stream, handler) as mapping:
        stream.write("p")
        stream.open("shard-2", parent="shard-1")
        stream.open("shard-3", parent="shard-1")
        stream.write("left", shard_id="shard-2")
        stream.write("right", shard_id="shard-3")
        stream.close("shard-1")
        mapping.drain(SECONDS)
    assert handler.keys[:6] == ["p"] * 6
    assert sorted(handler.keys[6:]) == ["left", "right"]


def test_a_batch_that_keeps_failing_goes_to_the_destination_and_the_shard_goes_on(stream: _Stream) -> None:
    """Three retries make four invocations; then the next batch has its turn."""
    destination = _Destination()
    handler = _Recorder(lambda keys: fail(keys) if keys == ["bad"] else None)
    stream.write("bad", "good")
    with mapping_of(
        stream, handler, batch_size=1, maximum_retry_attempts=3, more={"on_failure": destination}
    ) as mapping:
        mapping.drain(SECONDS)
    assert handler.keys == ["bad"] * 4 + ["good"]
    (discarded,) = destination.discarded
    metadata = discarded.metadata()
    assert metadata["requestContext"]["requestId"] == handler.contexts[3].aws_request_id
    assert metadata["requestContext"]["approximateInvokeCount"] == 4
    assert metadata["requestContext"]["condition"] == "RetryAttemptsExhausted"
    assert metadata["responseContext"]["functionError"] == "Unhandled"
    assert metadata["DDBStreamBatchInfo"]["shardId"] == "shard-1"
    assert mapping.metrics() == Metrics(
        polled_event_count=2,
        invoked_event_count=5,
        failed_invoke_event_count=4,
        retried_event_count=3,
        dropped_event_count=1,
        on_failure_destination_delivered_event_count=1,
        invocations=5,
        failed_invocations=4,
        on_failure_deliveries=1,
    )


def test_a_batch_given_up_without_a_destination_is_dropped(stream: _Stream) -> None:
    """As AWS does; the metrics and the log tell."""
    stream.write("bad")
    with mapping_of(stream, _Recorder(fail), maximum_retry_attempts=0) as mapping:
        mapping.drain(SECONDS)
    assert (mapping.metrics().dropped_event_count, mapping.metrics().on_failure_deliveries) == (1, 0)


def test_a_partial_failure_comes_again_from_its_checkpoint(stream: _Stream) -> None:
    """The destination gets what was left, and no function error."""
    destination = _Destination()
    handler = _Recorder(lambda keys: {"batchItemFailures": [{"itemIdentifier": "2"}]})
    stream.write("a", "b", "c")
    with mapping_of(stream, handler, maximum_retry_attempts=1, more={"on_failure": destination}) as mapping:
        mapping.drain(SECONDS)
    assert handler.invocations == [["a", "b", "c"], ["b", "c"]]
    (discarded,) = destination.discarded
    assert discarded.batch.sequence_numbers == ("2", "3")
    assert discarded.function_error is None


def test_a_handler_that_returns_after_its_time_out_gets_the_batch_again(stream: _Stream) -> None:
    """Whatever it answers, too late is a failure."""
    now = [1000.0]
    remaining: list[int] = []

    def answer(keys: list[str]) -> object:
        now[0] += 31 if len(handler.invocations) == 1 else 0
        remaining.append(handler.contexts[-1].get_remaining_time_in_millis())
        return None

    handler = _Recorder(answer)
    stream.write("a")
    with mapping_of(stream, handler, function_timeout_seconds=30, more={"clock": lambda: now[0]}) as mapping:
        mapping.drain(SECONDS)
    assert handler.invocations == [["a"], ["a"]]
    assert remaining == [0, 30_000]


def test_records_beyond_the_maximum_age_are_given_up_without_an_invocation(stream: _Stream) -> None:
    """The younger ones are delivered."""
    destination = _Destination()
    handler = _Recorder()
    stream.write("old", created_at=1000)
    stream.write("young", created_at=2000)
    with mapping_of(
        stream, handler, maximum_record_age_seconds=60, more={"clock": lambda: 2050.0, "on_failure": destination}
    ) as mapping:
        mapping.drain(SECONDS)
    assert handler.keys == ["young"]
    (discarded,) = destination.discarded
    assert discarded.metadata()["requestContext"]["condition"] == "RecordAgeExceeded"
    assert discarded.metadata()["requestContext"]["approximateInvokeCount"] == 0


def test_a_window_gathers_what_comes_until_it_has_passed(stream: _Stream) -> None:
    """Three pages become one batch, by the clock that was passed in."""
    now = [1000.0]
    handler = _Recorder()
    stream.write(*"abcdefg")
    with mapping_of(stream, handler, maximum_batching_window_seconds=0.05, more={"clock": lambda: now[0]}) as mapping:
        with pytest.raises(DrainTimeout):
            mapping.drain(0.1)
        assert handler.invocations == []
        now[0] += 1
        mapping.drain(SECONDS)
    assert handler.invocations == [list("abcdefg")]


def test_parallel_lanes_keep_the_order_of_each_partition_key(stream: _Stream) -> None:
    """Even though batches fail and come again."""
    lock = threading.Lock()
    done: list[tuple[str, int]] = []
    failures = iter(range(20))

    def handler(event: Any, context: Any) -> None:
        with lock:
            if next(failures, None) is not None:
                fail([])
            done.extend(
                (record["dynamodb"]["Keys"]["pk"]["S"], int(record["dynamodb"]["SequenceNumber"]))
                for record in event["Records"]
            )

    for _ in range(20):
        stream.write(*"abcdefgh")
    with mapping_of(stream, handler, batch_size=4, parallelization_factor=10) as mapping:
        mapping.drain(SECONDS)
    assert len(done) == 160
    for key in "abcdefgh":
        assert all(earlier < later for earlier, later in pairwise(number for name, number in done if name == key))


def test_lanes_invoke_side_by_side(stream: _Stream) -> None:
    """Two invocations meet at a barrier that one alone would never pass."""
    barrier = threading.Barrier(2, timeout=SECONDS)
    met: set[int] = set()

    def answer(keys: list[str]) -> None:
        if threading.get_ident() not in met:
            barrier.wait()
            met.add(threading.get_ident())

    stream.write(*"abcdefgh")  # enough keys to have some in each of the two lanes
    with mapping_of(stream, _Recorder(answer), parallelization_factor=2) as mapping:
        mapping.drain(SECONDS)
    assert len(met) == 2


def test_a_slow_lane_holds_back_reading_and_loses_nothing(stream: _Stream) -> None:
    """Records beyond what the lanes may hold stay in the stream until there is room."""
    gate = threading.Event()
    handler = _Recorder(lambda keys: gate.wait(SECONDS) and None)
    stream.write(*(str(number) for number in range(2000)))
    with mapping_of(stream, handler, batch_size=1000, pace=Pace(poll_interval_seconds=0.001)) as mapping:
        gate.set()
        mapping.drain(SECONDS)
    assert handler.keys == [str(number) for number in range(2000)]


def test_a_drain_waits_for_a_shard_that_appeared_while_it_was_reading(stream: _Stream) -> None:
    """The parent is read to its end after the description that does not list the child yet."""

    def split() -> None:
        stream.on_read = lambda: None
        stream.close("shard-1")
        stream.open("shard-2", parent="shard-1")
        stream.write("child", shard_id="shard-2")

    handler = _Recorder()
    with mapping_of(stream, handler, pace=Pace(poll_interval_seconds=3600)) as mapping:
        mapping.drain(SECONDS)  # from here on only a drain makes it read
        stream.on_read = split
        mapping.drain(SECONDS)
    assert handler.keys == ["child"]


def test_a_drain_waits_for_a_delivery_to_the_destination(stream: _Stream) -> None:
    """A batch given up is finished once it is safe."""
    gate = threading.Event()

    class Slow(_Destination):
        def deliver(self, discarded: DiscardedBatch) -> None:
            gate.wait(SECONDS)
            super().deliver(discarded)

    destination = Slow()
    stream.write("bad")
    with mapping_of(stream, _Recorder(fail), maximum_retry_attempts=0, more={"on_failure": destination}) as mapping:
        with pytest.raises(DrainTimeout):
            mapping.drain(0.1)
        gate.set()
        mapping.drain(SECONDS)
        assert len(destination.discarded) == 1


def test_a_failed_batch_waits_for_its_backoff_and_a_stop_does_not(stream: _Stream) -> None:
    """The wait is random; of an hour, it is next to never short enough to be seen here."""
    hour = Pace(poll_interval_seconds=0.002, retry_backoff=Backoff(base_seconds=3600, cap_seconds=3600))
    handler = _Recorder(fail)
    stream.write("bad")
    with mapping_of(stream, handler, pace=hour) as mapping, pytest.raises(DrainTimeout):
        mapping.drain(0.1)
    assert handler.invocations == [["bad"]]


def test_a_drain_that_takes_too_long_says_so(stream: _Stream) -> None:
    """A batch that is tried again without end never finishes."""
    stream.write("bad")
    with mapping_of(stream, _Recorder(fail)) as mapping, pytest.raises(DrainTimeout, match="not drained within"):
        mapping.drain(0.05)


def test_a_stop_does_not_wait_for_a_window_or_a_poll(stream: _Stream) -> None:
    """Every wait ends with the stop; the test's own time limit is far below them."""
    hour = Pace(poll_interval_seconds=3600, stop_grace_seconds=SECONDS)
    stream.write("a")
    handler = _Recorder()
    mapping = mapping_of(stream, handler, maximum_batching_window_seconds=300, pace=hour)
    mapping.start()
    threads = [thread for thread in threading.enumerate() if "shard-1" in thread.name or ARN in thread.name]
    assert len(threads) == 2
    mapping.stop()
    assert not any(thread.is_alive() for thread in threads)
    assert handler.invocations == []


def test_a_stop_cuts_short_a_call_that_is_being_tried_again(stream: _Stream) -> None:
    """Throttling that the stop interrupted is no error."""
    mapping = mapping_of(stream, _Recorder())
    mapping.start()
    stream.refuses = ClientError({"Error": {"Code": "LimitExceededException"}}, "GetRecords")
    assert stream.refused.wait(SECONDS)
    mapping.stop()


def test_a_stop_leaves_a_handler_behind_that_does_not_return(stream: _Stream, caplog: pytest.LogCaptureFixture) -> None:
    """It can't be ended from outside; the log names its thread."""
    entered, gate = threading.Event(), threading.Event()

    def handler(event: Any, context: Any) -> None:
        entered.set()
        gate.wait(SECONDS)

    stream.write("a")
    mapping = mapping_of(stream, handler, pace=Pace(stop_grace_seconds=0.01))
    mapping.start()
    assert entered.wait(SECONDS)
    with caplog.at_level(logging.WARNING):
        mapping.stop()
    gate.set()
    assert "lane of shard-1 is still busy" in caplog.text


def test_an_error_while_reading_is_raised_by_drain_and_stop(stream: _Stream) -> None:
    """A background thread's error does not vanish."""
    mapping = mapping_of(stream, _Recorder())
    mapping.start()
    stream.refuses = ClientError({"Error": {"Code": "ResourceNotFoundException"}}, "GetRecords")
    with pytest.raises(TableError, match="ResourceNotFoundException"):
        mapping.drain(SECONDS)
    with pytest.raises(TableError, match="ResourceNotFoundException"):
        mapping.stop()


def test_an_error_of_the_destination_is_raised(stream: _Stream, tmp_path: Path) -> None:
    """A batch that could be neither applied nor kept must not be passed over."""
    (tmp_path / "aws").write_text("in the way")
    stream.write("bad")
    mapping = mapping_of(
        stream, _Recorder(fail), maximum_retry_attempts=0, more={"on_failure": FolderDestination(tmp_path)}
    )
    mapping.start()
    with pytest.raises(OSError, match="aws"):
        mapping.drain(SECONDS)
    with pytest.raises(OSError, match="aws"):
        mapping.stop()


def test_an_error_of_the_with_block_goes_before_one_of_the_threads(stream: _Stream) -> None:
    """The threads' error would hide what the caller did wrong."""
    mapping = mapping_of(stream, _Recorder())

    def block() -> None:
        with mapping:
            stream.refuses = RuntimeError("unexpected")
            raise LookupError("the block's own")

    with pytest.raises(LookupError):
        block()


def test_a_stream_that_can_not_be_read_is_an_error_of_the_start(stream: _Stream) -> None:
    """The caller learns of it at once, and no thread is left."""
    stream.refuses = ClientError({"Error": {"Code": "ResourceNotFoundException"}}, "DescribeStream")
    mapping = mapping_of(stream, _Recorder())
    with pytest.raises(TableError, match="LatestStreamArn"):
        mapping.start()
    mapping.stop()


def test_an_event_source_mapping_is_used_once(stream: _Stream) -> None:
    """It drains only between its one start and its stop."""
    mapping = mapping_of(stream, _Recorder())
    with pytest.raises(ConfigurationError, match="not running"):
        mapping.drain()
    with mapping, pytest.raises(ConfigurationError, match="started once"):
        mapping.start()
    with pytest.raises(ConfigurationError, match="not running"):
        mapping.drain()
    mapping.stop()


def test_an_arn_of_something_else_is_refused() -> None:
    """A table's ARN is the likely mistake."""
    with pytest.raises(ConfigurationError, match="LatestStreamArn"):
        EventSourceMapping(cast("Any", _Stream()), ARN.partition("/stream")[0], _Recorder())
