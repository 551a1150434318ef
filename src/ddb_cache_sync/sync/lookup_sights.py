"""All that can be known of a lookup key, read: what it shows, who has a word on it, and what the table says of these.

Rules:

1. The items that matter are those with a claim in the guard, the one that the key leads to, and those that are named.
   An item that claims the key in the table alone, and is none of these, has to be named by whoever has read the table.
2. Words and own guards are read before the items, so that each item is at least as new as they are (`core.repairs`).
3. Memory is bounded: a hundred items at a time, or those of one key.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from ddb_cache_sync.core.changes import ItemKey, Remove
from ddb_cache_sync.core.comparison import Drift
from ddb_cache_sync.core.expectations import NO_VERSION
from ddb_cache_sync.core.lookup_checks import Claim, claims_of, lookup_drift
from ddb_cache_sync.errors import CacheSyncError, RecordError
from ddb_cache_sync.sync.sides import bytes_of, digest_of, key_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from ddb_cache_sync.core.attribute_values import Image
    from ddb_cache_sync.core.changes import Upsert
    from ddb_cache_sync.core.encodings.contract import StoredValue
    from ddb_cache_sync.core.lookup_words import LastWord
    from ddb_cache_sync.core.projection import Projection
    from ddb_cache_sync.sync.sides import Sides

_ITEMS: Final = 100  # as many as one BatchGetItem takes


class Asked(NamedTuple):
    """A lookup key to be looked at."""

    key: str
    projection: Projection
    """One that has such lookup keys."""
    items: Sequence[Image] = ()
    """The primary keys of items that claim it, or did; empty: nobody is named."""


class LookupSight(NamedTuple):
    """What was seen of a lookup key."""

    asked: Asked
    found: StoredValue | None
    """What it holds."""
    words: Mapping[str, LastWord]
    """The last word of each item, by the item's own cache key."""
    guards: Mapping[str, str]
    """The guards of own cache keys of the items that matter, by those; empty: there is none."""
    items: Mapping[str, Upsert | None]
    """The items that matter, by their primary keys as JSON text; None: the table has no such item."""
    claims: Sequence[Claim]
    """Those of them that claim the key by what the table says."""
    leads: bool
    """Whether what it holds tells an item."""
    now: float
    """When it was seen, epoch seconds."""
    fault: str | None = None
    """Why one of them can't be carried; None: all can."""

    @property
    def drift(self) -> Drift | None:
        """How the key differs from what the table says; None: it does not, or it can't be told.

        A key that is right, and will not be when the next item gives it up, is stale too: see `ghosts`.
        """
        if self.fault is not None:
            return None
        return lookup_drift(self.claims, self.found) or (Drift.STALE if self.ghosts else None)

    @property
    def ghosts(self) -> list[str]:
        """Own cache keys of items that claim the key in its guard, and not in the table: they may be shown one day."""
        real = {claim.word.owner for claim in self.claims}
        return [
            owner
            for owner, word in self.words.items()
            if word.claims_at(self.now) and owner in self.guards and owner not in real
        ]

    @property
    def strangers(self) -> list[str]:
        """Own cache keys of items that claim the key in its guard, and which do not tell their items."""
        return [owner for owner, word in self.words.items() if word.claims and owner not in self.guards]

    @property
    def leads_to(self) -> str | None:
        """The primary key, as JSON text, of an item that it has to do with; None: of none that is known."""
        return next(iter(self.items), None)

    @property
    def state(self) -> bytes:
        """Stands for all of it: another one is another state."""
        items = [part for key, item in self.items.items() for part in (key.encode(), bytes_of(item))]
        words = [f"{owner}|{word.version}|{word.claims}".encode() for owner, word in sorted(self.words.items())]
        guards = [f"{owner}|{version}".encode() for owner, version in sorted(self.guards.items())]
        return digest_of([*items, *words, *guards, bytes_of(self.found)])


class _Read(NamedTuple):
    """A lookup key whose words and value were read."""

    asked: Asked
    found: StoredValue | None
    words: Mapping[str, LastWord]
    leads: bool
    items: Mapping[str, ItemKey]
    """The primary keys that matter, by their JSON text."""


def lookup_sights(sides: Sides, asked: Sequence[Asked]) -> Iterator[LookupSight]:
    """Look at lookup keys, in order.

    Raises:
        TableError: The table can't be read.
        CacheUnavailable: The cache can't be read.
        CacheError: The cache refuses us.
    """
    guards = [each.projection.guard_key(each.key) for each in asked]
    said = sides.words(guards)
    found = sides.strings([each.key for each in asked])
    waiting: list[_Read] = []
    for each, words in zip(asked, said, strict=True):
        leads_to = _led(sides, found[each.key])
        items = _items_of(sides, each, words, leads_to)
        read = _Read(each, found[each.key], words, leads_to is not None, items)
        if waiting and sum(len(one.items) for one in [*waiting, read]) > _ITEMS:
            yield from _seen(sides, waiting)
            waiting = []
        waiting.append(read)
    yield from _seen(sides, waiting)


def own_keys(sides: Sides, item: ItemKey) -> Iterator[tuple[str, Projection]]:
    """The cache keys that an item may have, whatever it holds."""
    removal = Remove(item, NO_VERSION)
    for projection in sides.known.projections:
        try:
            yield projection.cache_key(removal), projection
        except CacheSyncError:
            continue


def _led(sides: Sides, found: StoredValue | None) -> ItemKey | None:
    """The item whose cache key a lookup key holds; None: it holds none, or one that does not tell its item."""
    told = sides.known.item_key(found.decode(errors="replace")) if isinstance(found, bytes) else None
    return None if told is None else told[1]


def _items_of(
    sides: Sides, asked: Asked, words: Mapping[str, LastWord], leads_to: ItemKey | None
) -> dict[str, ItemKey]:
    """The primary keys of the items that matter (rule 1)."""
    own = [owner for owner, word in words.items() if word.claims]
    told = [each[1] for each in map(sides.known.item_key, own) if each is not None]
    told += [] if leads_to is None else [leads_to]
    told += [ItemKey(sides.known.table, item) for item in asked.items]
    return {key_text(each): each for each in told}


def _seen(sides: Sides, read: Sequence[_Read]) -> Iterator[LookupSight]:
    """Own guards, then items."""
    keys = {text: item for each in read for text, item in each.items.items()}
    own = {text: [*own_keys(sides, item)] for text, item in keys.items()}
    guards = {key: projection.guard_key(key) for pairs in own.values() for key, projection in pairs}
    versions = dict(zip(guards, sides.guards([*guards.values()]), strict=True))
    items = dict(zip(keys, sides.items([item.attributes for item in keys.values()]), strict=True))
    now = sides.clock()
    for asked, found, words, leads, mine in read:
        claims: list[Claim] = []
        fault = None
        for item in (items[text] for text in mine):
            try:
                claims += (
                    [] if item is None else [it for it in claims_of(sides.router, item, now) if it.key == asked.key]
                )
            except RecordError as error:
                fault = error.problem
        theirs = {key: versions[key] for text in mine for key, _ in own[text]}
        seen = {text: items[text] for text in mine}
        yield LookupSight(asked, found, words, theirs, seen, claims, leads, now, fault)
