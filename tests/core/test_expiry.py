"""Expiry: when a cache key goes by itself."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ddb_cache_sync import ConfigurationError, Expiry, Image
from ddb_cache_sync.core.expiry import FURTHEST_SECONDS, Expires

NOW = 1_800_000_000.0


def item(expires_at: Any) -> Image:
    """An item whose TTL attribute is this, in DynamoDB JSON."""
    return Image({"id": {"S": "a"}, "expires_at": expires_at})


def of(expiry: Expiry, image: Image, key: str = "k") -> Expires:
    """When the value of this item expires."""
    return expiry.of(image, key, "version", NOW)


def test_a_value_expires_when_its_item_does() -> None:
    """The attribute counts seconds, the cache milliseconds."""
    assert of(Expiry("expires_at"), item({"N": "1800000060"})) == Expires(1_800_000_060_000)


def test_a_part_of_a_second_is_cut() -> None:
    """As 1E9 and 1000000000.9 are numbers too."""
    assert of(Expiry("expires_at"), item({"N": "1.8000000609E9"})) == Expires(1_800_000_060_000)


def test_an_item_without_the_attribute_stays() -> None:
    """As in the table."""
    assert of(Expiry("expires_at"), Image({"id": {"S": "a"}})) == Expires(None)


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ({"S": "1800000060"}, "a time to live that is not a number"),
        ({"NULL": True}, "a time to live that is not a number"),
        ({"N": "soon"}, "a time to live that is not a number"),
        ({"N": "1800000060000"}, "a time to live past the year 3000: in milliseconds, where DynamoDB counts seconds"),
        ({"N": "0"}, "a time to live more than five years ago, which DynamoDB passes over"),
        ({"N": "-1"}, "a time to live more than five years ago, which DynamoDB passes over"),
    ],
)
def test_what_removes_nothing_from_the_table_expires_nothing_and_is_noticed(value: Any, problem: str) -> None:
    """Milliseconds are the common mistake."""
    assert of(Expiry("expires_at"), item(value)) == Expires(None, f"expires_at: {problem}; it does not expire")


def test_a_fixed_time_to_live_is_shortened_by_the_jitter() -> None:
    """Never by more than it says."""
    times = [of(Expiry(seconds=100, jitter=0.2), item({"N": "1"}), f"k{n}").at_ms for n in range(1000)]
    assert all(at is not None and NOW * 1000 + 80_000 <= at <= NOW * 1000 + 100_000 for at in times)
    assert len(set(times)) > 900


def test_a_write_that_is_repeated_comes_to_the_same() -> None:
    """The jitter depends on key and version alone."""
    expiry = Expiry(seconds=100)
    assert of(expiry, item({"N": "1"})) == of(expiry, item({"N": "2"}))


def test_of_both_the_earlier_counts() -> None:
    """A bad attribute leaves the fixed time."""
    both = Expiry("expires_at", seconds=100, jitter=0)
    assert of(both, item({"N": "1800000060"})).at_ms == 1_800_000_060_000
    assert of(both, item({"N": "1800000999"})).at_ms == 1_800_000_100_000
    assert of(both, item({"S": ""})).at_ms == 1_800_000_100_000


def test_times_to_live_go_from_one_second_to_the_end_of_the_calendar() -> None:
    """Both are allowed."""
    assert [Expiry(seconds=seconds).seconds for seconds in (1, FURTHEST_SECONDS)] == [1, FURTHEST_SECONDS]
    with pytest.raises(ConfigurationError, match="calendar"):
        Expiry(seconds=FURTHEST_SECONDS + 1)


@pytest.mark.parametrize(
    "make",
    [
        Expiry,
        lambda: Expiry(""),
        lambda: Expiry(seconds=0),
        lambda: Expiry(seconds=float("nan")),
        lambda: Expiry(seconds=1, jitter=1),
        lambda: Expiry(seconds=1, jitter=-0.1),
    ],
)
def test_an_expiry_that_cannot_be_right_is_refused(make: Any) -> None:
    """When it is made."""
    with pytest.raises(ConfigurationError):
        make()


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(),
        lambda each: st.lists(each) | st.dictionaries(st.sampled_from(["N", "S", "M"]), each),
    )
)
def test_no_attribute_value_makes_it_fail(value: Any) -> None:
    """Whether it can be encoded is the encoding's to say."""
    of(Expiry("expires_at"), item(value))
