"""The lossless form of an item."""

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from tests.core.strategies import anything, items, number_texts

from ddb_cache_sync import DynamoDBJsonEncoding, Image, RecordError

ENCODING = DynamoDBJsonEncoding()


def encode(**item: Any) -> str:
    """The DynamoDB JSON of an item in wire form."""
    return ENCODING.encode(Image(item)).decode()


def test_an_item_is_dynamodb_json_without_spaces_and_in_order() -> None:
    """An empty item is an empty object."""
    assert encode(b={"N": "1"}, a={"S": "é"}) == '{"a":{"S":"é"},"b":{"N":"1"}}'
    assert encode() == "{}"


@pytest.mark.parametrize(
    ("wire", "written"),
    [
        pytest.param({"N": "1.50"}, '{"N":"1.50"}', id="N keeps its text"),
        pytest.param({"N": "+01."}, '{"N":"+01."}', id="N that is not JSON too"),
        pytest.param({"B": b"\xfb\xff"}, '{"B":"+/8="}', id="B from boto3"),
        pytest.param({"BOOL": False}, '{"BOOL":false}', id="BOOL"),
        pytest.param({"NULL": True}, '{"NULL":true}', id="NULL"),
        pytest.param(
            {"M": {"b": {"L": [{"S": ""}]}, "a": {"M": {}}}},
            '{"M":{"a":{"M":{}},"b":{"L":[{"S":""}]}}}',
            id="M and L",
        ),
        pytest.param({"SS": ["b", "B", "a"]}, '{"SS":["B","a","b"]}', id="SS is sorted"),
        pytest.param({"NS": ["10", "9", "-1", "1E2"]}, '{"NS":["-1","9","10","1E2"]}', id="NS is sorted as numbers"),
        pytest.param({"BS": ["Zm8=", b"f"]}, '{"BS":["Zg==","Zm8="]}', id="BS is sorted"),
    ],
)
def test_each_type_has_one_form(wire: dict[str, Any], written: str) -> None:
    """Whoever delivered it."""
    assert encode(a=wire) == f'{{"a":{written}}}'


@given(items)
def test_nothing_is_lost(item: dict[str, Any]) -> None:
    """Decoded, it is the item as Python values; it is also an image in wire form that makes the same bytes again."""
    written = ENCODING.encode(Image(item))
    assert ENCODING.decode(written) == dict(Image(item))
    assert ENCODING.encode(Image(json.loads(written))) == written


@given(number_texts())
def test_a_number_keeps_its_spelling(text: str) -> None:
    """Its digits and its exponent."""
    written = encode(a={"N": text})
    assert json.loads(written) == {"a": {"N": text}}
    assert ENCODING.decode(written) == {"a": Decimal(text)}


@given(anything)
def test_it_is_as_strict_as_the_decoder(value: Any) -> None:
    """What the decoder finds fault with is refused in its words, and nothing else is."""
    item = Image({"a": value})
    fault = item.fault()
    if fault is None:
        assert ENCODING.encode(item)
    else:
        with pytest.raises(RecordError) as caught:
            ENCODING.encode(item)
        assert str(caught.value) == f"item: {fault}"


@pytest.mark.parametrize(
    "value",
    [b"", b"[]", b"1", b"null", b"{", b"\xff", b"{}{}", b"[" * 100_000, b'{"a":1}', b'{"a":"1"}', b'{"a":{"N":1}}',
     b'{"a":{"N":"x"}}', b'{"a":{"S":"x","N":"1"}}', b'{"a":{"B":"SECRET!"}}', b'{"a":{"X":"1"}}',
     b'{"a":' + b'{"L":[' * 33 + b'{"S":""}' + b"]}" * 33 + b"}"],
)  # fmt: skip
def test_what_is_not_an_item_is_not_decoded(value: bytes) -> None:
    """Plain JSON above all: the table's encoding was changed."""
    with pytest.raises(ValueError, match=r"^(?!.*SECRET)"):
        ENCODING.decode(value)
