"""One attribute as the whole value."""

from typing import Any

import pytest
from hypothesis import given
from tests.core.strategies import items, names, values

from ddb_cache_sync import AttributeEncoding, ConfigurationError, Image, JsonEncoding, RecordError

ENCODING = AttributeEncoding("a")


@pytest.mark.parametrize(
    ("wire", "written"),
    [
        pytest.param({"S": 'é"'}, 'é"'.encode(), id="S has no quotes"),
        pytest.param({"S": ""}, b"", id="S may be empty"),
        pytest.param({"N": "1.50"}, b"1.50", id="N keeps its digits"),
        pytest.param({"B": "+/8="}, b"\xfb\xff", id="B is its bytes"),
        pytest.param({"B": b"\xfb\xff"}, b"\xfb\xff", id="B from boto3"),
        pytest.param({"BOOL": False}, b"false", id="BOOL"),
        pytest.param({"NULL": True}, b"null", id="NULL"),
        pytest.param({"M": {"b": {"N": "1"}, "a": {"S": "x"}}}, b'{"a":"x","b":1}', id="M"),
        pytest.param({"SS": ["b", "a"]}, b'["a","b"]', id="SS"),
    ],
)
def test_each_type_is_itself(wire: dict[str, Any], written: bytes) -> None:
    """Without a wrapping."""
    assert ENCODING.encode(Image({"id": {"S": "1"}, "a": wire})) == written


@given(items, names)
def test_an_item_without_the_attribute_has_no_value(item: dict[str, Any], name: str) -> None:
    """Its cache key is then removed; an attribute that is NULL is there."""
    item.pop(name, None)
    assert AttributeEncoding(name).encode(Image(item)) is None


@given(values)
def test_all_but_text_and_bytes_is_its_json(value: dict[str, Any]) -> None:
    """The same as in the whole item's JSON."""
    written = ENCODING.encode(Image({"a": value})) or b""
    if not {"S", "B"} & value.keys():
        assert b'{"a":%b}' % written == JsonEncoding().encode(Image({"a": value}))


def test_a_reader_gets_the_bytes() -> None:
    """What type they were is for the reader to know."""
    assert ENCODING.decode(b"\xfb\xff") == b"\xfb\xff"


def test_the_other_attributes_are_not_looked_at() -> None:
    """One of them that is malformed changes nothing; the error of this one names its own fault."""
    item = {"other": {"N": "SECRET"}, "a": {"S": "x"}}
    assert ENCODING.encode(Image(item)) == b"x"
    with pytest.raises(RecordError, match=r"^item: not a string$"):
        ENCODING.encode(Image(item | {"a": {"S": 1}}))


@pytest.mark.parametrize("name", ["", "\ud800", None, 1, b"a"])
def test_what_can_not_be_a_name_is_refused_at_once(name: Any) -> None:
    """Before any record."""
    with pytest.raises(ConfigurationError, match=r"an attribute's name is a text .* Give the attribute"):
        AttributeEncoding(name)
