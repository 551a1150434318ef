"""Which routes can't stand side by side. Pure.

Whether two routes can give two items one cache key can't be known of all mappings there are. `check_routes` finds it
where both have a `KeyTemplate`, and the templates put the same text around their placeholders.
"""

import re
from collections.abc import Iterator, Sequence
from itertools import combinations, product
from typing import Final

from ddb_cache_sync.core.keys import KeyTemplate
from ddb_cache_sync.core.lookups import check_apart
from ddb_cache_sync.core.patterns import cover, may_meet
from ddb_cache_sync.core.projection import Projection
from ddb_cache_sync.core.routes import MOST_KEY_ATTRIBUTES, Route
from ddb_cache_sync.core.templates import Template
from ddb_cache_sync.errors import ConfigurationError

NOT_ALIKE: Final = "and differ in guard_prefix, keep_ttl_removals or lookups"
ALIKE_HINT: Final = "Make these equal, or the key templates different."

_PLACEHOLDER: Final = re.compile(r"\{\{|\}\}|\{(?!table\})[^{}]+\}")


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
    for table in dict.fromkeys(route.table for route in routes if route.table is not None):
        _check_key_of(table, routes)
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


def _check_key_of(table: str, routes: Sequence[Route]) -> None:
    """Make sure that the routes of a table agree on its primary key, as far as they tell.

    Raises:
        ConfigurationError: They name more attributes than a key has, or one leaves out what another names.
    """
    named: dict[str, int] = {}
    templates: dict[int, KeyTemplate] = {}
    for place, route in enumerate(routes):
        if route.table != table:
            continue
        names = [*(route.key or ())]
        if isinstance(keys := route.projection.keys, KeyTemplate):
            templates[place] = keys
            names += [*keys.places, *keys.fixed]
        for name in names:
            named.setdefault(name, place)
    if len(named) > MOST_KEY_ATTRIBUTES:
        raise ConfigurationError(
            f"the routes of table {table} name {len(named)} key attributes: {', '.join(sorted(named))}",
            hint="A table's primary key has one or two. Ask for other attributes under attribute.",
        )
    for place, keys in templates.items():
        for name in named.keys() - {*keys.places, *keys.fixed}:
            raise ConfigurationError(
                f"routes[{place}]: {keys} leaves out {name}, which is part of table {table}'s primary key by "
                f"routes[{named[name]}]: two items would share a cache key",
                hint=f"Name it in braces, {{{name}}}, or let the route's key ask for one value of it.",
            )


def _conflicts(one: Route, other: Route) -> Iterator[tuple[str, str | None]]:
    """What is wrong with two routes side by side, and what to do."""
    same_keys = cover(one.key or {}, other.key or {}) or cover(other.key or {}, one.key or {})
    if _tables_meet(one, other) and same_keys and _mapping(one) == _mapping(other):
        if not alike(one.projection, other.projection):
            yield f"give an item the same cache key, {NOT_ALIKE}", ALIKE_HINT
    elif _share_keys(one, other):
        yield (
            f"would let two items share a cache key, by {_mapping(one)[0]!r} and {_mapping(other)[0]!r}",
            "Let the key templates differ by {table} or by other literal text.",
        )
    for mine, foreign in ((one.projection, other.projection), (other.projection, one.projection)):
        for template in (mine.keys, *mine.lookups):
            if isinstance(template, Template) and template.beginning.startswith(foreign.guard_prefix):
                yield (
                    f"clash: {template} begins with the guard prefix {foreign.guard_prefix!r}",
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
    """Whether the templates of two routes can give two items one key, as far as their texts and patterns tell."""
    mine, theirs = one.projection.keys, other.projection.keys
    if not isinstance(mine, KeyTemplate) or not isinstance(theirs, KeyTemplate):
        return False
    shape = _shape(mine)
    tables_differ = not _tables_meet(one, other)
    if shape != _shape(theirs) or (tables_differ and "{table}" in shape):
        return False
    if not mine.fixed and not theirs.fixed:
        # A template names the whole key, so nothing but other tables or another order of the names lets items share it.
        # Of patterns that differ it can't be told whether any item of the one is of the other's values.
        differ = mine.template != theirs.template if one.table == other.table else tables_differ
        return differ and (one.key or {}) == (other.key or {})
    if not tables_differ and _mapping(one) == _mapping(other):
        return False
    places = zip(mine.places, theirs.places, strict=True)
    return all(may_meet((one.key or {}).get(name), (other.key or {}).get(foreign)) for name, foreign in places)


def _shape(keys: KeyTemplate) -> str:
    """The text around the placeholders."""
    return _PLACEHOLDER.sub(lambda found: found[0] if found[0] in ("{{", "}}") else "{}", keys.template)


def _mapping(route: Route) -> tuple[object, object]:
    """The text of a route's key template, and what it leaves out; where it has none, its mapping itself."""
    keys = route.projection.keys
    return (keys.template, keys.fixed) if isinstance(keys, KeyTemplate) else (keys, {})


def _tables_meet(one: Route, other: Route) -> bool:
    return one.table is None or other.table is None or one.table == other.table


def _apart(one: Projection, other: Projection) -> bool:
    """Whether the two never give the same cache key, as far as their templates tell."""
    if not isinstance(one.keys, KeyTemplate) or not isinstance(other.keys, KeyTemplate):
        return False
    return one.keys.apart_from(other.keys)
