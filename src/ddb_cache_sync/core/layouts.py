"""Layouts: under which keys, and how encoded, a cache holds a table's items; and two of them side by side. Pure.

Rules, for as long as keys move from an old layout to a new one:

1. Every change goes to both, each key behind a guard of its own: neither knows of the other.
2. No key of the one can be a key of the other, whatever the items are. So a value under an old key never has the new
   encoding, nor the other way round, and the old keys can be dropped by their form. Templates tell; a mapping of one's
   own does not, and is refused.
3. A projection that is part of both, the very same object, stays as it is: it is applied once and never dropped. Where
   the two disagree about what it holds, the old one counts.
"""

from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import product
from typing import Final

from ddb_cache_sync.core.changes import Change
from ddb_cache_sync.core.keys import KeyTemplate, table_keys
from ddb_cache_sync.core.projection import Projection, Router
from ddb_cache_sync.core.routing import EntityRouter
from ddb_cache_sync.core.templates import Template
from ddb_cache_sync.errors import ConfigurationError

_APART_HINT: Final = (
    "Give the new layout key templates, and lookup keys, that begin with a word of their own, as in v2:users:{id}; a "
    "new encoding needs new keys too, since readers of the one can't read the other."
)


class BothLayouts:
    """A router that applies each change to an old layout and to a new one, while readers move from one to the other.

    An item that one of the two refuses is a poison record, and then neither has it: compare a sample of the table with
    the new layout before you put it beside the old one.

    Args:
        old: The layout that readers use.
        new: The one that they are to use.

    Raises:
        ConfigurationError: They are one layout, or keys of the two can't be told apart. For the default key mapping
            that shows with the first change of a table only.
    """

    __slots__ = ("_known_tables", "needs_old_images", "new", "old")

    def __init__(self, old: Router, new: Router) -> None:
        self.old: Final = old
        self.new: Final = new
        self.needs_old_images: Final = old.needs_old_images or new.needs_old_images
        self._known_tables: Final[set[tuple[str, frozenset[str]]]] = set()
        named: set[str | None] = {*_named_tables(old), *_named_tables(new)}
        if not any(any(only_in_one(old, new, table)) for table in named or {None}):
            raise ConfigurationError(
                "the new layout's routes say the same as those of the old layout", hint=_APART_HINT
            )
        for table in named or {None}:
            for one, other in product(*only_in_one(old, new, table)):
                _check_guards(one, other)
                for mine, theirs in product(_known_templates(one), _known_templates(other)):
                    if table is not None or not (mine.names_table or theirs.names_table):
                        _check_apart(mine, theirs, table)

    def routed(self, change: Change) -> Iterable[tuple[Projection, Change]]:
        """What the old layout says, and then what the new one says.

        Raises:
            RecordError: One of them refuses the item.
            ConfigurationError: Keys of the two can't be told apart.
        """
        table, attributes = change.key
        names = frozenset(attributes.wire)
        if (table, names) not in self._known_tables:
            check_layouts(self.old, self.new, table, sorted(names))
            self._known_tables.add((table, names))
        old = tuple(self.old.routed(change))
        shared = {id(projection) for projection, _ in old}
        return (*old, *(pair for pair in self.new.routed(change) if id(pair[0]) not in shared))


def check_layouts(old: Router, new: Router, table: str, key_names: Sequence[str]) -> None:
    """Make sure that keys of two layouts can be told apart, for the items of this table.

    Raises:
        ConfigurationError: They can't.
    """
    olds, news = only_in_one(old, new, table)
    for one, other in product(olds, news):
        _check_guards(one, other)
        for mine, theirs in product(templates_of(one, key_names), templates_of(other, key_names)):
            _check_apart(mine, theirs, table)


def droppable(old: Router, new: Router, table: str, key_names: Sequence[str]) -> list[Projection]:
    """The projections of a table that only the old layout has.

    Their keys can be found in a cache, and told from all others that either layout gives, to other tables' items too.

    Raises:
        ConfigurationError: They can't, or there are none.
    """
    olds, _ = only_in_one(old, new, table)
    if not olds:
        raise ConfigurationError(
            f"nothing of table {table} is in the old layout alone", hint="Name the layout that is to be given up first."
        )
    others = [each for each in (*_places(old), *_places(new)) if not any(each[0] is one for one in olds)]
    for mine in (template for one in olds for template in templates_of(one, key_names)):
        if not mine.beginning_for(table):
            raise ConfigurationError(
                f"{mine} begins with a value: nobody can tell which keys of the cache are its own",
                hint="Delete them by hand.",
            )
        for other, named in others:
            of_table = table if named is None else named
            names = [key_names] if of_table == table else [["a"], ["a", "b"]]
            for theirs in (template for each in names for template in templates_of(other, each)):
                if not mine.apart_from(theirs, table, of_table):
                    raise ConfigurationError(
                        f"{mine} is to be dropped, and {theirs} of table {of_table} could give the same keys",
                        hint="Delete the keys by hand, or give up both.",
                    )
    return olds


def only_in_one(old: Router, new: Router, table: str | None) -> tuple[list[Projection], list[Projection]]:
    """The projections of the one layout alone, and those of the other alone (rule 3).

    Args:
        old: The one layout.
        new: The other.
        table: The table whose items go through them. None: any table, as far as routes name none.

    Raises:
        ConfigurationError: A router of one's own.
    """
    olds, news = projections_of(old, table), projections_of(new, table)
    shared = {*map(id, olds)} & {*map(id, news)}
    return [each for each in olds if id(each) not in shared], [each for each in news if id(each) not in shared]


def projections_of(router: Router, table: str | None) -> list[Projection]:
    """All projections that items of a table can go through, each once.

    Raises:
        ConfigurationError: A router of one's own, which can't be asked.
    """
    if isinstance(router, Projection):
        found = [router]
    elif isinstance(router, EntityRouter):
        found = [route.projection for route in router.routes if route.table in (None, table)]
    elif isinstance(router, BothLayouts):
        found = [*projections_of(router.old, table), *projections_of(router.new, table)]
    else:
        raise ConfigurationError(
            f"a {type(router).__name__} can't be asked for its projections",
            hint="Give a Projection or an EntityRouter.",
        )
    return list({id(each): each for each in found}.values())


def own_template(projection: Projection, key_names: Sequence[str]) -> KeyTemplate | None:
    """A key mapping as a template; None: it is a callable of one's own, or can't be written as one.

    Args:
        projection: Has the mapping.
        key_names: The names of the key attributes of the table.
    """
    if isinstance(projection.keys, KeyTemplate):
        return projection.keys
    odd = "table" in key_names or any(set("{}") & set(name) for name in key_names)
    if projection.keys is not table_keys or odd:
        return None
    return _default_template(*sorted(key_names))


def templates_of(projection: Projection, key_names: Sequence[str]) -> tuple[Template, ...]:
    """The templates of all keys of a projection: of the items' own, and of lookup keys.

    Raises:
        ConfigurationError: A key mapping of one's own.
    """
    own = own_template(projection, key_names)
    if own is None:
        raise ConfigurationError(
            "a key mapping that is no template does not tell its keys from those of another layout",
            hint="Write both layouts with KeyTemplate.",
        )
    return (own, *projection.lookups)


@lru_cache(maxsize=64)
def _default_template(*key_names: str) -> KeyTemplate:
    return KeyTemplate("{table}:" + ":".join(f"{{{name}}}" for name in key_names))


def _places(router: Router) -> Sequence[tuple[Projection, str | None]]:
    """Every projection, and the table whose items it takes; None: any."""
    if isinstance(router, EntityRouter):
        return [(route.projection, route.table) for route in router.routes]
    return [(each, None) for each in projections_of(router, None)]


def _named_tables(router: Router) -> Iterator[str]:
    yield from (table for _, table in _places(router) if table is not None)


def _known_templates(projection: Projection) -> Sequence[Template]:
    """Those that are known before the table is."""
    return [*([projection.keys] if isinstance(projection.keys, KeyTemplate) else []), *projection.lookups]


def _check_guards(one: Projection, other: Projection) -> None:
    # With one prefix for both, no key of either can be a guard of the other: none may begin with it.
    if one.guard_prefix != other.guard_prefix:
        raise ConfigurationError(
            f"two layouts with the guard prefixes {one.guard_prefix!r} and {other.guard_prefix!r}",
            hint="Keep the guard prefix: the new keys have guards of their own.",
        )


def _check_apart(mine: Template, theirs: Template, table: str | None) -> None:
    if not mine.apart_from(theirs, table):
        raise ConfigurationError(
            f"{mine} of the old layout and {theirs} of the new one could give the same key", hint=_APART_HINT
        )
