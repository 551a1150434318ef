"""Routing: where an item goes, by its table, its key and its attributes. Pure: no cache, no table, no clock.

Rules:

1. An item's *candidates* are the routes, in order, that match its table and key, up to and including the first that
   asks for no attribute, since nothing gets past it. They depend on the key, so an item has the same in all its life.
2. The first candidate whose attribute patterns match *holds* the item. To all others its change is a removal: they may
   have held it before, and a record need not say so.
3. So each change of an item, with its version, reaches every cache key that the item can ever have, and the guard of
   each lets the newest through: in whatever order changes come, in the end the newest one's holder has the item and
   the others do not. No old image is needed.
4. A removal is a removal to every candidate; a change without an image is what it is to all of them.
5. Of candidates that give an item the same cache key one counts, the holder before the others.
6. An item that no route holds is *unmatched*. It is refused, a poison record that changes nothing, or ignored: removed
   from its candidates, if it has any.
"""

from collections.abc import Iterable, Sequence
from typing import Final, Literal, NamedTuple, TypeAlias, get_args

from ddb_cache_sync.core.attribute_values import decode_value
from ddb_cache_sync.core.changes import Change, LeftOut, Upsert
from ddb_cache_sync.core.patterns import Matcher
from ddb_cache_sync.core.projection import Projection
from ddb_cache_sync.core.route_checks import ALIKE_HINT, NOT_ALIKE, alike, cache_keys_may_meet, check_routes
from ddb_cache_sync.core.routes import Route
from ddb_cache_sync.errors import ConfigurationError, RecordError

Unmatched: TypeAlias = Literal["refuse", "ignore"]


class _Compiled(NamedTuple):
    """A route, ready to be asked."""

    route: Route
    key: Sequence[Matcher]
    attribute: Sequence[Matcher]


class EntityRouter:
    """A router that sends each item through the projection of the first route that matches.

    One router serves several tables, the entities of a single-table design, or both. The module's docstring gives the
    rules. Make one, and give it to a `Replicator` in the place of a projection.

    Args:
        routes: The routes, in the order in which they are tried.
        unmatched: What becomes of an item that no route holds: `refuse` makes a poison record of its change, so that
            nothing is left out by mistake; `ignore` leaves it out.

    Raises:
        ConfigurationError: No route at all, one that can't be reached, or two that would let two items share a cache
            key. That is not found for all routes there can be: see `check_routes`.
    """

    __slots__ = ("_by_table", "_keys_may_meet", "_other_tables", "_refuses", "needs_old_images", "routes")

    def __init__(self, routes: Sequence[Route], unmatched: Unmatched = "refuse") -> None:
        if unmatched not in get_args(Unmatched):
            raise ConfigurationError(f"unmatched {unmatched!r}", hint=f"There are {', '.join(get_args(Unmatched))}.")
        self.routes: Final = check_routes(routes)
        self.needs_old_images: Final = any(route.projection.needs_old_images for route in self.routes)
        self._refuses: Final = unmatched == "refuse"
        compiled = [_Compiled(route, route.key_matchers(), route.attribute_matchers()) for route in self.routes]
        self._other_tables: Final = tuple(each for each in compiled if each.route.table is None)
        self._by_table: Final = {
            table: tuple(each for each in compiled if each.route.table in (None, table))
            for table in {route.table for route in self.routes}
        }
        self._keys_may_meet: Final = cache_keys_may_meet(self.routes)

    def routed(self, change: Change) -> Iterable[tuple[Projection, Change]]:
        """Each projection whose cache keys the change concerns, and what the change is to it.

        Raises:
            RecordError: No route holds the item, and such are refused; or a malformed attribute had to be matched.
            ConfigurationError: A route names a key attribute that its table does not have, or two routes that give an
                item the same cache key disagree about what has to be one for each key.
        """
        candidates = self._candidates(change)
        if len(candidates) == 1 and not candidates[0].attribute:  # as with most: nothing but its key to look at
            return ((candidates[0].route.projection, change),)
        if not candidates and self._refuses:
            raise self._unmatched(change)
        if type(change) is Upsert:
            holder = next((each for each in candidates if _matches(each.attribute, change)), None)
            if holder is None and self._refuses:
                raise self._unmatched(change)
            gone = LeftOut(change.key, change.version, change.old)
            routed = [(each.route.projection, gone) for each in candidates if each is not holder]
            if holder is None:
                seen: list[tuple[Projection, Change]] = [*routed]
            else:
                seen = [(holder.route.projection, change), *routed]
        else:
            seen = [(each.route.projection, change) for each in candidates]
        return _one_for_each_key(seen, change) if self._keys_may_meet and len(seen) > 1 else seen

    def _candidates(self, change: Change) -> list[_Compiled]:
        """The routes that may hold the item in its life (rule 1)."""
        table, attributes = change.key
        wire = attributes.wire
        found = []
        for each in self._by_table.get(table, self._other_tables):
            for name, fullmatch in each.key:
                if name not in wire:
                    if each.route.table is not None:
                        raise _no_key_attribute(name, change)
                    break
                text = _text(wire[name], f"dynamodb.Keys.{name}")
                if text is None or fullmatch(text) is None:
                    break
            else:
                found.append(each)
                if not each.attribute:
                    break
        return found

    def _unmatched(self, change: Change) -> RecordError:
        return RecordError(
            f"no route takes this item of table {change.key.table}",
            hint='Add a route that does, or set unmatched to "ignore" to leave such items out.',
        )


def _matches(attribute: Sequence[Matcher], change: Upsert) -> bool:
    """Whether the item has what the route asks of its attributes.

    Raises:
        RecordError: An attribute that has to be matched is malformed.
    """
    wire = change.item.wire
    for name, fullmatch in attribute:
        text = _text(wire[name], f"dynamodb.NewImage.{name}") if name in wire else None
        if text is None or fullmatch(text) is None:
            return False
    return True


def _text(value: object, where: str) -> str | None:
    """The text of an attribute value; None: it is not a string.

    Raises:
        RecordError: It is malformed.
    """
    if type(value) is dict and len(value) == 1 and type(text := value.get("S")) is str:
        return text
    try:
        decode_value(value)
    except ValueError as error:
        raise RecordError(f"{where}: {error}") from None
    return None


def _one_for_each_key(routed: Sequence[tuple[Projection, Change]], change: Change) -> list[tuple[Projection, Change]]:
    """The first for each cache key (rule 5).

    Raises:
        ConfigurationError: Those of one cache key would keep it differently.
    """
    first: dict[str, tuple[Projection, Change]] = {}
    for projection, seen in routed:
        chosen, _ = first.setdefault(projection.cache_key(change), (projection, seen))
        if not alike(chosen, projection):
            raise ConfigurationError(f"two routes give an item the same cache key, {NOT_ALIKE}", hint=ALIKE_HINT)
    return [*first.values()]


def _no_key_attribute(name: str, change: Change) -> ConfigurationError:
    table, attributes = change.key
    return ConfigurationError(
        f"a route of table {table} has a pattern for {name}, not part of the primary key "
        f"({', '.join(sorted(attributes))})",
        hint="Ask for other attributes under attribute.",
    )
