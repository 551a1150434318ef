"""Lookup keys: a second cache key by other attributes."""

from typing import Any

import pytest

from ddb_cache_sync import (
    ConfigurationError,
    Expiry,
    Image,
    ItemKey,
    KeyTemplate,
    LookupKey,
    Projection,
    RecordError,
    Remove,
    Touch,
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


@pytest.mark.parametrize("email", [None, {"NULL": True}, {"S": ""}, {"B": ""}])
def test_an_item_without_the_attribute_has_no_lookup_key(email: Any) -> None:
    """Nor has one where it is empty: all of them would share a key."""
    assert BY_EMAIL.of("users", WITHOUT if email is None else user(email=email)) is None


@pytest.mark.parametrize("email", [{"M": {}}, {"L": [{"S": "SECRET"}]}, {"SS": ["SECRET"]}, {"BOOL": True}, 1])
def test_an_attribute_that_can_be_no_key_makes_a_poison_record(email: Any) -> None:
    """It is named, and nothing of its contents."""
    with pytest.raises(RecordError, match=r"^attribute email of a lookup key is not S, N or B$"):
        BY_EMAIL.of("users", user(email=email))


def test_an_upsert_claims_the_new_key_and_releases_the_old_one() -> None:
    """Where it is another one."""
    moved = Upsert(KEY, VERSION, WITH_Y, WITH_X)
    assert projection().lookup_keys("users:1", moved) == (X, Y)
    claim = Write(Y, f"~v:{{{Y}}}", VERSION, b"users:1", owner="users:1")
    assert projection().lookup_write(Y, "users:1", moved) == claim
    assert projection().lookup_write(X, "users:1", moved) == claim._replace(key=X, guard=f"~v:{{{X}}}", value=None)
    stayed = Upsert(KEY, VERSION, WITH_X, WITH_X)
    assert projection().lookup_keys("users:1", stayed) == (X,)
    assert projection().lookup_write(X, "users:1", stayed).value == b"users:1"


def test_a_remove_releases() -> None:
    """What the item was called before."""
    removed = Remove(KEY, VERSION, WITH_X)
    assert projection().lookup_keys("users:1", removed) == (X,)
    assert projection().lookup_write(X, "users:1", removed).value is None


def test_a_lookup_key_may_hold_the_item() -> None:
    """Encoded as it is under its own key."""
    holding = projection(LookupKey("users:by-email:{email}", holds="item"))
    write = holding.lookup_write(X, "users:1", Upsert(KEY, VERSION, WITH_X))
    assert write.value == b'{"email":"x@y","id":"1"}'


def test_an_item_that_is_left_out_releases() -> None:
    """As it loses its own key."""
    hiding = projection(transforms=[where(lambda item: "hidden" not in item)])
    change = Upsert(KEY, VERSION, user(email={"S": "x@y"}, hidden={"BOOL": True}), WITH_X)
    write = hiding.lookup_write(X, "users:1", change)
    assert (write.value, write.left_out) == (None, True)


def test_an_expiry_is_that_of_the_item() -> None:
    """And an item that has expired releases."""
    expiring = projection(expiry=Expiry("expires_at"))
    change = Upsert(KEY, VERSION, user(email={"S": "x@y"}, expires_at={"N": "2000"}))
    assert expiring.lookup_write(X, "users:1", change, now=1999.0).expires_at_ms == 2_000_000
    assert expiring.lookup_write(X, "users:1", change, now=2000.0).value is None


def test_lookup_keys_need_old_images() -> None:
    """The old key is in no new image."""
    assert projection().needs_old_images
    assert not Projection().needs_old_images
    assert projection().lookup_keys("users:1", Touch(KEY, VERSION)) == ()


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
        (lambda: projection(mode="invalidate"), "lookup keys in mode invalidate"),
        (lambda: Projection(lookups=["users:{email}"]), "a lookup key is a str"),  # type: ignore[list-item]
    ],
)
def test_what_cannot_be_right_is_refused(make: Any, problem: str) -> None:
    """When it is made."""
    with pytest.raises(ConfigurationError, match=problem):
        make()


def test_a_lookup_key_that_could_be_a_cache_key_of_the_default_mapping_is_refused() -> None:
    """Which is known once the table is."""
    change = Upsert(ItemKey("users", Image({"pk": {"S": "1"}, "sk": {"S": "2"}})), VERSION, WITH_X)
    with pytest.raises(ConfigurationError, match="begins as the cache keys of table users"):
        Projection(lookups=[BY_EMAIL]).lookup_keys("users:1:2", change)
    assert Projection(lookups=[BY_EMAIL]).lookup_keys("users:1", Upsert(KEY, VERSION, WITH_X)) == (X,)
