"""Routes: what each asks of an item, and the projection that such items go through. Pure."""

from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass
from types import MappingProxyType
from typing import Final

from ddb_cache_sync.core.keys import KeyTemplate
from ddb_cache_sync.core.patterns import Matcher, Pattern, Patterns, check_patterns, cover, matchers, only_text
from ddb_cache_sync.core.projection import Projection
from ddb_cache_sync.errors import ConfigurationError

MOST_KEY_ATTRIBUTES: Final = 2
"""Of a table's primary key."""


@dataclass(frozen=True, slots=True)
class Route:
    """Items that go through one projection: those that match all that is asked for.

    A key attribute whose pattern has neither `*` nor `?` is the same in all of them. So the key template may leave it
    out, as in `Route(Projection(KeyTemplate("profile:{PK}")), key={"PK": "USER#*", "SK": "PROFILE"})`.

    Raises:
        ConfigurationError: A projection or pattern that is none, or a key template that leaves out a key attribute in
            which items differ.
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
                check_patterns(field, patterns)
                object.__setattr__(self, field, MappingProxyType(dict(patterns)))
        object.__setattr__(self, "projection", _for_fixed(projection, self.key or {}))

    def key_matchers(self) -> tuple[Matcher, ...]:
        """What matches the key attributes."""
        return matchers(self.key)

    def attribute_matchers(self) -> tuple[Matcher, ...]:
        """What matches the other attributes."""
        return matchers(self.attribute)

    def covers(self, other: "Route") -> bool:
        """Whether it certainly takes every item that the other route takes."""
        return (
            self.table in (None, other.table)
            and cover(self.key or {}, other.key or {})
            and cover(self.attribute or {}, other.attribute or {})
        )


def _for_fixed(projection: Projection, key: Patterns) -> Projection:
    """The projection for items with such a key: what its template leaves out is the same in all of them.

    Raises:
        ConfigurationError: It is not.
    """
    keys = projection.keys
    if not isinstance(keys, KeyTemplate):
        return projection
    fixed = dict(keys.fixed)
    named = {*keys.places, *fixed, *key}
    if len(named) > MOST_KEY_ATTRIBUTES:
        raise ConfigurationError(
            f"{keys} and the route's key name {len(named)} key attributes: {', '.join(sorted(named))}",
            hint="A table's primary key has one or two. Ask for other attributes under attribute.",
        )
    for name in key.keys() - {*keys.places, *keys.fixed}:
        text = only_text(key[name])
        if not text:
            raise ConfigurationError(
                f"{keys} leaves out the key attribute {name}, in which items differ: two of them would share a cache "
                "key",
                hint=f"Name it in braces, {{{name}}}, or let the route ask for one value of it, without * and ?.",
            )
        fixed[name] = text
    return projection if len(fixed) == len(keys.fixed) else projection.with_fixed(fixed)
