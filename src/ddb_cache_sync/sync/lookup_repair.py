"""Repairing lookup keys, by the rule by which they are kept: what one shows follows from each item's last word.

Rules (`core.lookups` and decision 0007 have those of lookup keys):

1. A lookup key is never written by itself. Each item that claims it in the table says so once more, and each that has a
   claim in the guard, and none in the table, releases it. So whatever word the stream brings meanwhile, of these items
   or of others, counts beside them.
2. A word has the greater version of two that were read before the item: that of the item's last word on the key, and
   that of its own guard, with a suffix that sorts just above it (`core.repairs`). So it replaces what was read, and
   every newer change of the item replaces it. Where there is neither, any change does. Where a repair stands for a
   change of the item, that counts as well; and a claim that is older is said once more though the key is right: what
   is stale releases the item's lookup keys, and should find newer claims there.
3. Where nobody has a word on the key, and no item claims it, the key is nobody's: a release takes it away. Nobody can
   know that by the key alone, so it takes the item that the key leads to, or a verification of the whole table. An item
   that is named, and does not claim it, says nothing of who does.
4. Claims are said before releases, so that a key which stays is never missing in between.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from ddb_cache_sync.core.changes import ItemKey
from ddb_cache_sync.core.comparison import Drift
from ddb_cache_sync.core.expectations import NO_VERSION
from ddb_cache_sync.core.outcomes import APPLIED, STALE
from ddb_cache_sync.core.repairs import repaired
from ddb_cache_sync.core.versions import Version
from ddb_cache_sync.core.writes import Write
from ddb_cache_sync.sync.lookup_sights import Asked, LookupSight, lookup_sights, own_keys
from ddb_cache_sync.sync.repair_report import RepairAction, Repaired, RepairTarget
from ddb_cache_sync.sync.sides import PATIENCE_SECONDS, is_version

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from ddb_cache_sync.core.lookup_checks import Claim
    from ddb_cache_sync.core.projection import Projection
    from ddb_cache_sync.errors import CacheError
    from ddb_cache_sync.sync.sides import Sides

MOST_SECONDS: Final = 60.0
"""From reading a guard to writing: else a guard could have come and gone."""


class LookupRepairs:
    """Repairs lookup keys.

    Args:
        sides: The table and the cache.
        monotonic: Seconds since any moment.
        apply: Whether to write.
    """

    def __init__(self, sides: Sides, monotonic: Callable[[], float], *, apply: bool) -> None:
        self._sides = sides
        self._monotonic = monotonic
        self._apply = apply

    def attempt(self, targets: Sequence[tuple[Sequence[RepairTarget], Projection]]) -> Iterator[Repaired]:
        """Repair each, once; those that moved are to be attempted again.

        Args:
            targets: All that name the same key, and a projection that has such lookup keys; for each key.
        """
        started = self._monotonic()
        asked = [
            Asked(named[0].key, projection, [each.item for each in named if each.item is not None])
            for named, projection in targets
        ]
        for (named, _), sight in zip(targets, lookup_sights(self._sides, asked), strict=True):
            key, drift, changes = sight.asked.key, sight.drift, self._changes(named)
            reason = _why_not(sight, named)
            if sight.fault is None and drift is None and not any(_outdated(sight, changes)):
                yield Repaired(key, RepairAction.AGREES)
            elif reason is not None:
                yield Repaired(key, RepairAction.REFUSED, drift, reason=reason)
            elif self._apply and self._monotonic() - started > MOST_SECONDS:
                yield Repaired(key, RepairAction.MOVED, drift)
            else:
                yield self._said(sight, drift, changes)

    def _changes(self, named: Sequence[RepairTarget]) -> dict[str, Version]:
        """The changes for which the repair stands, by the own cache keys of their items."""
        changes: dict[str, Version] = {}
        for each in named:
            if each.item is not None and each.change is not None:
                for owner, _ in own_keys(self._sides, ItemKey(self._sides.known.table, each.item)):
                    changes[owner] = max(each.change, changes.get(owner, NO_VERSION))
        return changes

    def _said(self, sight: LookupSight, drift: Drift | None, changes: Mapping[str, Version]) -> Repaired:
        words = [*_words(sight, changes)]
        results: Sequence[object] = [APPLIED] * len(words)
        if self._apply:
            results = self._sides.cache.apply(words, time.monotonic() + PATIENCE_SECONDS)
        key, told = sight.asked.key, words[0].owner or ""
        before = sight.words[told].version if told in sight.words else ""
        refused = [each for each in results if each is not APPLIED and each is not STALE]
        if refused:
            error: CacheError = refused[0]  # type: ignore[assignment]
            return Repaired(key, RepairAction.REFUSED, drift, before, reason=error.problem)
        if STALE in results:
            return Repaired(key, RepairAction.MOVED, drift, before)
        written = RepairAction.WRITTEN if words[0].value is not None else RepairAction.DELETED
        action = RepairAction.AGREES if drift is None else written
        return Repaired(key, action, drift, before, words[0].version, self._apply and drift is not None)


def _outdated(sight: LookupSight, changes: Mapping[str, Version]) -> Iterator[Claim]:
    """The claims that items said before these changes, or before what their guards hold: to be said once more."""
    for claim in sight.claims:
        owner = claim.word.owner or ""
        said = sight.words[owner].version if owner in sight.words else ""
        if not claim.expired and owner in changes and said < max(sight.guards.get(owner, ""), changes[owner]):
            yield claim


def _words(sight: LookupSight, changes: Mapping[str, Version]) -> Iterator[Write]:
    """What the items have to say (rules 1 to 4); at least one word."""
    key = sight.asked.key
    guard = sight.asked.projection.guard_key(key)
    claimed = set()
    for claim in sight.claims if sight.drift is not None else _outdated(sight, changes):
        owner = claim.word.owner or ""
        claimed.add(owner)
        if not claim.expired:
            yield claim.word._replace(version=_version(sight, owner, changes))
    if sight.drift is None:
        return
    releases = [owner for owner, word in sight.words.items() if word.claims and owner not in claimed]
    if not releases and all(claim.expired for claim in sight.claims):
        # Nobody's: any name does, and that of the key itself is no item's.
        releases = [*sight.guards][:1] or [key]
    for owner in releases:
        yield Write(key, guard, _version(sight, owner, changes), None, owner=owner)


def _version(sight: LookupSight, owner: str, changes: Mapping[str, Version]) -> Version:
    """The version with which an item speaks (rule 2)."""
    said = sight.words[owner].version if owner in sight.words else ""
    known = max(said, sight.guards.get(owner, ""), changes.get(owner, ""))
    return Version(repaired(known)) or NO_VERSION


def _why_not(sight: LookupSight, named: Sequence[RepairTarget]) -> str | None:
    """Why it can't be repaired; None: it can."""
    if sight.fault is not None:
        return sight.fault
    versions = [*sight.guards.values(), *(word.version for word in sight.words.values())]
    if any(version and not is_version(version) for version in versions):
        return "a guard of an item that it has to do with is no version"
    if sight.drift is None:
        return None  # there are but claims to be said
    if sight.strangers:
        return "an item that claims it can't be told from its cache key"
    known = sight.leads or sight.words or not all(claim.expired for claim in sight.claims)
    if not known and all(each.kind is not Drift.ORPHANED for each in named):
        return "the lookup key does not tell its item: give the report of verify, which names it"
    return None
