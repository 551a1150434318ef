"""Lookup keys: a second cache key by other attributes."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ddb_cache_sync import (
    AttributeEncoding,
    Change,
    ConfigurationError,
    Expiry,
    HashEncoding,
    Image,
    ItemKey,
    KeyTemplate,
    LookupKey,
    Projection,
    Remove,
    Upsert,
    Version,
    where,
)
from ddb_cache_sync.core.writes import Write

VERSION = Version.of(1745415436991, "111")
KEY = ItemKey("users", Image({"id": {"S": "1"}}))
BY_EMAIL = LookupKey("users:by-email:{email}")
X, Y = "users:by-email:x@y", "users:by-email:y@y"


def user(**attributes: Any) -> Image:
    """An item, of attributes in DynamoDB JSON."""
    return Image({"id": {"S": "1"}, **attributes})


WITH_X, WITH_Y, WITHOUT = user(email={"S": "x@y"}), user(email={"S": "y@y"}), user()


def projection(*lookups: LookupKey, **options: Any) -> Projection:
    """Users by their id, with these lookup keys."""
    return Projection(KeyTemplate("users:{id}"), lookups=lookups or (BY_EMAIL,), **options)


def test_an_items_lookup_key_is_made_of_its_attributes() -> None:
    """As cache keys are, with the same escapes."""
    assert BY_EMAIL.of("users", WITH_X) == X
    assert BY_EMAIL.of("users", user(email={"S": "a:b"})) == "users:by-email:a%3Ab"
    assert LookupKey("{table}:by:{n}:{b}").of("t", user(n={"N": "1.0"}, b={"B": "AAE="})) == "t:by:1:AAE"


@pytest.mark.parametrize("email", [None, {"NULL": True}, {"S": ""}, {"B": ""}, {"L": [{"S": "x"}]}, {"SS": ["x"]}, 1])
def test_an_item_without_such_an_attribute_has_no_lookup_key(email: Any) -> None:
    """Nor where it is empty, since all of them would share a key, nor where it is nothing that a key can be made of."""
    assert BY_EMAIL.of("users", WITHOUT if email is None else user(email=email)) is None


def said(projection: Projection, *changes: Change, now: float = 0.0, stale: bool = False) -> list[Write]:
    """What an item says of lookup keys: of its newest change, and older ones."""
    own = projection.write("users:1", changes[0], now)
    return list(projection.words(own, changes[0], changes, stale=stale))


def word(key: str, value: bytes | None, **others: Any) -> Write:
    """What item 1 says of a lookup key."""
    return Write(key, f"~v:{{{key}}}", VERSION, value, owner="users:1", **others)


def test_an_upsert_claims_the_new_key_and_releases_the_old_one() -> None:
    """Where it is another one."""
    assert said(projection(), Upsert(KEY, VERSION, WITH_Y, WITH_X)) == [word(Y, b"users:1"), word(X, None)]
    assert said(projection(), Upsert(KEY, VERSION, WITH_X, WITH_X)) == [word(X, b"users:1")]


def test_a_remove_releases() -> None:
    """What the item was called before."""
    assert said(projection(), Remove(KEY, VERSION, WITH_X)) == [word(X, None)]


def test_what_older_changes_of_the_batch_were_called_is_released() -> None:
    """With the version of the newest that has to do with the key: that one says it again when it comes again alone."""
    older, oldest = (Upsert(KEY, Version.of(1, number), WITH_X, None) for number in ("2", "1"))
    newest = Upsert(KEY, VERSION, WITHOUT, WITHOUT)
    assert said(projection(), newest, older, oldest) == [word(X, None)._replace(version=older.version)]


def test_a_stale_item_claims_nothing() -> None:
    """What it is called now was said by a newer change; but what it was called before only this one may know."""
    assert said(projection(), Upsert(KEY, VERSION, WITH_Y, WITH_X), stale=True) == [word(Y, None), word(X, None)]


def test_a_lookup_key_may_hold_the_item() -> None:
    """Encoded as it is under its own key."""
    holding = projection(LookupKey("users:by-email:{email}", holds="item"))
    assert said(holding, Upsert(KEY, VERSION, WITH_X)) == [word(X, b'{"email":"x@y","id":"1"}')]


def test_beside_hashes_a_lookup_key_holds_the_items_key() -> None:
    """It is read by `GET`, whatever the item is read by."""
    assert said(projection(encoding=HashEncoding()), Upsert(KEY, VERSION, WITH_X)) == [word(X, b"users:1")]


def test_an_item_without_a_value_of_its_own_releases() -> None:
    """Left out by a transform, or by its encoding."""
    change = Upsert(KEY, VERSION, WITH_X, WITH_X)
    assert said(projection(transforms=[where(lambda item: "hidden" in item)]), change) == [word(X, None)]
    assert said(projection(encoding=AttributeEncoding("page")), change) == [word(X, None)]


def test_an_expiry_is_that_of_the_item() -> None:
    """And an item that has expired releases."""
    expiring = projection(expiry=Expiry("expires_at"))
    change = Upsert(KEY, VERSION, user(email={"S": "x@y"}, expires_at={"N": "2000"}))
    assert said(expiring, change, now=1999.0) == [word(X, b"users:1", expires_at_ms=2_000_000)]
    assert said(expiring, change, now=2000.0) == [word(X, None)]


def test_lookup_keys_need_old_images() -> None:
    """The old key is in no new image."""
    assert projection().needs_old_images
    assert not Projection().needs_old_images


@pytest.mark.parametrize(
    ("make", "problem"),
    [
        (lambda: LookupKey("users:all"), "names no attribute"),
        (lambda: LookupKey("u:{a}{b}"), "puts nothing between"),
        (lambda: LookupKey("u:{a}", holds="value"), "holds 'value'"),  # type: ignore[arg-type]
        (lambda: projection(LookupKey("users:{email}")), "could give the same key"),
        (lambda: projection(BY_EMAIL, LookupKey("users:by-email:{mail}")), "could give the same key"),
        (lambda: Projection(KeyTemplate("users:{a}:{b}"), lookups=[BY_EMAIL]), "could give the same key"),
        (lambda: projection(LookupKey("~v:{email}")), "guard prefix"),
        (lambda: projection(LookupKey("x:{a}", holds="item"), encoding=HashEncoding()), "stores hashes"),
        (lambda: projection(mode="invalidate"), "lookup keys in mode invalidate"),
        (lambda: projection(keep_ttl_removals=True), "TTL removals kept"),
        (lambda: Projection(lookups=BY_EMAIL), "lookups is a LookupKey"),  # type: ignore[arg-type]
        (lambda: Projection(lookups=["users:{email}"]), "a lookup key is a str"),  # type: ignore[list-item]
    ],
)
def test_what_cannot_be_right_is_refused(make: Any, problem: str) -> None:
    """When it is made."""
    with pytest.raises(ConfigurationError, match=problem):
        make()


def test_a_lookup_key_that_could_be_a_cache_key_of_the_default_mapping_is_refused() -> None:
    """Which is known once the table is, whatever the values are."""
    composite = Upsert(ItemKey("users", Image({"pk": {"S": "1"}, "sk": {"S": "2"}})), VERSION, WITH_X)
    for lookup in (BY_EMAIL, LookupKey("{kind}:a:{email}")):
        with pytest.raises(ConfigurationError, match="could give the same key"):
            Projection(lookups=[lookup]).check_table(composite)
    Projection(lookups=[BY_EMAIL]).check_table(Upsert(KEY, VERSION, WITH_X))


@pytest.mark.parametrize(
    ("one", "other", "apart"),
    [
        ("users:{id}", "users:by-email:{email}", True),
        ("users:{id}", "users:{email}", False),
        ("users:{id}", "people:{email}", True),
        ("u{id}", "ux{email}", False),
        ("u{id}:x", "u{email}:y", True),
        ("u{id}x", "u{email}y", True),
        ("u{id}x", "u{email}yx", False),
        ("{{{t}}}:u:{id}", "{{{t}}}:by-email:{email}", True),
        ("{{{t}}}:{id}", "{{{t}}}:{email}", False),
        ("{a}:{b}", "{a}:fixed", False),
        ("x{a}:{b}", "fixed:{b}", True),
        ("{a}-{b}", "{a}", False),
    ],
)
def test_two_templates_are_apart_where_no_values_give_the_same_text(one: str, other: str, apart: bool) -> None:
    """As far as their characters tell that no value has."""
    assert LookupKey(one).apart_from(LookupKey(other)) is apart
    assert LookupKey(other).apart_from(LookupKey(one)) is apart


TEMPLATES = (
    "{a}",
    "u{a}",
    "ux{a}",
    "{a}x",
    "{a}-{b}",
    "{a}:{b}",
    "u:{a}",
    "u:x:{a}",
    "u{a}:x",
    "u{a}-x",
    "u-{a}",
    "{a}:x",
)


@given(st.data())
def test_templates_that_are_apart_never_give_the_same_key(data: st.DataObject) -> None:
    """Whatever the values are."""
    values = st.fixed_dictionaries({"a": st.text("ux-:%", min_size=1), "b": st.text("ux-:%", min_size=1)})
    one, other = (LookupKey(data.draw(st.sampled_from(TEMPLATES))) for _ in range(2))
    if not one.apart_from(other):
        return
    keys = [
        each.of("t", Image({name: {"S": value} for name, value in data.draw(values).items()})) for each in (one, other)
    ]
    assert keys[0] != keys[1]
