"""A batch from a Kinesis data stream: what Lambda is answered."""

from typing import Any

import pytest

from ddb_cache_sync import KeyTemplate, RecordError, Replicator, apply_stream_event
from ddb_cache_sync.testing import MemoryCache, kinesis_event, stream_record


def event() -> dict[str, Any]:
    """Three changes."""
    return kinesis_event(stream_record({"id": name}, {"id": name}) for name in ("a", "b", "c"))


def test_a_batch_is_applied() -> None:
    """And nothing reported."""
    cache = MemoryCache()
    assert apply_stream_event(event(), Replicator(cache)) == {"batchItemFailures": []}
    assert list(cache.values) == ["T:a", "T:b", "T:c"]


def test_a_poison_record_is_reported_by_its_kinesis_number_and_stops_no_other() -> None:
    """The lowest, since Lambda delivers from there again."""
    made = event()
    first, second, third = made["Records"]
    third["kinesis"]["data"] = "e30="
    second["kinesis"]["data"] = "!"
    cache = MemoryCache()
    answer = apply_stream_event({"Records": [third, second, first]}, Replicator(cache))
    assert answer == {"batchItemFailures": [{"itemIdentifier": second["kinesis"]["sequenceNumber"]}]}
    assert list(cache.values) == ["T:a"]


def test_a_poison_record_without_a_number_is_raised_and_stops_no_other() -> None:
    """So that the whole batch comes again."""
    made = event()
    del made["Records"][1]["kinesis"]["sequenceNumber"]
    cache = MemoryCache()
    with pytest.raises(RecordError, match=r"Records\[1\]: kinesis\.sequenceNumber: "):
        apply_stream_event(made, Replicator(cache))
    assert list(cache.values) == ["T:a", "T:c"]


def test_lag_is_counted_from_the_changes() -> None:
    """In fractions of a second, since Kinesis tells them."""
    made = kinesis_event([stream_record({"id": "a"}, {"id": "a"}, created_at=1_732_550_000.25)])
    report = Replicator(MemoryCache(), clock=lambda: 1_732_550_001.0).apply(made["Records"])
    assert report.lag_seconds == 0.75


def test_an_image_that_can_not_be_encoded_is_reported_with_its_field() -> None:
    """Its path in the record; the others are applied."""
    poison = stream_record({"id": "b"}, {"id": "b", "n": 1}, {"id": "b"})
    poison["dynamodb"]["NewImage"]["n"] = {"N": "SECRET"}
    poison["dynamodb"]["OldImage"]["n"] = {"N": "SECRET"}
    made = kinesis_event([stream_record({"id": "a"}, {"id": "a"}), poison])
    cache = MemoryCache()
    report = Replicator(cache, keys=KeyTemplate("T:{id}")).apply(made["Records"])
    assert [failure.reason for failure in report.failures] == ["kinesis.data.dynamodb.NewImage.n: not a decimal number"]
    assert list(cache.values) == ["T:a"]
