"""The table's side: partitions, and so the shards of its stream.

Rule: a partition holds 10 GB and takes 1,000 write units a second, and the stream has a shard for each. DynamoDB
splits partitions by itself and does not say how many there are, so the number here is the least; a table that was
once larger, or is on demand and new (it can take 4,000 write units), has more.
"""

import math

from ddb_cache_sync.estimate.prices import Prices
from ddb_cache_sync.estimate.workload import Workload


def write_units(workload: Workload) -> int:
    """What one change costs the table: a unit for each KiB begun."""
    return math.ceil(workload.item_bytes / 1024)


def shards_at_least(workload: Workload, prices: Prices) -> int:
    """How many partitions the table must have, for its size and for its writes."""
    for_size = math.ceil(workload.items * workload.item_bytes / prices["partition_bytes"])
    for_writes = math.ceil(workload.writes_per_second * write_units(workload) / prices["partition_write_units"])
    return max(1, for_size, for_writes)


def items_that_fit(shards: int, workload: Workload, prices: Prices) -> int:
    """How many items these partitions hold; one more needs another partition."""
    return int(shards * prices["partition_bytes"] // workload.item_bytes)


def writes_that_fit(shards: int, workload: Workload, prices: Prices) -> float:
    """How many changes a second these partitions take, evenly spread; more need another partition."""
    return shards * prices["partition_write_units"] / write_units(workload)
