"""What is to be replicated, and with which settings: the input of an estimate, valid once made."""

import math
from dataclasses import dataclass, fields
from typing import Final

from ddb_cache_sync.errors import ConfigurationError

_BOUNDS: Final[dict[str, tuple[float, float]]] = {
    "writes_per_second": (0.001, 100_000_000),
    "item_bytes": (1, 400 * 1024),  # DynamoDB's own limit
    "key_bytes": (1, 4096),  # ElastiCache Serverless takes no longer names
    "items": (1, 10**13),
    "batch_size": (1, 10_000),  # those of the event source mapping, and the next two
    "window_seconds": (0, 300),
    "parallelization": (1, 10),
    "memory_mb": (128, 10_240),  # Lambda's
    "round_trip_ms": (0.01, 1000),
    "shards": (1, 1_000_000),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """A table's changes, and the settings of the function that replicates them.

    Attributes:
        writes_per_second: Changes of items, on average over a month.
        item_bytes: An item's JSON, on average; its size in the table is taken to be the same.
        key_bytes: A cache key, on average.
        items: How many the table holds.
        batch_size: Of the event source mapping: the most records in an invocation.
        window_seconds: Of the event source mapping: how long it gathers a batch. 0: as long as a poll takes to come.
        parallelization: Of the event source mapping: invocations at once for each shard.
        memory_mb: The function's.
        round_trip_ms: From the function to the cache and back.
        shards: Of the stream; None: as many as the table must have partitions.

    Raises:
        ConfigurationError: A value that can't be right.
    """

    writes_per_second: float = 1000.0
    item_bytes: int = 600
    key_bytes: int = 20
    items: int = 1_000_000
    batch_size: int = 100
    window_seconds: float = 0.0
    parallelization: int = 1
    memory_mb: int = 512
    round_trip_ms: float = 0.5
    shards: int | None = None

    def __post_init__(self) -> None:
        """Check every value against what the services take."""
        for field in fields(self):
            if field.name == "shards" and self.shards is None:
                continue
            value: float = getattr(self, field.name)
            low, high = _BOUNDS[field.name]
            if not math.isfinite(value) or not low <= value <= high:
                raise ConfigurationError(
                    f"{field.name.replace('_', ' ')} of {value:,}", hint=f"It must be from {low:,} to {high:,}."
                )
