"""The cache's side: ElastiCache processing units, memory, and the nodes that would do instead.

Rules: a simple command costs an ECPU for each KB moved, and at least one; a script costs the higher of that and its
time in the server. On a cluster, which ElastiCache Serverless is, a script has one key. A guard lives 25 hours, so
there are at most as many as changes in that time, and no more than items; items that were removed, whose guards live
on, are left out.
"""

import math

from ddb_cache_sync.core.guards import DEFAULT_GUARD_TTL_SECONDS
from ddb_cache_sync.estimate.prices import Prices
from ddb_cache_sync.estimate.workload import Workload

_KEY_MEASURED = 14
"""Length of the cache keys with which the guard was measured; a byte more makes it a byte larger."""
_SCRIPT_BYTES = 160
"""Of a call beside value and keys: command, SHA-1, time to live, version, lengths."""
_SET_BYTES = 35
_KB = 1024
_REPLICAS = 1
"""For each primary of a cache that survives a failure."""


def original_ecpus(workload: Workload) -> float:
    """ECPUs of one plain SET."""
    return max(1.0, (workload.item_bytes + workload.key_bytes + _SET_BYTES) / _KB)


def our_ecpus(workload: Workload, prices: Prices) -> float:
    """ECPUs of one guarded write."""
    moved = (workload.item_bytes + 2 * workload.key_bytes + _SCRIPT_BYTES) / _KB
    return max(1.0, moved, prices["script_micros"] / prices["ecpu_micros"])


def value_bytes(workload: Workload, prices: Prices) -> float:
    """Memory of all values with their keys."""
    return workload.items * (workload.key_bytes + workload.item_bytes + prices["value_overhead_bytes"])


def guards(workload: Workload) -> float:
    """How many guards there are at most: each change is of another item until all have one."""
    return min(float(workload.items), workload.writes_per_second * DEFAULT_GUARD_TTL_SECONDS)


def guard_bytes(workload: Workload, prices: Prices) -> float:
    """Memory of all guards."""
    return guards(workload) * max(1.0, prices["guard_bytes"] + workload.key_bytes - _KEY_MEASURED)


def primaries(memory_bytes: float, thread_micros: float, workload: Workload, prices: Prices) -> int:
    """How many primaries hold this memory and have the time for the writes."""
    room = prices["node_gib"] * 2**30 * (1 - prices["node_reserved_share"])
    seconds = workload.writes_per_second * thread_micros / 1e6
    return max(1, math.ceil(memory_bytes / room), math.ceil(seconds / prices["node_busy_share"]))


def nodes(of_primaries: int) -> int:
    """How many nodes that is, replicas included."""
    return of_primaries * (1 + _REPLICAS)
