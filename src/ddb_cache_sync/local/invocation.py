"""One invocation of a function, as Lambda does it: an event of its own, a context, a time-out, an answer in JSON."""

from __future__ import annotations

import json
import logging
import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import orjson

from ddb_cache_sync.local.responses import FUNCTION_ERROR, interpret

if TYPE_CHECKING:
    from collections.abc import Callable

    from ddb_cache_sync.local.batching import Batch
    from ddb_cache_sync.local.responses import Verdict

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class LambdaContext:
    """What Lambda passes beside the event; its attributes are those of the Python runtime.

    Attributes:
        aws_request_id: Of this invocation.
        function_name: Of the function.
        function_version: `$LATEST`.
        invoked_function_arn: Of the function.
        memory_limit_in_mb: In MB, as text, as the runtime has it; nothing holds the function to it here.
        deadline: When the invocation times out, in the clock's seconds.
        clock: Gives the time in seconds.
    """

    aws_request_id: str
    function_name: str
    function_version: str
    invoked_function_arn: str
    memory_limit_in_mb: str
    deadline: float = field(repr=False)
    clock: Callable[[], float] = field(repr=False)

    def get_remaining_time_in_millis(self) -> int:
        """Milliseconds left before the time-out; 0 after it."""
        return max(0, int((self.deadline - self.clock()) * 1000))


@dataclass(frozen=True, slots=True)
class LocalFunction:
    """A Python handler that is invoked as Lambda invokes it.

    A running handler can't be ended from outside, as Lambda ends one. It runs on, and when it comes back after its
    time-out the invocation counts as timed out whatever it answers: its effects stand, and its batch comes again.

    Attributes:
        handler: Takes the event and a context.
        name: The function's name.
        arn: The function's ARN.
        timeout_seconds: Its time-out.
        report_batch_item_failures: Whether its answer is read for batch item failures.
        clock: Gives the time in seconds.
    """

    handler: Callable[[Any, Any], object]
    name: str
    arn: str
    timeout_seconds: float
    report_batch_item_failures: bool
    clock: Callable[[], float]

    def invoke(self, batch: Batch) -> tuple[str, Verdict]:
        """Send a batch; answers the request id and the verdict. What the handler raises is part of the verdict."""
        deadline = self.clock() + self.timeout_seconds
        context = LambdaContext(
            aws_request_id=str(uuid.uuid4()),
            function_name=self.name,
            function_version="$LATEST",
            invoked_function_arn=self.arn,
            memory_limit_in_mb="128",
            deadline=deadline,
            clock=self.clock,
        )
        verdict = self._verdict(batch, context)
        if self.clock() > deadline:
            logger.warning("invocation %s of %s timed out", context.aws_request_id, self.name)
            verdict = FUNCTION_ERROR
        return context.aws_request_id, verdict

    def _verdict(self, batch: Batch, context: LambdaContext) -> Verdict:
        try:
            # Through JSON and back on both ways: the handler shares nothing with us, and answers what JSON can hold.
            answer = json.loads(json.dumps(self.handler(orjson.loads(batch.event_text), context)))
        except (Exception, SystemExit) as error:  # noqa: BLE001 -- whatever it raises is the function's own error
            # The text of the error may hold an item's contents: its type and place have to do.
            logger.warning("invocation %s of %s failed: %s", context.aws_request_id, self.name, _where(error))
            return FUNCTION_ERROR
        return interpret(answer, batch.sequence_numbers, report_batch_item_failures=self.report_batch_item_failures)


def _where(error: BaseException) -> str:
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    place = "" if trace is None else f" in {trace.tb_frame.f_code.co_qualname}, line {trace.tb_lineno}"
    return f"{type(error).__name__}{place}"
