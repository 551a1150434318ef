"""Every row of the `ReportBatchItemFailures` table."""

from typing import Any

import pytest

from ddb_cache_sync.local.responses import Result, Verdict, interpret

BATCH = ("999", "1000", "1001")


def verdict_on(answer: Any) -> Verdict:
    return interpret(answer, BATCH, report_batch_item_failures=True)


def failure_of(*identifiers: Any) -> dict[str, Any]:
    return {"batchItemFailures": [{"itemIdentifier": identifier} for identifier in identifiers]}


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param([], id="empty list"),
        pytest.param(None, id="null"),
        pytest.param({}, id="empty object"),
        pytest.param({"batchItemFailures": []}, id="empty list of failures"),
        pytest.param({"batchItemFailures": None}, id="null for the list of failures"),
        pytest.param({"statusCode": 200}, id="an object about something else"),
    ],
)
def test_an_answer_that_names_no_failures_is_a_complete_success(answer: Any) -> None:
    """Nothing is named, so the whole batch is checkpointed."""
    assert verdict_on(answer) == Verdict(Result.SUCCESS)


def test_an_identifier_in_the_batch_is_the_checkpoint() -> None:
    """The record named and all after it come again."""
    assert verdict_on(failure_of("1000")) == Verdict(Result.PARTIAL_FAILURE, first_failed=1)


def test_the_lowest_of_several_identifiers_is_the_checkpoint_by_number_not_by_text() -> None:
    """As text "1001" sorts before "999"; the batch's order says otherwise."""
    assert verdict_on(failure_of("1001", "999")) == Verdict(Result.PARTIAL_FAILURE, first_failed=0)


def test_a_sequence_number_delivered_twice_is_checkpointed_at_its_first_place() -> None:
    """Nothing that failed is skipped, even where a stream hands out a number twice."""
    verdict = interpret(failure_of("7"), ("5", "7", "7"), report_batch_item_failures=True)
    assert verdict.first_failed == 1


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(failure_of("1002"), id="not in the batch"),
        pytest.param(failure_of("1000", "1002"), id="one in the batch, one not"),
        pytest.param(failure_of(""), id="empty"),
        pytest.param(failure_of(None), id="null"),
        pytest.param(failure_of(1000), id="a number in place of text"),
        pytest.param({"batchItemFailures": [{"foo": "1000"}]}, id="wrong key"),
        pytest.param({"batchItemFailures": [{}]}, id="no key"),
        pytest.param({"batchItemFailures": ["1000"]}, id="text in place of an entry"),
        pytest.param({"batchItemFailures": "1000"}, id="text in place of the list"),
        pytest.param("done", id="text in place of the object"),
        pytest.param([{"itemIdentifier": "1000"}], id="the bare list"),
    ],
)
def test_an_answer_that_can_not_be_followed_fails_the_whole_batch(answer: Any) -> None:
    """It comes again whole, and the function made no error of its own."""
    assert verdict_on(answer) == Verdict(Result.FAILURE, function_error=None)


@pytest.mark.parametrize("answer", [failure_of("1000"), failure_of("unknown"), "done", None])
def test_any_answer_is_a_success_where_the_response_type_is_not_enabled(answer: Any) -> None:
    """Without ReportBatchItemFailures nobody reads the body."""
    assert interpret(answer, BATCH, report_batch_item_failures=False) == Verdict(Result.SUCCESS)
