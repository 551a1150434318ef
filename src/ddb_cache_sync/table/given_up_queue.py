"""Messages of a queue that hold what was given up, or tell where it is. Objects: `given_up_sources`.

Rule: a queue has no order and no list. Its messages are received, which hides them from others for a while; `close`
gives back those that were not deleted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from ddb_cache_sync.table.clients import AWS_ERRORS
from ddb_cache_sync.table.given_up_sources import bounded
from ddb_cache_sync.table.retries import DEFAULT_RETRIES, Retries

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence

_HIDDEN_SECONDS: Final = 900
_MOST_RECEIVED: Final = 10  # by one call
_SQS_HINTS: Final = {
    "AccessDenied": "Allow sqs:ReceiveMessage, sqs:ChangeMessageVisibility, sqs:GetQueueAttributes and "
    "sqs:DeleteMessage on the queue.",
    "AWS.SimpleQueueService.NonExistentQueue": "Check the queue's URL.",
    "QueueDoesNotExist": "Check the queue's URL.",
}


class SqsSource:
    """Messages of a queue, by their ids.

    Args:
        client: boto3's `sqs` client.
        queue_url: The queue's URL.
        wait_seconds: How long the queue is asked for more before it counts as empty, twice: 1 to 20. With zero SQS asks
            only some of its servers.
        retries: How often a request is made.
    """

    ordered = False

    def __init__(
        self, client: Any, queue_url: str, *, wait_seconds: int = 1, retries: Retries = DEFAULT_RETRIES
    ) -> None:
        self._client = client
        self._queue_url = queue_url
        self._wait_seconds = wait_seconds
        self._retries = retries
        self._receipts: dict[str, str] = {}
        self._bodies: dict[str, bytes] = {}

    def about(self) -> int:
        """See `GivenUpSource.about`."""
        wanted = "ApproximateNumberOfMessages"
        told = self._call(
            "ask", lambda: self._client.get_queue_attributes(QueueUrl=self._queue_url, AttributeNames=[wanted])
        )
        return int(told.get("Attributes", {}).get(wanted, 0))

    def pages(self, after: str | None = None, limit: int | None = None) -> Iterator[Sequence[str]]:  # noqa: ARG002
        """See `GivenUpSource.pages`."""
        seen: set[str] = set()
        empty = 0
        while empty < 2 and (limit is None or len(seen) < limit):
            most = _MOST_RECEIVED if limit is None else min(_MOST_RECEIVED, limit - len(seen))
            received, page = self._receive(most, seen)
            seen.update(page)
            # What was seen comes again when its time is up, and is hidden anew: others may be behind it.
            empty = 0 if received else empty + 1
            if page:
                yield page

    def read(self, name: str, limit: int) -> bytes | None:
        """See `GivenUpSource.read`."""
        return bounded(self._bodies.pop(name), limit)

    def delete(self, name: str) -> None:
        """See `GivenUpSource.delete`."""
        receipt = self._receipts.pop(name)
        self._call("delete", lambda: self._client.delete_message(QueueUrl=self._queue_url, ReceiptHandle=receipt))

    def close(self) -> None:
        """See `GivenUpSource.close`."""
        names = [*self._receipts]
        for start in range(0, len(names), _MOST_RECEIVED):
            entries = [
                {"Id": str(place), "ReceiptHandle": self._receipts[name], "VisibilityTimeout": 0}
                for place, name in enumerate(names[start : start + _MOST_RECEIVED])
            ]
            try:
                self._client.change_message_visibility_batch(QueueUrl=self._queue_url, Entries=entries)
            except AWS_ERRORS:
                return  # they come back by themselves
        self._receipts.clear()

    def _receive(self, most: int, seen: Collection[str]) -> tuple[int, list[str]]:
        """How many came, and the ids of those that were not seen. One that comes again has a new receipt."""
        answer = self._call(
            "receive",
            lambda: self._client.receive_message(
                QueueUrl=self._queue_url,
                MaxNumberOfMessages=most,
                WaitTimeSeconds=self._wait_seconds,
                VisibilityTimeout=_HIDDEN_SECONDS,
            ),
        )
        names = []
        messages = answer.get("Messages", [])
        for message in messages:
            name = message["MessageId"]
            if name not in seen:
                names.append(name)
                self._bodies[name] = message["Body"].encode("utf-8", "replace")
            if name not in seen or name in self._receipts:
                self._receipts[name] = message["ReceiptHandle"]
        return len(messages), names

    def _call(self, what: str, request: Callable[[], Any]) -> Any:
        return self._retries.call(f"{what} messages of the queue", request, _SQS_HINTS)
