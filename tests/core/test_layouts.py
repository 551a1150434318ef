"""Two layouts side by side: what goes to which, and which two can't stand side by side."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ddb_cache_sync import (
    BothLayouts,
    ConfigurationError,
    EntityRouter,
    HashEncoding,
    Image,
    ItemKey,
    KeyTemplate,
    LookupKey,
    Projection,
    Replicator,
    Route,
    Upsert,
    Version,
    where,
)
from ddb_cache_sync.core.expectations import Known
from ddb_cache_sync.testing import MemoryCache, MemoryTable

OLD = Projection(KeyTemplate("users:{id}"))
NEW = Projection(KeyTemplate("v2:users:{id}"), HashEncoding())


def applied(router: Any, table: MemoryTable) -> dict[str, Any]:
    cache = MemoryCache()
    assert Replicator(cache, router).apply(table.records).failed == 0
    return cache.values


def test_every_change_goes_to_both() -> None:
    """Each in its own form."""
    table = MemoryTable()
    table.put({"id": "1", "n": 1})
    table.put({"id": "2"})
    table.remove(id="2")
    assert applied(BothLayouts(OLD, NEW), table) == {
        "users:1": b'{"id":"1","n":1}',
        "v2:users:1": {"id": b"1", "n": b"1"},
    }


def test_a_projection_of_both_is_applied_once_and_counts_for_the_old_one() -> None:
    """Routes that stay as they are."""
    stay, leave = Projection(KeyTemplate("orders:{id}")), Projection(KeyTemplate("users:{id}"))
    old = EntityRouter([Route(leave, table="users"), Route(stay, table="orders")])
    new = EntityRouter([Route(NEW, table="users"), Route(stay, table="orders")])
    both = BothLayouts(old, new)
    orders = MemoryTable(name="orders")
    orders.put({"id": "1"})
    assert applied(both, orders) == {"orders:1": b'{"id":"1"}'}
    assert Known.of(both, "users", ["id"], ["S"]).projections == [leave, NEW]
    assert Known.of(both, "orders", ["id"], ["S"]).projections == [stay]


def test_lookup_keys_of_the_new_layout_need_old_images() -> None:
    """As ever."""
    assert not BothLayouts(OLD, NEW).needs_old_images
    assert BothLayouts(OLD, Projection(KeyTemplate("v2:{id}"), lookups=[LookupKey("v2:by:{mail}")])).needs_old_images


def test_what_one_of_them_can_not_encode_is_in_the_other_all_the_same() -> None:
    """The record is reported; what the new layout makes of an item is no matter of the old one's readers."""

    def fail(_: Any) -> bool:
        raise RuntimeError

    cache, table = MemoryCache(), MemoryTable()
    table.put({"id": "1"})
    new = Projection(KeyTemplate("v2:{id}"), transforms=[where(fail)])
    assert Replicator(cache, BothLayouts(OLD, new)).apply(table.records).failed == 1
    assert cache.values == {"users:1": b'{"id":"1"}'}


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (OLD, Projection(KeyTemplate("users:{id}"), HashEncoding())),
        (OLD, Projection(KeyTemplate("users:x{id}"))),
        (OLD, Projection(KeyTemplate("{id}:users"))),
        (Projection(KeyTemplate("{table}:{id}")), Projection()),
        (OLD, Projection(KeyTemplate("v2:{id}"), lookups=[LookupKey("users:{email}")])),
        (
            Projection(KeyTemplate("users:{id}"), lookups=[LookupKey("users:by:{email}")]),
            Projection(KeyTemplate("v2:{id}"), lookups=[LookupKey("users:by:{email}")]),
        ),
        (OLD, Projection(KeyTemplate("v2:{id}"), guard_prefix="guard:")),
        (OLD, Projection(lambda change: f"v2:{change.key.attributes['id']}")),
        (Projection(), Projection()),
    ],
    ids=[
        "encoding",
        "a word more",
        "any beginning",
        "the default",
        "lookup",
        "same lookup",
        "guards",
        "callable",
        "2x",
    ],
)
def test_layouts_that_can_not_be_told_apart_are_refused(old: Projection, new: Projection) -> None:
    """By their text, or else with the first change of a table; nothing is applied."""
    table, cache = MemoryTable(name="users"), MemoryCache()
    table.put({"id": "1", "email": "x"})
    with pytest.raises(ConfigurationError, match="layout"):
        Replicator(cache, BothLayouts(old, new)).apply(table.records)
    assert cache.values == {}


def test_templates_are_refused_before_there_is_any_change() -> None:
    """Where their texts tell."""
    with pytest.raises(ConfigurationError, match=r"v2:users:\{id\}"):
        BothLayouts(OLD, Projection(KeyTemplate("users:{id}"), HashEncoding()))
    routes = [Route(OLD, table="users")]
    with pytest.raises(ConfigurationError, match="could give the same key"):
        BothLayouts(EntityRouter(routes), EntityRouter([Route(Projection(KeyTemplate("{table}:{id}")), table="users")]))
    BothLayouts(EntityRouter(routes), EntityRouter([Route(Projection(KeyTemplate("{table}:{id}")), table="accounts")]))
    with pytest.raises(ConfigurationError, match="guard prefixes"):
        BothLayouts(OLD, Projection(KeyTemplate("v2:{id}"), guard_prefix="guard:"))


def test_the_name_of_the_table_tells_templates_apart() -> None:
    """The default mapping of table `users`, and keys that begin otherwise."""
    table = MemoryTable(name="users")
    table.put({"id": "1"})
    both = BothLayouts(Projection(), Projection(KeyTemplate("people:{id}")))
    assert [*applied(both, table)] == ["users:1", "people:1"]


TEMPLATES = st.sampled_from(
    ["a:{id}", "b:{id}", "a:b:{id}", "a{id}", "{id}", "{id}:a", "a:{id}:b", "{table}:{id}", "a:{{{id}}}", "{{a}}:{id}"]
)


@given(TEMPLATES, TEMPLATES, st.text(min_size=1, max_size=4), st.text(min_size=1, max_size=4))
def test_where_both_are_taken_no_two_items_share_a_key(one: str, other: str, first: str, second: str) -> None:
    """And a key has the form of its own layout alone."""
    old, new = Projection(KeyTemplate(one)), Projection(KeyTemplate(other))
    try:
        both = BothLayouts(old, new)
        changes = [
            Upsert(ItemKey("a", Image({"id": {"S": text}})), Version.of(1, "1"), Image({})) for text in (first, second)
        ]
        keys = [[projection.cache_key(seen) for projection, seen in both.routed(change)] for change in changes]
    except ConfigurationError:
        return
    known = Known.of(both, "a", ["id"], ["S"])
    for of_old, of_new in keys:
        assert of_old not in {each for pair in keys for each in pair[1:]}
        assert (known.can_be(old, of_old), known.can_be(new, of_old)) == (True, False)
        assert (known.can_be(old, of_new), known.can_be(new, of_new)) == (False, True)
