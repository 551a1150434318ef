import string
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ddb_cache_sync import (
    ConfigurationError,
    EntityRouter,
    Image,
    ItemKey,
    KeyTemplate,
    LookupKey,
    Projection,
    Remove,
    Route,
)
from ddb_cache_sync.core.expectations import NO_VERSION, Known
from ddb_cache_sync.core.keys import table_keys
from ddb_cache_sync.core.numbers import plain_number

TEXTS = st.text(st.characters(codec="utf-8"), min_size=1, max_size=40)
NUMBERS = st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**20), max_value=10**20, places=4).map(str)
BYTES = st.binary(min_size=1, max_size=40)
TEMPLATES = ["t:{pk}:{sk}", "t:{{{pk}}}:{sk}", "{pk}/{sk}", "{table}|{sk} {pk}", "a{pk}--{sk}z", table_keys]


def known(projection: Projection, types: tuple[str, ...] = ("S", "S")) -> Known:
    return Known.of(projection, "T", ("pk", "sk"), types)


def key_of(projection: Projection, **wire: Any) -> str:
    return projection.cache_key(Remove(ItemKey("T", Image(wire)), NO_VERSION))


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda template: getattr(template, "__name__", template))
@given(TEXTS, st.one_of(TEXTS.map(lambda v: ("S", v)), NUMBERS.map(lambda v: ("N", v)), BYTES.map(lambda v: ("B", v))))
def test_a_cache_key_is_read_back_into_the_primary_key(template: Any, pk: str, sk: tuple[str, Any]) -> None:
    """Whatever it holds; unless it was shortened, and then it is not read back at all."""
    projection = Projection(template if template is table_keys else KeyTemplate(template))
    tag, content = sk
    key = key_of(projection, pk={"S": pk}, sk={tag: content})
    found = known(projection, ("S", tag)).item_key(key)
    if found is None:
        assert "%#" in key
        return
    read = found[1].attributes
    assert read["pk"] == pk
    assert read["sk"] == Image({"v": {tag: plain_number(content) if tag == "N" else content}})["v"]


@given(st.text(string.ascii_letters + string.digits + ":%{}#/-é", max_size=30))
def test_what_is_read_back_from_any_text_makes_that_text_again(key: str) -> None:
    """So what is no cache key of this table is never taken for one."""
    projection = Projection(KeyTemplate("t:{pk}:{sk}"))
    found = known(projection).item_key(f"t:{key}")
    if found is not None:
        assert projection.cache_key(Remove(found[1], NO_VERSION)) == f"t:{key}"


@pytest.mark.parametrize("key", ["t:a", "t:a:", "t::b", "t:a:b:c", "u:a:b", "t:a:%zz", "t:a:%#" + "A" * 43, "t:a:%2d"])
def test_some_keys_tell_no_item(key: str) -> None:
    """Parts missing, empty, too many; another beginning; escapes that nobody writes; shortened ones."""
    assert known(Projection(KeyTemplate("t:{pk}:{sk}"))).item_key(key) is None


def test_what_a_template_leaves_out_is_read_back_too() -> None:
    """Of two routes that give the same form of key, by the one that takes such an item."""
    routes = [
        Route(Projection(KeyTemplate("t:{pk}")), key={"pk": f"{kind}#*", "sk": sk})
        for kind, sk in (("USER", "PROFILE"), ("ORG", "META"))
    ]
    table = Known.of(EntityRouter(routes), "T", ("pk", "sk"), ("S", "S"))
    for place, (pk, sk) in enumerate((("USER#1", "PROFILE"), ("ORG#1", "META"))):
        found = table.item_key(f"t:{pk}")
        assert found is not None
        assert found[0] is routes[place].projection
        assert dict(found[1].attributes) == {"pk": pk, "sk": sk}
    assert table.item_key("t:TEAM#1") is None


def test_lookup_keys_have_not_the_form_of_a_cache_key() -> None:
    """Though they begin alike: they have another number of colons."""
    projection = Projection(KeyTemplate("t:{pk}:{sk}"), lookups=[LookupKey("t:by-email:{email}:x")])
    table = known(projection)
    assert table.can_be(projection, "t:a:b")
    assert not table.can_be(projection, "t:by-email:a@b:x")


def test_a_callable_of_ones_own_tells_nothing() -> None:
    """Nobody knows what its keys look like."""
    projection = Projection(lambda _: "x")
    table = known(projection)
    assert (table.beginning_of(projection), table.item_key("x"), table.can_be(projection, "x")) == ("", None, False)


def test_a_template_that_begins_with_the_tables_name_begins_with_it() -> None:
    """Which is known, unlike a value."""
    named = Projection(KeyTemplate("{table}:{pk}:{sk}"))
    assert known(named).beginning_of(named) == "T:"
    assert known(Projection()).beginning_of(Projection()) == "T:"


def test_a_router_of_ones_own_is_refused() -> None:
    """It can't be asked for its projections."""
    router: Any = object()
    with pytest.raises(ConfigurationError, match="can't be asked"):
        Known.of(router, "T", ("pk",), ("S",))
