"""Routing: which projection's an item is, and where else its change is a removal."""

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ddb_cache_sync import (
    Change,
    ConfigurationError,
    EntityRouter,
    Image,
    ItemKey,
    KeyTemplate,
    LookupKey,
    Projection,
    RecordError,
    Remove,
    Route,
    Touch,
    Upsert,
    Version,
)
from ddb_cache_sync.core.changes import LeftOut
from ddb_cache_sync.testing.events import attributes

VERSION = Version.of(1745415436991, "111")
USERS = Projection(KeyTemplate("users:{PK}:{SK}"))
ORDERS = Projection(KeyTemplate("orders:{PK}:{SK}"))
REST = Projection()


def key_of(pk: Any = "USER#1", sk: Any = "PROFILE", table: str = "app") -> ItemKey:
    return ItemKey(table, Image(attributes({"PK": pk, "SK": sk})))


def upsert(key: ItemKey, **others: Any) -> Upsert:
    return Upsert(key, VERSION, Image(dict(key.attributes.wire) | attributes(others)))


def matches(change: Change, **asked: Any) -> bool:
    """Whether a route that asks for this takes the change."""
    return any(seen is change for _, seen in EntityRouter([Route(USERS, **asked)], "ignore").routed(change))


def test_a_route_without_conditions_takes_every_item() -> None:
    """The change goes through its projection as it is."""
    router = EntityRouter([Route(REST)])
    for change in (upsert(key_of()), Remove(key_of(), VERSION), Touch(key_of(), VERSION)):
        assert [*router.routed(change)] == [(REST, change)]


def test_the_first_route_of_the_items_table_takes_it() -> None:
    """By the table's exact name."""
    router = EntityRouter([Route(USERS, table="users"), Route(ORDERS, table="orders"), Route(REST)])
    for table, projection in {"users": USERS, "orders": ORDERS, "Users": REST, "user": REST}.items():
        change = upsert(key_of(table=table))
        assert [*router.routed(change)] == [(projection, change)]


def test_the_first_route_whose_key_patterns_all_match_takes_the_item() -> None:
    """On the partition key, the sort key or both; a removal has the same key, so it goes the same way."""
    router = EntityRouter(
        [Route(USERS, key={"PK": "USER#*", "SK": "PROFILE"}), Route(ORDERS, key={"SK": "ORDER#*"}), Route(REST)]
    )
    for (pk, sk), projection in {
        ("USER#1", "PROFILE"): USERS,
        ("USER#1", "ORDER#7"): ORDERS,
        ("ORG#1", "PROFILE"): REST,
    }.items():
        for change in (upsert(key_of(pk, sk)), Remove(key_of(pk, sk), VERSION), Touch(key_of(pk, sk), VERSION)):
            assert [*router.routed(change)] == [(projection, change)]


@pytest.mark.parametrize(
    ("pattern", "matching", "others"),
    [
        ("USER#*", ["USER#1", "USER#", "USER#a\nb"], ["user#1", "XUSER#1", "USER"]),
        ("?1", ["a1", "é1", "\n1"], ["1", "ab1", "a1\n"]),
        ("[ab]", ["[ab]"], ["a"]),
        ("a.c\\d", ["a.c\\d"], ["abc1"]),
        (re.compile("USER#[0-9]+"), ["USER#12"], ["USER#", "USER#1x"]),
        (re.compile("user#.*", re.IGNORECASE), ["USER#1"], ["ORG#1"]),
    ],
)
def test_a_pattern_matches_the_whole_value(pattern: Any, matching: list[str], others: list[str]) -> None:
    """A star is any characters, a question mark is one, all else is itself; a regular expression is what it is."""
    for text in [*matching, *others]:
        assert matches(upsert(key_of(text)), key={"PK": pattern}) == (text in matching), text
        assert matches(upsert(key_of(), type=text), attribute={"type": pattern}) == (text in matching), text


@given(st.text(), st.text(alphabet="ab*?[]!-#\\.\n", max_size=8))
def test_a_pattern_without_wildcards_matches_itself_alone(text: str, pattern: str) -> None:
    """And a prefix with a star what begins with it."""
    if not {"*", "?"} & set(pattern):
        assert matches(upsert(key_of(text)), key={"PK": pattern}) == (text == pattern)
        assert matches(upsert(key_of(text)), key={"PK": pattern + "*"}) == text.startswith(pattern)
    assert matches(upsert(key_of(pattern)), key={"PK": pattern})


def test_a_pattern_of_many_stars_takes_no_long_time() -> None:
    """Whatever a key holds: a partition key can have 2,048 bytes."""
    assert not matches(upsert(key_of("a" * 2048)), key={"PK": "*a" * 20 + "*b"})


@pytest.mark.parametrize("value", [1, b"USER#1"])
def test_a_value_that_is_no_string_matches_no_pattern(value: Any) -> None:
    """Not even a star."""
    assert not matches(upsert(key_of(value)), key={"PK": "*"})
    assert not matches(upsert(key_of(), type=value), attribute={"type": "*"})


def test_an_attribute_that_is_absent_matches_no_pattern() -> None:
    """Not even a star."""
    assert not [*EntityRouter([Route(REST, key={"nope": "*"})], "ignore").routed(upsert(key_of()))]
    [(_, change)] = EntityRouter([Route(USERS, attribute={"type": "*"})], "ignore").routed(upsert(key_of()))
    assert type(change) is LeftOut


BY_TYPE = EntityRouter([Route(USERS, attribute={"type": "user"}), Route(ORDERS, attribute={"type": "order"})])


@pytest.mark.parametrize(("kind", "holder", "other"), [("user", USERS, ORDERS), ("order", ORDERS, USERS)])
def test_an_item_goes_to_the_route_of_its_type_and_is_a_removal_to_all_others(
    kind: str, holder: Projection, other: Projection
) -> None:
    """They may have held it before, and the record does not say so."""
    change = upsert(key_of(), type=kind)
    assert dict(BY_TYPE.routed(change)) == {holder: change, other: Remove(change.key, VERSION)}


def test_a_removal_goes_to_all_routes_that_may_have_held_the_item() -> None:
    """A removal in a stream without old images does not say of which type the item was."""
    gone = Remove(key_of(), VERSION, by_ttl=True)
    assert dict(BY_TYPE.routed(gone)) == {USERS: gone, ORDERS: gone}


def test_old_images_are_passed_on() -> None:
    """To those projections that need them."""
    change = upsert(key_of(), type="user")._replace(old=Image(attributes({"type": "order"})))
    assert dict(BY_TYPE.routed(change))[ORDERS] == Remove(change.key, VERSION, change.old)


def test_a_route_without_an_attribute_is_the_last_that_an_item_can_reach() -> None:
    """It holds what those before it do not; those after it are none of the item's business."""
    router = EntityRouter(
        [
            Route(USERS, table="app", attribute={"type": "user"}),
            Route(REST, table="app"),
            Route(ORDERS, attribute={"type": "order"}),
        ]
    )
    for kind, holder, other in (("user", USERS, REST), ("order", REST, USERS)):
        change = upsert(key_of(), type=kind)
        assert dict(router.routed(change)) == {holder: change, other: Remove(change.key, VERSION)}


def test_a_change_without_an_image_invalidates_all_keys_that_the_item_may_have() -> None:
    """No one can tell its type; in any other mode such a stream is refused, as ever."""
    touch = Touch(key_of(), VERSION)
    users, orders = (Projection(KeyTemplate(f"{name}:{{PK}}:{{SK}}"), mode="invalidate") for name in ("a", "b"))
    router = EntityRouter([Route(users, attribute={"type": "user"}), Route(orders, attribute={"type": "order"})])
    assert dict(router.routed(touch)) == {users: touch, orders: touch}
    with pytest.raises(ConfigurationError, match="no new image"):
        [projection.cache_key(change) for projection, change in BY_TYPE.routed(touch)]


@pytest.mark.parametrize("template", ["{PK}:{SK}", None])
def test_of_routes_that_share_a_cache_key_one_counts(template: str | None) -> None:
    """The one that holds the item; else the first, for all of them remove it."""
    mapping: dict[str, Any] = {} if template is None else {"keys": KeyTemplate(template)}
    first, second = Projection(**mapping), Projection(**mapping, mode="invalidate")
    router = EntityRouter([Route(first, attribute={"type": "user"}), Route(second, attribute={"type": "order"})])
    for kind, holder in (("user", first), ("order", second)):
        change = upsert(key_of(), type=kind)
        assert [*router.routed(change)] == [(holder, change)]
    gone = Remove(key_of(), VERSION)
    assert [*router.routed(gone)] == [(first, gone)]


def test_what_no_route_holds_is_a_poison_record() -> None:
    """Nothing is left out by mistake: by table, by key and by attribute; the error repeats no contents."""
    for router in (
        EntityRouter([Route(USERS, table="users")]),
        EntityRouter([Route(USERS, key={"PK": "ORG#*"})]),
        EntityRouter([Route(USERS, attribute={"type": "user"})]),
    ):
        with pytest.raises(RecordError, match=r"^no route takes this item of table app\. Add a route(?!.*SECRET)"):
            router.routed(upsert(key_of("SECRET"), type="SECRET"))


def test_what_no_route_holds_can_be_ignored() -> None:
    """Where one may have held it before, it is removed."""
    ignoring = EntityRouter([Route(USERS, key={"PK": "USER#*"}, attribute={"type": "user"})], unmatched="ignore")
    assert [*ignoring.routed(upsert(key_of("ORG#1"), type="user"))] == []
    [(projection, change)] = ignoring.routed(upsert(key_of(), type="order"))
    assert (projection, change) == (USERS, Remove(key_of(), VERSION))
    assert projection.write("k", change).left_out


@pytest.mark.parametrize("malformed", [{"S": 1}, {"X": "SECRET"}, "SECRET", {}, {"S": "a", "N": "1"}])
def test_a_malformed_attribute_that_has_to_be_matched_makes_a_poison_record(malformed: Any) -> None:
    """It can't be told where the item belongs; nothing of it is repeated."""
    change = Upsert(key_of(), VERSION, Image({"type": malformed}))
    with pytest.raises(RecordError, match=r"^dynamodb\.NewImage\.type: (?!.*SECRET)"):
        BY_TYPE.routed(change)
    spoilt = Remove(ItemKey("app", Image({"PK": malformed})), VERSION)
    with pytest.raises(RecordError, match=r"^dynamodb\.Keys\.PK: (?!.*SECRET)"):
        EntityRouter([Route(USERS, key={"PK": "*"})]).routed(spoilt)


def test_a_pattern_for_what_is_no_key_attribute_of_the_table_is_no_fault_of_the_record() -> None:
    """No item of that table could ever match; without a table's name it may be meant for another."""
    router = EntityRouter([Route(REST, table="app", key={"id": "*"})], "ignore")
    with pytest.raises(ConfigurationError, match=r"^a route of table app has a pattern for id, .* \(PK, SK\)\. Ask"):
        router.routed(upsert(key_of()))


def test_old_images_are_needed_if_any_projection_needs_them() -> None:
    """A projection says so by itself."""

    class Demanding(Projection):
        needs_old_images = True

    assert not BY_TYPE.needs_old_images
    assert EntityRouter([Route(USERS, table="a"), Route(Demanding(), table="b")]).needs_old_images


def both(one: dict[str, Any], other: dict[str, Any]) -> EntityRouter:
    """A router of two routes; `keys`, `prefix`, `keep` and `lookups` are their projections'."""
    routes = []
    for asked in (one, other):
        options: dict[str, Any] = {
            "guard_prefix": asked.pop("prefix", "~v:"),
            "keep_ttl_removals": asked.pop("keep", False),
        }
        options["lookups"] = asked.pop("lookups", [])
        template = asked.pop("keys", None)
        keys: dict[str, Any] = {} if template is None else {"keys": KeyTemplate(template)}
        routes.append(Route(Projection(**keys, **options), **asked))
    return EntityRouter(routes)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({}, {}),
        ({}, {"table": "a"}),
        ({"table": "a"}, {"table": "a", "key": {"PK": "b*"}}),
        ({"key": {"PK": "a*"}}, {"key": {"PK": "ab*", "SK": "c"}}),
        ({"key": {"PK": "a*"}}, {"key": {"PK": "a?"}, "attribute": {"type": "t"}}),
        ({"attribute": {"type": "t"}}, {"attribute": {"type": "t"}}),
        ({"key": {"PK": re.compile("a.")}}, {"key": {"PK": re.compile("a.")}}),
    ],
)
def test_a_route_that_can_not_be_reached_is_refused(one: dict[str, Any], other: dict[str, Any]) -> None:
    """One before it takes whatever it could take."""
    with pytest.raises(ConfigurationError, match=r"^routes\[1\] is never reached: routes\[0\] takes all"):
        both({"keys": "a:{PK}:{SK}"} | one, {"keys": "b:{PK}:{SK}"} | other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"table": "a"}, {}),
        ({"key": {"PK": "ab*"}}, {"key": {"PK": "a*"}}),
        ({"key": {"PK": "a?"}}, {"key": {"PK": "a*"}}),
        ({"key": {"PK": "a?b*"}}, {"key": {"PK": "a*b*"}}),
        ({"key": {"PK": "a*", "SK": "b"}}, {"key": {"PK": "a*"}}),
        ({"attribute": {"type": "t"}}, {}),
        ({"key": {"PK": re.compile("a.")}}, {"key": {"PK": "ab"}}),
    ],
)
def test_a_route_that_some_items_reach_is_none_of_those(one: dict[str, Any], other: dict[str, Any]) -> None:
    """Also where it can't be known."""
    assert len(both({"keys": "a:{PK}:{SK}"} | one, {"keys": "b:{PK}:{SK}"} | other).routes) == 2


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"keys": "u:{id}", "table": "a"}, {"keys": "u:{id}", "table": "b"}),
        ({"keys": "u:{id}", "table": "a"}, {"keys": "u:{name}", "table": "b"}),
        (
            {"keys": "u:{PK}:{SK}", "attribute": {"type": "a"}},
            {"keys": "u:{SK}:{PK}", "attribute": {"type": "b"}},
        ),
        (
            {"keys": "u:{id}", "table": "a", "key": {"id": "X*"}},
            {"keys": "u:{id}", "table": "b", "key": {"id": "X*"}},
        ),
    ],
)
def test_two_items_that_would_share_a_cache_key_are_refused(one: dict[str, Any], other: dict[str, Any]) -> None:
    """As far as the templates' texts tell."""
    with pytest.raises(ConfigurationError, match=r"^routes\[0\] and routes\[1\] would let two items share a cache key"):
        both(one, other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"keys": "{table}:{id}", "table": "a"}, {"keys": "{table}:{id}", "table": "b"}),
        ({"table": "a"}, {"table": "b"}),
        ({"keys": "u:{id}", "table": "a"}, {"keys": "u:{id}:x", "table": "b"}),
        ({"keys": "u:{PK}:{SK}", "key": {"PK": "A*"}}, {"keys": "u:{PK}:{SK}", "key": {"PK": "B*"}}),
        ({"keys": "u:{id}", "table": "a", "prefix": "~a:"}, {"keys": "o:{id}", "table": "b", "prefix": "~b:"}),
    ],
)
def test_templates_that_keep_items_apart_stand_side_by_side(one: dict[str, Any], other: dict[str, Any]) -> None:
    """One key names the whole primary key, so one template serves several routes of a table."""
    assert len(both(one, other).routes) == 2


PROFILE, SETTINGS = {"SK": "PROFILE"}, {"SK": "SETTINGS"}


def test_a_template_may_leave_out_what_is_the_same_in_all_items_of_its_route() -> None:
    """A sort key that says what an item is, as single-table designs have it; its removal has the same cache key."""
    route = Route(Projection(KeyTemplate("profile:{PK}")), key={"PK": "USER#*", **PROFILE})
    router = EntityRouter([route, Route(Projection(KeyTemplate("rest:{PK}:{SK}")))])
    for sk, key in (("PROFILE", "profile:USER#1"), ("ORDER#1", "rest:USER#1:ORDER#1")):
        for change in (upsert(key_of(sk=sk)), Remove(key_of(sk=sk), VERSION)):
            [(projection, seen)] = router.routed(change)
            assert (projection.cache_key(seen), seen) == (key, change)


def test_a_projection_of_two_routes_leaves_out_what_each_of_them_fixes() -> None:
    """It is not changed by the first, and keeps what else it was given."""
    projection = Projection(KeyTemplate("{table}:{PK}"), mode="refresh", guard_prefix="g:")
    one, other = Route(projection, table="a", key=PROFILE), Route(projection, table="b", key=SETTINGS)
    assert [repr(route.projection.keys) for route in (one, other)] == [
        f"KeyTemplate('{{table}}:{{PK}}', fixed={fixed})" for fixed in (PROFILE, SETTINGS)
    ]
    assert (one.projection.mode, one.projection.guard_prefix) == ("refresh", "g:")
    assert repr(projection.keys) == "KeyTemplate('{table}:{PK}')"
    # So that what two routers have in common is known to be the same.
    assert Route(projection, table="c", key=PROFILE).projection is one.projection


@pytest.mark.parametrize(
    ("template", "key", "problem"),
    [
        ("u:{PK}", {"SK": "ORDER#*"}, "leaves out the key attribute SK, in which items differ"),
        ("u:{PK}", {"PK": "USER#*", "SK": "PROFIL?"}, "leaves out the key attribute SK, in which items differ"),
        ("u:{PK}", {"SK": re.compile("PROFILE")}, "leaves out the key attribute SK, in which items differ"),
        ("u:{PK}", {"SK": ""}, "leaves out the key attribute SK, in which items differ"),
        ("u:{PK}:{SK}", {"type": "user"}, r"name 3 key attributes: PK, SK, type\. .* Ask for other attributes under"),
        ("u:{PK}", {"SK": "A", "type": "user"}, "name 3 key attributes"),
    ],
)
def test_a_template_that_leaves_out_what_differs_is_refused(template: str, key: dict[str, Any], problem: str) -> None:
    """Before any record: two items would share a cache key."""
    with pytest.raises(ConfigurationError, match=f"^key template '{re.escape(template)}' .*{problem}"):
        Route(Projection(KeyTemplate(template)), key=key)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"keys": "u:{PK}", "key": PROFILE}, {"keys": "u:{PK}", "key": SETTINGS}),
        ({"keys": "u:{PK}", "key": PROFILE, "table": "a"}, {"keys": "u:{PK}", "key": SETTINGS}),
        ({"keys": "u:{PK}", "key": PROFILE, "table": "a"}, {"keys": "u:{PK}", "key": PROFILE, "table": "b"}),
        ({"keys": "u:{PK}", "key": {"PK": "A*", **PROFILE}}, {"keys": "u:{PK}", "key": {"PK": "*B", **SETTINGS}}),
        ({"keys": "u:{PK}", "key": {"PK": "A#?", **PROFILE}}, {"keys": "u:{PK}", "key": {"PK": "A*", **SETTINGS}}),
        ({"keys": "u:{PK}", "key": PROFILE, "table": "a"}, {"keys": "u:{id}", "table": "b"}),
    ],
)
def test_two_fixed_keys_that_would_share_a_cache_key_are_refused(one: dict[str, Any], other: dict[str, Any]) -> None:
    """Unless the patterns of what is named keep the items apart."""
    with pytest.raises(ConfigurationError, match=r"^routes\[0\] and routes\[1\] would let two items share a cache key"):
        both(one, other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"keys": "p:{PK}", "key": PROFILE}, {"keys": "s:{PK}", "key": SETTINGS}),
        ({"keys": "{PK}", "key": {"PK": "USER#*", **PROFILE}}, {"keys": "{PK}", "key": {"PK": "ORG#*", **SETTINGS}}),
        (
            {"keys": "{table}:{PK}", "key": PROFILE, "table": "a"},
            {"keys": "{table}:{PK}", "key": SETTINGS, "table": "b"},
        ),
        ({"keys": "u:{PK}", "key": {"PK": "A*", **PROFILE}}, {"keys": "u:{PK}", "key": {"PK": "B*", **PROFILE}}),
        ({"keys": "u:{PK}", "key": PROFILE}, {"keys": "u:{PK}:{SK}"}),
    ],
)
def test_fixed_keys_that_keep_items_apart_stand_side_by_side(one: dict[str, Any], other: dict[str, Any]) -> None:
    """By other text, by patterns that no value matches both of, or since they are one mapping."""
    assert len(both(one, other).routes) == 2


def test_two_fixed_keys_of_one_cache_key_can_not_have_two_guards() -> None:
    """As with any two routes."""
    one, other = {"PK": "A*", **PROFILE}, {"PK": "AB*", **PROFILE}
    with pytest.raises(ConfigurationError, match="differ in guard_prefix"):
        both({"keys": "u:{PK}", "key": other, "prefix": "~a:"}, {"keys": "u:{PK}", "key": one, "prefix": "~b:"})


@pytest.mark.parametrize(
    ("one", "other", "problem"),
    [
        (
            {"keys": "u:{PK}", "attribute": {"type": "u"}},
            {"keys": "o:{PK}:{SK}"},
            r"routes\[0\]: key template .* leaves out SK, which is part of table app's primary key by routes\[1\]",
        ),
        ({"keys": None, "key": PROFILE}, {"keys": "o:{PK}"}, r"routes\[1\]: key template 'o:\{PK\}' leaves out SK"),
        ({"keys": "u:{PK}:{SK}", "key": PROFILE}, {"keys": "o:{id}"}, "the routes of table app name 3 key attributes"),
    ],
)
def test_what_another_route_calls_a_key_attribute_of_the_table_has_to_be_named(
    one: dict[str, Any], other: dict[str, Any], problem: str
) -> None:
    """Where both name the table."""
    with pytest.raises(ConfigurationError, match=f"^{problem}"):
        both(one | {"table": "app"}, other | {"table": "app"})


@pytest.mark.parametrize("option", ["prefix", "keep", "lookups"])
@pytest.mark.parametrize("template", ["u:{PK}:{SK}", None])
def test_a_cache_key_can_not_have_two_guards(option: str, template: str | None) -> None:
    """Nor go and stay when the table's time to live removes the item, nor have lookup keys that nobody releases."""
    values: dict[str, tuple[Any, Any]] = {
        "prefix": ("~a:", "~b:"),
        "keep": (False, True),
        "lookups": ([], [LookupKey("by:n:{n}:x:x")]),
    }
    one, other = ({"keys": template, "attribute": {"type": value}, option: value} for value in values[option])
    one["attribute"], other["attribute"] = {"type": "a"}, {"type": "b"}
    with pytest.raises(ConfigurationError, match="differ in guard_prefix, keep_ttl_removals or lookups"):
        both(one, other)


def test_two_guards_for_a_cache_key_are_found_at_the_first_record_at_the_latest() -> None:
    """Where two mappings only turn out to give one key."""

    def mapping(change: Change, /) -> str:
        return f"u:{change.key.attributes['PK']}:{change.key.attributes['SK']}"

    one, other = Projection(KeyTemplate("u:{PK}:{SK}")), Projection(mapping, guard_prefix="~w:")
    router = EntityRouter([Route(one, attribute={"type": "a"}), Route(other)])
    with pytest.raises(ConfigurationError, match="differ in guard_prefix"):
        router.routed(upsert(key_of()))


def test_a_cache_key_can_not_be_anothers_guard() -> None:
    """With a guard prefix for each route."""
    with pytest.raises(ConfigurationError, match=r"begins with the guard prefix '~w:'\. Change one"):
        both({"keys": "~w:{id}", "table": "a"}, {"keys": "u:{id}", "table": "b", "prefix": "~w:"})


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"lookups": [LookupKey("o:{email}")]}, {}),
        ({"lookups": [LookupKey("by:{email}")]}, {"lookups": [LookupKey("by:{email}")], "prefix": "~w:"}),
        ({"lookups": [LookupKey("~w:{email}")]}, {"prefix": "~w:"}),
    ],
)
def test_a_lookup_key_can_not_be_anothers_cache_key_nor_have_two_guards(
    one: dict[str, Any], other: dict[str, Any]
) -> None:
    """Whatever the tables are."""
    with pytest.raises(ConfigurationError, match=r"^routes\[0\] and routes\[1\] clash: "):
        both({"table": "a", "keys": "u:{id}"} | one, {"table": "b", "keys": "o:{id}"} | other)


def test_two_routes_may_have_one_lookup_key() -> None:
    """Items pass it between them, as those of one projection do."""
    lookups = [LookupKey("by:{email}")]
    one, other = ({"table": name, "keys": f"{name}:{{id}}", "lookups": lookups} for name in ("u", "o"))
    assert both(one, other).needs_old_images


@pytest.mark.parametrize(
    ("routes", "problem"),
    [
        ([], "a router without routes"),
        ([USERS], "not a list of Route"),
        ("SECRET", "not a list of Route"),
        (None, "not a list of Route"),
    ],
)
def test_a_router_has_routes(routes: Any, problem: str) -> None:
    """At least one; what was given instead is not repeated."""
    with pytest.raises(ConfigurationError, match=f"{problem}(?!.*SECRET)"):
        EntityRouter(routes)


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"projection": KeyTemplate("u:{id}")}, "a route with a KeyTemplate"),
        ({"table": ""}, "a table that is not a name"),
        ({"table": ["a", "b"]}, "a table that is not a name"),
        ({"key": {}}, "key does not map names to patterns"),
        ({"key": ("PK", "USER#*")}, "key does not map names to patterns"),
        ({"attribute": "type"}, "attribute does not map names to patterns"),
        ({"key": {1: "a"}}, "key has something that is not a name"),
        ({"key": {"PK": 1}}, "the pattern for PK is of type int"),
        ({"key": {"PK": re.compile(b"a")}}, "the pattern for PK is of type bytes"),
    ],
)
def test_a_route_that_can_not_be_right_is_refused_at_once(options: dict[str, Any], problem: str) -> None:
    """Before any record."""
    with pytest.raises(ConfigurationError, match=problem):
        Route(**{"projection": USERS} | options)


def test_unmatched_is_one_of_two() -> None:
    """A word that means nothing is refused."""
    unmatched: Any = "drop"
    with pytest.raises(ConfigurationError, match="There are refuse, ignore"):
        EntityRouter([Route(USERS)], unmatched)


def test_a_route_keeps_what_it_was_given() -> None:
    """Whatever becomes of the dictionary."""
    given: dict[str, Any] = {"PK": "USER#*"}
    route = Route(USERS, key=given)
    given["PK"] = "ORG#*"
    assert route == Route(USERS, key={"PK": "USER#*"})
