"""Chaos: a handler that is treated as badly as Lambda's contract allows, and a little worse."""

import copy
import random
from collections import Counter
from collections.abc import Callable
from threading import Lock
from typing import Any, TypeAlias

Handler: TypeAlias = Callable[[Any, Any], Any]


class InjectedFault(Exception):  # noqa: N818 - no error of the code under test
    """Raised in the handler's place; says which fault."""


class Chaos:
    """Wraps a handler of stream events and puts faults between it and its caller.

    Each invocation draws at most one fault, so that a batch gets through after a few tries:

    | fault | what happens |
    |---|---|
    | `duplicate` | the event is delivered twice |
    | `reorder` | the records are delivered in random order |
    | `replay` | an event of long ago is delivered once more, afterwards |
    | `fail before` | the invocation fails, nothing applied |
    | `fail after` | everything is applied, then the invocation fails |
    | `fail half-way` | some records are applied, then the invocation fails |
    | `false report` | everything is applied, and a record is reported as failed |
    | `flush scripts` | the cache forgets its scripts first |

    Args:
        handler: The handler to treat so.
        flush_scripts: Makes the cache forget its scripts. None: that fault is not drawn.
        seed: Draws the same faults for the same invocations.
        share: The share of invocations that get a fault, 0 to 1.

    Attributes:
        counts: How often each fault fired.

    Raises:
        ValueError: A share that is none.
    """

    REMEMBERED_EVENTS = 50

    def __init__(
        self, handler: Handler, *, flush_scripts: Callable[[], object] | None = None, seed: int = 0, share: float = 0.5
    ) -> None:
        if not 0 <= share <= 1:
            raise ValueError(f"a share of {share}. Give one from 0 (no faults) to 1 (a fault each time).")
        self._handler = handler
        self._flush_scripts = flush_scripts
        self._random = random.Random(seed)  # noqa: S311 - faults, not secrets
        self._share = share
        self._past: list[Any] = []
        self._lock = Lock()
        self._faults: dict[str, Handler] = {
            "duplicate": self._duplicate,
            "reorder": self._reorder,
            "replay": self._replay,
            "fail before": self._fail_before,
            "fail after": self._fail_after,
            "fail half-way": self._fail_half_way,
            "false report": self._false_report,
        }
        if flush_scripts is not None:
            self._faults["flush scripts"] = self._forget_scripts
        self.counts: Counter[str] = Counter(dict.fromkeys(self._faults, 0))

    def __call__(self, event: Any, context: Any) -> Any:
        """Invoke the handler, with a fault or without."""
        with self._lock:
            fault = self._random.choice([*self._faults]) if self._random.random() < self._share else None
            if len(self._past) < self.REMEMBERED_EVENTS:
                self._past.append(copy.deepcopy(event))
        if fault is None:
            return self._handler(event, context)
        with self._lock:
            self.counts[fault] += 1
        return self._faults[fault](event, context)

    def _duplicate(self, event: Any, context: Any) -> Any:
        self._handler(copy.deepcopy(event), context)
        return self._handler(event, context)

    def _reorder(self, event: Any, context: Any) -> Any:
        with self._lock:
            records = self._random.sample(event["Records"], len(event["Records"]))
        return self._handler({"Records": records}, context)

    def _replay(self, event: Any, context: Any) -> Any:
        answer = self._handler(event, context)
        with self._lock:
            past = copy.deepcopy(self._random.choice(self._past))
        self._handler(past, context)
        return answer

    def _fail_before(self, _event: Any, _context: Any) -> Any:
        raise InjectedFault("fail before")

    def _fail_after(self, event: Any, context: Any) -> Any:
        self._handler(event, context)
        raise InjectedFault("fail after")

    def _fail_half_way(self, event: Any, context: Any) -> Any:
        with self._lock:
            some = [record for record in event["Records"] if self._random.random() < 0.5]
        self._handler({"Records": some}, context)
        raise InjectedFault("fail half-way")

    def _false_report(self, event: Any, context: Any) -> Any:
        self._handler(event, context)
        with self._lock:
            record = self._random.choice(event["Records"])
        return {"batchItemFailures": [{"itemIdentifier": record["dynamodb"]["SequenceNumber"]}]}

    def _forget_scripts(self, event: Any, context: Any) -> Any:
        if self._flush_scripts is not None:
            self._flush_scripts()
        return self._handler(event, context)
