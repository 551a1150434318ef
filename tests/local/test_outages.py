"""What an outage costs: the arithmetic of the guide, held to the event source mapping in time that nobody waits for."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from tests.local.test_event_source_mapping import _Destination, _Stream, mapping_of

from ddb_cache_sync import CacheUnavailable
from ddb_cache_sync.core import outages
from ddb_cache_sync.core.outages import doubling, failed_invocations, no_wait, outlasted_seconds
from ddb_cache_sync.local.properties import Pace
from ddb_cache_sync.table.retries import Backoff

if TYPE_CHECKING:
    from collections.abc import Callable

# Nothing is waited for: the handler says how much time has passed.
PACE = Pace(poll_interval_seconds=0.001, retry_backoff=Backoff(0.0, 0.0))
HOUR = 3600.0


class Outcome(NamedTuple):
    failed: int
    given_up: int
    """Records."""
    seconds: float
    """From the first invocation until all was done or given up."""


def outage(
    seconds: float,
    attempt_seconds: float,
    wait: Callable[[int], float] = no_wait,
    records: int = 1,
    **properties: Any,
) -> Outcome:
    """What becomes of records that come in when an outage begins."""
    began = now = 1_000_000.0
    failed = 0
    stream, destination = _Stream(), _Destination()
    stream.write(*map(str, range(records)), created_at=began)

    def handler(_event: Any, _context: Any) -> None:
        nonlocal now, failed
        if now + attempt_seconds > began + seconds:
            return  # it is over before the function's deadline
        now += attempt_seconds
        failed += 1
        now += wait(failed)  # Lambda's, before the next invocation
        raise CacheUnavailable("the cache can't be reached")

    with mapping_of(
        stream,
        handler,
        pace=PACE,
        batch_size=1000,
        function_timeout_seconds=900,
        more={"on_failure": destination, "clock": lambda: now},
        **properties,
    ) as mapping:
        mapping.drain(60)
    return Outcome(failed, sum(len(each.batch.records) for each in destination.discarded), now - began)


@pytest.mark.parametrize(
    ("attempt_seconds", "wait"),
    [(29.0, no_wait), (29.0, doubling(1, 60)), (59.0, no_wait), (899.0, no_wait), (10.0, no_wait)],
)
def test_an_outage_of_an_hour_costs_as_many_invocations_as_reckoned(
    attempt_seconds: float, wait: Callable[[int], float]
) -> None:
    """With so many retries nothing is given up, and with one less it is, though it was the last that it would take."""
    failed = failed_invocations(HOUR, attempt_seconds, wait)
    enough = outage(HOUR, attempt_seconds, wait, maximum_retry_attempts=failed)
    assert (enough.failed, enough.given_up) == (failed, 0)
    less = outage(HOUR, attempt_seconds, wait, maximum_retry_attempts=failed - 1)
    assert (less.failed, less.given_up) == (failed, 1)
    assert outlasted_seconds(failed - 1, attempt_seconds, wait) <= HOUR
    assert outlasted_seconds(failed, attempt_seconds, wait) > HOUR


def test_with_few_retries_records_are_given_up_after_the_time_reckoned() -> None:
    """Three retries of 29 s last for less than two minutes."""
    found = outage(10 * HOUR, 29.0, maximum_retry_attempts=3)
    assert (found.given_up, found.seconds) == (1, outlasted_seconds(3, 29.0)) == (1, 116.0)


def test_halving_spends_no_retries_and_keeps_the_rest_of_the_batch() -> None:
    """Failures until one record is left are free; what is given up in the end is that record and no other."""
    free = math.floor(math.log2(1000))
    failed = failed_invocations(HOUR, 29.0)
    # The window never passes: the batch is sent once it is full.
    whole: dict[str, Any] = {"records": 1000, "maximum_batching_window_seconds": 1}
    options = {**whole, "bisect_batch_on_function_error": True}
    enough = outage(HOUR, 29.0, maximum_retry_attempts=failed - free, **options)
    assert (enough.failed, enough.given_up) == (failed, 0)
    assert outage(HOUR, 29.0, maximum_retry_attempts=failed - free - 1, **options).given_up == 1
    assert outage(HOUR, 29.0, maximum_retry_attempts=failed - 1, **whole).given_up == 1000  # without it: all


@pytest.mark.parametrize("retries", [outages.RETRIES, outages.RETRIES_WITH_QUARANTINE])
def test_the_values_to_begin_with_sit_out_eight_hours(retries: int) -> None:
    """At the time-out that is assumed where none is known."""
    attempt = outages.ASSUMED_TIMEOUT_SECONDS - outages.ASSUMED_MARGIN_SECONDS
    found = outage(
        8 * HOUR,
        attempt,
        maximum_retry_attempts=retries,
        maximum_record_age_seconds=outages.RECORD_AGE_SECONDS,
        bisect_batch_on_function_error=True,
    )
    assert (found.given_up, found.failed) == (0, failed_invocations(8 * HOUR, attempt))


def test_without_a_bound_of_retries_the_age_is_one() -> None:
    """Past it records are given up, and go to the destination; before it none is."""
    age = outages.RECORD_AGE_SECONDS
    options: dict[str, Any] = {
        "maximum_retry_attempts": outages.RETRIES_WITH_QUARANTINE,
        "maximum_record_age_seconds": age,
    }
    assert outage(age - 29.0, 29.0, **options).given_up == 0
    found = outage(age + 2 * HOUR, 29.0, **options)
    assert found.given_up == 1
    assert age < found.seconds <= age + 2 * 29.0
