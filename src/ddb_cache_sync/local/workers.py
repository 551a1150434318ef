"""The threads that invoke: one for each lane, so that invocations really run side by side."""

from __future__ import annotations

import logging
import random
import threading
import uuid
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ddb_cache_sync.local.batching import GivenUp, Lane
from ddb_cache_sync.local.failure_destination import DiscardedBatch
from ddb_cache_sync.local.responses import Result

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from ddb_cache_sync.local.batching import Batch, PolledRecord
    from ddb_cache_sync.local.failure_destination import FailureDestination
    from ddb_cache_sync.local.invocation import LocalFunction
    from ddb_cache_sync.local.properties import EventSourceMappingProperties
    from ddb_cache_sync.table.retries import Backoff

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Metrics:
    """What an event source mapping has done so far; the counts of events are of records, as AWS's are.

    Attributes:
        polled_event_count: Records read from the stream.
        invoked_event_count: Records sent to the function, each time they were sent.
        failed_invoke_event_count: Records of invocations that failed, from the checkpoint on after a partial failure.
        retried_event_count: Records lined up to be sent again.
        dropped_event_count: Records given up, delivered to a destination or not.
        on_failure_destination_delivered_event_count: Records delivered to the failure destination.
        invocations: Calls of the handler.
        failed_invocations: Those of them that were no complete success.
        on_failure_deliveries: Batches delivered to the failure destination.
    """

    polled_event_count: int = 0
    invoked_event_count: int = 0
    failed_invoke_event_count: int = 0
    retried_event_count: int = 0
    dropped_event_count: int = 0
    on_failure_destination_delivered_event_count: int = 0
    invocations: int = 0
    failed_invocations: int = 0
    on_failure_deliveries: int = 0


class Shared:
    """What the threads of one event source mapping share.

    Attributes:
        changed: Guards everything shared, lanes included, and tells of every change.
        stopping: Set once every thread should end. Set by `stop` and `fail` only, so that `changed` tells of it.
        failure: The first error nobody expected; None while there is none.
        metrics: What has been done so far.
    """

    def __init__(self) -> None:
        self.changed = threading.Condition()
        self.stopping = threading.Event()
        self.failure: BaseException | None = None
        self.metrics = Metrics()

    def count(self, **increments: int) -> None:
        """Add to metrics, by name."""
        with self.changed:
            self.metrics = replace(
                self.metrics, **{name: getattr(self.metrics, name) + more for name, more in increments.items()}
            )

    def stop(self) -> None:
        """Ask every thread to end."""
        with self.changed:
            self.stopping.set()
            self.changed.notify_all()

    def fail(self, error: BaseException) -> None:
        """Keep a thread's error for whoever waits, and ask every thread to end."""
        with self.changed:
            if self.failure is None:
                self.failure = error
            self.stop()


@dataclass(frozen=True, slots=True)
class Delivery:
    """How the batches of one event source mapping are delivered.

    Attributes:
        mapping_id: The event source mapping's UUID.
        stream_arn: The stream read.
        properties: How to batch and retry.
        function: What to invoke.
        on_failure: Where batches given up go; None drops them.
        retry_backoff: The wait before a failed batch is sent again.
        clock: Epoch seconds.
    """

    mapping_id: str
    stream_arn: str
    properties: EventSourceMappingProperties
    function: LocalFunction
    on_failure: FailureDestination | None
    retry_backoff: Backoff
    clock: Callable[[], float]


class LaneWorker:
    """Sends one lane's batches, one at a time, in a thread of its own."""

    def __init__(self, shard_id: str, delivery: Delivery, shared: Shared) -> None:
        self._shard_id = shard_id
        self._delivery = delivery
        self._shared = shared
        self._lane = Lane(delivery.properties)
        self._busy = False
        self.thread = threading.Thread(target=self._run, name=f"lane of {shard_id}", daemon=True)

    @property
    def idle(self) -> bool:
        """True when every record offered is finished, or given up and delivered. Hold `changed` to read it."""
        return self._lane.idle and not self._busy

    @property
    def waiting_records(self) -> int:
        """How many records wait to be sent for the first time. Hold `changed` to read it."""
        return self._lane.waiting_records

    def offer(self, records: Iterable[PolledRecord]) -> None:
        """Add records read from the shard. Hold `changed`, and notify."""
        now = self._delivery.clock()
        for record in records:
            self._lane.offer(record, now)

    def close(self) -> None:
        """Let the thread end once all is sent. Hold `changed`, and notify."""
        self._lane.close()

    def _run(self) -> None:
        try:
            while (step := self._next_step()) is not None:
                self._take(step)
        except BaseException as error:  # noqa: BLE001 -- drain() and stop() raise it
            self._shared.fail(error)

    def _next_step(self) -> Batch | GivenUp | None:
        """Wait until something is due; None once the lane has ended, or all is to stop."""
        changed, lane, clock = self._shared.changed, self._lane, self._delivery.clock
        with changed:
            self._busy = False
            changed.notify_all()
            while not self._shared.stopping.is_set() and not lane.ended:
                step = lane.next_step(clock())
                if step is not None:
                    self._busy = True
                    return step
                due_at = lane.due_at()
                changed.wait(None if due_at is None else max(0.0, due_at - clock()))
        return None

    def _take(self, step: Batch | GivenUp) -> None:
        if isinstance(step, GivenUp):
            self._give_up(step, str(uuid.uuid4()), None)
            return
        self._shared.count(invocations=1, invoked_event_count=len(step.records))
        request_id, verdict = self._delivery.function.invoke(step)
        with self._shared.changed:
            decision = self._lane.settle(verdict)
        if verdict.result is not Result.SUCCESS:
            self._shared.count(
                failed_invocations=1,
                failed_invoke_event_count=len(step.records) - len(decision.finished),
                retried_event_count=sum(len(batch.records) for batch in decision.again),
            )
        if decision.given_up is not None:
            self._give_up(decision.given_up, request_id, verdict.function_error)
        if decision.retries:
            jitter = random.random()  # noqa: S311 -- spreads load, keeps no secret
            self._shared.stopping.wait(self._delivery.retry_backoff.seconds(decision.retries, jitter))

    def _give_up(self, given_up: GivenUp, request_id: str, function_error: str | None) -> None:
        delivery, batch = self._delivery, given_up.batch
        logger.warning(
            "%d records of shard %s given up from sequence number %s on: %s",
            len(batch.records),
            self._shard_id,
            batch.records[0].sequence_number,
            given_up.condition,
        )
        self._shared.count(dropped_event_count=len(batch.records))
        if delivery.on_failure is None:
            return
        delivery.on_failure.deliver(
            DiscardedBatch(
                mapping_id=delivery.mapping_id,
                stream_arn=delivery.stream_arn,
                shard_id=self._shard_id,
                function_arn=delivery.function.arn,
                request_id=request_id,
                condition=given_up.condition,
                function_error=function_error,
                discarded_at=delivery.clock(),
                batch=batch,
            )
        )
        self._shared.count(on_failure_deliveries=1, on_failure_destination_delivered_event_count=len(batch.records))
