"""The decisions of an event source mapping, in virtual time and without threads."""

import json
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ddb_cache_sync.errors import ConfigurationError
from ddb_cache_sync.local.batching import (
    MAXIMUM_EVENT_BYTES,
    Batch,
    Condition,
    Decision,
    GivenUp,
    Lane,
    PolledRecord,
    decide,
)
from ddb_cache_sync.local.properties import EventSourceMappingProperties
from ddb_cache_sync.local.responses import FAILURE, FUNCTION_ERROR, SUCCESS, Result, Verdict
from ddb_cache_sync.table.streams import StartingPosition

NOW = 1_000_000.0


def record(number: int, *, size: int | None = None, created_at: float | None = NOW) -> PolledRecord:
    text = json.dumps({"dynamodb": {"SequenceNumber": str(number)}})
    if size is not None:
        text = text.ljust(size)
    return PolledRecord(str(number), created_at, text, len(text))


def batch_of(count: int) -> Batch:
    return Batch(tuple(record(number) for number in range(count)))


def failed_from(position: int) -> Verdict:
    return Verdict(Result.PARTIAL_FAILURE, first_failed=position)


def lane_with(count: int, **properties: Any) -> Lane:
    lane = Lane(EventSourceMappingProperties(**properties))
    for number in range(count):
        lane.offer(record(number), NOW)
    return lane


def sent(lane: Lane, now: float = NOW) -> list[str]:
    step = lane.next_step(now)
    assert isinstance(step, Batch)
    return list(step.sequence_numbers)


def test_a_batch_is_sent_at_once_where_there_is_no_window() -> None:
    """A window of zero sends what there is, full or not."""
    assert sent(lane_with(2, batch_size=100)) == ["0", "1"]


def test_a_batch_holds_no_more_records_than_its_size() -> None:
    """The rest waits for the next batch."""
    lane = lane_with(5, batch_size=3)
    assert sent(lane) == ["0", "1", "2"]
    lane.settle(SUCCESS)
    assert sent(lane) == ["3", "4"]


def test_a_batch_that_is_not_full_waits_for_its_window() -> None:
    """The window counts from the first record gathered."""
    lane = lane_with(2, maximum_batching_window_seconds=10)
    assert lane.next_step(NOW + 9.9) is None
    assert lane.due_at() == NOW + 10
    assert sent(lane, NOW + 10) == ["0", "1"]


def test_a_full_batch_does_not_wait_for_its_window() -> None:
    """Size comes before the window."""
    assert sent(lane_with(2, batch_size=2, maximum_batching_window_seconds=300)) == ["0", "1"]


def test_a_closed_lane_does_not_wait_for_its_window() -> None:
    """No record can come that would be worth the wait."""
    lane = lane_with(2, maximum_batching_window_seconds=300)
    lane.close()
    assert sent(lane) == ["0", "1"]


def test_an_event_stays_within_six_megabytes() -> None:
    """Two records of 3 MB fill an event with its envelope; the second goes into the next."""
    lane = Lane(EventSourceMappingProperties(maximum_batching_window_seconds=300))
    for number in range(3):
        lane.offer(record(number, size=MAXIMUM_EVENT_BYTES // 2), NOW)
    first = lane.next_step(NOW)
    assert isinstance(first, Batch)
    assert first.sequence_numbers == ("0",)
    assert len(first.event_text.encode()) <= MAXIMUM_EVENT_BYTES


def test_an_event_may_fill_six_megabytes_to_the_byte() -> None:
    """The envelope and the commas are counted, and no more than that."""
    room = MAXIMUM_EVENT_BYTES - len('{"Records":[,]}')
    lane = Lane(EventSourceMappingProperties())
    lane.offer(record(0, size=room // 2), NOW)
    lane.offer(record(1, size=room - room // 2), NOW)
    batch = lane.next_step(NOW)
    assert isinstance(batch, Batch)
    assert len(batch.event_text.encode()) == MAXIMUM_EVENT_BYTES


def test_a_record_beyond_six_megabytes_is_sent_alone() -> None:
    """It can't be split, and must not hold up the lane."""
    lane = Lane(EventSourceMappingProperties())
    for number, size in enumerate([100, MAXIMUM_EVENT_BYTES + 1, 100]):
        lane.offer(record(number, size=size), NOW)
    for expected in (["0"], ["1"], ["2"]):
        assert sent(lane) == expected
        lane.settle(SUCCESS)
    assert lane.idle


def test_a_lane_sends_nothing_while_a_batch_is_out() -> None:
    """One batch at a time keeps the order."""
    lane = lane_with(4, batch_size=2)
    sent(lane)
    assert lane.next_step(NOW) is None
    assert lane.due_at() is None


def test_settling_without_a_batch_out_is_an_error() -> None:
    """A driver that settles twice has lost count."""
    with pytest.raises(ValueError, match="no batch is out"):
        lane_with(1).settle(SUCCESS)


def test_a_success_checkpoints_the_whole_batch() -> None:
    """Nothing comes again."""
    batch = batch_of(3)
    assert decide(batch, SUCCESS, EventSourceMappingProperties()) == Decision(finished=batch.records)


def test_a_partial_failure_comes_again_from_its_checkpoint_and_before_newer_records() -> None:
    """What comes again is not filled up with records that were gathered in the meantime."""
    lane = lane_with(4, batch_size=3)
    sent(lane)
    decision = lane.settle(failed_from(1))
    assert [done.sequence_number for done in decision.finished] == ["0"]
    assert sent(lane) == ["1", "2"]
    lane.settle(SUCCESS)
    assert sent(lane) == ["3"]


@pytest.mark.parametrize("verdict", [FAILURE, FUNCTION_ERROR])
def test_a_complete_failure_comes_again_whole(verdict: Verdict) -> None:
    """Nothing is checkpointed."""
    lane = lane_with(3)
    sent(lane)
    assert lane.settle(verdict).finished == ()
    assert sent(lane) == ["0", "1", "2"]


def test_three_retries_make_four_invocations() -> None:
    """Then the batch is given up, and the lane goes on."""
    lane = lane_with(3, batch_size=2, maximum_retry_attempts=3)
    for _ in range(3):
        assert sent(lane) == ["0", "1"]
        assert lane.settle(FUNCTION_ERROR).given_up is None
    assert sent(lane) == ["0", "1"]
    given_up = lane.settle(FUNCTION_ERROR).given_up
    assert given_up is not None
    assert given_up.condition is Condition.RETRY_ATTEMPTS_EXHAUSTED
    assert given_up.batch.invocations == 4
    assert sent(lane) == ["2"]


def test_a_partial_failure_gives_up_from_its_checkpoint_on() -> None:
    """What was checkpointed is not given up."""
    decision = decide(batch_of(3), failed_from(2), EventSourceMappingProperties(maximum_retry_attempts=0))
    assert len(decision.finished) == 2
    assert decision.given_up is not None
    assert decision.given_up.batch.sequence_numbers == ("2",)


def test_a_checkpoint_reached_does_not_give_retries_back() -> None:
    """Each failed invocation of a batch or what is left of it counts."""
    lane = lane_with(5, maximum_retry_attempts=2)
    for checkpoint in range(2):
        assert sent(lane)[0] == str(checkpoint)
        assert lane.settle(failed_from(1)).given_up is None
    sent(lane)
    assert lane.settle(failed_from(1)).given_up is not None


def test_endless_retries_never_give_up() -> None:
    """-1 means without end."""
    lane = lane_with(1, maximum_retry_attempts=-1)
    for _ in range(200):
        sent(lane)
        assert lane.settle(FUNCTION_ERROR).given_up is None


def test_bisecting_finds_the_poison_record_and_uses_up_no_retries() -> None:
    """With one retry, only the record that fails is given up: after two invocations of it alone."""
    lane = lane_with(8, bisect_batch_on_function_error=True, maximum_retry_attempts=1)
    lost: list[str] = []
    done: list[str] = []
    alone = 0
    while not lane.idle:
        numbers = sent(lane)
        alone += numbers == ["5"]
        decision = lane.settle(FUNCTION_ERROR if "5" in numbers else SUCCESS)
        done += [finished.sequence_number for finished in decision.finished]
        lost += decision.given_up.batch.sequence_numbers if decision.given_up else ()
    assert (done, lost, alone) == (["0", "1", "2", "3", "4", "6", "7"], ["5"], 2)


def test_a_partial_failure_with_bisecting_splits_at_the_checkpoint() -> None:
    """It uses up no retry, and what is left is not split in the middle."""
    properties = EventSourceMappingProperties(bisect_batch_on_function_error=True, maximum_retry_attempts=0)
    decision = decide(batch_of(4), failed_from(1), properties)
    assert [again.sequence_numbers for again in decision.again] == [("1", "2", "3")]
    assert decision.again[0].failures == 0


def test_a_partial_failure_at_the_first_record_with_bisecting_uses_up_a_retry() -> None:
    """There is nothing to split off, and it must end some time."""
    properties = EventSourceMappingProperties(bisect_batch_on_function_error=True, maximum_retry_attempts=0)
    assert decide(batch_of(2), failed_from(0), properties).given_up is not None


def test_records_beyond_the_maximum_age_are_given_up_before_they_are_sent() -> None:
    """Those still young enough are sent in a batch of their own."""
    lane = Lane(EventSourceMappingProperties(maximum_record_age_seconds=60))
    for number, age in enumerate([100, 61, 60]):
        lane.offer(record(number, created_at=NOW - age), NOW)
    step = lane.next_step(NOW)
    assert isinstance(step, GivenUp)
    assert (step.condition, step.batch.sequence_numbers) == (Condition.RECORD_AGE_EXCEEDED, ("0", "1"))
    assert sent(lane) == ["2"]


def test_a_batch_that_grows_too_old_between_retries_is_given_up() -> None:
    """The age is looked at before every invocation."""
    lane = lane_with(1, maximum_record_age_seconds=60)
    sent(lane)
    lane.settle(FUNCTION_ERROR)
    step = lane.next_step(NOW + 61)
    assert isinstance(step, GivenUp)
    assert step.batch.invocations == 1
    assert lane.idle


def test_a_record_without_a_creation_time_never_grows_old() -> None:
    """Nothing says how old it is, so nothing may drop it."""
    lane = Lane(EventSourceMappingProperties(maximum_record_age_seconds=60))
    lane.offer(record(0, created_at=None), NOW)
    assert sent(lane, NOW + 1_000_000) == ["0"]


@given(
    count=st.integers(1, 30),
    batch_size=st.integers(1, 10),
    bisect=st.booleans(),
    retries=st.integers(0, 3),
    seed=st.randoms(use_true_random=False),
)
def test_every_record_is_finished_or_given_up_once_and_in_order(
    *, count: int, batch_size: int, bisect: bool, retries: int, seed: Any
) -> None:
    """Whatever the function answers, the lane loses nothing, settles nothing twice, and comes to an end."""
    lane = lane_with(
        count, batch_size=batch_size, bisect_batch_on_function_error=bisect, maximum_retry_attempts=retries
    )
    settled: list[str] = []
    while not lane.idle:
        numbers = sent(lane)
        verdict = seed.choice([SUCCESS, FAILURE, FUNCTION_ERROR, failed_from(seed.randrange(len(numbers)))])
        decision = lane.settle(verdict)
        settled += [finished.sequence_number for finished in decision.finished]
        settled += decision.given_up.batch.sequence_numbers if decision.given_up else ()
    assert settled == [str(number) for number in range(count)]


@pytest.mark.parametrize(
    "wrong",
    [
        {"batch_size": 0},
        {"batch_size": 10_001},
        {"maximum_batching_window_seconds": 301},
        {"parallelization_factor": 11},
        {"maximum_retry_attempts": -2},
        {"maximum_record_age_seconds": 59},
        {"starting_position": "AT_TIMESTAMP"},
        {"function_timeout_seconds": 0},
    ],
    ids=lambda wrong: next(iter(wrong)),
)
def test_properties_that_aws_would_refuse_are_refused(wrong: dict[str, Any]) -> None:
    """A local run must not get away with what a deployment does not."""
    with pytest.raises(ConfigurationError, match=next(iter(wrong))):
        EventSourceMappingProperties(**wrong)


def test_a_starting_position_may_be_given_as_text() -> None:
    """As it stands in a template or a settings file."""
    properties = EventSourceMappingProperties(starting_position=cast("Any", "LATEST"))
    assert properties.starting_position is StartingPosition.LATEST
