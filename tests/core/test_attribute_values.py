"""Attribute values: DynamoDB JSON in, exact Python values out."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import pytest
from boto3.dynamodb.types import Binary, TypeDeserializer
from hypothesis import assume, given
from tests.core.strategies import items, lambda_form

from ddb_cache_sync import Image
from ddb_cache_sync.core.attribute_values import MAX_NESTING, decode_value
from ddb_cache_sync.core.changes import ItemKey

DIGITS = "1234567890.1234567890123456789012345678"

VALUES = [
    pytest.param({"S": "é"}, "é", id="S"),
    pytest.param({"S": ""}, "", id="S, empty"),
    pytest.param({"N": DIGITS}, Decimal(DIGITS), id="N"),
    pytest.param({"B": "Zm9vYmFy"}, b"foobar", id="B from Lambda"),
    pytest.param({"B": b"foobar"}, b"foobar", id="B from boto3"),
    pytest.param({"B": ""}, b"", id="B, empty"),
    pytest.param({"BOOL": False}, False, id="BOOL"),
    pytest.param({"NULL": True}, None, id="NULL"),
    pytest.param({"M": {"a": {"L": [{"S": "b"}]}}}, {"a": ["b"]}, id="M"),
    pytest.param({"M": {}}, {}, id="M, empty"),
    pytest.param({"L": [{"N": "1"}, {"M": {"a": {"BOOL": True}}}]}, [Decimal(1), {"a": True}], id="L"),
    pytest.param({"SS": ["b", "a"]}, frozenset({"a", "b"}), id="SS"),
    pytest.param({"NS": ["1", "2E0"]}, frozenset({Decimal(1), Decimal(2)}), id="NS"),
    pytest.param({"BS": ["Zg==", "Zm8="]}, frozenset({b"f", b"fo"}), id="BS from Lambda"),
    pytest.param({"BS": [b"f", b"fo"]}, frozenset({b"f", b"fo"}), id="BS from boto3"),
]


@pytest.mark.parametrize(("wire", "value"), VALUES)
def test_each_type_decodes_to_its_python_value(wire: dict[str, Any], value: object) -> None:
    """Numbers exactly, binary values from either service."""
    decoded = decode_value(wire)
    assert decoded == value
    assert type(decoded) is type(value)


def nested(levels: int, kind: str = "L") -> dict[str, Any]:
    """A string inside so many lists or maps."""
    value: dict[str, Any] = {"S": "deep"}
    for _ in range(levels):
        value = {"L": [value]} if kind == "L" else {"M": {"a": value}}
    return value


@pytest.mark.parametrize("kind", ["L", "M"])
def test_nesting_ends_where_dynamodbs_does(kind: str) -> None:
    """32 levels are read; more can't come from a table, and can't overflow the stack."""
    decode_value(nested(MAX_NESTING, kind))
    for levels in (MAX_NESTING + 1, 50_000):
        with pytest.raises(ValueError, match="nested deeper than 32 levels"):
            decode_value(nested(levels, kind))


@pytest.mark.parametrize(
    ("wire", "problem"),
    [
        (None, "not an attribute value"),
        ("SECRET", "not an attribute value"),
        (["SECRET"], "not an attribute value"),
        ({}, "not an attribute value"),
        ({"S": "SECRET", "N": "1"}, "not an attribute value"),
        ({"SECRET": "a"}, "an unknown attribute type"),
        ({"s": "SECRET"}, "an unknown attribute type"),
        ({1: "SECRET"}, "an unknown attribute type"),
        ({"S": 1}, "not a string"),
        ({"S": None}, "not a string"),
        ({"S": "SECRET\ud800"}, "half a surrogate pair"),
        ({"SS": ["SECRET\udfff"]}, "half a surrogate pair"),
        ({"M": {"SECRET\ud800": {"S": ""}}}, "half a surrogate pair"),
        ({"M": {1: {"S": ""}}}, "not a string"),
        ({"N": 1}, "not a string"),
        ({"N": "SECRET"}, "not a decimal number"),
        ({"N": ""}, "not a decimal number"),
        ({"NS": ["1", "SECRET"]}, "not a decimal number"),
        ({"NS": "1"}, "not an array"),
        ({"B": 1}, "neither base64 text nor bytes"),
        ({"B": "SECRET!"}, "not base64"),
        ({"B": "Zg"}, "not base64"),
        ({"B": "Zg==\n"}, "not base64"),
        ({"B": "Zg==Zg=="}, "not base64"),
        ({"B": "é"}, "not base64"),
        ({"BS": ["SECRET!"]}, "not base64"),
        ({"BOOL": "true"}, "not a boolean"),
        ({"BOOL": 1}, "not a boolean"),
        ({"NULL": False}, "a NULL that is not true"),
        ({"NULL": None}, "a NULL that is not true"),
        ({"NULL": 1}, "a NULL that is not true"),
        ({"M": [{"S": "SECRET"}]}, "not an object"),
        ({"L": {"a": {"S": "SECRET"}}}, "not an array"),
        ({"L": ["SECRET"]}, "not an attribute value"),
        ({"SS": ("SECRET",)}, "not an array"),
        ({"SS": [1]}, "not a string"),
    ],
)
def test_malformed_values_are_refused_without_repeating_them(wire: object, problem: str) -> None:
    """The error says what was expected and nothing of what was there."""
    with pytest.raises(ValueError, match=problem) as caught:
        decode_value(wire)
    assert "SECRET" not in str(caught.value)


def test_an_image_is_a_mapping_of_attributes() -> None:
    """By name, as any mapping."""
    image = Image({"id": {"S": "a"}, "n": {"N": "1"}})
    assert isinstance(image, Mapping)
    assert dict(image) == {"id": "a", "n": Decimal(1)} == image
    assert (len(image), "n" in image, image.get("missing")) == (2, True, None)
    with pytest.raises(KeyError):
        image["missing"]


def test_an_image_decodes_what_is_asked_for() -> None:
    """A malformed attribute does no harm until it is read."""
    image = Image({"id": {"S": "a"}, "bad": {"N": "not a number"}})
    assert image["id"] == "a"
    assert list(image) == ["id", "bad"]
    with pytest.raises(ValueError, match="not a decimal number"):
        image["bad"]


def test_the_repr_of_an_image_shows_no_contents() -> None:
    """It may stand in a log, or in a traceback that shows variables."""
    image = Image({"SECRET name": {"S": "SECRET"}})
    assert repr(image) == "<Image of 1 attributes>"


def test_an_image_can_not_be_formatted() -> None:
    """Its text would leave the values out: as part of a cache key it would be the same for every item."""
    with pytest.raises(TypeError, match="format its values"):
        f"{Image({'id': {'S': 'a'}})}"
    with pytest.raises(TypeError, match="format its values"):
        f"key:{ItemKey('T', Image({'id': {'S': 'a'}}))}"


def plain(value: Any) -> Any:
    """boto3's values with its own type for bytes replaced."""
    if isinstance(value, Binary):
        return bytes(value.value)  # type: ignore[attr-defined]
    if isinstance(value, dict):
        return {name: plain(member) for name, member in value.items()}
    if isinstance(value, list):
        return [plain(member) for member in value]
    return frozenset(map(plain, value)) if isinstance(value, set) else value


@given(items)
def test_items_decode_as_boto3_decodes_them(item: dict[str, Any]) -> None:
    """And the same from Lambda's form, which boto3 can't read."""
    try:
        expected = {name: plain(TypeDeserializer().deserialize(value)) for name, value in item.items()}
    except ArithmeticError:
        assume(False)
        raise
    assert dict(Image(item)) == dict(Image(lambda_form(item))) == expected
