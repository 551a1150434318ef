"""Carrying guards from an old layout to a new one, before the new one is filled.

Why: a record that was applied before the stream knew of the new layout can be delivered again, late. The old layout's
guard makes it stale there; without a guard in the new layout it would be applied there, an item that is gone included.

Rules:

1. For each guard of the old layout, the new one's guards of the same item are to hold at least the same version. Where
   one does not, both are read, then the item, consistently, and then the new key is written with the old guard's
   version, if its own guard has not moved: the item is at least as new as either (`core.repairs`). Where it has moved
   all is done anew, a few times.
2. Where an old guard has gone, no record of that item can come any more: nothing has to be carried.
3. What the item says of its lookup keys is said first: where it is not taken, the guard is left, and carried the next
   time. Else nobody would say it any more.
4. What was carried is not carried again: it can be done as often as one likes. A layout that the stream left for a
   while, and comes back to, is put right by it too.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final, NamedTuple

from ddb_cache_sync.core.changes import ItemKey, Remove, Upsert
from ddb_cache_sync.core.expectations import NO_VERSION
from ddb_cache_sync.core.outcomes import APPLIED, STALE
from ddb_cache_sync.core.projection import routed
from ddb_cache_sync.core.repairs import Repair
from ddb_cache_sync.core.versions import Version
from ddb_cache_sync.errors import RecordError
from ddb_cache_sync.sync.sides import PATIENCE_SECONDS, is_version

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from ddb_cache_sync.core.key_forms import KeyForm
    from ddb_cache_sync.core.projection import Projection, Router
    from ddb_cache_sync.core.writes import Write
    from ddb_cache_sync.sync.sides import OnProgress, Sides

_PAGE: Final = 100  # as many as one BatchGetItem takes
_ATTEMPTS: Final = 5
_MOST_SECONDS: Final = 60.0


class Carried(NamedTuple):
    """What became of the guards of the old layout."""

    guards: int = 0
    """How many there were."""
    carried: int = 0
    """Keys of the new layout that were written, or deleted, with the version of an old guard."""
    left: int = 0
    """Guards that were not carried: their keys do not tell their items, their items can't be carried, the cache does
    not take them, or they were changed all the time."""


class _Guarded(NamedTuple):
    """A guard of the old layout, and its item."""

    guard: str
    item: ItemKey


class _Wanted(NamedTuple):
    """A key of the new layout whose guard is older than the old one's."""

    of: _Guarded
    projection: Projection
    key: str
    found: str
    """What its guard holds; empty: there is none."""
    version: Version
    """What the old one holds."""


class Carrying:
    """Carries the guards of one table.

    Args:
        sides: The table, and the cache; `known` is the old layout's.
        forms: The forms of the old layout's keys.
        new: The new layout.
        monotonic: Seconds since any moment.
    """

    def __init__(
        self, sides: Sides, forms: Sequence[KeyForm], new: Router, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._sides = sides
        self._forms = [form for form in forms if not form.lookup]
        self._new = new
        self._monotonic = monotonic
        self.guards = 0
        self.carried = 0
        self.left = 0

    def run(self, on_progress: OnProgress) -> None:
        """Carry all of them; the counts are those of `Carried`.

        Raises:
            TableError: The table can't be read.
            CacheUnavailable: The cache kept failing; do it again.
            CacheError: The cache refuses us.
        """
        for form in self._forms:
            for page in self._sides.cache.keys_beginning(form.guard_beginning):
                for first in range(0, len(page), _PAGE):
                    self._page(form, page[first : first + _PAGE])
                    on_progress("carrying guards", len(page[first : first + _PAGE]), 0)

    def _page(self, form: KeyForm, guards: Sequence[str]) -> None:
        waiting: dict[str, _Guarded] = {}
        for guard in guards:
            if (key := form.key_of(guard)) is None:
                continue
            self.guards += 1
            found = self._sides.known.item_key(key)
            if found is None:
                self.left += 1  # a key that was shortened
            else:
                waiting[guard] = _Guarded(guard, found[1])
        for _ in range(_ATTEMPTS):
            waiting = {each.guard: each for each in self._attempt([*waiting.values()])} if waiting else {}
        self.left += len(waiting)

    def _attempt(self, guarded: Sequence[_Guarded]) -> Iterator[_Guarded]:
        """Guards, items, then the writes; gives those that have to be done anew."""
        started = self._monotonic()
        wanted = [*self._wanted(guarded)]
        items = self._sides.items([each.of.item.attributes for each in wanted])
        repairs: list[tuple[_Wanted, Repair]] = []
        words: list[Write] = []
        for each, item in zip(wanted, items, strict=True):
            try:
                repair = self._repair(each, item)
                if repair is not None and item is not None:
                    words += [*each.projection.words(repair.write, item, [item], stale=False)]
            except RecordError:
                self.left += 1
                continue
            if repair is not None:
                repairs.append((each, repair))
        if self._monotonic() - started > _MOST_SECONDS:
            yield from (each.of for each, _ in repairs)
            return
        deadline = time.monotonic() + PATIENCE_SECONDS
        said = zip(words, self._sides.cache.apply(words, deadline), strict=True)
        refused = {word.owner for word, result in said if result is not APPLIED and result is not STALE}
        self.left += sum(repair.key in refused for _, repair in repairs)
        repairs = [(each, repair) for each, repair in repairs if repair.key not in refused]
        results = self._sides.cache.repair([repair for _, repair in repairs], deadline)
        for (each, _), result in zip(repairs, results, strict=True):
            if result is STALE:
                yield each.of
            elif result is not APPLIED:
                self.left += 1
            else:
                self.carried += 1

    def _wanted(self, guarded: Sequence[_Guarded]) -> Iterator[_Wanted]:
        """The keys of the new layout whose guards are behind."""
        olds = self._sides.guards([each.guard for each in guarded])
        places: list[_Wanted] = []
        for each, old in zip(guarded, olds, strict=True):
            if not old:
                continue  # gone since (rule 2)
            keys = self._keys(each.item) if is_version(old) else None
            if keys is None:
                self.left += 1
            else:
                places += [_Wanted(each, projection, key, "", Version(old)) for key, projection in keys.items()]
        news = self._sides.guards([each.projection.guard_key(each.key) for each in places])
        for place, found in zip(places, news, strict=True):
            if found < place.version:
                yield place._replace(found=found)

    def _keys(self, item: ItemKey) -> dict[str, Projection] | None:
        """The keys of the new layout that an item may have; None: it takes no such item."""
        try:
            candidates = routed(self._new, Remove(item, NO_VERSION))
            return {projection.cache_key(seen): projection for projection, seen in candidates}
        except RecordError:
            return None

    def _repair(self, wanted: _Wanted, item: Upsert | None) -> Repair | None:
        """What brings the new key to its item; None: nobody knows what it should hold."""
        if item is None and wanted.projection.keeps_ttl_removals:
            return None
        change = Remove(wanted.of.item, wanted.version) if item is None else item._replace(version=wanted.version)
        for projection, seen in routed(self._new, change):
            if projection is wanted.projection:
                write = projection.write(wanted.key, seen, self._sides.clock(), filling=True)
                return Repair(write, wanted.found, wanted.version)
        return None
