"""What limits a workload first, and what to change; what is not right yet."""

import math
from typing import Final

from ddb_cache_sync.estimate import function, table
from ddb_cache_sync.estimate.prices import Prices
from ddb_cache_sync.estimate.results import Bottleneck, Way
from ddb_cache_sync.estimate.workload import Workload

_ENOUGH_RECORDS: Final = 1000
"""In a batch: more cost no less a record."""
_MOST_PARALLELIZATION: Final = 10
_DEFAULT_TIMEOUT_SECONDS: Final = 3
"""Lambda's own, where nobody sets another."""
_PARSED: Final = 6.0
"""Memory of an event while it is applied, in bytes for a byte of it: text, parsed, and what is made of it."""
_BASE_MB: Final = 100
"""Memory of Python with the libraries loaded."""


def bottleneck_of(workload: Workload, prices: Prices, shards: int, ours: Way) -> Bottleneck:
    """The limit that the fewest writes reach.

    Where the number of shards was not given, they grow with the writes: partitions are then no limit, and neither is
    the function, if it applies what one partition can take.
    """
    full = function.duration_ms(function.our_work(workload, prices), ours.batch_records_at_most, workload, prices)
    each = ours.batch_records_at_most / full * 1000
    each_shard = workload.parallelization * each
    each_partition = table.writes_that_fit(1, workload, prices)
    limits = [
        Bottleneck(
            "the account's concurrency",
            prices["account_concurrency"] * each,
            "Ask for a higher quota of concurrent executions, or take larger batches.",
        ),
        Bottleneck(
            "the node-based cache's processor time",
            ours.primaries * 1e6 / prices["script_thread_micros"],
            "Add primaries, or take ElastiCache Serverless, which scales by itself.",
        ),
    ]
    if workload.shards is not None:
        limits.append(
            Bottleneck(
                "the table's partitions",
                shards * each_partition,
                "DynamoDB splits partitions under lasting load; raise the table's warm throughput ahead of a peak.",
            )
        )
    if workload.shards is not None or each_shard < each_partition:
        limits.append(
            Bottleneck(
                "invocations at once for each shard",
                shards * each_shard,
                _more_throughput(workload, prices, shards, ours, each),
            )
        )
    return min(limits, key=lambda limit: limit.writes_per_second)


def _more_throughput(workload: Workload, prices: Prices, shards: int, ours: Way, each: float) -> str:
    cut = ours.batch_records_at_most < workload.batch_size
    if not cut and workload.batch_size < _ENOUGH_RECORDS:
        return f"Raise the batch size from {workload.batch_size:,} to {_ENOUGH_RECORDS:,}."
    if workload.parallelization < _MOST_PARALLELIZATION:
        wanted = math.ceil(workload.writes_per_second / (each * shards))
        better = min(_MOST_PARALLELIZATION, max(workload.parallelization + 1, wanted))
        return f"Raise the parallelization factor from {workload.parallelization} to {better}."
    if workload.memory_mb < prices["full_vcpu_mb"]:
        return f"Give the function more memory, and so a larger share of a processor: {prices['full_vcpu_mb']:g} MB."
    needed = math.ceil(workload.writes_per_second / (each * workload.parallelization))
    return f"Only more shards help, {needed:,} of them: more partitions, or Kinesis, whose shards you choose."


def warnings_of(workload: Workload, prices: Prices, shards: int, ours: Way) -> tuple[str, ...]:
    """What will go wrong or is wasted, the worst first."""
    found = []
    needed = table.shards_at_least(workload, prices)
    if ours.hours_until_loss is not None:
        found.append(
            f"It falls behind: {ours.writes_per_second_at_most:,.0f} of {workload.writes_per_second:,.0f} writes a "
            f"second are applied, and records are lost after {ours.hours_until_loss:,.0f} h of this."
        )
    if shards < needed:
        found.append(f"Such a table must have {needed:,} partitions, so the stream has more shards than {shards:,}.")
    if ours.batch_records_at_most < workload.batch_size:
        found.append(
            f"The payload limit cuts batches at about {ours.batch_records_at_most:,} records of such items, below the "
            f"batch size of {workload.batch_size:,}."
        )
    event_mb = ours.batch_records_at_most * function.record_bytes(workload, prices) / 2**20
    if _BASE_MB + _PARSED * event_mb > workload.memory_mb:
        found.append(
            f"A full batch is an event of {event_mb:.1f} MB, which takes about {_BASE_MB + _PARSED * event_mb:.0f} MB "
            f"of memory: more than the function's {workload.memory_mb:,} MB."
        )
    full = function.duration_ms(function.our_work(workload, prices), ours.batch_records_at_most, workload, prices)
    if full > _DEFAULT_TIMEOUT_SECONDS * 1000 / 2:
        found.append(
            f"A full batch takes {full / 1000:.1f} s, and more where a failing cache is tried again: set a time-out of "
            "several times that; Lambda's default is 3 s."
        )
    values = ours.memory_bytes - ours.guard_bytes
    if ours.guard_bytes > values:
        found.append("The guards take more memory than the values: the items are small, and nearly all change in 25 h.")
    return tuple(found)
