"""The function's side: how many records an invocation gets, how long it takes, how many run at once.

Rules: a shard has at most as many invocations at once as the parallelization factor. An invocation gets what was
written in the window, or since the last poll where that is longer, up to the batch size and the payload limit. Below
a whole vCPU's memory, processor time takes longer in proportion; a round trip does not.

An invocation that takes longer than the window finds more records the next time. That is left out, so that costs are
on the high side where it happens.
"""

from dataclasses import dataclass

from ddb_cache_sync.estimate.prices import Prices
from ddb_cache_sync.estimate.workload import Workload


@dataclass(frozen=True, slots=True)
class Work:
    """What one way of applying a batch takes.

    Attributes:
        batch_micros: Processor time for a batch.
        record_micros: Processor time for each of its records.
        round_trips_per_batch: Waits for the cache, whatever the size of the batch.
        round_trips_per_record: Waits for each record.
    """

    batch_micros: float
    record_micros: float
    round_trips_per_batch: int
    round_trips_per_record: int

    def milliseconds(self, records: float, round_trip_ms: float, cpu_share: float = 1.0) -> float:
        """How long a batch takes from the event given to all answered."""
        busy = (self.batch_micros + self.record_micros * records) / 1000
        return busy / cpu_share + (self.round_trips_per_batch + self.round_trips_per_record * records) * round_trip_ms


def our_work(workload: Workload, prices: Prices) -> Work:
    """This library's: a batch shares one round trip."""
    return Work(prices["call_micros"], prices["record_micros"] + prices["item_byte_micros"] * workload.item_bytes, 1, 0)


def original_work(prices: Prices) -> Work:
    """One SET a record, each awaited."""
    return Work(0, prices["set_micros"], 0, 1)


def cpu_share(workload: Workload, prices: Prices) -> float:
    """How much of a vCPU the function's memory gives it. Never more than one: the work is one thread's."""
    return min(1.0, workload.memory_mb / prices["full_vcpu_mb"])


def record_bytes(workload: Workload, prices: Prices) -> float:
    """A record in an event, with its new image."""
    return prices["envelope_bytes"] + prices["image_factor"] * workload.item_bytes


def records_at_most(workload: Workload, prices: Prices, batch_size: int) -> int:
    """How many records an invocation can get: the batch size, or as many as the payload limit lets through."""
    return max(1, min(batch_size, int(prices["payload_bytes"] // record_bytes(workload, prices))))


def records_gathered(workload: Workload, prices: Prices, invocations_at_most: int, most: int) -> float:
    """How many records an invocation gets on average."""
    seconds = max(workload.window_seconds, 1 / prices["polls_per_second"])
    return min(float(most), max(1.0, workload.writes_per_second / invocations_at_most * seconds))


def duration_ms(work: Work, records: float, workload: Workload, prices: Prices) -> float:
    """How long an invocation with so many records takes, as Lambda bills it, before rounding."""
    share = cpu_share(workload, prices)
    parsing = records * record_bytes(workload, prices) * prices["parse_byte_micros"] / 1000
    return (prices["runtime_ms"] + parsing) / share + work.milliseconds(records, workload.round_trip_ms, share)
