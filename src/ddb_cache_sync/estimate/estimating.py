"""An estimate put together from the table's side, the function's and the cache's. Pure: no I/O, no clock."""

from typing import Final

from ddb_cache_sync.estimate import cache, function, table
from ddb_cache_sync.estimate.advice import bottleneck_of, warnings_of
from ddb_cache_sync.estimate.prices import Prices, default_prices
from ddb_cache_sync.estimate.results import Cost, Estimate, Way
from ddb_cache_sync.estimate.workload import Workload

HOURS: Final = 730
"""Of a month, as AWS counts it."""
_SECONDS: Final = HOURS * 3600
_GB: Final = 1e9
_ROUNDING_MS: Final = 0.5
"""Lambda rounds up to whole milliseconds: half of one on average."""


def estimate(workload: Workload, prices: Prices | None = None) -> Estimate:
    """What replicating this workload takes, and where its first limit is.

    Args:
        workload: The table's changes and the function's settings.
        prices: The numbers to reckon with; None: those that come with the library.
    """
    numbers = default_prices() if prices is None else prices
    shards = workload.shards or table.shards_at_least(workload, numbers)
    ours = _way(
        workload,
        numbers,
        shards,
        work=function.our_work(workload, numbers),
        batch_size=workload.batch_size,
        ecpus=cache.our_ecpus(workload, numbers),
        guard_bytes=cache.guard_bytes(workload, numbers),
        thread_micros=numbers["script_thread_micros"],
    )
    original = _way(
        workload,
        numbers,
        shards,
        work=function.original_work(numbers),
        batch_size=1,
        ecpus=cache.original_ecpus(workload),
        guard_bytes=0.0,
        thread_micros=numbers["set_thread_micros"],
    )
    return Estimate(
        workload,
        shards,
        table.items_that_fit(shards, workload, numbers),
        table.writes_that_fit(shards, workload, numbers),
        ours,
        original,
        bottleneck_of(workload, numbers, shards, ours),
        warnings_of(workload, numbers, shards, ours),
    )


def _way(
    workload: Workload,
    prices: Prices,
    shards: int,
    *,
    work: function.Work,
    batch_size: int,
    ecpus: float,
    guard_bytes: float,
    thread_micros: float,
) -> Way:
    most = function.records_at_most(workload, prices, batch_size)
    by_shards = shards * workload.parallelization
    at_once = min(by_shards, int(prices["account_concurrency"]))
    # Records come apart by shard whatever the account allows.
    records = function.records_gathered(workload, prices, by_shards, most)
    duration = function.duration_ms(work, records, workload, prices)
    invocations = workload.writes_per_second / records
    ceiling = at_once * most / function.duration_ms(work, most, workload, prices) * 1000
    keeps_up = workload.writes_per_second <= ceiling
    memory = cache.value_bytes(workload, prices) + guard_bytes
    primaries = cache.primaries(memory, thread_micros, workload, prices)
    return Way(
        batch_records=records,
        batch_records_at_most=most,
        duration_ms=duration,
        invocations_per_second=invocations,
        invocations_at_most=at_once,
        concurrency=min(float(at_once), invocations * duration / 1000),
        writes_per_second_at_most=ceiling,
        lag_seconds=_lag_seconds(workload, prices, by_shards, most, duration) if keeps_up else None,
        hours_until_loss=None if keeps_up else prices["stream_hours"] / (1 - ceiling / workload.writes_per_second),
        ecpus_per_second=workload.writes_per_second * ecpus,
        memory_bytes=memory,
        guard_bytes=guard_bytes,
        primaries=primaries,
        cost=_cost(
            workload,
            prices,
            invocations=invocations,
            duration=duration,
            ecpus=ecpus,
            memory=memory,
            primaries=primaries,
        ),
    )


def _lag_seconds(workload: Workload, prices: Prices, by_shards: int, most: int, duration: float) -> float:
    """The longest wait for a batch to fill, for the poll and for the invocation before, and the invocation itself."""
    filled = most * by_shards / workload.writes_per_second
    return min(workload.window_seconds, filled) + 1 / prices["polls_per_second"] + 2 * duration / 1000


def _cost(
    workload: Workload,
    prices: Prices,
    *,
    invocations: float,
    duration: float,
    ecpus: float,
    memory: float,
    primaries: int,
) -> Cost:
    gb_seconds = workload.memory_mb / 1024 * (duration + _ROUNDING_MS) / 1000
    stored = max(memory / _GB, prices["elasticache_minimum_gb"])
    return Cost(
        requests=invocations * _SECONDS / 1e6 * prices["lambda_million_requests"],
        duration=invocations * _SECONDS * gb_seconds * prices["lambda_gb_second"],
        logs=invocations * _SECONDS * prices["log_bytes"] / _GB * prices["logs_gb"],
        ecpus=workload.writes_per_second * ecpus * _SECONDS / 1e6 * prices["elasticache_million_ecpus"],
        storage=stored * HOURS * prices["elasticache_gb_hour"],
        nodes=cache.nodes(primaries) * HOURS * prices["node_hour"],
    )
