"""Primary keys as callers write them."""

from decimal import Decimal
from typing import Any

import pytest

from ddb_cache_sync import ConfigurationError, RecordError
from ddb_cache_sync.core.attribute_values import Image
from ddb_cache_sync.core.primary_keys import check_primary_key, primary_key


@pytest.mark.parametrize(
    ("value", "wire"),
    [
        ("a", {"S": "a"}),
        ("é", {"S": "é"}),
        (42, {"N": "42"}),
        (Decimal("1.50"), {"N": "1.5"}),
        (Decimal("1E+2"), {"N": "100"}),
        (b"\x00", {"B": b"\x00"}),
    ],
)
def test_a_value_tells_its_type(value: Any, wire: Any) -> None:
    """Numbers in their one plain form: two ways to write a key are one key."""
    assert primary_key({"k": value}, None).wire == {"k": wire}
    assert primary_key(value, "k").wire == {"k": wire}


@pytest.mark.parametrize(
    ("key", "problem"),
    [
        ({}, "a primary key of 0 attributes"),
        ({"a": 1, "b": 1, "c": 1}, "a primary key of 3 attributes"),
        ({"a": ""}, "key attribute a: empty"),
        ({"a": b""}, "key attribute a: empty"),
        ({"a": True}, "key attribute a: a bool"),
        ({"a": None}, "key attribute a: a NoneType"),
        ({"a": 1.5}, "key attribute a: a float"),
        ({"a": "\ud800"}, "key attribute a: not valid Unicode"),
        ({"a": Decimal("NaN")}, "key attribute a: not a decimal number"),
        ({"a": 10**40 + 1}, "key attribute a: a number of more than 38"),
    ],
)
def test_what_no_key_can_be_is_refused(key: Any, problem: str) -> None:
    """Before anything is asked for it."""
    with pytest.raises(RecordError, match=problem):
        primary_key(key, None)


def test_a_value_alone_needs_a_name() -> None:
    """The reader is given it when it is made."""
    with pytest.raises(ConfigurationError, match='key_name="id"'):
        primary_key("a", None)


def test_a_key_of_the_tables_attributes_and_types_is_the_tables() -> None:
    """In whatever order they are written."""
    check_primary_key(Image({"at": {"N": "1"}, "id": {"B": "NDI="}}), "users", ("id", "at"), ("B", "N"))


@pytest.mark.parametrize(
    ("key", "problem"),
    [
        ({"id": {"S": "42"}}, "the item's key has id, and"),
        ({"id": {"S": "42"}, "at": {"N": "1"}, "name": {"S": "x"}}, "the item's key has at, id, name, and"),
        ({"id": {"S": "42"}, "at": {"S": "1"}}, "the item's key has at of another type:"),
        ({"id": "42", "at": {"N": "1"}}, "the item's key has id of another type:"),
    ],
)
def test_another_key_is_told_with_the_one_that_the_table_has(key: dict[str, Any], problem: str) -> None:
    """By name and type, and without values."""
    with pytest.raises(ConfigurationError) as caught:
        check_primary_key(Image(key), "users", ("id", "at"), ("S", "N"))
    assert caught.value.what.startswith(problem)
    assert caught.value.what.endswith("the primary key of table users is id (a string) and at (a number)")
    assert "42" not in caught.value.what
