"""The properties of an event source mapping, under AWS's names in snake_case, with AWS's limits and defaults."""

from __future__ import annotations

from dataclasses import dataclass, field

from ddb_cache_sync.errors import ConfigurationError
from ddb_cache_sync.table.retries import Backoff
from ddb_cache_sync.table.streams import StartingPosition


@dataclass(frozen=True, slots=True)
class EventSourceMappingProperties:
    """How an event source mapping reads, batches and retries; valid once made.

    Attributes:
        batch_size: The most records in one event, 1 to 10,000. An event never exceeds 6 MB of JSON either.
        maximum_batching_window_seconds: How long to gather a batch, 0 to 300; 0 sends what there is.
        parallelization_factor: Invocations at a time for each shard, 1 to 10. Order is kept for a partition key.
        maximum_retry_attempts: Failed invocations after the first before a batch is given up, 0 to 10,000; -1 for
            without end.
        bisect_batch_on_function_error: Split a batch that failed as a whole in two, and a batch that failed in part
            at its checkpoint. Splitting uses up no retries.
        maximum_record_age_seconds: Records older than this are given up, 60 to 604,800; -1 for never.
        starting_position: TRIM_HORIZON or LATEST. AWS has no default for it.
        report_batch_item_failures: The function response type ReportBatchItemFailures.
        function_timeout_seconds: The function's time-out, above 0 and at most 900.

    Raises:
        ConfigurationError: A value is out of its range.
    """

    batch_size: int = 100
    maximum_batching_window_seconds: float = 0
    parallelization_factor: int = 1
    maximum_retry_attempts: int = -1
    bisect_batch_on_function_error: bool = False
    maximum_record_age_seconds: int = -1
    starting_position: StartingPosition = StartingPosition.TRIM_HORIZON
    report_batch_item_failures: bool = True
    function_timeout_seconds: float = 30

    def __post_init__(self) -> None:
        """Refuse what AWS would refuse."""
        _check("batch_size", self.batch_size, 1, 10_000)
        _check("maximum_batching_window_seconds", self.maximum_batching_window_seconds, 0, 300)
        _check("parallelization_factor", self.parallelization_factor, 1, 10)
        _check("maximum_retry_attempts", self.maximum_retry_attempts, -1, 10_000)
        if self.maximum_record_age_seconds != -1:
            _check("maximum_record_age_seconds", self.maximum_record_age_seconds, 60, 604_800, "-1 or ")
        if self.starting_position not in tuple(StartingPosition):
            raise ConfigurationError("starting_position must be TRIM_HORIZON or LATEST")
        object.__setattr__(self, "starting_position", StartingPosition(self.starting_position))  # its text will do
        if not 0 < self.function_timeout_seconds <= 900:
            raise ConfigurationError("function_timeout_seconds must be above 0 and at most 900")


@dataclass(frozen=True, slots=True)
class Pace:
    """How hard an event source mapping works on this machine; nothing that AWS lets one set.

    Attributes:
        poll_interval_seconds: The wait between two rounds of reading while the stream is idle. AWS polls four times
            a second.
        describe_interval_seconds: How often to look for new shards while none closes.
        retry_backoff: The wait before a failed batch is invoked again. AWS waits seconds to minutes; a local run
            would rather see its result.
        stop_grace_seconds: How long stop() waits for invocations still running before it leaves them behind.
    """

    poll_interval_seconds: float = 0.05
    describe_interval_seconds: float = 2.0
    retry_backoff: Backoff = field(default_factory=lambda: Backoff(base_seconds=0.01, cap_seconds=1.0))
    stop_grace_seconds: float = 10.0


def _check(name: str, value: float, lowest: int, highest: int, otherwise: str = "") -> None:
    if not lowest <= value <= highest:
        raise ConfigurationError(f"{name} must be {otherwise}{lowest} to {highest}, not {value}")
