"""One run of a verification, step by step; `verify` says the rules."""

from __future__ import annotations

import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from threading import Event, Lock
from typing import TYPE_CHECKING, Final, TypeAlias

import orjson

from ddb_cache_sync.core.changes import Remove, Upsert
from ddb_cache_sync.core.comparison import Drift
from ddb_cache_sync.core.expectations import NO_VERSION, Expected, expected_at, expected_of
from ddb_cache_sync.errors import CacheSyncError, RecordError
from ddb_cache_sync.sync.sides import key_of_text, key_text, state_of
from ddb_cache_sync.sync.suspects import Suspect
from ddb_cache_sync.sync.verify_report import Drifted, VerifyReport

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Iterator, Sequence

    from ddb_cache_sync.core.projection import Projection
    from ddb_cache_sync.sync.sides import Sides
    from ddb_cache_sync.sync.suspects import SuspectStore
    from ddb_cache_sync.table.descriptions import TableDescription

_ITEMS_A_SEGMENT: Final = 25  # of a sample: many small pieces, since neighbours may drift together
_MOST_SAMPLE_SEGMENTS: Final = 100_000
_SLOT_GROUP: Final = 1024

OnProgress: TypeAlias = "Callable[[str, int, int], object]"
"""Told what is being done, how much of it more is done, and about how much there is (0: not known)."""


class Verification:
    """One run."""

    def __init__(self, sides: Sides, store: SuspectStore, on_progress: OnProgress) -> None:
        self._sides = sides
        self._known = sides.known
        self._store = store
        self._progress = on_progress
        self._counts: Counter[str] = Counter()
        self._lock = Lock()
        self._stop = Event()
        self._notes: list[str] = []

    def see_cache(self) -> None:
        """Note every key that could be an item's."""
        beginnings: dict[str, list[Projection]] = {}
        for projection in self._known.projections:
            beginning = self._known.beginning_of(projection)
            if not beginning:
                self._notes.append("orphans were not looked for where the key mapping does not say how its keys begin")
            elif projection.keeps_ttl_removals:
                self._notes.append(f"orphans were not looked for under {beginning}: expired items are kept there")
            else:
                beginnings.setdefault(beginning, []).append(projection)
        for beginning, projections in beginnings.items():
            for page in self._sides.cache.keys_beginning(beginning):
                keys = [key for key in page if any(self._known.can_be(each, key) for each in projections)]
                self._store.see(keys)
                self._progress("reading the cache", len(page), 0)
        self._counts["cached_keys"] = self._store.seen

    def compare(self, described: TableDescription, pieces: Sequence[tuple[int, int]]) -> None:
        """Compare every item of these segments (number, of how many) with the cache."""

        def piece(place: tuple[int, int]) -> None:
            for page in self._sides.pages(*place, consistent=False):
                self._compare_page(page.upserts)
                self._progress("reading the table", len(page.upserts), described.item_count)
                if self._stop.is_set():
                    return

        with ThreadPoolExecutor(len(pieces)) as pool:
            try:
                for done in [pool.submit(piece, each) for each in pieces]:
                    done.result()
            except BaseException:
                self._stop.set()  # or the others would read on to their ends first
                raise
        if any(projection.lookups for projection in self._known.projections):
            self._notes.append("lookup keys are not checked")

    def compare_sample(self, described: TableDescription, wanted: int, chance: random.Random) -> None:
        """Compare segments chosen at random until there are enough items."""
        segments = min(max(1, described.item_count // _ITEMS_A_SEGMENT), _MOST_SAMPLE_SEGMENTS)
        for number in chance.sample(range(segments), segments):
            self.compare(described, [(number, segments)])
            if self._counts["items"] >= wanted:
                break
        self._notes = [*dict.fromkeys(self._notes), "orphans are not looked for in a sample of the table"]

    def suspect_unexplained(self) -> None:
        """Suspect every key of the cache that no item has explained."""
        for page in self._store.unexplained():
            suspects = []
            for key in page:
                found = self._known.item_key(key)
                item = None if found is None else key_text(found[1])
                projection = (
                    found[0] if found else next(p for p in self._known.projections if self._known.can_be(p, key))
                )
                suspects.append(Suspect(key, item, self._known.projections.index(projection), Drift.ORPHANED))
            self._store.suspect(suspects)

    def look_again(self, looks: Sequence[float], sleep: Callable[[float], object]) -> None:
        """Look at each suspect again, at once and at these times."""
        begun = time.monotonic()
        self._look(last=False)
        for number, at in enumerate(looks, 1):
            if not self._store.count:
                return
            sleep(max(0.0, begun + at - time.monotonic()))
            self._look(last=number == len(looks))
        if self._store.any_without_item:
            # Their keys don't tell their items, so the whole table is read for one that has them.
            for page in self._sides.pages(0, 1, consistent=True):
                self._find_items(page.upserts)
            self._look(last=True)

    def report(self, most_listed: int, guard_ttl_seconds: float) -> VerifyReport:
        """What is left is drift."""
        places: Counter[str] = Counter()
        listed: list[Drifted] = []
        for page in self._store.suspects():
            self._counts.update(each.kind.value for each in page)
            places.update(self._place_of(each) for each in page)
            listed += self._described(page[: most_listed - len(listed)], guard_ttl_seconds)
        counts = self._counts
        return VerifyReport(
            self._known.table,
            items=counts["items"],
            keys=counts["keys"],
            cached_keys=counts["cached_keys"],
            missing=counts["missing"],
            stale=counts["stale"],
            orphaned=counts["orphaned"],
            in_flight=counts["in_flight"],
            left_out=counts["left_out"],
            failed=counts["failed"],
            drifts=tuple(listed),
            places=dict(places.most_common()),
            notes=tuple(dict.fromkeys(self._notes)),
        )

    def _compare_page(self, upserts: Sequence[Upsert]) -> None:
        now, counts = self._sides.clock(), Counter(items=len(upserts))
        expected: list[tuple[Upsert, Expected]] = []
        explained: list[str] = []
        for upsert in upserts:
            try:
                expected += [(upsert, each) for each in expected_of(self._sides.router, upsert, now)]
            except RecordError:
                counts["failed"] += 1
                explained += [key for key, _ in self._keys_of(upsert)]
        found = self._sides.values([each for _, each in expected])
        suspects = []
        for upsert, each in expected:
            counts["keys"] += each.write.value is not None
            counts["left_out"] += each.write.left_out
            if (kind := each.drift(found[each.key])) is not None:
                suspects.append(Suspect(each.key, key_text(upsert.key), self._index(each.projection), kind))
        self._store.explain([*explained, *(each.key for _, each in expected)])
        self._store.suspect(suspects)
        with self._lock:
            self._counts.update(counts)

    def _keys_of(self, upsert: Upsert) -> Iterator[tuple[str, Projection]]:
        """The cache keys that an item may have, whatever it holds."""
        for projection in self._known.projections:
            try:
                yield projection.cache_key(Remove(upsert.key, NO_VERSION)), projection
            except CacheSyncError:
                continue

    def _look(self, *, last: bool) -> None:
        """Look at every suspect once more; at the last look strike out what is in flight."""
        for page in self._store.suspects():
            cleared, kept = [], []
            for before, now in self._looked_at(page):
                if now is None:
                    cleared.append(before.key)
                elif last and now.state != before.state:
                    self._counts["in_flight"] += 1
                    cleared.append(before.key)
                else:
                    kept.append(now)
            self._store.clear(cleared)
            self._store.suspect(kept)
            self._progress("looking again", len(page), 0)

    def _looked_at(self, suspects: Sequence[Suspect]) -> Iterator[tuple[Suspect, Suspect | None]]:
        """Each suspect with what it is now; None: it is none any more."""
        with_item = [each for each in suspects if each.item is not None]
        read = self._sides.items([key_of_text(each.item or "") for each in with_item])
        items = {suspect.key: item for suspect, item in zip(with_item, read, strict=True)}
        now = self._sides.clock()
        expected: dict[str, Expected] = {}
        for suspect in suspects:
            projection = self._known.projections[suspect.projection]
            try:
                each = expected_at(self._sides.router, projection, suspect.key, items.get(suspect.key), now)
                expected[suspect.key] = each
            except RecordError:
                self._counts["failed"] += 1
        guards = dict(zip(expected, self._sides.guards([it.write.guard for it in expected.values()]), strict=True))
        values = self._sides.values([*expected.values()])
        for suspect in suspects:
            key = suspect.key
            kind = expected[key].drift(values[key]) if key in expected else None
            if kind is None:
                yield suspect, None
            else:
                state = state_of(items.get(key), guards[key], values[key])
                yield suspect, suspect._replace(kind=kind, guard=guards[key], state=state)

    def _find_items(self, upserts: Sequence[Upsert]) -> None:
        """Note the items of suspects whose cache keys did not tell them."""
        for upsert in upserts:
            keys = dict(self._keys_of(upsert))
            found = self._store.without_item([*keys])
            self._store.give_item([(key, key_text(upsert.key), self._index(keys[key])) for key in found])

    def _described(self, suspects: Sequence[Suspect], guard_ttl_seconds: float) -> Iterator[Drifted]:
        guards = [self._known.projections[each.projection].guard_key(each.key) for each in suspects]
        for suspect, changed_at in zip(suspects, self._sides.changed_at(guards, guard_ttl_seconds), strict=True):
            item = None if suspect.item is None else orjson.loads(suspect.item)
            yield Drifted(suspect.key, suspect.kind, item, suspect.guard, changed_at)

    def _index(self, projection: Projection) -> int:
        return next(place for place, each in enumerate(self._known.projections) if each is projection)

    def _place_of(self, suspect: Suspect) -> str:
        """What the keys of this projection begin with, and on a cluster a range of slots."""
        beginning = self._known.beginning_of(self._known.projections[suspect.projection]) or "(any key)"
        slot, _ = self._sides.cache.place_of(suspect.key)
        if slot is None:
            return beginning
        first = slot // _SLOT_GROUP * _SLOT_GROUP
        return f"{beginning} slots {first}-{first + _SLOT_GROUP - 1}"
