"""Verification that never ends: a sample now and then, and how long a drift that was found has been there.

Rules:

1. What a sample finds is remembered in the cache, under a key that begins with the guard prefix and is no guard: cache
   key, primary key, kind, guard, and when it was found first. No contents.
2. The next run looks at what is remembered, whatever its own sample is. It forgets what agrees by now, and what has a
   newer guard: a change was applied since, so that drift has ended, and another one is for a sample to find.
3. So the age of a drift is the time since it was found first, by runs that have found it at each look since. It began
   some time before: nobody saw that.
4. What is remembered plays no part in the shares of a sample, which is chosen at random.
"""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import orjson

from ddb_cache_sync.cache.inspecting import inspectable_cache_of
from ddb_cache_sync.core.attribute_values import Image
from ddb_cache_sync.core.layouts import projections_of
from ddb_cache_sync.errors import CacheError, CacheUnavailable
from ddb_cache_sync.sync.repair import repair
from ddb_cache_sync.sync.repair_report import Repaired, RepairTarget
from ddb_cache_sync.sync.sides import PATIENCE_SECONDS
from ddb_cache_sync.sync.verify import VerifyOptions, verify

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Mapping

    from mypy_boto3_dynamodb import DynamoDBClient

    from ddb_cache_sync.cache.contract import InspectableCache
    from ddb_cache_sync.cache.filling import Readable
    from ddb_cache_sync.core.projection import Router
    from ddb_cache_sync.sync.verify_report import Drifted, VerifyReport

MOST_REMEMBERED: Final = 200
"""Of the drifts that are known, the oldest: more of them say no more."""
_REMEMBERED_SECONDS: Final = 30 * 86_400
_LOG: Final = logging.getLogger("ddb_cache_sync")


class KnownDrift(NamedTuple):
    """A drift that is remembered."""

    key: str
    """The cache key."""
    item: Mapping[str, Any] | None
    """The item's primary key in DynamoDB JSON; None: the cache key tells it."""
    guard: str
    """What the guard held; empty: there was none, or it is a lookup key."""
    since: float
    """When it was found first, epoch seconds."""


@dataclass(frozen=True, slots=True)
class SampleReport:
    """What a sample found, and what is known from earlier ones."""

    verified: VerifyReport
    """The sample."""
    known: tuple[KnownDrift, ...] | None
    """Every drift that is known and there, the oldest first, at most two hundred; None: the cache does not let us
    remember any."""
    oldest_seconds: float | None
    """How long ago the oldest of them was found first; 0: there is none; None: not known."""


def verify_sample(
    cache: Readable,
    router: Router,
    client: DynamoDBClient,
    table: str,
    options: VerifyOptions,
    *,
    clock: Callable[[], float] = time.time,
    sleep: Callable[[float], object] = time.sleep,
    chance: random.Random | None = None,
) -> SampleReport:
    """Compare a sample of a table with its cache, and look at what earlier ones found.

    Arguments and errors are those of `verify`.
    """
    inspectable = inspectable_cache_of(cache)
    memory = _Memory(inspectable, f"{projections_of(router, table)[0].guard_prefix}~drift:{{{table}}}")
    before = memory.recalled()
    remembered = {each.key: each for each in before}
    targets = [RepairTarget(each.key, None if each.item is None else Image(each.item)) for each in remembered.values()]
    looked_at = repair(inspectable, router, client, table, targets, clock=clock)
    there = [remembered[each.key] for each in looked_at if _still_there(remembered[each.key], each)]
    report = verify(inspectable, router, client, table, options, clock=clock, sleep=sleep, chance=chance)
    found = {each.key: each for each in map(_known, report.drifts, [report.started_at] * len(report.drifts))}
    known = sorted((found | {each.key: each for each in there}).values(), key=lambda each: (each.since, each.key))
    if (known or before) and not memory.keep(known[:MOST_REMEMBERED]):
        return SampleReport(report, None, None)
    oldest = max(0.0, clock() - known[0].since) if known else 0.0
    return SampleReport(report, tuple(known[:MOST_REMEMBERED]), oldest)


def _known(drifted: Drifted, since: float) -> KnownDrift:
    return KnownDrift(drifted.key, drifted.item, "" if drifted.lookup else drifted.guard, since)


def _still_there(before: KnownDrift, now: Repaired) -> bool:
    """Whether it is the same drift still (rule 2): what a repair would put right, under the same guard or none."""
    moved = before.guard and now.guard_before and now.guard_before != before.guard
    return now.drift is not None and not moved


class _Memory:
    """What is remembered of one table."""

    def __init__(self, cache: InspectableCache, key: str) -> None:
        self._cache = cache
        self._key = key

    def recalled(self) -> list[KnownDrift]:
        """What was kept; nothing, where it can't be read as such."""
        [held] = self._cache.read([self._key], "string", time.monotonic() + PATIENCE_SECONDS)
        try:
            return [KnownDrift(**each) for each in orjson.loads(held)] if isinstance(held, bytes) else []
        except (ValueError, TypeError):
            return []

    def keep(self, known: list[KnownDrift]) -> bool:
        """Keep these; False: the cache does not let us."""
        text = orjson.dumps([each._asdict() for each in known])
        try:
            self._cache.remember(self._key, text, _REMEMBERED_SECONDS, time.monotonic() + PATIENCE_SECONDS)
        except CacheUnavailable:
            raise
        except CacheError as error:
            _LOG.warning("drift can't be remembered: %s", error.problem)
            return False
        return True
