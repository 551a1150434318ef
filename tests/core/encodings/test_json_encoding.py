"""The JSON form of an item: what a reader of the cache gets."""

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.core.strategies import items

from ddb_cache_sync import Image, JsonEncoding

DIGITS = "1234567890.1234567890123456789012345678"


def encode(**item: Any) -> str:
    """The JSON of an item in wire form."""
    return JsonEncoding().encode(Image(item)).decode()


@pytest.mark.parametrize(
    ("wire", "written"),
    [
        pytest.param({"S": 'a"\\\n/'}, '"a\\"\\\\\\n/"', id="S"),
        pytest.param({"S": "é✓😀"}, '"é✓😀"', id="S is UTF-8, not escaped"),
        pytest.param({"N": "1"}, "1", id="N"),
        pytest.param({"N": DIGITS}, DIGITS, id="N keeps its digits"),
        pytest.param({"N": "1.0"}, "1.0", id="N is not rewritten"),
        pytest.param({"N": "-1.5E+2"}, "-1.5E+2", id="N with an exponent is JSON"),
        pytest.param({"N": "+01."}, "1", id="N that is not JSON is written plainly"),
        pytest.param({"B": "Zm9v"}, '"Zm9v"', id="B"),
        pytest.param({"B": b"\xfb\xff"}, '"+/8="', id="B from boto3"),
        pytest.param({"BOOL": True}, "true", id="BOOL"),
        pytest.param({"NULL": True}, "null", id="NULL"),
        pytest.param({"M": {"b": {"N": "1"}, "a": {"S": ""}}}, '{"a":"","b":1}', id="M"),
        pytest.param({"L": [{"S": "b"}, {"L": []}, {"M": {}}]}, '["b",[],{}]', id="L"),
        pytest.param({"SS": ["b", "B", "a"]}, '["B","a","b"]', id="SS is sorted"),
        pytest.param({"NS": ["10", "9", "-1", "1E2", "0.5"]}, "[-1,0.5,9,10,1E2]", id="NS is sorted as numbers"),
        pytest.param({"BS": ["Zm8=", "Zg=="]}, '["Zg==","Zm8="]', id="BS is sorted"),
    ],
)
def test_each_type_has_its_json_form(wire: dict[str, Any], written: str) -> None:
    """No spaces, nothing through a float, sets in order."""
    assert encode(a=wire) == f'{{"a":{written}}}'


def test_an_item_is_an_object_with_its_attributes_in_order() -> None:
    """An empty item is an empty object."""
    assert encode(b={"N": "1"}, a={"S": "x"}) == '{"a":"x","b":1}'
    assert encode() == "{}"


@given(items)
def test_the_bytes_are_json_in_utf8(item: dict[str, Any]) -> None:
    """Any reader's parser takes them, and finds the same names."""
    written = JsonEncoding().encode(Image(item))
    assert set(json.loads(written)) == set(item)
    assert JsonEncoding().decode(written) == JsonEncoding().decode(written.decode())


@given(st.dictionaries(st.text("ab"), st.integers(-(10**37), 10**37).map(Decimal), max_size=3))
def test_numbers_come_back_with_all_their_digits(numbers: dict[str, Decimal]) -> None:
    """Decode is exact as well."""
    scaled = {name: number.scaleb(-20) for name, number in numbers.items()}
    written = encode(**{name: {"N": str(number)} for name, number in scaled.items()})
    assert JsonEncoding().decode(written) == scaled


def test_a_value_is_decoded_to_python_values() -> None:
    """As a reader would see it: binary values stay base64 text, sets are lists."""
    written = encode(s={"S": "é"}, n={"N": DIGITS}, b={"B": "Zg=="}, ns={"NS": ["2", "1"]}, null={"NULL": True})
    expected = {"s": "é", "n": Decimal(DIGITS), "b": "Zg==", "ns": [Decimal(1), Decimal(2)], "null": None}
    assert JsonEncoding().decode(written) == expected


@pytest.mark.parametrize(
    "value", [b"", b"[]", b"1", b'"a"', b"null", b"{", b"\xff", b"{}{}", "[" * 100_000, {"a": b"{}"}]
)
def test_what_is_not_an_object_is_not_decoded(value: Any) -> None:
    """Somebody else's value lies under the key."""
    with pytest.raises(ValueError, match=r"."):
        JsonEncoding().decode(value)


@pytest.mark.parametrize("number", ["NaN", "-Infinity", "1e99999999999999999999"])
def test_what_no_json_number_can_be_is_not_decoded(number: str) -> None:
    """Though Python's parser would take it, or fail with an error of another kind."""
    with pytest.raises(ValueError, match=r"."):
        JsonEncoding().decode(f'{{"a":{number}}}')
