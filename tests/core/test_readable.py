import json
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.core.strategies import items, lambda_form

from ddb_cache_sync import Image, JsonEncoding, RecordError, encoding_named
from ddb_cache_sync.core.readable import Readable, readable, readable_value
from ddb_cache_sync.testing import kinesis_event, stream_event, stream_record

PUT = stream_record(
    {"id": "42"}, {"id": "42", "age": 7}, {"id": "42"}, sequence_number=2, table="users", created_at=100
)
SECRET = "swordfish"


def read(given: Any) -> Readable:
    """What an input is, ten seconds after 100."""
    return readable(json.dumps(given).encode(), 110.0)


@pytest.mark.parametrize("shape", [stream_event([PUT]), [PUT], PUT], ids=["Lambda", "Pipes", "record"])
def test_a_record_is_read_wherever_it_stands(shape: Any) -> None:
    """In an event of Lambda, in a list as EventBridge Pipes sends it, or alone."""
    records = read(shape).records
    assert records is not None
    [record] = records
    assert (record.event, record.table, record.sequence_number) == ("MODIFY", "users", "2")
    assert record.version == "1745415436991:01:2"
    assert (record.created_at, record.lag_seconds) == (100, 10.0)
    assert orjson.dumps([record.keys, record.new_image, record.old_image]) == (
        b'[{"id":"42"},{"id":"42","age":7},{"id":"42"}]'
    )


def test_a_record_of_kinesis_is_read_in_an_event_and_alone() -> None:
    """Its version is the time of the change."""
    event = kinesis_event([stream_record({"id": "42"}, {"id": "42"}, table="users")])
    for shape in (event, event["Records"][0]):
        records = read(shape).records
        assert records is not None
        assert (records[0].table, records[0].version) == ("users", "0000000000000:16:1745415437000000")


@pytest.mark.parametrize("shape", [{"id": {"S": "1"}}, {"Item": {"id": {"S": "1"}}, "ConsumedCapacity": {}}])
def test_an_item_is_read_alone_and_as_get_item_answers(shape: Any) -> None:
    """And as a line of an export has it."""
    assert read(shape) == Readable(None, {"id": "1"})


@pytest.mark.parametrize("name", ["Item", "dynamodb", "kinesis", "eventName", "Records"])
def test_an_item_may_have_attributes_of_any_name(name: str) -> None:
    """An attribute value is no record."""
    assert read({name: {"S": "x"}}) == Readable(None, {name: "x"})
    assert read({name: {"M": {"S": {"S": "x"}}}}) == Readable(None, {name: {"S": "x"}})


def test_a_poison_record_is_told_beside_the_others() -> None:
    """With its sequence number, and nothing of what is in it."""
    poison = stream_record({"id": "1"}, {"id": "1"}, sequence_number=3)
    poison["dynamodb"]["NewImage"]["age"] = {"N": SECRET}
    records = read([poison, PUT]).records
    assert records is not None
    assert (records[0].sequence_number, records[1].reason) == ("3", None)
    assert records[0].reason is not None
    assert SECRET not in str(records[0])


@pytest.mark.parametrize("text", [b"", b"{", b"1", b'"swordfish"', b'{"id":"swordfish"}', b'{"Records":7}'])
def test_what_is_nothing_of_this_kind_is_refused_without_being_repeated(text: bytes) -> None:
    """The error says what to give."""
    with pytest.raises(RecordError, match=r"^the input is") as caught:
        readable(text, 0.0)
    assert caught.value.hint is not None
    assert SECRET not in str(caught.value)


@given(items.map(lambda_form))
def test_an_item_reads_as_its_json(item: dict[str, Any]) -> None:
    """Digit for digit, in the form that the cache would hold."""
    shown = orjson.dumps(readable(orjson.dumps(item), 0.0).value, option=orjson.OPT_SORT_KEYS)
    expected = JsonEncoding().decode(JsonEncoding().encode(Image(item)))
    assert JsonEncoding().decode(shown) == expected


@given(
    items.map(lambda_form), st.sampled_from(["json", "dynamodb-json", "json+zlib", "dynamodb-json+zlib"]), st.booleans()
)
def test_a_stored_value_reads_as_the_item_that_was_stored(item: dict[str, Any], name: str, ended: bool) -> None:
    """Also with the line feed that redis-cli ends it with."""
    encoding = encoding_named(name)
    stored = encoding.encode(Image(item))
    assert isinstance(stored, bytes)
    shown = orjson.dumps(readable_value(stored + b"\n" * ended, encoding).value)
    assert JsonEncoding().decode(shown) == JsonEncoding().decode(JsonEncoding().encode(Image(item)))


def test_a_stored_hash_is_read_from_its_fields() -> None:
    """As redis-cli --json HGETALL prints them."""
    assert readable_value(b'{"id":"42","age":"7"}', encoding_named("hash")).value == {"id": "42", "age": "7"}


@pytest.mark.parametrize(("stored", "shown"), [("Zoë".encode(), "Zoë"), (b"\xff\x00", "/wA=")])
def test_a_stored_attribute_is_text_or_base64(stored: bytes, shown: str) -> None:
    """What type it was is not stored with it."""
    assert readable_value(stored, encoding_named("attribute:name")).value == shown


@pytest.mark.parametrize(
    ("stored", "name"),
    [
        (b"swordfish", "json"),
        (b"\xff", "json"),
        (b'{"a":"\\ud800"}', "json"),
        (b'{"a":' * 200 + b"1" + b"}" * 200, "json"),
        (b'{"a":"swordfish"}', "dynamodb-json"),
        (b"swordfish", "hash"),
        (b'{"a":7}', "hash"),
        (b"{}", "hash"),
    ],
)
def test_what_is_no_value_of_the_encoding_is_refused_without_being_repeated(stored: bytes, name: str) -> None:
    """Nobody wants a traceback with an item in it."""
    with pytest.raises(RecordError) as caught:
        readable_value(stored, encoding_named(name))
    assert SECRET not in str(caught.value)
