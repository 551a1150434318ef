"""How an outage of the cache, or a poison record, spends what an event source mapping allows. Pure arithmetic.

Rules:

1. Where the cache can't be reached, a failing invocation lasts until its deadline: the function's time-out less a
   margin. Where the cache refuses, or a record is reported, it lasts no longer than a good one.
2. How long Lambda waits between two invocations of a stream's batch, AWS does not document. So how long a number of
   retries lasts is reckoned without any wait, the worst case, and shown beside it with one that is plausible.
3. Halving a batch spends no retry
   (https://docs.aws.amazon.com/lambda/latest/dg/services-dynamodb-errors.html): until one record is left, failures of a
   batch are free.
"""

from collections.abc import Callable
from typing import Final

ASSUMED_TIMEOUT_SECONDS: Final = 30.0
"""Of a function that nothing is known of."""
ASSUMED_MARGIN_SECONDS: Final = 1.0
"""The default of `DDB_CACHE_SYNC_DEADLINE_MARGIN_MS`."""
SHORTEST_OUTAGE_SECONDS: Final = 3600.0
"""An outage that nobody should lose records by: a failover, a resized cluster, somebody's lunch hour."""

RECORD_AGE_SECONDS: Final = 12 * 3600
"""The value of MaximumRecordAgeInSeconds to begin with: half of what the stream keeps. The rest is for whoever is
called."""
RETRIES_WITH_QUARANTINE: Final = -1
"""The value of MaximumRetryAttempts to begin with where poison records are set aside: the age alone is the bound."""
RETRIES: Final = 1000
"""The same where they are not: some eight hours of an outage, at a time-out of 30 s."""


def no_wait(_: int) -> float:
    """Lambda invokes again at once."""
    return 0.0


def doubling(first_seconds: float, longest_seconds: float) -> Callable[[int], float]:
    """Lambda waits for so long before the first retry, twice as long before each further one, up to a longest wait."""
    return lambda retry: min(longest_seconds, first_seconds * 2.0 ** min(retry - 1, 64))


def failed_invocations(outage_seconds: float, attempt_seconds: float, wait: Callable[[int], float] = no_wait) -> int:
    """How many invocations of one batch fail in an outage that begins with the first of them.

    One that is under way when the outage ends succeeds, since the function tries until its deadline.

    Args:
        outage_seconds: How long the outage is.
        attempt_seconds: How long a failing invocation lasts, above 0.
        wait: How long Lambda waits before retry 1, 2, …, seconds.
    """
    failed, ended = 0, attempt_seconds
    while ended <= outage_seconds:
        failed += 1
        ended += wait(failed) + attempt_seconds
    return failed


def outlasted_seconds(retries: int, attempt_seconds: float, wait: Callable[[int], float] = no_wait) -> float:
    """How long an outage has to be for a batch of one record to be given up, after so many retries.

    Args:
        retries: MaximumRetryAttempts, 0 or more.
        attempt_seconds: How long a failing invocation lasts.
        wait: How long Lambda waits before retry 1, 2, …, seconds.
    """
    return (retries + 1) * attempt_seconds + sum(wait(retry) for retry in range(1, retries + 1))


FEW_RETRIES: Final = failed_invocations(SHORTEST_OUTAGE_SECONDS, ASSUMED_TIMEOUT_SECONDS - ASSUMED_MARGIN_SECONDS)
"""With fewer than these an hour's outage gives batches up."""
