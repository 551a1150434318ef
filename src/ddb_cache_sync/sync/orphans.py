"""The cache's side of a verification: keys that no item of the table explains.

Rules:

1. Of a whole table: its keys are noted, the table is read after that and strikes out what it explains, and what is left
   over is suspected.
2. Of a sample: some keys of the cache, from random places of it, are read back into their items, and these are read. A
   key that does not tell its item is passed over, since only the whole table could.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

from ddb_cache_sync.core.comparison import Drift
from ddb_cache_sync.core.expectations import expected_at
from ddb_cache_sync.errors import RecordError
from ddb_cache_sync.sync.lookup_sights import Asked, lookup_sights
from ddb_cache_sync.sync.sides import key_text
from ddb_cache_sync.sync.suspects import Suspect

if TYPE_CHECKING:
    import random
    import re
    from collections.abc import Iterator, Sequence

    from ddb_cache_sync.core.changes import ItemKey
    from ddb_cache_sync.core.projection import Projection
    from ddb_cache_sync.sync.sides import OnProgress, Sides
    from ddb_cache_sync.sync.suspects import SuspectStore

_PAGE: Final = 100  # as many as one BatchGetItem takes


class Orphans:
    """Looks for them, in one run.

    Attributes:
        seen: How many keys of the cache were looked at.
        beginnings: How many keys were found, whatever their form, by what keys of the table begin with.
        notes: What was not looked at, and why.
    """

    def __init__(self, sides: Sides, store: SuspectStore, on_progress: OnProgress) -> None:
        self._sides = sides
        self._known = sides.known
        self._store = store
        self._progress = on_progress
        self.seen = 0
        self.beginnings: Counter[str] = Counter()
        self.notes: list[str] = []

    def see(self) -> None:
        """Note every key that could be an item's."""
        for beginning, forms in self._forms().items():
            for page in self._sides.cache.keys_beginning(beginning):
                self.beginnings[beginning] += len(page)
                self._store.see(key for key in page if any(form.fullmatch(key) for form in forms))
                self._progress("reading the cache", len(page), 0)
        self.seen = self._store.seen

    def suspect_unexplained(self) -> None:
        """Suspect every key that was noted and that no item has explained."""
        for page in self._store.unexplained():
            self._store.suspect(self._suspect(key) for key in page)

    def see_some(self, wanted: int, chance: random.Random) -> None:
        """Suspect those of about so many keys, from random places, that no item explains."""
        forms = self._forms()
        for beginning, theirs in forms.items():
            found = self._sides.cache.some_keys(beginning, -(-wanted // len(forms)), chance)
            self.beginnings[beginning] += len(found)
            keys = [key for key in found if any(form.fullmatch(key) for form in theirs)]
            for first in range(0, len(keys), _PAGE):
                page = keys[first : first + _PAGE]
                self._store.suspect(self._unexplained(page))
                self._progress("reading the cache", len(page), 0)

    def _forms(self) -> dict[str, list[re.Pattern[str]]]:
        """What keys look like, by what they begin with."""
        forms: dict[str, list[re.Pattern[str]]] = {}
        for projection in self._known.projections:
            own = self._known.template_of(projection)
            for template in (own, *projection.lookups):
                beginning = "" if template is None else template.beginning_for(self._known.table)
                if template is None or not beginning:
                    self.notes.append("orphans were not looked for where keys begin with a value, or nobody knows how")
                elif projection.keeps_ttl_removals:
                    self.notes.append(f"orphans were not looked for under {beginning}: expired items are kept there")
                else:
                    forms.setdefault(beginning, []).append(template.form_for(self._known.table))
        return forms

    def _suspect(self, key: str) -> Suspect:
        projections = self._known.projections
        if (lookup := self._known.lookup_of(key)) is not None:
            return Suspect(key, None, projections.index(lookup), Drift.ORPHANED, lookup=True, cached=True)
        if (found := self._known.item_key(key)) is not None:
            return Suspect(key, key_text(found[1]), projections.index(found[0]), Drift.ORPHANED, cached=True)
        possible = next(place for place, each in enumerate(projections) if self._known.can_be(each, key))
        return Suspect(key, None, possible, Drift.ORPHANED, cached=True)

    def _unexplained(self, keys: Sequence[str]) -> Iterator[Suspect]:
        """Those of these keys whose items do not explain them."""
        lookups: list[Asked] = []
        own: dict[str, tuple[Projection, ItemKey]] = {}
        for key in keys:
            if (lookup := self._known.lookup_of(key)) is not None:
                lookups.append(Asked(key, lookup))
            elif (found := self._known.item_key(key)) is not None:
                own[key] = found
        items = self._sides.items([item.attributes for _, item in own.values()])
        for (key, (projection, _)), item in zip(own.items(), items, strict=True):
            self.seen += 1
            try:
                right = expected_at(self._sides.router, projection, key, item, self._sides.clock())
            except RecordError:
                continue
            if right.write.value is None and not right.expired:
                yield self._suspect(key)
        for sight in lookup_sights(self._sides, lookups):
            if sight.found is not None and sight.leads_to is not None:
                self.seen += 1
                if sight.drift is Drift.ORPHANED:
                    yield self._suspect(sight.asked.key)._replace(item=sight.leads_to)
