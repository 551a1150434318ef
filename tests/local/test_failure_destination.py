"""What a failure destination gets, and where a folder keeps it."""

import json
import re
from pathlib import Path

import pytest

from ddb_cache_sync.local.batching import Batch, Condition, PolledRecord
from ddb_cache_sync.local.failure_destination import DiscardedBatch, FolderDestination

TEXT = '{"dynamodb":{"SequenceNumber":"%s","NewImage":{"a":{"S":"say \\"é\\""}}}}'


def discarded(function_error: str | None = "Unhandled", created_at: float | None = 1573690399.0) -> DiscardedBatch:
    records = tuple(
        PolledRecord(number, created_at, TEXT % number, len((TEXT % number).encode())) for number in ("800", "801")
    )
    return DiscardedBatch(
        mapping_id="b2f0c6e4-0000-4000-8000-000000000000",
        stream_arn="arn:aws:dynamodb:us-east-2:123456789012:table/T/stream/2019-11-14T00:13:00.000",
        shard_id="shardId-00000001573689847184-864758bb",
        function_arn="arn:aws:lambda:us-east-2:123456789012:function:f",
        request_id="316aa6d0-8154-xmpl-9af7-85d5f4a6bc81",
        condition=Condition.RETRY_ATTEMPTS_EXHAUSTED,
        function_error=function_error,
        discarded_at=1573690429.717,
        batch=Batch(records, invocations=4, failures=4),
    )


def test_the_metadata_have_the_form_aws_sends() -> None:
    """Every name and format is AWS's; the records are told by place, not by content."""
    assert discarded().metadata() == {
        "requestContext": {
            "requestId": "316aa6d0-8154-xmpl-9af7-85d5f4a6bc81",
            "functionArn": "arn:aws:lambda:us-east-2:123456789012:function:f",
            "condition": "RetryAttemptsExhausted",
            "approximateInvokeCount": 4,
        },
        "responseContext": {"statusCode": 200, "executedVersion": "$LATEST", "functionError": "Unhandled"},
        "version": "1.0",
        "timestamp": "2019-11-14T00:13:49.717Z",
        "DDBStreamBatchInfo": {
            "shardId": "shardId-00000001573689847184-864758bb",
            "startSequenceNumber": "800",
            "endSequenceNumber": "801",
            "approximateArrivalOfFirstRecord": "2019-11-14T00:13:19Z",
            "approximateArrivalOfLastRecord": "2019-11-14T00:13:19Z",
            "batchSize": 2,
            "streamArn": "arn:aws:dynamodb:us-east-2:123456789012:table/T/stream/2019-11-14T00:13:00.000",
        },
    }


def test_the_function_error_is_null_after_a_partial_failure() -> None:
    """The function answered; it made no error of its own."""
    assert discarded(function_error=None).metadata()["responseContext"]["functionError"] is None


def test_a_record_without_a_creation_time_has_no_arrival() -> None:
    """An absent time is null, not 1970."""
    assert discarded(created_at=None).metadata()["DDBStreamBatchInfo"]["approximateArrivalOfFirstRecord"] is None


def test_a_folder_keeps_the_metadata_and_the_event_as_escaped_text(tmp_path: Path) -> None:
    """The payload is JSON within JSON, and reads back as the event the function got."""
    FolderDestination(tmp_path).deliver(discarded())
    (path,) = (path for path in tmp_path.rglob("*") if path.is_file())
    body = json.loads(path.read_text(encoding="utf-8"))
    assert {name: part for name, part in body.items() if name != "payload"} == discarded().metadata()
    assert json.loads(body["payload"])["Records"] == [json.loads(TEXT % "800"), json.loads(TEXT % "801")]


def test_a_folder_files_a_batch_under_the_key_it_would_have_in_a_bucket(tmp_path: Path) -> None:
    """Mapping, shard, day, then the second and a UUID."""
    FolderDestination(tmp_path / "bucket").deliver(discarded())
    (path,) = (path for path in tmp_path.rglob("*") if path.is_file())
    assert re.fullmatch(
        r"aws/lambda/b2f0c6e4-0000-4000-8000-000000000000/shardId-00000001573689847184-864758bb/2019/11/14/"
        r"2019-11-14T00\.13\.49-[0-9a-f-]{36}",
        path.relative_to(tmp_path / "bucket").as_posix(),
    )


def test_two_batches_of_the_same_second_are_two_files(tmp_path: Path) -> None:
    """One never takes the place of another."""
    destination = FolderDestination(tmp_path)
    destination.deliver(discarded())
    destination.deliver(discarded())
    assert sum(path.is_file() for path in tmp_path.rglob("*")) == 2


def test_a_folder_that_can_not_be_written_raises(tmp_path: Path) -> None:
    """A batch given up is never lost without a word."""
    (tmp_path / "aws").write_text("in the way")
    with pytest.raises(OSError, match="aws"):
        FolderDestination(tmp_path).deliver(discarded())
