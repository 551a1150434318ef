"""Verify: whether the cache holds what the table holds, while the stream goes on.

Rules:

1. The cache is read first, for its keys, and the table after it. So a key that no item explains lost its item before
   the table was read, or is about to go.
2. Whatever differs is a suspect, and is looked at again, several times: its item read consistently, then guard and
   value. It counts as drift only if it differs at the last look, and neither item nor guard nor value has moved since
   the look before. What has moved is in flight.
3. So a stream that lags longer than the last two looks are apart looks like drift. Choose the looks to fit the lag.
4. Memory stays the same: keys seen and suspects are on disk. Digests would be smaller, but a key that is left over has
   to be looked at again and named; and to read each key back into its item would read the table twice.
"""

from __future__ import annotations

import random
import time
from dataclasses import dataclass, replace
from math import ceil
from typing import TYPE_CHECKING, Final

from ddb_cache_sync.cache.inspecting import inspectable_cache_of
from ddb_cache_sync.core.expectations import Known
from ddb_cache_sync.core.guards import DEFAULT_GUARD_TTL_SECONDS
from ddb_cache_sync.core.verify_settings import DEFAULT_LOOKS, check_looks, check_sample
from ddb_cache_sync.core.versions import is_of_later_stream
from ddb_cache_sync.errors import ConfigurationError
from ddb_cache_sync.sync.orphans import Orphans
from ddb_cache_sync.sync.sides import Sides
from ddb_cache_sync.sync.suspects import SuspectStore
from ddb_cache_sync.sync.verification import Verification

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from mypy_boto3_dynamodb import DynamoDBClient

    from ddb_cache_sync.cache.filling import Readable
    from ddb_cache_sync.core.projection import Router
    from ddb_cache_sync.sync.sides import OnLooks, OnProgress
    from ddb_cache_sync.sync.verify_report import VerifyReport

DEFAULT_MOST_LISTED: Final = 10_000
_MOST_SEGMENTS: Final = 64  # each is read by a thread of its own


@dataclass(frozen=True, slots=True)
class VerifyOptions:
    """How a verification is done.

    Raises:
        ConfigurationError: An option that can't be right.
    """

    sample: int | None = None
    """Read about so many items only, of segments chosen at random, and as many keys of the cache. None: all."""
    looks: Sequence[float] = DEFAULT_LOOKS
    """When suspects are looked at again, seconds after the table was read, in rising order."""
    orphans: bool = True
    """Whether to read the cache for keys that no item explains."""
    read_capacity: float | None = None
    """The most read capacity units a second. None: at full speed."""
    segments: int = 4
    """In how many pieces the table is read, and how many of them at the same time."""
    guard_ttl_seconds: float = DEFAULT_GUARD_TTL_SECONDS
    """The replicator's, to tell when a key was last changed."""
    most_listed: int = DEFAULT_MOST_LISTED
    """How many of the keys that drifted the report names."""
    stream_label_ms: int | None = None
    """The replicator's creation time in place of that of the table's stream, epoch milliseconds; None: the stream's."""
    sample_share: float | None = None
    """Read about this share of the items, 0 to 1, in the place of a number. None: the number decides."""

    def __post_init__(self) -> None:
        """Check the ranges."""
        check_looks(self.looks)
        check_sample(self.sample, self.sample_share)
        if not 1 <= self.segments <= _MOST_SEGMENTS:
            raise ConfigurationError(f"{self.segments} segments", hint=f"Take 1 to {_MOST_SEGMENTS}.")
        if self.most_listed < 0:
            raise ConfigurationError("a list of less than no keys")

    def wanted(self, item_count: int) -> int | None:
        """About how many items of so many a sample has; None: it is no sample."""
        return self.sample if self.sample_share is None else max(1, ceil(self.sample_share * item_count))


def verify(
    cache: Readable,
    router: Router,
    client: DynamoDBClient,
    table: str,
    options: VerifyOptions | None = None,
    *,
    on_progress: OnProgress = lambda *_: None,
    on_looks: OnLooks = lambda *_: None,
    clock: Callable[[], float] = time.time,
    sleep: Callable[[float], object] = time.sleep,
    chance: random.Random | None = None,
) -> VerifyReport:
    """Compare a table with its cache, both ways.

    Args:
        cache: What `connect` returns, or anything that keeps the contract of `InspectableCache`.
        router: How items become cache keys and values, as the replicator has it.
        client: boto3's client of DynamoDB.
        table: The table's name.
        options: How it is done.
        on_progress: Told of the progress, from several threads.
        on_looks: Told once, where keys differ, before it waits to look at them again.
        clock: Epoch seconds; for the expiry.
        sleep: Waits so many seconds.
        chance: Chooses the segments of a sample.

    Raises:
        ConfigurationError: A configuration that can't be right for this table.
        TableError: The table can't be read.
        CacheUnavailable: The cache can't be read.
        CacheError: The cache refuses us.
    """
    from ddb_cache_sync.table.capacity import CapacityLimiter  # noqa: PLC0415 - loads boto3, as the next does
    from ddb_cache_sync.table.descriptions import table_description  # noqa: PLC0415

    chosen = options or VerifyOptions()
    described = table_description(client, table)
    known = Known.of(router, table, described.key_names, described.key_types)
    limiter = None if chosen.read_capacity is None else CapacityLimiter(chosen.read_capacity)
    sides = Sides(inspectable_cache_of(cache), router, client, known, clock, limiter)
    started_at, started = clock(), time.monotonic()
    wanted = chosen.wanted(described.item_count)
    lot = chance or random.Random()  # noqa: S311 - no secret
    with SuspectStore() as store:
        run, orphans = Verification(sides, store, on_progress), Orphans(sides, store, on_progress)
        if wanted is not None:
            if chosen.orphans:
                orphans.see_some(wanted, lot)
            run.compare_sample(described, wanted, lot)
        else:
            if chosen.orphans:
                orphans.see()
            run.compare(described, [(number, chosen.segments) for number in range(chosen.segments)])
            orphans.suspect_unexplained()
        run.look_again(chosen.looks, sleep, on_looks)
        report = run.report(chosen.most_listed, chosen.guard_ttl_seconds, orphans)
    label_ms = chosen.stream_label_ms if chosen.stream_label_ms is not None else described.stream_label_ms
    return replace(
        report,
        notes=(*report.notes, *_notes(report, label_ms, orphans.beginnings)),
        sampled=wanted is not None,
        orphans_searched=chosen.orphans,
        started_at=started_at,
        seconds=round(time.monotonic() - started, 3),
    )


def _notes(report: VerifyReport, label_ms: int | None, beginnings: Mapping[str, int]) -> Iterator[str]:
    """What else there is to say of what drifted.

    Args:
        report: What was found.
        label_ms: When the stream was made that is applied now, epoch milliseconds; None: not known.
        beginnings: How many keys were found by what keys of the table begin with.
    """
    if 0 < report.keys == report.missing:
        others = [f"{count:,} other keys that begin with {each}" for each, count in beginnings.items() if count]
        yield (
            f"every key is missing ({report.missing:,} of {report.keys:,}): are the key template and the cache's "
            "address those of the replicator?"
        ) + (f" There are {' and '.join(others)}, so it may be the template" if others else "")
    found = report.keys - report.missing
    if 0 < found == report.stale:
        yield f"every key that was found is stale ({found:,} of {found:,}): is the encoding that of the replicator?"
    if len(report.drifts) < report.drift:
        yield (
            f"{len(report.drifts):,} of the {report.drift:,} keys that drifted are named: repair these and verify "
            "again, or have more of them named (--list)"
        )
    later = 0 if label_ms is None else sum(is_of_later_stream(each.guard, label_ms) for each in report.drifts)
    if later:
        yield (
            f"{later:,} of the keys named have the guard of a stream that was made after the table's: all changes are "
            "stale to them. Set DDB_CACHE_SYNC_STREAM_LABEL to the present time where changes are applied, then repair"
        )
