"""The decoder alone, for those who do something else with a stream."""

from decimal import Decimal

import pytest

from ddb_cache_sync import RecordError, Remove, Upsert, decode_stream_event
from ddb_cache_sync.testing import stream_event, stream_record


def test_records_come_out_typed() -> None:
    """Numbers are Decimal with all their digits, binary values bytes; an absent image is None."""
    event = stream_event([stream_record({"id": "a"}, {"id": "a", "n": Decimal("1.50"), "b": b"\x00"})])
    [record] = decode_stream_event(event)
    assert (record.event_name, record.table, dict(record.keys)) == ("INSERT", "T", {"id": "a"})
    assert record.new_image is not None
    assert dict(record.new_image) == {"id": "a", "n": Decimal("1.50"), "b": b"\x00"}
    assert record.old_image is None


def test_a_record_tells_its_change() -> None:
    """An upsert with the item, or a remove; both with a version that sorts."""
    put = stream_record({"id": "a"}, {"id": "a"}, sequence_number=9)
    delete = stream_record({"id": "a"}, sequence_number=10)
    first, second = (record.to_change() for record in decode_stream_event([put, delete]))
    assert isinstance(first, Upsert)
    assert isinstance(second, Remove)
    assert first.version < second.version


def test_what_can_not_be_decoded_is_named() -> None:
    """The field and the record's sequence number, never the contents."""
    record = stream_record({"id": "a"}, {"id": "a"}, sequence_number=7)
    record["dynamodb"]["NewImage"]["n"] = {"N": "about ten"}
    with pytest.raises(RecordError, match=r"^record 7: dynamodb\.NewImage\.n: not a decimal number$"):
        decode_stream_event([record])
