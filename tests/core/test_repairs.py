import pytest
from hypothesis import given
from hypothesis import strategies as st

from ddb_cache_sync import Version
from ddb_cache_sync.core.repairs import repaired

LABEL = 1_745_415_436_991
SEQUENCES = st.integers(0, 10**40 - 1)


def test_a_repair_leaves_the_version_it_found_with_a_suffix() -> None:
    """Another one with each repair; nothing where there was nothing."""
    found = Version.of(LABEL, "202328600001712385967261751")
    assert repaired(found) == f"{found}:1"
    assert repaired(repaired(found)) == f"{found}:2"
    assert repaired(f"{found}:9") == f"{found}:10"
    assert repaired("") == ""


@given(SEQUENCES, SEQUENCES, st.integers(1, 12))
def test_what_a_repair_leaves_sorts_just_above_what_it_found(one: int, other: int, times: int) -> None:
    """Above that version, and on the same side of every other one."""
    found = Version.of(LABEL, str(one))
    left: str = found
    for _ in range(times):
        left = repaired(left)
    assert Version.parse(left) > found
    another = Version.of(LABEL, str(other))
    if another != found:
        assert (left < another) is (found < another)


@pytest.mark.parametrize("older", [0, 1])
def test_an_older_stream_stays_below(older: int) -> None:
    """By its label."""
    assert repaired(Version.of(LABEL - older, "9")) < Version.of(LABEL + 1, "1")
