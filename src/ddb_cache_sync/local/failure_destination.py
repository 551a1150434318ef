"""Where an event source mapping puts the batches it gives up.

The JSON has the form AWS sends: to a queue the metadata alone, to a bucket the metadata with `payload`, the event as
an escaped JSON string.
"""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from pathlib import Path

    from ddb_cache_sync.local.batching import Batch, Condition


@dataclass(frozen=True, slots=True)
class DiscardedBatch:
    """A batch given up, with what AWS tells about it.

    Attributes:
        mapping_id: The event source mapping's UUID.
        stream_arn: The stream read.
        shard_id: The shard the records came from.
        function_arn: The function invoked.
        request_id: Of the last invocation; of none, if the records grew too old before the first.
        condition: Why it was given up.
        function_error: `Unhandled` after an exception or a time-out; None after a partial failure.
        discarded_at: Epoch seconds.
        batch: The records, and how often they were sent.
    """

    mapping_id: str
    stream_arn: str
    shard_id: str
    function_arn: str
    request_id: str
    condition: Condition
    function_error: str | None
    discarded_at: float
    batch: Batch

    def metadata(self) -> dict[str, Any]:
        """The JSON that a queue or topic gets: where the records are in the stream, not the records."""
        records = self.batch.records
        return {
            "requestContext": {
                "requestId": self.request_id,
                "functionArn": self.function_arn,
                "condition": self.condition.value,
                "approximateInvokeCount": self.batch.invocations,
            },
            "responseContext": {
                "statusCode": 200,
                "executedVersion": "$LATEST",
                "functionError": self.function_error,
            },
            "version": "1.0",
            "timestamp": _utc(self.discarded_at, timespec="milliseconds"),
            "DDBStreamBatchInfo": {
                "shardId": self.shard_id,
                "startSequenceNumber": records[0].sequence_number,
                "endSequenceNumber": records[-1].sequence_number,
                "approximateArrivalOfFirstRecord": _utc(records[0].created_at),
                "approximateArrivalOfLastRecord": _utc(records[-1].created_at),
                "batchSize": len(records),
                "streamArn": self.stream_arn,
            },
        }

    def body(self) -> dict[str, Any]:
        """The JSON that a bucket gets: the metadata, and the event as text under `payload`."""
        return {**self.metadata(), "payload": self.batch.event_text}

    def key(self) -> str:
        """A new object key: `aws/lambda/<mapping>/<shard>/YYYY/MM/DD/YYYY-MM-DDTHH.MM.SS-<UUID>`."""
        when = datetime.fromtimestamp(self.discarded_at, UTC)
        prefix = f"aws/lambda/{self.mapping_id}/{self.shard_id}"
        return f"{prefix}/{when:%Y/%m/%d}/{when:%Y-%m-%dT%H.%M.%S}-{uuid.uuid4()}"


class FailureDestination(Protocol):
    """Takes the batches given up."""

    def deliver(self, discarded: DiscardedBatch) -> None:
        """Keep the batch; on return it is safe.

        Called from several threads at once. An exception ends the event source mapping, which raises it: a batch
        given up is never lost without a word. Not idempotent: each call is a batch of its own.
        """


class FolderDestination:
    """Keeps each batch as a file, under the key and with the content its object would have in a bucket.

    Args:
        folder: Stands for the bucket; made where missing.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def deliver(self, discarded: DiscardedBatch) -> None:
        """Write the batch's file; a reader sees it whole or not at all.

        Raises:
            OSError: It can't be written.
        """
        path = self.folder / discarded.key()
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_name(f".{path.name}")
        unfinished.write_text(json.dumps(discarded.body(), ensure_ascii=False), encoding="utf-8")
        unfinished.replace(path)


def _utc(epoch: float | None, timespec: str = "seconds") -> str | None:
    if epoch is None:
        return None
    return datetime.fromtimestamp(epoch, UTC).isoformat(timespec=timespec).replace("+00:00", "Z")
