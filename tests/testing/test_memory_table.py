from decimal import Decimal
from typing import Any

import pytest

from ddb_cache_sync import Replicator, decode_stream_event
from ddb_cache_sync.testing import Chaos, MemoryCache, MemoryTable, kinesis_event, stream_event, stream_record

IMAGES = {
    "KEYS_ONLY": (False, False),
    "NEW_IMAGE": (True, False),
    "OLD_IMAGE": (False, True),
    "NEW_AND_OLD_IMAGES": (True, True),
}


@pytest.mark.parametrize("view_type", IMAGES)
def test_records_have_the_images_of_the_view_type(view_type: Any) -> None:
    """As a stream of that type carries them: of a put over an item, and of its removal."""
    table = MemoryTable(view_type=view_type)
    for item in ({"id": "1", "n": 1}, {"id": "1", "n": 2}):
        table.put(item)
    table.remove(id="1")
    _, change, removal = decode_stream_event(table.records)
    new, old = IMAGES[view_type]
    assert (change.event_name, change.view_type) == ("MODIFY", view_type)
    assert (change.new_image is not None, change.old_image is not None) == (new, old)
    assert (removal.new_image, removal.old_image is not None) == (None, old)


def test_a_removal_can_be_that_of_time_to_live() -> None:
    """And is told from anybody's; also where the change comes by Kinesis."""
    table = MemoryTable()
    for number in "12":
        table.put({"id": number})
    table.remove(id="1")
    table.remove({"id": "2"}, by_ttl=True)
    for event in (stream_event(table.records), kinesis_event(table.records)):
        assert [record.is_ttl_removal for record in decode_stream_event(event)] == [False, False, False, True]


def test_time_to_live_puts_nothing() -> None:
    """Such a record can't be made."""
    with pytest.raises(ValueError, match="puts none"):
        stream_record({"id": "1"}, {"id": "1"}, by_ttl=True)


def test_a_key_that_is_no_name_of_an_argument_is_given_as_a_mapping() -> None:
    """And one called `by_ttl` too."""
    table = MemoryTable(key=("user-id", "by_ttl"))
    table.put({"user-id": "1", "by_ttl": "x"})
    assert table.remove({"user-id": "1", "by_ttl": "x"}) is not None
    assert table.items == {}


def test_what_changes_the_item_makes_a_record_and_nothing_else_does() -> None:
    """A boolean is no number, though Python calls them equal; a list that the test goes on with was not put yet."""
    table, item = MemoryTable(), {"id": "1", "seen": 1, "tags": ["a"]}
    assert table.put(item) is not None
    assert table.put(item) is None
    assert table.put(item | {"seen": True}) is not None
    assert table.put(item) is not None
    item["tags"].append("b")  # type: ignore[attr-defined]
    assert table.put(item) is not None
    cache = MemoryCache()
    Replicator(cache).apply(table.records)
    assert cache.values == {"T:1": b'{"id":"1","seen":1,"tags":["a","b"]}'}


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ({"key": "id"}, "the key 'id' is a text. Write key=['id']."),
        ({"key": []}, "a key of 0 names"),
        ({"key": ["a", "a"]}, "a key of 2 names"),
        ({"key": ["a", "b", "c"]}, "a key of 3 names"),
        ({"view_type": "NEW"}, "view type 'NEW'. There are KEYS_ONLY, "),
        ({"stream_label": "yesterday"}, "not a stream label"),
    ],
)
def test_a_table_that_can_not_be_is_refused(arguments: dict[str, Any], problem: str) -> None:
    """With what to write instead."""
    with pytest.raises(ValueError) as refused:  # noqa: PT011 - the text is compared next
        MemoryTable(**arguments)
    assert str(refused.value).startswith(problem)


@pytest.mark.parametrize(
    ("item", "error"),
    [
        ({"name": "Wei"}, "table T has the primary key id, and none of it was given. Give each of its attributes."),
        ({"id": ""}, "key attribute id: empty"),
        ({"id": None}, "key attribute id: a NoneType. Give text, a whole number, Decimal or bytes."),
        ({"id": "1", "price": 1.5}, "attribute price: a float has no DynamoDB type. Give numbers as int or Decimal."),
        ({"id": "1", "n": Decimal("1e200")}, "attribute n: a number outside 1E-130 to 9.99E+125"),
    ],
)
def test_what_is_no_item_changes_nothing(item: dict[str, Any], error: str) -> None:
    """The error names the attribute."""
    table = MemoryTable()
    with pytest.raises((ValueError, TypeError)) as refused:
        table.put(item)
    assert str(refused.value) == error
    assert (table.items, table.records) == ({}, [])


@pytest.mark.parametrize("key", [{"idd": "1"}, {"id": "1", "n": 1}, {}])
def test_a_removal_names_the_primary_key_and_nothing_else(key: dict[str, Any]) -> None:
    """Or a record would have a key that the table does not have."""
    with pytest.raises(ValueError, match="table T has the primary key id, and "):
        MemoryTable().remove(**key)


def test_a_share_of_faults_is_from_0_to_1() -> None:
    """A percentage is none."""
    with pytest.raises(ValueError, match="a share of 50"):
        Chaos(lambda event, context: None, share=50)
