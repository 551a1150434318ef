"""What an estimate says: frozen, in plain units, ready to be shown or written as JSON."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from ddb_cache_sync.estimate.workload import Workload


@dataclass(frozen=True, slots=True)
class Cost:
    """US dollars a month of 730 hours, without free tiers. The table costs the same either way and is left out.

    Attributes:
        requests: Lambda, by the invocation.
        duration: Lambda, by memory and time.
        logs: CloudWatch Logs, what Lambda itself writes for each invocation.
        ecpus: ElastiCache Serverless, what the writes take.
        storage: ElastiCache Serverless, what values and guards take.
        nodes: The nodes that would do in place of ElastiCache Serverless.
    """

    requests: float
    duration: float
    logs: float
    ecpus: float
    storage: float
    nodes: float

    @property
    def function(self) -> float:
        """What the function costs."""
        return self.requests + self.duration + self.logs

    @property
    def serverless(self) -> float:
        """All of it, with ElastiCache Serverless."""
        return self.function + self.ecpus + self.storage

    @property
    def node_based(self) -> float:
        """All of it, with nodes of one's own."""
        return self.function + self.nodes


@dataclass(frozen=True, slots=True)
class Way:
    """What one way of replicating comes to.

    Attributes:
        batch_records: Records in an invocation, on average.
        batch_records_at_most: Batch size, or what the payload limit leaves of it.
        duration_ms: How long an invocation takes, on average.
        invocations_per_second: How many begin.
        invocations_at_most: How many can run at once: shards by parallelization, within the account's limit.
        concurrency: How many run at once, on average.
        writes_per_second_at_most: What it can keep up with.
        lag_seconds: From a change to the cache, at most, while nothing fails. None: it falls behind.
        hours_until_loss: How long until the oldest record in the stream is older than the stream keeps it, and is
            lost. None: it keeps up.
        ecpus_per_second: What the writes take of ElastiCache Serverless.
        memory_bytes: Values and guards.
        guard_bytes: The guards' part of it.
        primaries: Primaries of a node-based cache that would do.
        cost: Of all changes, as if it kept up.
    """

    batch_records: float
    batch_records_at_most: int
    duration_ms: float
    invocations_per_second: float
    invocations_at_most: int
    concurrency: float
    writes_per_second_at_most: float
    lag_seconds: float | None
    hours_until_loss: float | None
    ecpus_per_second: float
    memory_bytes: float
    guard_bytes: float
    primaries: int
    cost: Cost

    @property
    def keeps_up(self) -> bool:
        """Whether it applies changes as fast as they come."""
        return self.lag_seconds is not None


@dataclass(frozen=True, slots=True)
class Bottleneck:
    """What is reached first when there are more writes.

    Attributes:
        name: Of the limit.
        writes_per_second: Where it is reached. Shards and primaries are those of the estimate.
        change: What to do about it, one sentence.
    """

    name: str
    writes_per_second: float
    change: str


@dataclass(frozen=True, slots=True)
class Estimate:
    """What replicating a workload takes.

    Attributes:
        workload: What was asked.
        shards: Of the stream.
        items_that_fit: More items than this need another partition, and so another shard.
        writes_that_fit: So do more writes a second than this.
        ours: This library's way.
        original: The way of the AWS sample: batch size 1, one SET a record; same function, window and parallelization.
        bottleneck: What limits ours first.
        warnings: What is not right yet, a sentence each; empty where nothing is.
    """

    workload: Workload
    shards: int
    items_that_fit: int
    writes_that_fit: float
    ours: Way
    original: Way
    bottleneck: Bottleneck
    warnings: Sequence[str]

    def to_json(self) -> dict[str, Any]:
        """The same as plain values, sums included."""
        plain = asdict(self)
        for name, way in (("ours", self.ours), ("original", self.original)):
            plain[name]["keeps_up"] = way.keeps_up
            plain[name]["cost"] |= {
                "function": way.cost.function,
                "serverless": way.cost.serverless,
                "node_based": way.cost.node_based,
            }
        return plain
