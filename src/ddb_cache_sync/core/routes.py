"""Routes: what each asks of an item, and which of them can't stand side by side. Pure.

A pattern is text in which `*` stands for any characters, none included, and `?` for one; every other character stands
for itself, and case counts. Or it is a compiled regular expression, which has to match the whole value. Patterns match
strings (S) only.

Whether two routes can give two items one cache key can't be known of all mappings there are. `check_routes` finds it
where both have a `KeyTemplate`, and the templates put the same text around their placeholders.
"""

import fnmatch
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from itertools import combinations, product
from types import MappingProxyType
from typing import Final, TypeAlias

from ddb_cache_sync.core.keys import KeyTemplate
from ddb_cache_sync.core.lookups import check_apart
from ddb_cache_sync.core.projection import Projection
from ddb_cache_sync.core.templates import Template
from ddb_cache_sync.errors import ConfigurationError

Pattern: TypeAlias = str | re.Pattern[str]
Matcher: TypeAlias = tuple[str, Callable[[str], object]]
"""The name of an attribute, and what gives None for a text that does not match."""

NOT_ALIKE: Final = "and differ in guard_prefix, keep_ttl_removals or lookups"
ALIKE_HINT: Final = "Make these equal, or the key templates different."

_PLACEHOLDER: Final = re.compile(r"\{\{|\}\}|\{(?!table\})[^{}]+\}")


@dataclass(frozen=True, slots=True)
class Route:
    """Items that go through one projection: those that match all that is asked for.

    Raises:
        ConfigurationError: A projection or pattern that is none.
    """

    projection: Projection
    _: KW_ONLY
    table: str | None = None
    """The table's exact name. None: any table."""
    key: Mapping[str, Pattern] | None = None
    """Patterns by the name of a key attribute, such as `{"PK": "USER#*", "SK": "PROFILE"}`: by names, since a stream
    record does not say which attribute is the partition key. None: any key."""
    attribute: Mapping[str, Pattern] | None = None
    """Patterns by the name of any other attribute, such as `{"type": "user"}`, which may change. None: any item."""

    def __post_init__(self) -> None:
        projection: object = self.projection
        table: object = self.table
        if not isinstance(projection, Projection):
            raise ConfigurationError(
                f"a route with a {type(projection).__name__}", hint='Write Route(Projection(...), table="users").'
            )
        if table is not None and (not isinstance(table, str) or not table):
            raise ConfigurationError("a route with a table that is not a name", hint="Give the table's exact name.")
        for field in ("key", "attribute"):
            patterns = getattr(self, field)
            if patterns is not None:
                _check_patterns(field, patterns)
                object.__setattr__(self, field, MappingProxyType(dict(patterns)))

    def key_matchers(self) -> tuple[Matcher, ...]:
        """What matches the key attributes."""
        return tuple((name, _fullmatch(pattern)) for name, pattern in (self.key or {}).items())

    def attribute_matchers(self) -> tuple[Matcher, ...]:
        """What matches the other attributes."""
        return tuple((name, _fullmatch(pattern)) for name, pattern in (self.attribute or {}).items())

    def covers(self, other: "Route") -> bool:
        """Whether it certainly takes every item that the other route takes."""
        return (
            self.table in (None, other.table)
            and _cover(self.key or {}, other.key or {})
            and _cover(self.attribute or {}, other.attribute or {})
        )


def check_routes(routes: Sequence[Route]) -> tuple[Route, ...]:
    """The routes, if they can stand side by side.

    Raises:
        ConfigurationError: No route, something that is none, one that is never reached, or two that would let two
            items share a cache key or a cache key have two guards.
    """
    given: object = routes
    if not isinstance(given, Sequence) or not all(isinstance(each, Route) for each in given):
        raise ConfigurationError("routes that are not a list of Route", hint="Write EntityRouter([Route(...), ...]).")
    if not routes:
        raise ConfigurationError(
            "a router without routes", hint="Give it at least one Route; without conditions it takes every item."
        )
    for (first, earlier), (second, later) in combinations(enumerate(routes), 2):
        if earlier.covers(later):
            raise ConfigurationError(
                f"routes[{second}] is never reached: routes[{first}] takes all of its items",
                hint="Put the route that asks for more first.",
            )
        problem, hint = next(_conflicts(earlier, later), (None, None))
        if problem is not None:
            raise ConfigurationError(f"routes[{first}] and routes[{second}] {problem}", hint=hint)
    return tuple(routes)


def cache_keys_may_meet(routes: Sequence[Route]) -> bool:
    """Whether two of the routes might give one item the same cache key; False: certainly not."""
    return any(
        not _apart(one.projection, other.projection)
        for one, other in combinations(routes, 2)
        if _tables_meet(one, other)
    )


def alike(one: Projection, other: Projection) -> bool:
    """Whether two projections may share a cache key: one guard, one fate when its item expires, one set of lookups."""
    return (one.guard_prefix, one.keeps_ttl_removals, one.lookups) == (
        other.guard_prefix,
        other.keeps_ttl_removals,
        other.lookups,
    )


def _conflicts(one: Route, other: Route) -> Iterator[tuple[str, str | None]]:
    """What is wrong with two routes side by side, and what to do."""
    same_keys = _cover(one.key or {}, other.key or {}) or _cover(other.key or {}, one.key or {})
    if _tables_meet(one, other) and same_keys and _text(one) == _text(other):
        if not alike(one.projection, other.projection):
            yield f"give an item the same cache key, {NOT_ALIKE}", ALIKE_HINT
    elif (one.key or {}) == (other.key or {}) and _share_keys(one, other):
        yield (
            f"would let two items share a cache key, by {_text(one)!r} and {_text(other)!r}",
            "Let the key templates differ by {table} or by other literal text.",
        )
    for mine, foreign in ((one.projection, other.projection), (other.projection, one.projection)):
        for template in (mine.keys, *mine.lookups):
            if isinstance(template, Template) and template.beginning.startswith(foreign.guard_prefix):
                yield (
                    f"clash: {template!r} begins with the guard prefix {foreign.guard_prefix!r}",
                    "Change one of them.",
                )
        # Items pass a lookup key between them, whatever their routes; but it has to have one guard.
        others = foreign.lookups if mine.guard_prefix != foreign.guard_prefix else ()
        for lookup, template in product(mine.lookups, (foreign.keys, *others)):
            if isinstance(template, Template):
                try:
                    check_apart(lookup, template)
                except ConfigurationError as error:
                    yield f"clash: {error.problem}", None


def _share_keys(one: Route, other: Route) -> bool:
    """Whether the templates of two routes certainly can give two items one key, as far as their texts tell."""
    texts = [route.projection.keys.template for route in (one, other) if isinstance(route.projection.keys, KeyTemplate)]
    shapes = {_PLACEHOLDER.sub(lambda found: found[0] if found[0] in ("{{", "}}") else "{}", text) for text in texts}
    if len(texts) < 2 or len(shapes) > 1:
        return False
    if one.table == other.table:
        return texts[0] != texts[1]
    return None not in (one.table, other.table) and not any("{table}" in shape for shape in shapes)


def _text(route: Route) -> object:
    """The text of a route's key template; where it has none, its mapping itself."""
    keys = route.projection.keys
    return keys.template if isinstance(keys, KeyTemplate) else keys


def _tables_meet(one: Route, other: Route) -> bool:
    return one.table is None or other.table is None or one.table == other.table


def _apart(one: Projection, other: Projection) -> bool:
    """Whether the two never give the same cache key, as far as their templates tell."""
    if not isinstance(one.keys, KeyTemplate) or not isinstance(other.keys, KeyTemplate):
        return False
    return one.keys.apart_from(other.keys)


def _check_patterns(field: str, patterns: object) -> None:
    """Raise a `ConfigurationError` for what are no patterns."""
    hint = f'Write {field}={{"name": "pattern"}}.'
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


def _fullmatch(pattern: Pattern) -> Callable[[str], object]:
    """Looks for the whole of a text; None: it does not match."""
    # fnmatch's brackets are none of ours; its translation backtracks over nothing, whatever a key holds.
    glob = pattern if isinstance(pattern, re.Pattern) else re.compile(fnmatch.translate(pattern.replace("[", "[[]")))
    return glob.fullmatch


def _cover(some: Mapping[str, Pattern], others: Mapping[str, Pattern]) -> bool:
    """Whether whatever matches the others certainly matches these."""
    return all(name in others and _covers(pattern, others[name]) for name, pattern in some.items())


def _covers(pattern: Pattern, other: Pattern) -> bool:
    if pattern == other:
        return True
    # A pattern without "?" matches the wildcards of another only by its own "*", and so whatever they stand for.
    globs = isinstance(pattern, str) and isinstance(other, str) and "?" not in pattern
    return globs and _fullmatch(pattern)(other) is not None  # type: ignore[arg-type]
