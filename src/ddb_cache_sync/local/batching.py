"""Records become batches, and a failed batch becomes what comes next: no threads, no I/O, no clock of its own.

Rules kept here:

1. A lane gives out one batch at a time, and the next only after `settle` was told how that one went.
2. A batch is sent once it is full (records, or 6 MB of event), once its window has passed since its first record, or
   once no more records can come. A batch that has to come again goes before anything newer, and nothing joins it.
3. A complete failure comes again whole, or split in the middle where that is on. A partial failure comes again from
   its checkpoint on.
4. Every failed invocation uses up a retry, progress or not, except where it splits the batch: bisecting a batch of
   two or more, or with bisecting on a checkpoint beyond the first record. (AWS documents that splitting uses up no
   retries; that a checkpoint reached does not give them back is inferred, and the stricter reading.)
5. Before each invocation, records beyond the maximum age at the front of the batch are given up.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, assert_never

from ddb_cache_sync.local.responses import Result

if TYPE_CHECKING:
    from ddb_cache_sync.local.properties import EventSourceMappingProperties
    from ddb_cache_sync.local.responses import Verdict

MAXIMUM_EVENT_BYTES = 6 * 1024 * 1024
_ENVELOPE = '{"Records":[', "]}"


class Condition(StrEnum):
    """Why a batch was given up, in AWS's words."""

    RETRY_ATTEMPTS_EXHAUSTED = "RetryAttemptsExhausted"
    RECORD_AGE_EXCEEDED = "RecordAgeExceeded"


@dataclass(frozen=True, slots=True)
class PolledRecord:
    """A record of the stream in the JSON form Lambda delivers.

    Attributes:
        sequence_number: As the stream has it.
        created_at: Epoch seconds; None where the record does not say, and then it never grows old.
        text: The record's JSON.
        size: The text's bytes in UTF-8.
    """

    sequence_number: str
    created_at: float | None
    text: str
    size: int


@dataclass(frozen=True, slots=True)
class Batch:
    """Records sent, or to be sent, in one event; at least one.

    Attributes:
        records: In stream order, all of one shard.
        invocations: How often its records were sent before.
        failures: How many of those invocations used up a retry.
    """

    records: tuple[PolledRecord, ...]
    invocations: int = 0
    failures: int = 0

    @property
    def event_text(self) -> str:
        """The event's JSON."""
        opening, closing = _ENVELOPE
        return opening + ",".join(record.text for record in self.records) + closing

    @property
    def sequence_numbers(self) -> tuple[str, ...]:
        """The records' sequence numbers, in their order."""
        return tuple(record.sequence_number for record in self.records)


@dataclass(frozen=True, slots=True)
class GivenUp:
    """A batch that is not sent again, and why."""

    batch: Batch
    condition: Condition


@dataclass(frozen=True, slots=True)
class Decision:
    """What becomes of a batch after an invocation; every record is in exactly one of the three.

    Attributes:
        finished: Records checkpointed.
        again: Batches to send next, in this order.
        given_up: What goes to the failure destination; None where nothing does.
        retries: How many retries the batch has used up, to wait by before the next; 0 where there is nothing to wait
            for.
    """

    finished: tuple[PolledRecord, ...] = ()
    again: tuple[Batch, ...] = ()
    given_up: GivenUp | None = None
    retries: int = 0


def decide(batch: Batch, verdict: Verdict, properties: EventSourceMappingProperties) -> Decision:
    """Decide what becomes of a batch after an invocation. Pure."""
    sent = replace(batch, invocations=batch.invocations + 1)
    match verdict.result:
        case Result.SUCCESS:
            return Decision(finished=sent.records)
        case Result.PARTIAL_FAILURE:
            finished, remaining = sent.records[: verdict.first_failed], sent.records[verdict.first_failed :]
            left = replace(sent, records=remaining)
            if finished and properties.bisect_batch_on_function_error:
                return Decision(finished=finished, again=(left,))
            return _retry(left, properties, finished)
        case Result.FAILURE:
            if properties.bisect_batch_on_function_error and len(sent.records) > 1:
                middle = len(sent.records) // 2
                halves = replace(sent, records=sent.records[:middle]), replace(sent, records=sent.records[middle:])
                return Decision(again=halves)
            return _retry(sent, properties)
        case _:
            assert_never(verdict.result)


def _retry(batch: Batch, properties: EventSourceMappingProperties, finished: tuple[PolledRecord, ...] = ()) -> Decision:
    batch = replace(batch, failures=batch.failures + 1)
    if 0 <= properties.maximum_retry_attempts < batch.failures:
        return Decision(finished=finished, given_up=GivenUp(batch, Condition.RETRY_ATTEMPTS_EXHAUSTED))
    return Decision(finished=finished, again=(batch,), retries=batch.failures)


class Lane:
    """One line of batches: all records of a shard, or those of some of its partition keys.

    Drive it in turn: `offer` records as they are read, ask `next_step`, send the batch it gives, tell `settle`. Times
    are epoch seconds, passed in. Not for use by several threads at once without a lock.
    """

    def __init__(self, properties: EventSourceMappingProperties) -> None:
        self._properties = properties
        self._gathering: deque[tuple[PolledRecord, float]] = deque()
        self._gathered_bytes = 0
        self._again: deque[Batch] = deque()
        self._sent: Batch | None = None
        self._closed = False

    @property
    def idle(self) -> bool:
        """True when every record offered is finished or given up."""
        return not self._gathering and not self._again and self._sent is None

    @property
    def waiting_records(self) -> int:
        """How many records were offered and not given out in a batch yet."""
        return len(self._gathering)

    @property
    def ended(self) -> bool:
        """True when it is idle and no more records can come."""
        return self._closed and self.idle

    def offer(self, record: PolledRecord, now: float) -> None:
        """Add a record read from the stream."""
        self._gathering.append((record, now))
        self._gathered_bytes += record.size

    def close(self) -> None:
        """Note that no more records can come: what is gathered waits for no window."""
        self._closed = True

    def due_at(self) -> float | None:
        """When the gathered records are sent at the latest; None where there are none, or a batch is out."""
        if self._sent is not None or not self._gathering:
            return None
        return self._gathering[0][1] + self._properties.maximum_batching_window_seconds

    def next_step(self, now: float) -> Batch | GivenUp | None:
        """Give out the next batch to send, or one that is too old to be sent; None where nothing is due.

        A batch given out to be sent must be settled before the next. One given up is done with.
        """
        if self._sent is not None:
            return None
        batch = self._again.popleft() if self._again else self._gather(now)
        if batch is None:
            return None
        too_old = self._too_old(batch, now)
        if not too_old:
            self._sent = batch
            return batch
        if too_old < len(batch.records):
            self._again.appendleft(replace(batch, records=batch.records[too_old:]))
        return GivenUp(replace(batch, records=batch.records[:too_old]), Condition.RECORD_AGE_EXCEEDED)

    def settle(self, verdict: Verdict) -> Decision:
        """Take the verdict on the batch that is out, and line up what comes again.

        Raises:
            ValueError: No batch is out.
        """
        if self._sent is None:
            raise ValueError("no batch is out")
        decision = decide(self._sent, verdict, self._properties)
        self._sent = None
        self._again.extendleft(reversed(decision.again))
        return decision

    def _gather(self, now: float) -> Batch | None:
        due_at = self.due_at()
        if due_at is None:
            return None
        # The envelope's bytes and the commas between records count as part of the event.
        room = MAXIMUM_EVENT_BYTES - len("".join(_ENVELOPE))
        full = len(self._gathering) >= self._properties.batch_size
        heavy = self._gathered_bytes + len(self._gathering) - 1 >= room
        if not full and not heavy and not self._closed and now < due_at:
            return None
        records: list[PolledRecord] = []
        while self._gathering and len(records) < self._properties.batch_size:
            record = self._gathering[0][0]
            room -= record.size + bool(records)
            if records and room < 0:
                break
            self._gathering.popleft()
            self._gathered_bytes -= record.size
            records.append(record)
        return Batch(tuple(records))

    def _too_old(self, batch: Batch, now: float) -> int:
        """How many records at the front of the batch are beyond the maximum age."""
        limit = self._properties.maximum_record_age_seconds
        if limit == -1:
            return 0
        count = 0
        for record in batch.records:
            if record.created_at is None or now - record.created_at <= limit:
                break
            count += 1
        return count
