"""Repair: brings single cache keys to what the table holds, while the stream goes on.

Rules:

1. The guard is read first, then the item, consistently, then the key is written, and only where the guard has not moved
   (`core.repairs` says why nothing stale can be left). Where it has, all three are done anew, a few times.
2. A key that agrees with its item already is left alone, guard and all. So a repair can be done again.
3. From reading the guard to writing passes no more than a minute: else a guard could have come and gone.
4. In the modes `invalidate` and `refresh` a key that may be missing is not filled; a stale one is put right.
5. Where a repair stands for a change, its guard is left above that change's version, also if the key agrees: else that
   change or an older one, which comes late, would find an older guard, and win for good.
6. What is kept after time to live removed its item is nowhere else: where the table has no such item, such a key is
   left alone, value and guard.
7. Lookup keys have rules of their own: `lookup_repair`. An item whose guard is moved says its claims first, with the
   version that the guard is left with: whatever is stale from then on releases them, with a version below that.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final, NamedTuple

from ddb_cache_sync.cache.inspecting import inspectable_cache_of
from ddb_cache_sync.core.changes import ItemKey, Remove, Upsert
from ddb_cache_sync.core.expectations import NO_VERSION, Expected, Known, expected_at
from ddb_cache_sync.core.guards import DEFAULT_GUARD_TTL_SECONDS
from ddb_cache_sync.core.lookup_checks import claims_beside
from ddb_cache_sync.core.outcomes import APPLIED
from ddb_cache_sync.core.projection import routed
from ddb_cache_sync.core.repairs import Repair, repaired
from ddb_cache_sync.core.versions import Version
from ddb_cache_sync.errors import CacheError, CacheSyncError, RecordError
from ddb_cache_sync.sync.lookup_repair import MOST_SECONDS, LookupRepairs
from ddb_cache_sync.sync.repair_report import RepairAction, Repaired, RepairTarget
from ddb_cache_sync.sync.sides import PATIENCE_SECONDS, Sides, is_version, shown_guard

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from mypy_boto3_dynamodb import DynamoDBClient

    from ddb_cache_sync.cache.contract import WriteResult
    from ddb_cache_sync.cache.filling import Readable
    from ddb_cache_sync.core.attribute_values import Image
    from ddb_cache_sync.core.comparison import Drift
    from ddb_cache_sync.core.projection import Projection, Router
    from ddb_cache_sync.core.writes import Write

_PAGE: Final = 100  # as many as one BatchGetItem takes
_ATTEMPTS: Final = 5
_UNTOLD: Final = "the table can't tell what was kept of an item that it does not have any more"


class _Planned(NamedTuple):
    target: RepairTarget
    projection: Projection
    item_key: Image


class _Wanted(NamedTuple):
    repair: Repair
    drift: Drift | None
    words: Sequence[Write]
    """What the item has to say of its lookup keys (rule 7)."""


def repair(
    cache: Readable,
    router: Router,
    client: DynamoDBClient,
    table: str,
    targets: Iterable[RepairTarget],
    *,
    apply: bool = False,
    guard_ttl_seconds: int = DEFAULT_GUARD_TTL_SECONDS,
    clock: Callable[[], float] = time.time,
    monotonic: Callable[[], float] = time.monotonic,
) -> Iterator[Repaired]:
    """Repair cache keys, in order; gives what became of each as it goes.

    Args:
        cache: What `connect` returns, or anything that keeps the contract of `InspectableCache`.
        router: How items become cache keys and values, as the replicator has it.
        client: boto3's client of DynamoDB.
        table: The table's name.
        targets: The keys. Several may name the same one: a lookup key, each with another item.
        apply: Whether to write; else it is only told what would be done.
        guard_ttl_seconds: The replicator's.
        clock: Epoch seconds; for the expiry.
        monotonic: Seconds since any moment.

    Raises:
        ConfigurationError: A configuration that can't be right for this table.
        TableError: The table can't be read.
        CacheUnavailable: The cache can't be reached; repair again.
        CacheError: The cache refuses us.
    """
    from ddb_cache_sync.table.descriptions import table_description  # noqa: PLC0415 - loads boto3

    described = table_description(client, table)
    known = Known.of(router, table, described.key_names, described.key_types)
    sides = Sides(inspectable_cache_of(cache, guard_ttl_seconds), router, client, known, clock)
    yield from Repairs(sides, monotonic, apply=apply).run(targets)


class Repairs:
    """Repairs cache keys of one table.

    Args:
        sides: The table and its cache.
        monotonic: Seconds since any moment.
        apply: Whether to write; else it is only told what would be done.
    """

    def __init__(self, sides: Sides, monotonic: Callable[[], float] = time.monotonic, *, apply: bool) -> None:
        self._sides = sides
        self._monotonic = monotonic
        self._apply = apply
        self._lookups = LookupRepairs(sides, monotonic, apply=apply)

    def run(self, targets: Iterable[RepairTarget]) -> Iterator[Repaired]:
        """See `repair`; gives one for each key, or for each hundred that name it."""
        page: dict[str, list[RepairTarget]] = {}
        waiting = 0
        for target in targets:
            # Those of one key stay together: a lookup key is looked at with all its items, up to a page of them.
            if waiting >= _PAGE and len(page.get(target.key, ())) % _PAGE == 0:
                yield from self._page(page)
                page, waiting = {}, 0
            page.setdefault(target.key, []).append(target)
            waiting += 1
        yield from self._page(page)

    def targets_of(self, items: Sequence[tuple[Image, Sequence[Image]]]) -> Iterator[RepairTarget | RecordError]:
        """Every cache key that items may ever have, and every lookup key that they have, or had in these images.

        Args:
            items: The primary key of each, and images of it that tell lookup keys, beside the table's. They may be
                anything: what they name is only looked at.

        Returns:
            The targets, and an error in the place of those of an item that goes nowhere, or whose primary key can't be
            written as a cache key.

        Raises:
            TableError: The table can't be read.
            ConfigurationError: The configuration can't be right for them.
        """
        for start in range(0, len(items), _PAGE):
            yield from self._targets_of(items[start : start + _PAGE])

    def _targets_of(self, items: Sequence[tuple[Image, Sequence[Image]]]) -> Iterator[RepairTarget | RecordError]:
        """See `targets_of`; of so many items as may be held at once."""
        known = self._sides.known
        names = any(projection.lookups for projection in known.projections)
        found = self._sides.items([item for item, _ in items]) if names else [None] * len(items)
        for (item, images), now in zip(items, found, strict=True):
            removal = Remove(ItemKey(known.table, item), NO_VERSION)
            try:
                projections = [projection for projection, _ in routed(self._sides.router, removal)]
                keys = [projection.cache_key(removal) for projection in projections]
            except RecordError as error:
                yield error
                continue
            lookups = [lookup for projection in projections for lookup in projection.lookups]
            shown = [*images, *([] if now is None else [now.item])]
            named = [lookup.of(known.table, image) for image in shown for lookup in lookups]
            for key in dict.fromkeys([*keys, *named]):
                if key is not None:
                    yield RepairTarget(key, item)

    def _page(self, targets: Mapping[str, Sequence[RepairTarget]]) -> Iterator[Repaired]:
        """Repair so many keys, of each of which all that name it are given."""
        done: dict[str, Repaired] = {}
        waiting: list[_Planned] = []
        lookups: list[tuple[Sequence[RepairTarget], Projection]] = []
        for key, named in targets.items():
            planned = next(filter(None, map(self._planned, named)), None)
            if planned is None and (lookup := self._sides.known.lookup_of(key)) is not None:
                lookups.append((named, lookup))
            elif planned is None:
                reason = "the cache key does not tell its item: give the report of verify, which names it"
                done[key] = Repaired(key, RepairAction.REFUSED, reason=reason)
            else:
                change = max((each.change for each in named if each.change is not None), default=None)
                waiting.append(planned._replace(target=planned.target._replace(change=change)))
        for _ in range(_ATTEMPTS):
            # Lookup keys first, so that what is told of them is not what their items' own repairs have made of them.
            done |= {each.key: each for each in self._lookups.attempt(lookups)}
            done |= {each.key: each for each in self._attempt(waiting)}
            waiting = [each for each in waiting if done[each.target.key].action is RepairAction.MOVED]
            lookups = [each for each in lookups if done[each[0][0].key].action is RepairAction.MOVED]
            if not waiting and not lookups:
                break
        for key in targets:
            yield done[key]

    def _planned(self, target: RepairTarget) -> _Planned | None:
        """Where a key belongs; None: it can't be told."""
        if target.item is None:
            found = self._sides.known.item_key(target.key)
            return None if found is None else _Planned(target, found[0], found[1].attributes)
        removal = Remove(ItemKey(self._sides.known.table, target.item), NO_VERSION)
        for projection in self._sides.known.projections:
            try:
                if projection.cache_key(removal) == target.key:
                    return _Planned(target, projection, target.item)
            except CacheSyncError:
                continue
        return None

    def _attempt(self, planned: Sequence[_Planned]) -> Iterator[Repaired]:
        """Guards, items, values, then the writes."""
        sides, started = self._sides, self._monotonic()
        guard_keys = [each.projection.guard_key(each.target.key) for each in planned]
        guards = sides.guards(guard_keys)
        items = sides.items([each.item_key for each in planned])
        expected: list[tuple[Expected, str, Version | None, list[Write]]] = []
        for each, guard, item in zip(planned, guards, items, strict=True):
            try:
                right = self._expected(each, item)
                expected.append((right, guard, each.target.change, _claims(right, item)))
            except RecordError as error:
                yield Repaired(each.target.key, RepairAction.REFUSED, guard_before=guard, reason=error.problem)
        values = sides.values([right for right, _, _, _ in expected])
        wanted: list[_Wanted] = []
        for right, guard, change, claims in expected:
            drift = right.drift(values[right.key])
            leaves = Version(repaired(change)) if change is not None and change > guard else None
            if right.untold:
                yield Repaired(right.key, RepairAction.REFUSED, guard_before=guard, reason=_UNTOLD)
            elif drift is None and leaves is None:
                yield Repaired(right.key, RepairAction.AGREES, None, guard, guard)
            elif guard and not is_version(guard):
                yield Repaired(
                    right.key,
                    RepairAction.REFUSED,
                    drift,
                    guard_before=shown_guard(guard),
                    reason=f"its guard is no version: delete {right.write.guard!r}, then repair again",
                )
            else:
                # What may be missing stays so (rule 4).
                write = right.write._replace(only_cached=True) if drift is None else right.write
                needed = Repair(write, guard, leaves)
                left = Version(needed.left)
                wanted.append(_Wanted(needed, drift, [word._replace(version=left) for word in claims if left]))
        if self._apply and self._monotonic() - started > MOST_SECONDS:
            yield from (Repaired(each.key, RepairAction.MOVED, drift, each.found) for each, drift, _ in wanted)
            return
        yield from self._written(wanted)

    def _expected(self, planned: _Planned, item: Upsert | None) -> Expected:
        return expected_at(self._sides.router, planned.projection, planned.target.key, item, self._sides.clock())

    def _written(self, wanted: Sequence[_Wanted]) -> Iterator[Repaired]:
        results: Sequence[object] = [APPLIED] * len(wanted)
        if self._apply:
            deadline = time.monotonic() + PATIENCE_SECONDS
            refused = self._refused(wanted, deadline)
            said = [each for each in wanted if each.repair.key not in refused]
            done = self._sides.cache.repair([each.repair for each in said], deadline)
            became = refused | {each.repair.key: result for each, result in zip(said, done, strict=True)}
            results = [became[each.repair.key] for each in wanted]
        for (each, drift, _), result in zip(wanted, results, strict=True):
            if isinstance(result, CacheError):
                yield Repaired(each.key, RepairAction.REFUSED, drift, each.found, reason=result.problem)
            elif result is APPLIED:
                written = RepairAction.DELETED if each.write.value is None else RepairAction.WRITTEN
                action = RepairAction.AGREES if drift is None else written
                yield Repaired(each.key, action, drift, each.found, each.left, self._apply and drift is not None)
            else:
                yield Repaired(each.key, RepairAction.MOVED, drift, each.found)

    def _refused(self, wanted: Sequence[_Wanted], deadline: float) -> dict[str, WriteResult]:
        """Let items say their words; gives what is in the way of it, by their own keys."""
        words = [word for each in wanted for word in each.words]
        said = self._sides.cache.apply(words, deadline)
        return {
            word.owner or "": result for word, result in zip(words, said, strict=True) if isinstance(result, CacheError)
        }


def _claims(own: Expected, item: Upsert | None) -> list[Write]:
    """What an item claims, given what its own key should hold.

    Raises:
        RecordError: It can't be said.
    """
    return [] if item is None else [claim.word for claim in claims_beside(own, item) if not claim.expired]
