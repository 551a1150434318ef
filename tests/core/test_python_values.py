"""Python values: the way back into DynamoDB JSON."""

from collections import OrderedDict, deque
from datetime import UTC, datetime
from decimal import Decimal
from enum import Enum, IntEnum, StrEnum
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.core.strategies import MARKER, any_python, items, lambda_form, outcome

from ddb_cache_sync import Image, RecordError, image_of
from ddb_cache_sync.core.attribute_values import MAX_NESTING, decode_value
from ddb_cache_sync.testing import attribute_value

DIGITS = "1234567890.1234567890123456789012345678"


class Colour(StrEnum):
    RED = "red"


class Mixed(str, Enum):  # noqa: UP042 - a member's text is not its value
    RED = "red"


class Level(IntEnum):
    LOW = 1


@pytest.mark.parametrize(
    ("value", "wire"),
    [
        pytest.param("é", {"S": "é"}, id="str"),
        pytest.param("", {"S": ""}, id="str, empty"),
        pytest.param(Colour.RED, {"S": "red"}, id="str enumeration"),
        pytest.param(Mixed.RED, {"S": "red"}, id="str enumeration of the older kind"),
        pytest.param(42, {"N": "42"}, id="int"),
        pytest.param(-(10**37), {"N": "-1" + "0" * 37}, id="int of 38 digits"),
        pytest.param(10**125, {"N": "1" + "0" * 125}, id="the longest int"),
        pytest.param(Level.LOW, {"N": "1"}, id="int enumeration"),
        pytest.param(Decimal(DIGITS), {"N": DIGITS}, id="Decimal"),
        pytest.param(Decimal("1.50"), {"N": "1.50"}, id="Decimal keeps its zeros"),
        pytest.param(Decimal("1E-130"), {"N": "1E-130"}, id="Decimal with an exponent"),
        pytest.param(0.1, {"N": "0.1"}, id="float"),
        pytest.param(1e22, {"N": "1e+22"}, id="float with an exponent"),
        pytest.param(-0.0, {"N": "0"}, id="float, minus zero"),
        pytest.param(b"foobar", {"B": "Zm9vYmFy"}, id="bytes"),
        pytest.param(bytearray(b""), {"B": ""}, id="bytearray, empty"),
        pytest.param(True, {"BOOL": True}, id="bool is not a number"),
        pytest.param(None, {"NULL": True}, id="None"),
        pytest.param({"a": ["b"]}, {"M": {"a": {"L": [{"S": "b"}]}}}, id="dict and list"),
        pytest.param(OrderedDict(a=1), {"M": {"a": {"N": "1"}}}, id="any mapping"),
        pytest.param(MappingProxyType({}), {"M": {}}, id="mapping, empty"),
        pytest.param(Image({"a": {"N": "1"}}), {"M": {"a": {"N": "1"}}}, id="Image"),
        pytest.param((1, ()), {"L": [{"N": "1"}, {"L": []}]}, id="tuple"),
        pytest.param({"b", "a"}, {"SS": ["a", "b"]}, id="set of str"),
        pytest.param(frozenset({b"b", b"a"}), {"BS": ["YQ==", "Yg=="]}, id="set of bytes"),
        pytest.param({2, Decimal("1.0"), 0.5}, {"NS": ["0.5", "1.0", "2"]}, id="set of numbers of any kind"),
        pytest.param({0.1, Decimal("0.1")}, {"NS": ["0.1"]}, id="set with one number twice"),
    ],
)
def test_each_python_value_has_its_type(value: object, wire: dict[str, Any]) -> None:
    """Numbers with their digits, sets in order."""
    assert image_of({"a": value}).wire == {"a": wire}


@given(items)
def test_an_item_that_was_decoded_is_written_equal(item: dict[str, Any]) -> None:
    """There and back, from either service, nothing is lost."""
    values = dict(Image(item))
    assert dict(image_of(values)) == values
    assert image_of(dict(Image(lambda_form(item)))).wire == image_of(values).wire


@given(st.floats(1e-130, 9e125) | st.floats(-9e125, -1e-130) | st.just(0.0))
def test_a_float_comes_back_as_the_same_float(number: float) -> None:
    """By its shortest digits, never more than DynamoDB keeps."""
    assert float(image_of({"a": number})["a"]) == number


def test_an_image_stays_as_it_is() -> None:
    """There is nothing to write."""
    image = Image({"a": {"S": "x"}})
    assert image_of(image) is image


def nested(levels: int) -> Any:
    """A string inside so many lists and maps."""
    value: Any = "deep"
    for level in range(levels):
        value = [value] if level % 2 else {"a": value}
    return value


def test_nesting_ends_where_dynamodbs_does() -> None:
    """What is written can be read; a list that holds itself is refused too."""
    decode_value(image_of({"a": nested(MAX_NESTING)}).wire["a"])
    endless: list[Any] = []
    endless.append(endless)
    for value in (nested(MAX_NESTING + 1), nested(50_000), endless):
        with pytest.raises(RecordError, match=r"^item\.a: nested deeper than 32 levels$"):
            image_of({"a": value})


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        (float("nan"), "a float that is not finite"),
        (float("-inf"), "a float that is not finite"),
        (1e-200, "a number outside 1E-130 to 9.99E+125"),
        (Decimal("NaN"), "not a decimal number"),
        (Decimal("Infinity"), "not a decimal number"),
        (Decimal("1E+126"), "a number outside 1E-130 to 9.99E+125"),
        (10**38 + 1, "a number of more than 38 significant digits"),
        (10**126, "a number outside 1E-130 to 9.99E+125"),
        pytest.param(10**5000, "a number outside 1E-130 to 9.99E+125", id="too long for Python to write"),
        (set(), "an empty set, which DynamoDB does not have"),
        ({1, "SECRET"}, "a set that is not of strings only, numbers only or bytes only"),
        ({True}, "a set that is not of strings only, numbers only or bytes only"),
        ({("SECRET",)}, "a set that is not of strings only, numbers only or bytes only"),
        ({"a", "SECRET\ud800"}, "not valid Unicode: half a surrogate pair"),
        ("SECRET\ud800", "not valid Unicode: half a surrogate pair"),
        ({"SECRET\ud800": 1}, "not valid Unicode: half a surrogate pair"),
        ({1: "SECRET"}, "an attribute name that is a int, not a str"),
        (datetime(2025, 1, 1, tzinfo=UTC), "a datetime has no DynamoDB type"),
        (deque(["SECRET"]), "a deque has no DynamoDB type"),
        (["SECRET", {"SECRET": {"SECRET": 1j}}], "a complex has no DynamoDB type"),
        (Image({"SECRET": {"N": "SECRET"}}), "a Image that raised ValueError when read"),
    ],
)
def test_what_dynamodb_could_not_hold_is_refused(value: object, problem: str) -> None:
    """The error names the top-level attribute and the type, and repeats no content."""
    with pytest.raises(RecordError) as caught:
        image_of({"fine": 1, "wrong": value})
    assert str(caught.value) == f"item.wrong: {problem}"


@pytest.mark.parametrize(
    ("item", "problem"),
    [
        ({"a": 1, 2: MARKER}, "item: an attribute name that is a int, not a str"),
        ({"a": 1, "b\ud800": MARKER}, "item: not valid Unicode: half a surrogate pair"),
        ({"n" * 300: 1j}, f"item.{'n' * 255}: a complex has no DynamoDB type"),
    ],
)
def test_a_name_that_dynamodb_could_not_hold_is_refused(item: dict[str, Any], problem: str) -> None:
    """A long name is not repeated in full."""
    with pytest.raises(RecordError) as caught:
        image_of(item)
    assert str(caught.value) == problem


@given(st.dictionaries(st.text(max_size=3), any_python, max_size=3))
def test_every_mapping_becomes_an_image_or_is_refused(item: dict[str, Any]) -> None:
    """No other error comes out; an image that is made can be decoded; the error repeats no content."""
    image, problem = outcome(lambda: image_of(item))
    assert MARKER not in problem
    if image is not None:
        assert image.fault() is None
        assert [*image] == [*item]


def test_events_to_test_with_have_no_floats() -> None:
    """At any depth; otherwise they are built in the same way, wrong numbers refused."""
    assert attribute_value({"a": [1, {b"x"}]}) == {"M": {"a": {"L": [{"N": "1"}, {"BS": ["eA=="]}]}}}
    for value in (0.5, [0.5], {"a": 0.5}):
        with pytest.raises(TypeError, match="a float has no DynamoDB type"):
            attribute_value(value)
    with pytest.raises(TypeError, match="a set that is not of"):
        attribute_value({0.5})
    with pytest.raises(ValueError, match="more than 38"):
        attribute_value(10**38 + 1)
