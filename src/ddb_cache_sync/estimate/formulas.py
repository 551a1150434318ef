"""The formulas in words, each with what it gives for an estimate: what `--explain` shows, and the guide's table.

Names in backquotes are numbers of `prices.toml`. A test holds every one of them against the code.
"""

from collections.abc import Callable
from typing import Final, NamedTuple

from ddb_cache_sync.estimate.results import Estimate


class Formula(NamedTuple):
    """One formula."""

    name: str
    """What it gives."""
    text: str
    """How."""
    value: Callable[[Estimate], float | None]
    """What it gives for ours; None where there is nothing to give."""
    unit: str


FORMULAS: Final = (
    Formula(
        "shards",
        "the larger of items x item bytes / `partition_bytes` and "
        "writes x KiB begun of an item / `partition_write_units`, rounded up",
        lambda it: it.shards,
        "",
    ),
    Formula(
        "records in an invocation",
        "writes / (shards x parallelization) x the longer of window and 1 / `polls_per_second`; at least 1, at most "
        "the batch size and `payload_bytes` / (`envelope_bytes` + `image_factor` x item bytes)",
        lambda it: it.ours.batch_records,
        "",
    ),
    Formula(
        "duration",
        "(`runtime_ms` + `call_micros` + records x (`record_micros` + `item_byte_micros` x item bytes + "
        "`parse_byte_micros` x bytes of the record)) / share of a vCPU + round trip",
        lambda it: it.ours.duration_ms,
        "ms",
    ),
    Formula(
        "duration of the original",
        "(`runtime_ms` + `set_micros` + `parse_byte_micros` x bytes of the record) / share of a vCPU + round trip",
        lambda it: it.original.duration_ms,
        "ms",
    ),
    Formula("invocations", "writes / records in an invocation", lambda it: it.ours.invocations_per_second, "/s"),
    Formula(
        "invocations at once, at most",
        "shards x parallelization, no more than `account_concurrency`",
        lambda it: it.ours.invocations_at_most,
        "",
    ),
    Formula("invocations at once", "invocations x duration", lambda it: it.ours.concurrency, ""),
    Formula(
        "writes it keeps up with",
        "invocations at once, at most, x records of a full batch / its duration",
        lambda it: it.ours.writes_per_second_at_most,
        "/s",
    ),
    Formula(
        "lag, at most",
        "the shorter of window and the time that fills a batch, + 1 / `polls_per_second` + 2 x duration",
        lambda it: it.ours.lag_seconds,
        "s",
    ),
    Formula(
        "time until records are lost",
        "`stream_hours` / (1 - writes it keeps up with / writes)",
        lambda it: it.ours.hours_until_loss,
        "h",
    ),
    Formula(
        "ECPUs",
        "writes x the highest of 1, KiB moved and `script_micros` / `ecpu_micros`",
        lambda it: it.ours.ecpus_per_second,
        "/s",
    ),
    Formula(
        "ECPUs of the original",
        "writes x the higher of 1 and KiB moved",
        lambda it: it.original.ecpus_per_second,
        "/s",
    ),
    Formula(
        "memory of the guards",
        "the fewer of items and writes in 25 h, x (`guard_bytes` + key bytes - 14)",
        lambda it: it.ours.guard_bytes / 1e6,
        "MB",
    ),
    Formula(
        "memory",
        "items x (key bytes + item bytes + `value_overhead_bytes`) + guards",
        lambda it: it.ours.memory_bytes / 1e6,
        "MB",
    ),
    Formula(
        "primaries",
        "the larger of memory / (`node_gib` x (1 - `node_reserved_share`)) and "
        "writes x `script_thread_micros` (`set_thread_micros` for the original) / `node_busy_share`, rounded up",
        lambda it: it.ours.primaries,
        "",
    ),
    Formula(
        "cost of requests",
        "invocations x 730 h x `lambda_million_requests`",
        lambda it: it.ours.cost.requests,
        "USD/month",
    ),
    Formula(
        "cost of duration",
        "invocations x 730 h x (duration + 0.5 ms) x memory x `lambda_gb_second`; "
        "the share of a vCPU is memory / `full_vcpu_mb`, at most 1",
        lambda it: it.ours.cost.duration,
        "USD/month",
    ),
    Formula(
        "cost of logs",
        "invocations x 730 h x `log_bytes` x `logs_gb`",
        lambda it: it.ours.cost.logs,
        "USD/month",
    ),
    Formula("cost of ECPUs", "ECPUs x 730 h x `elasticache_million_ecpus`", lambda it: it.ours.cost.ecpus, "USD/month"),
    Formula(
        "cost of storage",
        "the larger of memory and `elasticache_minimum_gb`, x 730 h x `elasticache_gb_hour`",
        lambda it: it.ours.cost.storage,
        "USD/month",
    ),
    Formula(
        "cost of nodes",
        "primaries x 2, for a replica each, x 730 h x `node_hour`",
        lambda it: it.ours.cost.nodes,
        "USD/month",
    ),
)
