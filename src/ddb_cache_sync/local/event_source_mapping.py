"""An event source mapping on one machine: reads a real stream and calls a Python handler as AWS Lambda does.

Kept of Lambda's contract: batches by size, window and 6 MB; order for each partition key; the `ReportBatchItemFailures`
table; retries, bisecting, record age, failure destination; delivery at least once. Not kept: filter patterns, tumbling
windows, a position that outlives the object, and ending a handler at its time-out (see `LocalFunction`).
"""

from __future__ import annotations

import logging
import threading
import time
import uuid
from typing import TYPE_CHECKING, Any, Self

from ddb_cache_sync.errors import CacheSyncError, ConfigurationError, TableError
from ddb_cache_sync.local.invocation import LocalFunction
from ddb_cache_sync.local.polling import Poller
from ddb_cache_sync.local.properties import EventSourceMappingProperties, Pace
from ddb_cache_sync.local.workers import Delivery, Metrics, Shared
from ddb_cache_sync.table.streams import StreamReader

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from mypy_boto3_dynamodbstreams import DynamoDBStreamsClient

    from ddb_cache_sync.local.failure_destination import FailureDestination

__all__ = ["DrainTimeout", "EventSourceMapping", "EventSourceMappingProperties", "Metrics", "Pace"]

logger = logging.getLogger(__name__)

_DRAIN_POLL_SECONDS = 0.02


class DrainTimeout(CacheSyncError, TimeoutError):  # noqa: N818 -- named as CacheUnavailable is
    """What was written to the stream was not all finished in time."""


class EventSourceMapping:
    """Reads a stream and invokes a handler with its records, in threads of its own.

    Use it once, as a context manager or with `start` and `stop`. Delivery is at least once: a record may come again
    after a failure, and after `stop` nothing remembers how far reading had come.

    Args:
        streams_client: boto3's `dynamodbstreams` client.
        stream_arn: The stream to read.
        handler: Called as a Lambda handler, with the event and a context; by several threads at once where the
            stream has several shards or the parallelization factor is above 1.
        properties: How to read, batch and retry.
        on_failure: Where batches given up go; None drops them, as AWS does.
        clock: Epoch seconds; for windows, record ages and the function's time-out.
        pace: How hard to work on this machine.
        function_name: What the handler's context says.

    Attributes:
        mapping_id: The UUID under which a failure destination files this event source mapping's batches.

    Raises:
        ConfigurationError: The ARN is not a stream's.
    """

    def __init__(
        self,
        streams_client: DynamoDBStreamsClient,
        stream_arn: str,
        handler: Callable[[Any, Any], object],
        properties: EventSourceMappingProperties | None = None,
        *,
        on_failure: FailureDestination | None = None,
        clock: Callable[[], float] = time.time,
        pace: Pace | None = None,
        function_name: str = "ddb-cache-sync",
    ) -> None:
        properties = properties or EventSourceMappingProperties()
        self.mapping_id = str(uuid.uuid4())
        self._pace = pace or Pace()
        self._shared = Shared()
        delivery = Delivery(
            mapping_id=self.mapping_id,
            stream_arn=stream_arn,
            properties=properties,
            function=LocalFunction(
                handler=handler,
                name=function_name,
                arn=_function_arn(stream_arn, function_name),
                timeout_seconds=properties.function_timeout_seconds,
                report_batch_item_failures=properties.report_batch_item_failures,
                clock=clock,
            ),
            on_failure=on_failure,
            retry_backoff=self._pace.retry_backoff,
            clock=clock,
        )
        stream = StreamReader(streams_client, stream_arn, wait=self._shared.stopping.wait)
        self._poller = Poller(stream, delivery, self._shared, self._pace.describe_interval_seconds)
        self._thread = threading.Thread(target=self._poll, name=f"poller of {stream_arn}", daemon=True)
        self._started = False
        self._draining = 0
        self._round = 0
        self._quiet_round = 0

    def start(self) -> None:
        """Open the stream and begin. With LATEST, everything written after this returns is delivered.

        Raises:
            TableError: The stream can't be read.
            ConfigurationError: It was started before.
        """
        if self._started:
            raise ConfigurationError("an event source mapping is started once", hint="Make a new one.")
        self._started = True
        try:
            self._poller.open_first()
        except BaseException:
            self._shared.stop()
            raise
        self._thread.start()

    def stop(self) -> None:
        """End every thread; invocations still running are waited for, up to the pace's grace, then left behind.

        What was read and not finished is forgotten. Stopping again, or before the start, changes nothing.

        Raises:
            Exception: What ended a thread against its will: a TableError from the stream, or whatever a failure
                destination raised.
        """
        self._stop()
        self._raise_failure()

    def drain(self, timeout: float = 60.0) -> None:
        """Wait until all that was written to the stream before this call is finished: checkpointed, or given up.

        That is known after a round of reading that began after the call, in which a new description showed no new
        shard, every shard answered with an empty page, and every lane was idle then. So while others go on writing
        without a pause it can wait longer than it has to, never shorter. One limit: AWS may answer with an empty page
        before a shard's newest records; the emulators do not.

        Args:
            timeout: Seconds of real time, whatever the clock.

        Raises:
            DrainTimeout: It took longer.
            ConfigurationError: It is not running.
            Exception: As `stop` does.
        """
        changed = self._shared.changed
        with changed:
            self._raise_failure()
            if not self._started or self._shared.stopping.is_set():
                raise ConfigurationError("the event source mapping is not running", hint="Drain before you stop it.")
            after = self._round
            self._draining += 1
            changed.notify_all()
            try:
                changed.wait_for(lambda: self._quiet_round > after or self._shared.stopping.is_set(), timeout)
            finally:
                self._draining -= 1
            self._raise_failure()
            if self._quiet_round <= after:
                if self._shared.stopping.is_set():
                    raise ConfigurationError("the event source mapping was stopped while it drained")
                raise DrainTimeout(
                    f"the stream was not drained within {timeout:g} s",
                    hint="Look for a batch that is tried again without end, a batching window, or writes going on.",
                )

    def metrics(self) -> Metrics:
        """What has been done so far."""
        return self._shared.metrics

    def __enter__(self) -> Self:
        """Start."""
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop; an error of the block's own goes before one of the threads."""
        if error is None:
            self.stop()
        else:
            self._stop()

    def _stop(self) -> None:
        self._shared.stop()
        deadline = time.monotonic() + self._pace.stop_grace_seconds
        for thread in [self._thread, *(worker.thread for worker in self._poller.workers)]:
            if thread.ident is None or thread is threading.current_thread():
                continue
            thread.join(max(0.0, deadline - time.monotonic()))
            if thread.is_alive():
                logger.warning("the %s is still busy and is left behind", thread.name)

    def _raise_failure(self) -> None:
        if self._shared.failure is not None:
            raise self._shared.failure

    def _poll(self) -> None:
        stopping = self._shared.stopping
        try:
            while not stopping.is_set():
                self._poll_once()
        except TableError as error:
            if not stopping.is_set():  # a call that was being tried again is cut short by the stop
                self._shared.fail(error)
        except BaseException as error:  # noqa: BLE001 -- drain() and stop() raise it
            self._shared.fail(error)

    def _poll_once(self) -> None:
        changed = self._shared.changed
        with changed:
            self._round += 1
            draining = self._draining > 0
        found = self._poller.run_round(describe=draining)
        with changed:
            if found.quiet:
                self._quiet_round = self._round
                changed.notify_all()
            if found.records:
                return
            interval = self._pace.poll_interval_seconds
            changed.wait_for(
                lambda: self._shared.stopping.is_set() or (self._draining > 0 and not draining),
                min(interval, _DRAIN_POLL_SECONDS) if draining else interval,
            )


def _function_arn(stream_arn: str, function_name: str) -> str:
    parts = stream_arn.split(":")
    if parts[0] != "arn" or len(parts) < 6 or "/stream/" not in stream_arn:
        raise ConfigurationError(
            f"{stream_arn!r} is not the ARN of a DynamoDB stream", hint="Take LatestStreamArn from DescribeTable."
        )
    return f"arn:{parts[1]}:lambda:{parts[3]}:{parts[4]}:function:{function_name}"
