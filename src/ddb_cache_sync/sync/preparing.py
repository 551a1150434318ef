"""Puts a backfill together, and refuses it where it can't be right.

Rules:

1. The table has a stream: without one, changes made after an item was read would be in nobody's hands.
2. An export is not older than that stream: items that were made in between are in neither.
3. What an export says is used only while no guard of a later change can have expired. Once it is older, each item is
   read again, if that is asked for.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from ddb_cache_sync.cache.applier import CacheLike, cache_of
from ddb_cache_sync.core.guards import DEFAULT_GUARD_TTL_SECONDS
from ddb_cache_sync.errors import ConfigurationError
from ddb_cache_sync.sync.backfill import Backfill
from ddb_cache_sync.sync.checkpoint import Checkpoint

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from mypy_boto3_dynamodb import DynamoDBClient

    from ddb_cache_sync.core.projection import Router
    from ddb_cache_sync.sync.item_sources import ItemSource
    from ddb_cache_sync.table.capacity import CapacityLimiter
    from ddb_cache_sync.table.descriptions import TableDescription

DEFAULT_SEGMENTS: Final = 4
_MOST_THREADS: Final = 64  # as many connections as a client keeps
_ITEMS_IN_A_PAGE: Final = 1000  # at a rate, at most: so that a page is no burst


@dataclass(frozen=True, slots=True)
class BackfillOptions:
    """Where a backfill takes the items from, and how.

    Raises:
        ConfigurationError: Options that can't be right, or not together.
    """

    segments: int | None = None
    """Of a scan: how many, and of an export: how many files, are read at the same time. None: 4."""
    consistent: bool = True
    """Of a scan: each item is read as it is now, at twice the cost; else it may be a moment old."""
    read_capacity: float | None = None
    """Of a scan: how many read capacity units to use, a second. None: as many as there are."""
    items_per_second: float | None = None
    """How many items to read, a second. None: at full speed."""
    from_export: str | None = None
    """A folder or `s3://bucket/prefix` with an export. None: the table is scanned."""
    read_again: bool = False
    """Of an export: take the keys from there, and read each item from the table."""
    checkpoint: Path | None = None
    """The file that says how far it has come. None: a backfill that was stopped begins anew."""
    job: str = ""
    """What tells this backfill from another of the same table, such as its cache; for the checkpoint."""

    def __post_init__(self) -> None:
        """Check them."""
        if self.segments is not None and not 1 <= self.segments <= 10_000:
            raise ConfigurationError(f"{self.segments} segments", hint="Take 1 to 10,000; four read most tables well.")
        if self.read_capacity is not None and self.items_per_second is not None:
            raise ConfigurationError("two rates, one in read capacity units and one in items", hint="Give one of them.")
        if self.from_export is None:
            if self.read_again:
                raise ConfigurationError(
                    "items can be read again for an export only (--read-again)", hint="A scan has just read them."
                )
        elif self.read_capacity is not None or not self.consistent:
            raise ConfigurationError(
                "read capacity units and eventually consistent reads are a scan's",
                hint="Set a rate for an export with items a second (--items-per-second).",
            )


def prepare_backfill(
    cache: CacheLike,
    router: Router,
    client: DynamoDBClient,
    table: str,
    options: BackfillOptions | None = None,
    *,
    guard_ttl_seconds: int = DEFAULT_GUARD_TTL_SECONDS,
    s3_client: Any = None,
    clock: Callable[[], float] = time.time,
) -> Backfill:
    """A backfill of this table, ready to run.

    Args:
        cache: What a `Replicator` takes.
        router: The replicator's projection, or its router.
        client: boto3's `dynamodb` client; threads share it.
        table: The table's name.
        options: Where the items come from, and how. None: a scan at full speed.
        guard_ttl_seconds: The replicator's.
        s3_client: boto3's `s3` client. None makes one where it is needed.
        clock: Epoch seconds.

    Raises:
        ConfigurationError: It can't be right, for a reason of the table, of the export, or of the checkpoint.
        TableError: The table can't be described, or the export can't be read.
    """
    from ddb_cache_sync.sync.item_sources import ExportSource, ScanSource  # noqa: PLC0415 - imports boto3
    from ddb_cache_sync.table.descriptions import table_description  # noqa: PLC0415 - imports boto3

    chosen = options or BackfillOptions()
    stopping = threading.Event()
    limiter = limiter_of(chosen, stopping)
    described = table_description(client, table)
    segments = chosen.segments or DEFAULT_SEGMENTS
    source: ItemSource
    if chosen.from_export is None:
        check_can_be_right(described, guard_ttl_seconds=guard_ttl_seconds, as_of=None, read_again=False, now=clock())
        rate = chosen.items_per_second
        page_limit = None if rate is None else max(1, min(_ITEMS_IN_A_PAGE, int(rate / segments)))
        source = ScanSource(
            client,
            described,
            segments=segments,
            consistent=chosen.consistent,
            page_limit=page_limit,
            limiter=limiter,
        )
    else:
        source = ExportSource(
            chosen.from_export,
            described,
            client=client if chosen.read_again else None,
            limiter=limiter,
            s3_client=s3_client,
        )
        check_can_be_right(
            described,
            guard_ttl_seconds=guard_ttl_seconds,
            as_of=source.as_of,
            read_again=chosen.read_again,
            now=clock(),
        )
    return Backfill(
        cache_of(cache, guard_ttl_seconds),
        router,
        source,
        Checkpoint(chosen.checkpoint, {**source.job, "job": chosen.job}),
        guard_ttl_seconds=guard_ttl_seconds,
        threads=min(segments, _MOST_THREADS),
        stopping=stopping,
        clock=clock,
    )


def check_can_be_right(
    table: TableDescription, *, guard_ttl_seconds: float, as_of: float | None, read_again: bool, now: float
) -> None:
    """Make sure that a backfill can be right.

    Args:
        table: The table.
        guard_ttl_seconds: The replicator's.
        as_of: How old an export's items are, epoch seconds; None: they are read from the table.
        read_again: Whether an export's items are read from the table again.
        now: Epoch seconds.

    Raises:
        ConfigurationError: Why it can't.
    """
    if not table.stream_enabled:
        raise ConfigurationError(
            f"table {table.name} has no stream: changes made after an item was read would be lost to the cache",
            hint="Enable the stream and start the function that applies it, then fill the cache.",
        )
    if as_of is None:
        return
    if table.stream_label_ms is not None and as_of < table.stream_label_ms / 1000:
        # Reading again does not mend it: it finds no item that was made in between.
        raise ConfigurationError(
            "the export is older than the table's stream: changes made in between are in neither",
            hint="Export the table again, or scan it (leave out --from-export).",
        )
    if not read_again and now - as_of > guard_ttl_seconds / 2:
        raise ConfigurationError(
            f"the export is {(now - as_of) / 3600:.1f} h old, and guards live {guard_ttl_seconds / 3600:.1f} h: past "
            "half of that, those of later changes may have expired, and older items would win over them",
            hint="Have each item read again (--read-again), or take a newer export.",
        )


def limiter_of(options: BackfillOptions, stopping: threading.Event) -> CapacityLimiter | None:
    """How fast to read; a stop ends its waits."""
    from ddb_cache_sync.table.capacity import CapacityLimiter  # noqa: PLC0415 - its package is the table's

    if options.read_capacity is not None:
        return CapacityLimiter(options.read_capacity, sleep=stopping.wait)
    if options.items_per_second is not None:
        return CapacityLimiter.of_items(options.items_per_second, sleep=stopping.wait)
    return None
