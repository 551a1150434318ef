"""Guards: one beside each cache key, in its slot."""

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st
from redis.crc import key_slot

from ddb_cache_sync import ConfigurationError, RecordError
from ddb_cache_sync.core.guards import check_guard_prefix, guard_key, lease_key

cache_keys = st.one_of(
    st.lists(st.sampled_from(["{", "}", "a", "b", ":", "~v:", "é"]), max_size=7).map("".join),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=12),
)
prefixes = st.sampled_from(["~v:", "g", "é:", "a:"])


def accepted(cache_key: str, prefix: str) -> str:
    """The guard of a key that can have one."""
    try:
        return guard_key(cache_key, prefix)
    except RecordError:
        assume(False)
        raise


@pytest.mark.parametrize(
    ("cache_key", "guard"),
    [
        ("users:42", "~v:{users:42}"),
        ("{acme}:42", "~v:{acme}:42"),
        ("users:{42}", "~v:users:{42}"),
        ("a{b", "~v:{a{b}"),
        ("}{a}", "~v:}{a}"),
        ("{a}}", "~v:{a}}"),
    ],
)
def test_a_guard_wraps_a_key_or_keeps_its_hash_tag(cache_key: str, guard: str) -> None:
    """So it can be found, and seen to be a guard."""
    assert guard_key(cache_key) == guard


@given(cache_keys, prefixes)
@example("{}{a}", "~v:")
@example("a{b", "~v:")
@example("{a}{b}", "~v:")
def test_a_guard_lies_in_the_slot_of_its_key(cache_key: str, prefix: str) -> None:
    """One script can touch both on any cluster, for every key that is accepted."""
    guard = accepted(cache_key, prefix)
    assert key_slot(guard.encode()) == key_slot(cache_key.encode())


@given(cache_keys, cache_keys, prefixes)
@example("a", "{a}", "~v:")
@example("{a}b", "a}b", "~v:")
@example("{a}}", "a}", "~v:")
def test_two_keys_never_share_a_guard(one: str, other: str, prefix: str) -> None:
    """Nor is the guard of one key another key."""
    assume(one != other)
    guards = accepted(one, prefix), accepted(other, prefix)
    assert guards[0] != guards[1]
    assert other not in guards
    assert one not in guards


@pytest.mark.parametrize(
    ("cache_key", "problem"),
    [
        ("", "an empty cache key"),
        ("~v:users", "begins with the guard prefix"),
        ("~v:{users}:1", "begins with the guard prefix"),
        ("a}", "closing brace but no hash tag"),
        ("{}a", "closing brace but no hash tag"),
        ("{}{a}", "closing brace but no hash tag"),
        ("}a{", "closing brace but no hash tag"),
        ("{a}", "nothing but a hash tag"),
    ],
)
def test_a_key_without_a_guard_of_its_own_is_refused(cache_key: str, problem: str) -> None:
    """The few keys for which neither way works."""
    with pytest.raises(RecordError, match=f"{problem}.*Change the key mapping"):
        guard_key(cache_key)


@pytest.mark.parametrize("prefix", ["", "{", "v}", "{v}"])
def test_a_guard_prefix_has_no_braces(prefix: str) -> None:
    """They would be the hash tag of every guard."""
    with pytest.raises(ConfigurationError, match="guard prefix"):
        check_guard_prefix(prefix)
    assert check_guard_prefix("~v:") == "~v:"


def test_a_lease_is_the_guard_of_the_guard() -> None:
    """The prefix once more."""
    assert lease_key(guard_key("users:42")) == "~v:~v:{users:42}"
    assert lease_key(guard_key("{acme}:42", "g"), "g") == "gg{acme}:42"


@given(cache_keys, cache_keys, prefixes)
def test_a_lease_is_nothing_else(cache_key: str, another: str, prefix: str) -> None:
    """No cache key, no guard of any key, and the lease of no other key; it lies in the slot of its own."""
    lease = lease_key(accepted(cache_key, prefix), prefix)
    assert key_slot(lease.encode()) == key_slot(cache_key.encode())
    assert accepted(another, prefix) not in (lease, another)
    assert lease != another
    assert (lease == lease_key(accepted(another, prefix), prefix)) == (cache_key == another)


@given(cache_keys, prefixes)
def test_no_cache_key_can_be_a_lease(cache_key: str, prefix: str) -> None:
    """It would begin with the guard prefix, and such a key is refused."""
    with pytest.raises(RecordError, match="begins with the guard prefix"):
        guard_key(lease_key(accepted(cache_key, prefix), prefix), prefix)
