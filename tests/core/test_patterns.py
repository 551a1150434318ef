import itertools
import re

import pytest

from ddb_cache_sync.core.patterns import Pattern, cover, matchers, may_meet, only_text

LETTERS, LONGEST = "ab", 3
PATTERNS = ["".join(each) for size in range(LONGEST + 1) for each in itertools.product(f"{LETTERS}*?", repeat=size)]
# Two patterns of so many characters that meet at all meet in a text of no more than both together.
TEXTS = ["".join(each) for size in range(2 * LONGEST + 1) for each in itertools.product(LETTERS, repeat=size)]


def texts_of(pattern: Pattern) -> frozenset[str]:
    """The texts that a pattern matches."""
    [(_, fullmatch)] = matchers({"x": pattern})
    return frozenset(text for text in TEXTS if fullmatch(text))


def test_patterns_meet_where_some_text_matches_both() -> None:
    """Every pair of small ones, against all texts that are long enough to tell."""
    matched = {pattern: texts_of(pattern) for pattern in PATTERNS}
    for one, other in itertools.product(PATTERNS, repeat=2):
        assert may_meet(one, other) == bool(matched[one] & matched[other]), (one, other)


def test_a_pattern_that_covers_another_matches_all_that_it_matches() -> None:
    """And what it may miss it never claims to cover."""
    matched = {pattern: texts_of(pattern) for pattern in PATTERNS}
    for one, other in itertools.product(PATTERNS, repeat=2):
        if cover({"x": one}, {"x": other}):
            assert matched[one] >= matched[other], (one, other)


@pytest.mark.parametrize("other", [None, re.compile("b"), "b*"])
def test_what_can_not_be_told_may_meet(other: Pattern | None) -> None:
    """A regular expression, or no pattern at all."""
    assert may_meet(re.compile("a"), other)
    assert may_meet(None, other)


def test_long_patterns_are_told_apart_in_no_long_time() -> None:
    """However many stars they have."""
    assert not may_meet("*a" * 50 + "b", "*a" * 50 + "c")


def test_only_text_is_what_has_no_wildcard() -> None:
    """Brackets are none, and what a regular expression matches is not looked into."""
    given: list[Pattern] = ["PROFILE", "[a]", "USER#*", "US?R", re.compile("x")]
    assert [only_text(each) for each in given] == ["PROFILE", "[a]", None, None, None]
