"""The whole pipeline on one machine: a table that changes, its stream, the handler, the cache, and a comparison.

Nothing of the pipeline is played: a real Valkey, a DynamoDB emulator with streams read through boto3, and an event
source mapping that keeps Lambda's contract.
"""

from __future__ import annotations

import contextlib
import statistics
import threading
import time
from collections import Counter
from dataclasses import asdict, dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Literal, cast

from ddb_cache_sync.aws_lambda import apply_stream_event
from ddb_cache_sync.cache.connect import connect
from ddb_cache_sync.cache.reading import values
from ddb_cache_sync.core.attribute_values import Image
from ddb_cache_sync.core.comparison import Drift, compare
from ddb_cache_sync.core.projection import Projection
from ddb_cache_sync.errors import ConfigurationError
from ddb_cache_sync.local.embedded import create_demo_table, dynamodb_local, embedded_dynamodb, embedded_valkey
from ddb_cache_sync.local.event_source_mapping import EventSourceMapping, EventSourceMappingProperties
from ddb_cache_sync.simulator import random_changes, simulate
from ddb_cache_sync.sync.replicator import Replicator
from ddb_cache_sync.table.items import scan
from ddb_cache_sync.testing.chaos import Chaos

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    import redis

    from ddb_cache_sync.core.outcomes import ApplyReport
    from ddb_cache_sync.local.embedded import EmbeddedDynamoDB

TABLE = "users"
_ITEM_BYTES = 600


@dataclass(frozen=True, slots=True)
class DemoOptions:
    """What the demo does.

    Attributes:
        changes: How many changes the simulator makes.
        seed: Makes it the same changes, and the same faults, each time.
        batch_size: The most records in one invocation.
        parallelization: Invocations at a time.
        chaos: Deliver twice, out of order, again much later; fail invocations; flush the cache's scripts.
        dynamodb_local: The JAR of DynamoDB Local, to be used in place of moto; None: moto.
    """

    changes: int = 500
    seed: int = 1
    batch_size: int = 100
    parallelization: int = 2
    chaos: bool = False
    dynamodb_local: Path | None = None

    def __post_init__(self) -> None:
        """Check the ranges that nothing else checks."""
        if self.changes < 1:
            raise ConfigurationError("a demo of no changes", hint="Give 1 or more.")


@dataclass(frozen=True, slots=True)
class LagMs:
    """From the write to the table until the cache first has it, milliseconds, over all upserts."""

    p50: float
    p99: float


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where the demo's servers are.

    Attributes:
        redis_url: The cache.
        dynamodb_endpoint_url: The table and its stream.
        stream_arn: The table's stream.
        table: The table's name.
        environment: Variables that send boto3 and the AWS command line to the embedded DynamoDB.
    """

    redis_url: str
    dynamodb_endpoint_url: str
    stream_arn: str
    table: str
    environment: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Comparison:
    """What a table and a cache came to when they were compared.

    Attributes:
        items: Items in the table.
        keys: Keys in the cache, guards left out.
        drift: Cache keys about which they disagree, by kind; empty where they agree.
    """

    items: int
    keys: int
    drift: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class DemoReport:
    """What the demo came to.

    Attributes:
        changes: Changes made to the table; a deletion of nothing counts, though it makes no record.
        records: Records delivered to the handler, those delivered again included.
        applied: Records applied to the cache.
        stale: Records that a newer change had overtaken.
        failed: Poison records.
        items: Items in the table in the end.
        keys: Keys in the cache in the end, guards left out.
        drift: Cache keys about which cache and table disagree, by kind.
        lag_ms: Replication lag; None where no upsert was delivered.
        seconds: From the first change until the stream was drained.
        faults: How often each fault was put in; empty without chaos.
    """

    changes: int
    records: int
    applied: int
    stale: int
    failed: int
    items: int
    keys: int
    drift: Mapping[str, int]
    lag_ms: LagMs | None
    seconds: float
    faults: Mapping[str, int] = field(default_factory=dict)

    @property
    def consistent(self) -> bool:
        """Does the cache hold exactly what the table holds."""
        return not self.drift

    def to_json(self) -> dict[str, Any]:
        """As one object of plain values."""
        return {**asdict(self), "consistent": self.consistent}


@dataclass(slots=True)
class Progress:
    """How far the demo is; updated from the threads that invoke the handler, read from the one that shows it."""

    phase: Literal["changing", "draining", "comparing"] = "changing"
    outcomes: Counter[str] = field(default_factory=Counter)
    lags_ms: dict[str, float] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def add_report(self, report: ApplyReport) -> None:
        """Count the outcomes of one batch."""
        with self.lock:
            self.outcomes.update(
                records=report.records, applied=report.applied, stale=report.stale, failed=report.failed
            )

    def add_lags(self, event: Any, now: float) -> None:
        """Note the lag of each upsert that was applied for the first time, now (epoch seconds)."""
        upserts = [record["dynamodb"] for record in event["Records"] if "NewImage" in record["dynamodb"]]
        with self.lock:
            for body in upserts:
                written_at_ms = Image(body["NewImage"]).get("writtenAtMs")
                if isinstance(written_at_ms, Decimal):
                    self.lags_ms.setdefault(body["SequenceNumber"], now * 1000 - float(written_at_ms))

    @property
    def lag_ms(self) -> LagMs | None:
        """Percentiles so far; None before the first lag."""
        with self.lock:
            lags = sorted(self.lags_ms.values())
        if not lags:
            return None
        # Twice the only one, since quantiles want two.
        cuts = statistics.quantiles(lags if len(lags) > 1 else lags * 2, n=100, method="inclusive")
        return LagMs(round(cuts[49], 1), round(cuts[98], 1))


@dataclass(slots=True)
class Demo:
    """A pipeline that is up: its servers run, its event source mapping reads. Made by `running_demo`."""

    options: DemoOptions
    addresses: Addresses
    progress: Progress
    _dynamodb: EmbeddedDynamoDB
    _cache: redis.Redis
    _mapping: EventSourceMapping
    _chaos: Chaos | None

    def run(self, on_change: Callable[[], None] = lambda: None) -> DemoReport:
        """Make the changes, drain the stream, compare every key with the table.

        Args:
            on_change: Called after each change; `progress` tells how far things are.

        Raises:
            TableError: The table or its stream can't be read.
            CacheUnavailable: The cache can't be read.
        """

        def changed(_change: object, _error_code: str | None) -> None:
            on_change()

        started = time.monotonic()
        changes = random_changes(self.options.seed, self.options.changes, item_bytes=_ITEM_BYTES)
        simulation = simulate(self._dynamodb.client(), TABLE, changes, on_change=changed)
        self.progress.phase = "draining"
        self._mapping.drain()
        seconds = time.monotonic() - started
        self.progress.phase = "comparing"
        comparison = self.compare()
        outcomes = self.progress.outcomes
        return DemoReport(
            changes=simulation.succeeded,
            records=outcomes["records"],
            applied=outcomes["applied"],
            stale=outcomes["stale"],
            failed=outcomes["failed"],
            items=comparison.items,
            keys=comparison.keys,
            drift=comparison.drift,
            lag_ms=self.progress.lag_ms,
            seconds=round(seconds, 3),
            faults=dict(self._chaos.counts) if self._chaos else {},
        )

    def compare(self) -> Comparison:
        """Read the whole table and the whole cache, and compare them key by key.

        Raises:
            TableError: The table can't be read.
            CacheUnavailable: The cache can't be read.
        """
        projection = Projection()
        writes = [projection.write(projection.cache_key(item), item) for item in scan(self._dynamodb.client(), TABLE)]
        expected = {write.key: write.value for write in writes if write.value is not None}
        found = dict(values(self._cache, f"{TABLE}:*"))
        kinds = Counter(compare(expected, found).values())
        drift = {kind.value: kinds[kind] for kind in Drift if kinds[kind]}
        return Comparison(items=len(expected), keys=len(found), drift=drift)


@contextlib.contextmanager
def running_demo(options: DemoOptions) -> Iterator[Demo]:
    """Start the servers and the event source mapping; end them all when the block is left, however it is left.

    Raises:
        ConfigurationError: An option, or a part that is not installed.
    """
    dynamodb_server = embedded_dynamodb() if options.dynamodb_local is None else dynamodb_local(options.dynamodb_local)
    with embedded_valkey() as valkey, dynamodb_server as dynamodb, connect(valkey.url) as client:
        cache = cast("redis.Redis", client)  # one server, no cluster
        stream_arn = create_demo_table(dynamodb.client(), TABLE)
        progress = Progress()
        replicator = Replicator(cache, on_report=progress.add_report)

        def handler(event: Any, context: Any) -> Any:
            response = apply_stream_event(event, replicator, context=context)
            progress.add_lags(event, time.time())
            return response

        chaos = Chaos(handler, flush_scripts=cache.script_flush, seed=options.seed) if options.chaos else None
        properties = EventSourceMappingProperties(
            batch_size=options.batch_size,
            parallelization_factor=options.parallelization,
            bisect_batch_on_function_error=options.chaos,
        )
        addresses = Addresses(valkey.url, dynamodb.endpoint_url, stream_arn, TABLE, dict(dynamodb.environment))
        with EventSourceMapping(dynamodb.streams(), stream_arn, chaos or handler, properties) as mapping:
            yield Demo(options, addresses, progress, dynamodb, cache, mapping, chaos)
