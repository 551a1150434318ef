"""What holds for every encoding, whatever its form."""

import random
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.core.strategies import anything, items, lambda_form, names, places, spoilt, values

from ddb_cache_sync import (
    AttributeEncoding,
    Compressed,
    DynamoDBJsonEncoding,
    Encoding,
    HashEncoding,
    Image,
    JsonEncoding,
    RecordError,
)

ENCODINGS: dict[str, Encoding] = {
    "json": JsonEncoding(),
    "dynamodb-json": DynamoDBJsonEncoding(),
    "hash": HashEncoding(),
    "attribute": AttributeEncoding("a"),
    "json+zlib": Compressed(JsonEncoding(), above=10),
    "attribute+zstd": Compressed(AttributeEncoding("a"), "zstd", above=10),
}
encodings = st.sampled_from([*ENCODINGS.values()])
whole_items = st.builds(lambda rest, a: rest | {"a": a}, items, values)
"""Items with the attribute that `AttributeEncoding` is after."""


def shuffled(wire: Any, seed: int) -> Any:
    """The same item with names and set members in another order."""
    source = random.Random(seed)
    if isinstance(wire, list):
        return [shuffled(member, seed) for member in wire]
    if not isinstance(wire, dict):
        return wire
    members = [(name, shuffled(member, seed)) for name, member in wire.items()]
    source.shuffle(members)
    return {
        name: source.sample(member, len(member)) if name in {"SS", "BS"} and isinstance(member, list) else member
        for name, member in members
    }


@pytest.mark.parametrize("name", ENCODINGS)
def test_the_kind_is_that_of_the_values(name: str) -> None:
    """A reader chooses `GET` or `HGETALL` by it."""
    encoding = ENCODINGS[name]
    value = encoding.encode(Image({"a": {"S": "x"}}))
    assert isinstance(value, dict if encoding.kind == "hash" else bytes)


@given(encodings, whole_items, st.integers(0, 9))
def test_equal_items_are_equal_values(encoding: Encoding, item: dict[str, Any], seed: int) -> None:
    """From Lambda or boto3, in whatever order attributes and members come; the fields of a hash in order too."""
    expected = encoding.encode(Image(item))
    for same in (lambda_form(item), shuffled(item, seed)):
        value = encoding.encode(Image(same))
        assert value == expected
        assert not isinstance(value, dict) or [*value] == sorted(value)


@given(encodings, whole_items)
def test_a_reader_can_read_what_was_written(encoding: Encoding, item: dict[str, Any]) -> None:
    """No value is made that its own encoding refuses."""
    value = encoding.encode(Image(item))
    assert value is not None
    encoding.decode(value)


@given(encodings, whole_items, st.data())
def test_a_malformed_item_raises_a_record_error_and_nothing_else(
    encoding: Encoding, item: dict[str, Any], data: st.DataObject
) -> None:
    """Wherever and however it is spoilt, it is carried or refused."""
    path = data.draw(st.sampled_from([each for each in places(item) if len(each) > 0]))
    broken = spoilt(item, path, data.draw(st.one_of(st.just(...), anything)))
    try:
        value = encoding.encode(Image(broken))
    except RecordError:
        return
    assert value is None or isinstance(value, bytes | dict)


MALFORMED: list[Any] = [
    None, "SECRET", {}, {"S": "SECRET", "N": "1"}, {"SECRET": 1}, {1: "SECRET"}, {"S": 1}, {"S": "SECRET\ud800"},
    {"SS": ["SECRET\ud800"]}, {"M": {"SECRET\ud800": {"S": ""}}}, {"M": {1: {"S": "SECRET"}}}, {"N": "SECRET"},
    {"N": 1}, {"N": "1" * 39}, {"N": "NaN"}, {"NS": ["1", "SECRET"]}, {"B": "SECRET!"}, {"B": 1}, {"BS": [1]},
    {"BOOL": "SECRET"}, {"NULL": False}, {"M": ["SECRET"]}, {"L": {"SECRET": {}}}, {"L": ["SECRET"]},
    {"SS": "SECRET"}, {"N": '1,"SECRET":1'}, [5], [10**400],
]  # fmt: skip


@pytest.mark.parametrize("nest", [lambda wire: wire, lambda wire: {"M": {"b": wire}}, lambda wire: {"L": [wire]}])
@pytest.mark.parametrize("wire", MALFORMED)
@pytest.mark.parametrize("name", ENCODINGS)
def test_a_malformed_value_makes_a_poison_record(name: str, wire: Any, nest: Callable[[Any], Any]) -> None:
    """At any depth; the error repeats no contents."""
    with pytest.raises(RecordError, match=r"^item: (?!.*SECRET)"):
        ENCODINGS[name].encode(Image({"fine": {"S": "x"}, "a": nest(wire)}))


@pytest.mark.parametrize("name", ENCODINGS)
def test_what_can_not_be_a_name_makes_a_poison_record(name: str) -> None:
    """Half a surrogate pair; one attribute alone does not look at the others' names."""
    item = Image({"a": {"S": "x"}, "SECRET\ud800": {"S": "x"}})
    if name.startswith("attribute"):
        assert ENCODINGS[name].encode(item) == b"x"
    else:
        with pytest.raises(RecordError, match=r"^item: not valid Unicode(?!.*SECRET)"):
            ENCODINGS[name].encode(item)


@pytest.mark.parametrize("name", ENCODINGS)
def test_deep_nesting_is_refused_and_does_not_overflow(name: str) -> None:
    """32 levels, as DynamoDB has it, are carried; twenty thousand are not."""
    value: dict[str, Any] = {"S": "deep"}
    for level in range(20_000):
        if level == 32:
            assert ENCODINGS[name].encode(Image({"a": value}))
        value = {"L": [value]} if level % 2 else {"M": {"b": value}}
    with pytest.raises(RecordError, match="nested deeper than 32 levels"):
        ENCODINGS[name].encode(Image({"a": value}))


@pytest.mark.parametrize("name", ENCODINGS)
def test_a_value_of_the_other_kind_is_not_decoded(name: str) -> None:
    """As a reader with the wrong command, or the wrong setting, would have it."""
    encoding = ENCODINGS[name]
    with pytest.raises(ValueError, match=r"^not a (string|hash)"):
        encoding.decode(b"{}" if encoding.kind == "hash" else {"a": b"{}"})


@given(encodings, st.binary(max_size=40), st.dictionaries(names, st.binary(max_size=5), max_size=2))
def test_what_is_read_is_decoded_or_refused_with_a_value_error(
    encoding: Encoding, string: bytes, fields: dict[str, bytes]
) -> None:
    """Somebody else's value may lie under the key."""
    with suppress(ValueError):
        encoding.decode(fields if encoding.kind == "hash" else string)
