"""Items as hashes."""

import json
from typing import Any

import pytest
from hypothesis import given
from tests.core.strategies import items

from ddb_cache_sync import HashEncoding, Image, JsonEncoding, RecordError
from ddb_cache_sync.core.encodings import MAX_HASH_FIELDS

ENCODING = HashEncoding()
DIGITS = "1234567890.1234567890123456789012345678"


@pytest.mark.parametrize(
    ("wire", "field"),
    [
        pytest.param({"S": 'é"'}, 'é"', id="S has no quotes"),
        pytest.param({"S": ""}, "", id="S may be empty"),
        pytest.param({"N": DIGITS}, DIGITS, id="N keeps its digits"),
        pytest.param({"N": "+01."}, "1", id="N that is not JSON is written plainly"),
        pytest.param({"B": "Zm9v"}, "Zm9v", id="B"),
        pytest.param({"B": b"\xfb\xff"}, "+/8=", id="B from boto3"),
        pytest.param({"BOOL": True}, "true", id="BOOL"),
        pytest.param({"NULL": True}, "null", id="NULL"),
        pytest.param({"M": {"b": {"N": "1"}, "a": {"S": "x"}}}, '{"a":"x","b":1}', id="M"),
        pytest.param({"L": [{"S": "b"}, {"L": []}]}, '["b",[]]', id="L"),
        pytest.param({"SS": ["b", "a"]}, '["a","b"]', id="SS"),
        pytest.param({"NS": ["10", "9"]}, "[9,10]", id="NS"),
        pytest.param({"BS": ["Zm8=", "Zg=="]}, '["Zg==","Zm8="]', id="BS"),
    ],
)
def test_each_type_has_its_text(wire: dict[str, Any], field: str) -> None:
    """A reader of one field needs no parser for the simple ones."""
    assert ENCODING.encode(Image({"a": wire})) == {"a": field.encode()}


@given(items.filter(bool))
def test_fields_come_back_as_text(item: dict[str, Any]) -> None:
    """From a client that gives bytes, and from one that decodes: S as it is, the rest as the JSON form has it."""
    written = ENCODING.encode(Image(item))
    in_bytes = {name.encode(): field for name, field in written.items()}
    decoded = ENCODING.decode(in_bytes)
    assert decoded == ENCODING.decode(written) == {name: field.decode() for name, field in written.items()}
    plain = json.loads(JsonEncoding().encode(Image(item)), parse_int=str, parse_float=str)
    for name, text in decoded.items():
        bare = isinstance(plain[name], str)
        assert (text if bare else json.loads(text, parse_int=str, parse_float=str)) == plain[name]


def test_an_item_of_more_attributes_than_a_request_takes_is_refused() -> None:
    """The error says how many there are, and what to use."""
    item = {f"a{number}": {"N": "1"} for number in range(MAX_HASH_FIELDS)}
    assert len(ENCODING.encode(Image(item))) == MAX_HASH_FIELDS
    with pytest.raises(RecordError, match=r"^item: 1901 attributes, and a hash takes 1900\. Use JsonEncoding"):
        ENCODING.encode(Image(item | {"one_more": {"N": "1"}}))


def test_an_item_without_attributes_is_refused() -> None:
    """There is no empty hash; an item has at least its key."""
    with pytest.raises(RecordError, match="no attributes"):
        ENCODING.encode(Image({}))


@pytest.mark.parametrize("value", [{}, b"", None, {b"a": b"\xff"}, {b"\xff": b"a"}, {b"a": 1}, {1: b"a"}])
def test_what_is_not_such_a_hash_is_not_decoded(value: Any) -> None:
    """`HGETALL` gives no fields where there is no key."""
    with pytest.raises(ValueError, match=r"."):
        ENCODING.decode(value)
