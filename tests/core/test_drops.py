import pytest
from hypothesis import given
from hypothesis import strategies as st

from ddb_cache_sync import RecordError
from ddb_cache_sync.core.drops import guarded_key, most_left_ms
from ddb_cache_sync.core.guards import guard_key


@given(st.text("ab:{}~v%", min_size=1, max_size=12), st.sampled_from(["~v:", "~", "guard "]))
def test_a_guard_tells_its_cache_key(key: str, prefix: str) -> None:
    """Whether it has a hash tag of its own or not."""
    try:
        guard = guard_key(key, prefix)
    except RecordError:
        return
    assert guarded_key(guard, prefix) == key


@pytest.mark.parametrize("text", ["", "~v:", "users:42", "~v:users:42", "~v:{}", "~v:{a", "v:{a}"])
def test_what_is_no_guard_tells_none(text: str) -> None:
    """Nothing is guessed."""
    assert guarded_key(text, "~v:") is None


def test_a_guard_is_young_by_what_it_has_left() -> None:
    """Longer ago than it lives it can't have been set."""
    assert most_left_ms(90_000, 900) == 89_100_000
    assert most_left_ms(60, 900) == 0
