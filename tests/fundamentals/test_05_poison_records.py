"""What a record that can't be applied does: it is reported, and stops no other."""

from typing import Any

import pytest
import redis

from ddb_cache_sync import RecordError, Replicator, apply_stream_event
from ddb_cache_sync.testing import stream_record

pytestmark = pytest.mark.servers


def poison(sequence_number: int) -> dict[str, Any]:
    """A record whose item holds what DynamoDB can't hold."""
    record = stream_record({"id": "poison"}, {"id": "poison"}, sequence_number=sequence_number)
    record["dynamodb"]["NewImage"]["n"] = {"N": "not a number"}
    return record


BATCH = [
    stream_record({"id": "a"}, {"id": "a"}, sequence_number=8),
    poison(10),
    poison(9),
    stream_record({"id": "b"}, {"id": "b"}, sequence_number=11),
]


def test_all_others_are_applied(redis_client: redis.Redis) -> None:
    """Those before it and those after it."""
    apply_stream_event(BATCH, Replicator(redis_client))
    assert redis_client.mget("T:a", "T:b", "T:poison") == [b'{"id":"a"}', b'{"id":"b"}', None]


def test_one_that_tells_no_item_stops_no_other_either(redis_client: redis.Redis) -> None:
    """It is found out earlier: when it is decoded, not when its item is encoded."""
    without = stream_record({"id": "?"}, {"id": "?"}, sequence_number=10)
    del without["dynamodb"]["Keys"]
    answer = apply_stream_event([BATCH[0], without, BATCH[-1]], Replicator(redis_client))
    assert answer == {"batchItemFailures": [{"itemIdentifier": "10"}]}
    assert redis_client.mget("T:a", "T:b") == [b'{"id":"a"}', b'{"id":"b"}']


def test_lambda_is_told_the_lowest(redis_client: redis.Redis) -> None:
    """It delivers from there again, and in the end hands the poison record to the failure destination."""
    assert apply_stream_event(BATCH, Replicator(redis_client)) == {"batchItemFailures": [{"itemIdentifier": "9"}]}


def test_the_report_says_why(redis_client: redis.Redis) -> None:
    """For each failed record, without its contents."""
    report = Replicator(redis_client).apply(BATCH)
    assert (report.applied, report.failed) == (2, 2)
    assert [(failure.sequence_number, failure.reason) for failure in report.failures] == [
        ("10", "dynamodb.NewImage.n: not a decimal number"),
        ("9", "dynamodb.NewImage.n: not a decimal number"),
    ]


def test_garbage_is_not_reported_as_done(redis_client: redis.Redis) -> None:
    """What is no event raises, so that Lambda does not take it for a success."""
    with pytest.raises(RecordError, match="not a DynamoDB Streams event"):
        apply_stream_event({"message": "hello"}, Replicator(redis_client))
