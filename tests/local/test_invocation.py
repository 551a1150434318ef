"""One invocation of a handler: its event, its context, and what its answer or its error means."""

import json
import logging
from collections.abc import Callable
from typing import Any

import pytest

from ddb_cache_sync.local.batching import Batch, PolledRecord
from ddb_cache_sync.local.invocation import LocalFunction
from ddb_cache_sync.local.responses import FUNCTION_ERROR, SUCCESS, Result, Verdict

TEXT = '{"dynamodb":{"Keys":{"pk":{"S":"é"}},"SequenceNumber":"%d","ApproximateCreationDateTime":1732550000.0}}'
BATCH = Batch(tuple(PolledRecord(str(number), 1732550000.0, TEXT % number, len(TEXT) + 1) for number in (1, 2)))


def function(
    handler: Callable[[Any, Any], object], clock: Callable[[], float] = lambda: 50.0, *, report: bool = True
) -> LocalFunction:
    return LocalFunction(
        handler=handler,
        name="f",
        arn="arn:aws:lambda:eu-west-1:111122223333:function:f",
        timeout_seconds=7,
        report_batch_item_failures=report,
        clock=clock,
    )


def verdict_of(handler: Callable[[Any, Any], object]) -> Verdict:
    return function(handler).invoke(BATCH)[1]


def test_a_handler_gets_the_batch_as_an_event() -> None:
    """One object with the records in order, as Lambda delivers them."""
    events: list[Any] = []
    assert verdict_of(lambda event, context: events.append(event)) == SUCCESS
    assert events == [{"Records": [json.loads(TEXT % 1), json.loads(TEXT % 2)]}]


def test_two_invocations_share_nothing() -> None:
    """A handler that spoils its event gets it whole again at the retry."""
    sizes: list[int] = []

    def handler(event: Any, context: Any) -> None:
        sizes.append(len(event["Records"]))
        event["Records"].clear()

    verdict_of(handler)
    verdict_of(handler)
    assert sizes == [2, 2]


def test_the_context_is_that_of_a_lambda_function() -> None:
    """Names and forms are those of Lambda's Python runtime."""
    contexts: list[Any] = []
    request_id, _ = function(lambda event, context: contexts.append(context)).invoke(BATCH)
    (context,) = contexts
    assert context.aws_request_id == request_id
    assert context.invoked_function_arn == "arn:aws:lambda:eu-west-1:111122223333:function:f"
    assert (context.function_name, context.function_version, context.memory_limit_in_mb) == ("f", "$LATEST", "128")


def test_each_invocation_has_an_id_of_its_own() -> None:
    """A retry can be told from the attempt before it."""
    invoked = function(lambda event, context: None)
    assert invoked.invoke(BATCH)[0] != invoked.invoke(BATCH)[0]


def test_the_remaining_time_counts_from_the_start_of_the_invocation() -> None:
    """It falls with the clock, and never below zero."""
    now = [1000.0]
    remaining: list[int] = []

    def handler(event: Any, context: Any) -> None:
        for seconds in (0, 2.5, 100):
            now[0] += seconds
            remaining.append(context.get_remaining_time_in_millis())

    function(handler, lambda: now[0]).invoke(BATCH)
    assert remaining == [7000, 4500, 0]


def test_an_answer_after_the_time_out_fails_the_whole_batch() -> None:
    """Whatever it says, it is too late."""
    now = [1000.0]

    def handler(event: Any, context: Any) -> object:
        now[0] += 7.001
        return {"batchItemFailures": []}

    assert function(handler, lambda: now[0]).invoke(BATCH)[1] == FUNCTION_ERROR


@pytest.mark.parametrize("error", [RuntimeError(), SystemExit(1), MemoryError()], ids=repr)
def test_a_handler_that_raises_fails_the_whole_batch(error: BaseException) -> None:
    """An exit too is the function's own affair."""

    def handler(event: Any, context: Any) -> None:
        raise error

    assert verdict_of(handler) == FUNCTION_ERROR


def test_an_answer_that_json_can_not_hold_fails_the_whole_batch() -> None:
    """The runtime could not have sent it."""
    assert verdict_of(lambda event, context: {"batchItemFailures": {"1", "2"}}) == FUNCTION_ERROR


def test_an_answer_is_read_as_json_has_it() -> None:
    """A tuple is a list by the time anyone reads it."""
    verdict = verdict_of(lambda event, context: {"batchItemFailures": ({"itemIdentifier": "2"},)})
    assert verdict == Verdict(Result.PARTIAL_FAILURE, first_failed=1)


def test_an_answer_is_not_read_where_the_response_type_is_not_enabled() -> None:
    """The batch is done whatever the body says."""
    answer = {"batchItemFailures": [{"itemIdentifier": "1"}]}
    assert function(lambda event, context: answer, report=False).invoke(BATCH)[1] == SUCCESS


def test_no_log_line_holds_what_a_handler_said(caplog: pytest.LogCaptureFixture) -> None:
    """An error's text may quote an item; its type and place are logged."""

    def handler(event: Any, context: Any) -> None:
        raise RuntimeError("secret")

    with caplog.at_level(logging.DEBUG):
        verdict_of(handler)
    assert "RuntimeError in" in caplog.text
    assert "handler" in caplog.text
    assert "secret" not in caplog.text
