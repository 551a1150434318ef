"""What was given up is read back, and whatever else is found in its place is refused within bounds."""

from __future__ import annotations

import base64
import gzip
import json
import zlib
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ddb_cache_sync import QuarantinedRecord, RecordError
from ddb_cache_sync.core import given_up
from ddb_cache_sync.core.given_up import GivenUp, StreamRange, compressed, read_given_up
from ddb_cache_sync.testing import kinesis_event, stream_event, stream_record

ARN = "arn:aws:dynamodb:us-east-2:123456789012:table/T/stream/2019-11-14T00:13:00.000"
INFO: dict[str, Any] = {
    "shardId": "shardId-00000001573689847184-864758bb",
    "startSequenceNumber": "800000000003126276362",
    "endSequenceNumber": "800000000003126276370",
    "approximateArrivalOfFirstRecord": "2019-11-14T00:13:19Z",
    "approximateArrivalOfLastRecord": "2019-11-14T00:13:19Z",
    "batchSize": 3,
    "streamArn": ARN,
}
METADATA: dict[str, Any] = {
    "requestContext": {"condition": "RetryAttemptsExhausted", "approximateInvokeCount": 4},
    "responseContext": {"statusCode": 200, "functionError": None},
    "version": "1.0",
    "timestamp": "2019-11-14T00:13:49.717Z",
    "DDBStreamBatchInfo": INFO,
}
RECORDS = [stream_record({"id": "é"}, {"id": "é"}, sequence_number=7)]
EVENT = stream_event(RECORDS)


def text(found: object) -> bytes:
    return json.dumps(found).encode()


@pytest.mark.parametrize("payload", [json.dumps(EVENT), EVENT, RECORDS], ids=["text", "object", "list"])
def test_the_records_of_an_s3_destination_are_in_its_payload(payload: Any) -> None:
    """As text, as AWS sends it, or as an object."""
    assert read_given_up(text({**METADATA, "payload": payload})) == GivenUp(RECORDS, None)


def test_those_of_a_kinesis_data_stream_too() -> None:
    """The event is Kinesis' own."""
    event = kinesis_event(RECORDS)
    metadata = {name: value for name, value in METADATA.items() if name != "DDBStreamBatchInfo"}
    found = {**metadata, "KinesisBatchInfo": {"shardId": "s"}, "payload": json.dumps(event)}
    assert read_given_up(text(found)).records == event["Records"]
    with pytest.raises(RecordError, match=r"without the records\. Let an S3 bucket"):
        read_given_up(text({**metadata, "KinesisBatchInfo": {"shardId": "s"}}))


def test_a_queue_is_told_where_they_are() -> None:
    """Stream, shard and range."""
    assert read_given_up(text(METADATA)) == GivenUp(
        (), StreamRange(ARN, INFO["shardId"], INFO["startSequenceNumber"], INFO["endSequenceNumber"], 3)
    )


def test_a_document_of_a_quarantine_has_its_record_plain_or_compressed() -> None:
    """Compressed it is the same, however often it is made."""
    document = QuarantinedRecord.of(RECORDS[0], "because").document
    assert read_given_up(document.encode()).records == RECORDS
    assert read_given_up(gzip.compress(document.encode())).records == RECORDS
    assert read_given_up(compressed(document).encode()).records == RECORDS
    assert compressed(document) == compressed(document)
    assert compressed(document).isascii()


def info(**changes: Any) -> dict[str, Any]:
    return {**METADATA, "DDBStreamBatchInfo": {**INFO, **changes}}


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "it is not JSON"),
        (b"SECRET", "it is not JSON"),
        (b"\xff\xfe", "it is not JSON"),
        (text([]), "neither an on-failure record"),
        (text("SECRET"), "neither an on-failure record"),
        (text(EVENT), "neither an on-failure record"),
        (text({"payload": EVENT}), "neither an on-failure record"),
        (text({"DDBStreamBatchInfo": "SECRET", "payload": EVENT}), "neither an on-failure record"),
        (text({**METADATA, "payload": "SECRET"}), "payload is not JSON"),
        (text({**METADATA, "payload": None}), "payload: not an event"),
        (text({**METADATA, "payload": {"Records": "SECRET"}}), "payload: not an event"),
        (text({"quarantine": {"format": 2}, "payload": EVENT}), "Use the version that wrote it"),
        (text({"quarantine": "SECRET", "payload": EVENT}), "can't be read"),
        (text({"quarantine": {"format": 1}}), "can't be read"),
        (text(info(startSequenceNumber="800000000003126276371")), "not a range"),
        (text(info(startSequenceNumber="SECRET")), "not a range"),
        (text(info(startSequenceNumber=1)), "not a range"),
        (text(info(endSequenceNumber="1" * 41)), "not a range"),
        (text(info(batchSize=0)), "not a range"),
        (text(info(batchSize=True)), "not a range"),
        (text(info(shardId=None)), "not a range"),
        (text(info(streamArn=[])), "not a range"),
        (text({"gzip": "SECRET!"}), "gzip: not base64"),
        (text({"gzip": 1}), "it is not JSON"),
        (text({"gzip": ""}), "it is not JSON"),
        (b"\x1f\x8bSECRET", "not gzip"),
        (gzip.compress(text(METADATA))[:-9], "cut off"),
        (gzip.compress(text(METADATA)) + b"SECRET", "goes on after its end"),
        (text({"gzip": base64.b64encode(compressed("{}").encode()).decode()}), "neither an on-failure record"),
    ],
)
def test_what_is_none_of_these_is_refused(content: bytes, problem: str) -> None:
    """Nothing of it is repeated."""
    with pytest.raises(RecordError, match=problem) as raised:
        read_given_up(content)
    assert "SECRET" not in str(raised.value)


@pytest.mark.parametrize("nested", ["[", '{"a":'])
@pytest.mark.parametrize("depth", [101, 100_000])
def test_nesting_is_bounded_outside_and_in_the_payload(nested: str, depth: int) -> None:
    """Far below what would exhaust the stack of whoever walks through it."""
    close = "]" if nested == "[" else "}"
    deep = nested * depth + "1" + close * depth
    for content in (deep, '{"DDBStreamBatchInfo":{},"payload":' + deep + "}"):
        with pytest.raises(RecordError, match=r"nested more than 100 deep|is not JSON"):
            read_given_up(content.encode())
    with pytest.raises(RecordError, match=r"payload is (nested more than 100 deep|not JSON)"):
        read_given_up(text({**METADATA, "payload": deep}))


def test_an_item_as_deep_as_a_table_can_have_is_within_the_bound() -> None:
    """32 levels, each of two levels of JSON, below the envelope."""
    value: Any = {"S": "x"}
    for _ in range(32):
        value = {"M": {"a": value}}
    record = stream_record({"id": "a"}, {"id": "a"})
    record["dynamodb"]["NewImage"]["deep"] = value
    assert read_given_up(text({**METADATA, "payload": {"Records": [record]}})).records == [record]


def test_a_bomb_is_not_expanded(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is past the bound is not even made: the decompressor is told to stop."""
    monkeypatch.setattr(given_up, "MOST_BYTES", 100_000)
    bomb = gzip.compress(b" " * 5_000_000)
    asked: list[int] = []
    real = zlib.decompressobj

    class Watched:
        def __init__(self, *arguments: Any) -> None:
            self._real = real(*arguments)

        def decompress(self, content: bytes, most: int) -> bytes:
            asked.append(most)
            found = self._real.decompress(content, most)
            assert len(found) <= most
            return found

    monkeypatch.setattr(zlib, "decompressobj", Watched)
    for content in (bomb, text({"gzip": base64.b64encode(bomb).decode()})):
        with pytest.raises(RecordError, match=r"more than 100,000 bytes"):
            read_given_up(content)
    assert asked == [100_001, 100_001]
    with pytest.raises(RecordError, match=r"more than 100,000 bytes"):
        read_given_up(b" " * 100_001)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from([*METADATA, *INFO, "payload", "quarantine", "gzip", "Records", "format"]), inner, max_size=4
        )
    ),
)


@settings(max_examples=50)
@given(JSON)
def test_whatever_is_found_there_is_an_answer(found: Any) -> None:
    """Records, a range, or the error that says why not."""
    try:
        read = read_given_up(text(found))
    except RecordError:
        return
    assert isinstance(read.records, list | tuple)
