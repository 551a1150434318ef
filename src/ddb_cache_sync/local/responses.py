"""What a function's answer means for its batch: the `ReportBatchItemFailures` table, without threads, clock or I/O.

| the function returns                                                        | verdict                           |
|-----------------------------------------------------------------------------|-----------------------------------|
| `[]`, null, `{}`, `{"batchItemFailures": []}`, `{"batchItemFailures": null}` | success                           |
| identifiers that are all in the batch                                       | it failed from the lowest one on  |
| an identifier not in the batch, `""`, null, an entry with a wrong key       | the whole batch failed            |
| an answer that is not of this form at all, such as `"done"`                 | the whole batch failed            |
| an exception, a time-out, an answer that JSON can't hold                    | the whole batch failed            |
| anything, where the response type is not enabled                            | success                           |

All rows but the fourth are as recorded against AWS. For the fourth there is no record; the stricter reading is taken,
since a function that relies on it is wrong anyway.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence


class Result(Enum):
    """How an invocation went for its batch."""

    SUCCESS = "success"
    PARTIAL_FAILURE = "partial failure"
    FAILURE = "failure"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What an invocation means for its batch.

    Attributes:
        result: How it went.
        first_failed: After a partial failure, the checkpoint: the position in the batch, from 0, of the first record
            to come again. 0 otherwise.
        function_error: Lambda's word for an exception or a time-out, `Unhandled`; None where the function answered.
    """

    result: Result
    first_failed: int = 0
    function_error: str | None = None


SUCCESS = Verdict(Result.SUCCESS)
FAILURE = Verdict(Result.FAILURE)
FUNCTION_ERROR = Verdict(Result.FAILURE, function_error="Unhandled")


def interpret(answer: Any, sequence_numbers: Sequence[str], *, report_batch_item_failures: bool) -> Verdict:
    """Say what an answer means.

    Args:
        answer: The function's answer, as JSON gives it.
        sequence_numbers: Of the batch's records, in its order.
        report_batch_item_failures: Whether the response type is enabled.
    """
    if not report_batch_item_failures or answer is None or answer == []:
        return SUCCESS
    if not isinstance(answer, dict):
        return FAILURE
    failures = answer.get("batchItemFailures")
    if failures is None or failures == []:
        return SUCCESS
    if not isinstance(failures, list):
        return FAILURE
    positions: dict[str, int] = {}
    for position, sequence_number in enumerate(sequence_numbers):
        positions.setdefault(sequence_number, position)
    failed = [_position(entry, positions) for entry in failures]
    known = [position for position in failed if position is not None]
    if len(known) < len(failed):
        return FAILURE
    return Verdict(Result.PARTIAL_FAILURE, first_failed=min(known))


def _position(entry: Any, positions: dict[str, int]) -> int | None:
    identifier = entry.get("itemIdentifier") if isinstance(entry, dict) else None
    return positions.get(identifier) if isinstance(identifier, str) else None
