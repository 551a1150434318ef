"""Lookup keys end right whatever is delivered twice, late, out of order or half applied."""

from typing import Any, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ddb_cache_sync import CacheUnavailable, KeyTemplate, LookupKey, Replicator, where
from ddb_cache_sync.core.lookups import Holds
from ddb_cache_sync.testing import MemoryCache, stream_record

EMAILS = ("a@x", "b@x", "c@x")
ITEMS = ("1", "2", "3")
steps = st.lists(
    st.tuples(st.sampled_from(ITEMS), st.sampled_from([*EMAILS, None, "removed", "hidden"])), min_size=1, max_size=14
)


def history(
    chosen: list[tuple[str, str | None]], offsets: dict[str, int]
) -> tuple[list[dict[str, Any]], dict[str, dict[str, Any]]]:
    """The stream of a table in which no two items have an e-mail address at the same time, and its items in the end.

    Sequence numbers grow for each item by itself: those of two items say nothing about each other.
    """
    items: dict[str, dict[str, Any]] = {}
    records = []
    for place, (number, email) in enumerate(chosen):
        old = items.get(number)
        taken = {each.get("email") for other, each in items.items() if other != number}
        new: dict[str, Any] | None = {"id": number, "place": place}
        if email == "removed":
            new = None
        elif email == "hidden" and new is not None:
            new |= {"hidden": True} | ({"email": old["email"]} if old and "email" in old else {})
        elif email is not None and email not in taken and new is not None:
            new["email"] = email
        if new is None:
            items.pop(number, None)
        else:
            items[number] = new
        if old is not None or new is not None:
            records.append(stream_record({"id": number}, new, old, sequence_number=offsets[number] + place))
    return records, items


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_any_delivery_of_any_history_ends_with_the_tables_lookups(data: st.DataObject) -> None:
    """Each address leads to the item that has it, and nothing else is left."""
    holds = data.draw(st.sampled_from(get_args(Holds)), "holds")
    offsets = {number: data.draw(st.sampled_from([1, 1_000, 1_000_000]), f"offset {number}") for number in ITEMS}
    records, items = history(data.draw(steps, "steps"), offsets)
    cache = MemoryCache()
    replicator = Replicator(
        cache,
        keys=KeyTemplate("users:{id}"),
        lookups=[LookupKey("users:by-email:{email}", holds=holds)],
        transforms=[where(lambda item: "hidden" not in item)],
    )
    deliveries = (
        data.draw(st.permutations([*records, *data.draw(st.lists(st.sampled_from(records)))])) if records else []
    )
    while deliveries:
        size = data.draw(st.integers(1, len(deliveries)))
        cache.break_after = data.draw(st.none() | st.integers(0, 3))
        try:
            replicator.apply(deliveries[:size])
        except CacheUnavailable:
            continue  # delivered again
        deliveries = deliveries[size:]
    cache.break_after = None
    shown = {number: item for number, item in items.items() if "hidden" not in item}
    assert {key for key in cache.values if not key.startswith("users:by-email:")} == {f"users:{n}" for n in shown}
    assert {key: value for key, value in cache.values.items() if key.startswith("users:by-email:")} == {
        f"users:by-email:{item['email']}": f"users:{number}".encode()
        if holds == "key"
        else cache.values[f"users:{number}"]
        for number, item in shown.items()
        if "email" in item
    }


def test_a_word_done_by_half_is_put_right_by_whichever_change_comes_again() -> None:
    """Two changes came together, and come again each by itself: the newer has nothing to do with the address."""
    chosen: list[tuple[str, str | None]] = [("1", "a@x"), ("1", "a@x"), ("1", None), ("1", None)]
    (first, same, gone, last), _ = history(chosen, dict.fromkeys(ITEMS, 1))
    cache = MemoryCache()
    replicator = Replicator(cache, keys=KeyTemplate("users:{id}"), lookups=[LookupKey("users:by-email:{email}")])
    replicator.apply([first])
    cache.break_after = 1  # what is said of the address is written, what is shown is not
    with pytest.raises(CacheUnavailable):
        replicator.apply([same, last])
    cache.break_after = None
    for record in (same, last, gone):
        replicator.apply([record])
    assert [*cache.values] == ["users:1"]
