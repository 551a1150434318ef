"""Outcomes: what became of each record, and the report of a batch."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, TypedDict


class Outcome(StrEnum):
    """What became of one record."""

    APPLIED = "applied"
    """The cache now holds what the record says."""
    STALE = "stale"
    """A newer change of the item was there already, or comes with the same batch: nothing to do."""
    FILTERED = "filtered"
    """The configuration leaves this item out."""
    FAILED = "failed"
    """A poison record: it can't be applied, now or later."""


APPLIED: Final = Outcome.APPLIED
STALE: Final = Outcome.STALE
"""Looking a member up in its class costs more than all else that is done with a result."""


class BatchItemFailure(TypedDict):
    """One failed record, as Lambda reads it."""

    itemIdentifier: str


class BatchResponse(TypedDict):
    """What a Lambda function returns to an event source mapping with `ReportBatchItemFailures`."""

    batchItemFailures: list[BatchItemFailure]


@dataclass(frozen=True, slots=True)
class Failure:
    """A record that could not be applied, and why."""

    sequence_number: str
    """As delivered; empty for one that was set aside and has none."""
    reason: str
    """One sentence; attribute and field names at most, no contents."""


@dataclass(frozen=True, slots=True)
class Notice:
    """A record that was applied, and what is odd about it."""

    sequence_number: str
    """As delivered."""
    reason: str
    """One sentence; attribute and field names at most, no contents."""


@dataclass(frozen=True, slots=True)
class ApplyReport:
    """What became of the records of one batch. The five counts add up to the records given."""

    applied: int = 0
    stale: int = 0
    filtered: int = 0
    failures: Sequence[Failure] = ()
    """One for each failed record, in the order of the batch."""
    lag_seconds: float | None = None
    """From the batch's earliest change to its end in the cache, whole-second steps; None where no record has a time."""
    duration_seconds: float | None = None
    """From the batch given to its end in the cache; None where nobody measured it."""
    notices: Sequence[Notice] = ()
    """One for each applied record that has something odd, such as a time to live that was not obeyed."""
    ttl_removals: int = 0
    """How many records are removals by DynamoDB's time to live."""
    quarantined: Sequence[Failure] = ()
    """One for each poison record that a quarantine has accepted, in the order of the batch: not reported to Lambda."""

    @property
    def failed(self) -> int:
        """How many records failed and were not set aside."""
        return len(self.failures)

    @property
    def records(self) -> int:
        """How many records there were."""
        return self.applied + self.stale + self.filtered + self.failed + len(self.quarantined)

    @property
    def response(self) -> BatchResponse:
        """The answer for Lambda: the lowest failed sequence number.

        Lambda delivers that record and all after it again; the lowest says all, and order is the guard's job.
        """
        if not self.failures:
            return {"batchItemFailures": []}
        lowest = min(self.failures, key=_by_value)
        return {"batchItemFailures": [{"itemIdentifier": lowest.sequence_number}]}


def _by_value(failure: Failure) -> tuple[int, str]:
    """Sorts failures as their sequence numbers do, those of Kinesis, of 56 digits and more, among them."""
    digits = failure.sequence_number.lstrip("0")
    return len(digits), digits
