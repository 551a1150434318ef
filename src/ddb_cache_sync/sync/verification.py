"""One run of a verification, step by step; `verify` says the rules."""

from __future__ import annotations

import contextlib
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from threading import Event, Lock
from typing import TYPE_CHECKING, Any, Final

import orjson

from ddb_cache_sync.core.comparison import Drift
from ddb_cache_sync.core.expectations import Expected, expected_of
from ddb_cache_sync.core.lookup_checks import Claim, claims_beside, claims_of, lookup_drift
from ddb_cache_sync.errors import RecordError
from ddb_cache_sync.sync.looking import Looking
from ddb_cache_sync.sync.lookup_sights import own_keys
from ddb_cache_sync.sync.sides import key_text, shown_guard
from ddb_cache_sync.sync.suspects import Suspect
from ddb_cache_sync.sync.verify_report import Drifted, VerifyReport

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from ddb_cache_sync.core.changes import Upsert
    from ddb_cache_sync.core.projection import Projection
    from ddb_cache_sync.sync.orphans import Orphans
    from ddb_cache_sync.sync.sides import OnLooks, OnProgress, Sides
    from ddb_cache_sync.sync.suspects import SuspectStore
    from ddb_cache_sync.table.descriptions import TableDescription

_ITEMS_A_SEGMENT: Final = 25  # of a sample: many small pieces, since neighbours may drift together
_MOST_SAMPLE_SEGMENTS: Final = 100_000
_SLOT_GROUP: Final = 1024


class Verification:
    """One run."""

    def __init__(self, sides: Sides, store: SuspectStore, on_progress: OnProgress) -> None:
        self._sides = sides
        self._known = sides.known
        self._store = store
        self._progress = on_progress
        self._looking = Looking(sides)
        self._counts: Counter[str] = Counter()
        self._lock = Lock()
        self._stop = Event()

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

    def compare_some(
        self,
        described: TableDescription,
        piece: tuple[int, int],
        start_key: Mapping[str, Any] | None,
        is_enough: Callable[[], bool],
    ) -> Mapping[str, Any] | None:
        """Compare items of one segment (number, of how many), until it ends or it is enough.

        Args:
            described: The table.
            piece: The segment.
            start_key: What this gave the last time; None begins at the beginning.
            is_enough: Asked after each page.

        Returns:
            Where to go on: the primary key read last, in DynamoDB JSON. None: the segment has ended.
        """
        for page in self._sides.pages(*piece, consistent=False, start_key=start_key):
            self._compare_page(page.upserts)
            self._progress("reading the table", len(page.upserts), described.item_count)
            if page.last_key is not None and is_enough():
                return page.last_key
        return None

    @property
    def suspects(self) -> int:
        """How many keys are to be looked at again."""
        return self._store.count

    def compare_sample(self, described: TableDescription, wanted: int, chance: random.Random) -> None:
        """Compare segments chosen at random until there are enough items."""
        segments = min(max(1, described.item_count // _ITEMS_A_SEGMENT), _MOST_SAMPLE_SEGMENTS)
        for number in chance.sample(range(segments), segments):
            self.compare(described, [(number, segments)])
            if self._counts["items"] >= wanted:
                break

    def look_again(
        self, looks: Sequence[float], sleep: Callable[[float], object], on_looks: OnLooks = lambda *_: None
    ) -> None:
        """Look at each suspect again, at once and at these times."""
        begun = time.monotonic()
        self._look(last=False)
        if self._store.count:
            on_looks(self._store.count, looks[-1])
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

    def report(self, most_listed: int, guard_ttl_seconds: float, orphans: Orphans | None = None) -> VerifyReport:
        """What is left is drift."""
        places: Counter[str] = Counter()
        listed: list[Drifted] = []
        for page in self._store.suspects():
            self._counts.update(f"lookups_{each.kind.value}" if each.lookup else each.kind.value for each in page)
            self._counts["unexplained"] += sum(each.cached and each.kind is Drift.ORPHANED for each in page)
            places.update(self._place_of(each) for each in page)
            listed += self._described(page[: most_listed - len(listed)], guard_ttl_seconds)
        counts = self._counts
        return VerifyReport(
            self._known.table,
            items=counts["items"],
            keys=counts["keys"],
            lookup_keys=counts["lookup_keys"],
            cached_keys=0 if orphans is None else orphans.seen,
            missing=counts["missing"],
            stale=counts["stale"],
            orphaned=counts["orphaned"],
            lookups_missing=counts["lookups_missing"],
            lookups_stale=counts["lookups_stale"],
            lookups_orphaned=counts["lookups_orphaned"],
            unexplained=counts["unexplained"],
            in_flight=counts["in_flight"],
            left_out=counts["left_out"],
            failed=counts["failed"] + self._looking.failed,
            drifts=tuple(listed),
            places=dict(places.most_common()),
            notes=() if orphans is None else tuple(dict.fromkeys(orphans.notes)),
        )

    def _compare_page(self, upserts: Sequence[Upsert]) -> None:
        now, counts = self._sides.clock(), Counter(items=len(upserts))
        expected: list[tuple[Upsert, Expected]] = []
        claims: list[tuple[Upsert, Claim]] = []
        explained: list[str] = []
        for upsert in upserts:
            try:
                theirs = [*expected_of(self._sides.router, upsert, now)]
                claims += [(upsert, claim) for each in theirs for claim in claims_beside(each, upsert)]
                expected += [(upsert, each) for each in theirs]
            except RecordError:
                counts["failed"] += 1
                explained += [key for key, _ in own_keys(self._sides, upsert.key)]
        found = self._sides.values([each for _, each in expected])
        shown = self._sides.strings([claim.key for _, claim in claims])
        said = self._sides.words([claim.word.guard for _, claim in claims])
        suspects = []
        for upsert, each in expected:
            counts["keys"] += each.write.value is not None
            counts["left_out"] += each.write.left_out
            if (kind := each.drift(found[each.key])) is not None:
                suspects.append(Suspect(each.key, key_text(upsert.key), self._index(each.projection), kind))
        for (upsert, claim), words in zip(claims, said, strict=True):
            counts["lookup_keys"] += claim.binding
            others = any(owner != claim.word.owner and word.claims_at(now) for owner, word in words.items())
            kind = lookup_drift([claim], shown[claim.key]) or (Drift.STALE if others else None)
            if kind is not None:
                place = self._index(claim.projection)
                suspects.append(Suspect(claim.key, key_text(upsert.key), place, kind, lookup=True))
        self._store.explain([*explained, *(each.key for _, each in expected), *(claim.key for _, claim in claims)])
        self._store.suspect(suspects)
        with self._lock:
            self._counts.update(counts)

    def _look(self, *, last: bool) -> None:
        """Look at every suspect once more; at the last look strike out what is in flight."""
        for page in self._store.suspects():
            cleared, kept = [], []
            for before, now in self._looking.at(page):
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

    def _find_items(self, upserts: Sequence[Upsert]) -> None:
        """Note the items of suspects whose cache keys did not tell them."""
        for upsert in upserts:
            keys = dict(own_keys(self._sides, upsert.key))
            with contextlib.suppress(RecordError):
                claims = claims_of(self._sides.router, upsert, self._sides.clock())
                keys |= {each.key: each.projection for each in claims}
            found = self._store.without_item([*keys])
            self._store.give_item([(key, key_text(upsert.key), self._index(keys[key])) for key in found])

    def _described(self, suspects: Sequence[Suspect], guard_ttl_seconds: float) -> Iterator[Drifted]:
        guards = [self._known.projections[each.projection].guard_key(each.key) for each in suspects]
        for suspect, changed_at in zip(suspects, self._sides.changed_at(guards, guard_ttl_seconds), strict=True):
            item = None if suspect.item is None else orjson.loads(suspect.item)
            lookup = suspect.lookup
            yield Drifted(
                suspect.key, suspect.kind, item, shown_guard(suspect.guard), None if lookup else changed_at, lookup
            )

    def _index(self, projection: Projection) -> int:
        return next(place for place, each in enumerate(self._known.projections) if each is projection)

    def _place_of(self, suspect: Suspect) -> str:
        """What the keys of this projection begin with, and on a cluster a range of slots."""
        projection = self._known.projections[suspect.projection]
        beginning = self._known.beginning_of(projection)
        if suspect.lookup:
            beginning = next(
                each.beginning_for(self._known.table)
                for each in projection.lookups
                if each.form_for(self._known.table).fullmatch(suspect.key)
            )
        beginning = beginning or "(any key)"
        slot, _ = self._sides.cache.place_of(suspect.key)
        if slot is None:
            return beginning
        first = slot // _SLOT_GROUP * _SLOT_GROUP
        return f"{beginning} slots {first}-{first + _SLOT_GROUP - 1}"
