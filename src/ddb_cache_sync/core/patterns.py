"""Patterns that a route asks an attribute's text to match. Pure.

A pattern is text in which `*` stands for any characters, none included, and `?` for one; every other character stands
for itself, and case counts. Or it is a compiled regular expression, which has to match the whole value. Patterns match
strings (S) only.
"""

import fnmatch
import re
from collections.abc import Callable, Mapping
from typing import TypeAlias

from ddb_cache_sync.errors import ConfigurationError

Pattern: TypeAlias = str | re.Pattern[str]
Patterns: TypeAlias = Mapping[str, Pattern]
"""By the name of an attribute."""
Matcher: TypeAlias = tuple[str, Callable[[str], object]]
"""The name of an attribute, and what gives None for a text that does not match."""


def check_patterns(field: str, patterns: object) -> None:
    """Raise a `ConfigurationError` for what are no patterns."""
    hint = f'Give {field} names and patterns, such as PK and "USER#*".'
    if not isinstance(patterns, Mapping) or not patterns:
        raise ConfigurationError(f"a route whose {field} does not map names to patterns", hint=hint)
    for name, pattern in patterns.items():
        if not isinstance(name, str) or not name:
            raise ConfigurationError(f"a route whose {field} has something that is not a name", hint=hint)
        if isinstance(pattern, re.Pattern):
            pattern = pattern.pattern  # noqa: PLW2901 - looked at and not kept: one of bytes matches no text
        if not isinstance(pattern, str):
            raise ConfigurationError(
                f"the pattern for {name} is of type {type(pattern).__name__}", hint="Patterns match strings only."
            )


def matchers(patterns: Patterns | None) -> tuple[Matcher, ...]:
    """What matches the attributes."""
    return tuple((name, _fullmatch(pattern)) for name, pattern in (patterns or {}).items())


def only_text(pattern: Pattern) -> str | None:
    """The one text that a pattern matches; None: it may match several."""
    return pattern if isinstance(pattern, str) and not {*"*?"} & {*pattern} else None


def cover(some: Patterns, others: Patterns) -> bool:
    """Whether whatever matches the others certainly matches these."""
    return all(name in others and _covers(pattern, others[name]) for name, pattern in some.items())


def may_meet(one: Pattern | None, other: Pattern | None) -> bool:
    """Whether one text might match both; False: certainly none does. None is a pattern that all texts match."""
    if not isinstance(one, str) or not isinstance(other, str):
        return True
    waiting, seen = [(one, other)], set[tuple[str, str]]()  # what is left of each
    while waiting:
        mine, theirs = left = waiting.pop()
        if left in seen:
            continue
        seen.add(left)
        if not mine and not theirs:
            return True
        if theirs.startswith("*"):
            mine, theirs = theirs, mine
        if mine.startswith("*"):
            waiting.append((mine[1:], theirs))  # the star stands for nothing more
            if theirs:
                waiting.append((mine, theirs[1:]))  # or for one character of the other
        elif mine and theirs and (mine[0] == theirs[0] or "?" in (mine[0], theirs[0])):
            waiting.append((mine[1:], theirs[1:]))
    return False


def _fullmatch(pattern: Pattern) -> Callable[[str], object]:
    """Looks for the whole of a text; None: it does not match."""
    # fnmatch's brackets are none of ours; its translation backtracks over nothing, whatever a key holds.
    glob = pattern if isinstance(pattern, re.Pattern) else re.compile(fnmatch.translate(pattern.replace("[", "[[]")))
    return glob.fullmatch


def _covers(pattern: Pattern, other: Pattern) -> bool:
    if pattern == other:
        return True
    # A pattern without "?" matches the wildcards of another only by its own "*", and so whatever they stand for.
    globs = isinstance(pattern, str) and isinstance(other, str) and "?" not in pattern
    return globs and _fullmatch(pattern)(other) is not None  # type: ignore[arg-type]
