"""Quarantines in AWS: a bucket, or a queue. What a quarantine is, and one in a folder: `sync.quarantine`.

Rule: a queue takes less than a record can have. A record of 400 KB with both images makes a document of a megabyte and
more, and SQS takes 1 MiB (256 KiB where the queue says so). So a large one is compressed, and one that is too large all
the same is refused, which leaves its record reported.

Source of the bounds: `MaximumMessageSize` of SetQueueAttributes, Amazon SQS API reference.
"""

from __future__ import annotations

import posixpath
import re
from typing import TYPE_CHECKING, Any, Final

from ddb_cache_sync.core.given_up import compressed
from ddb_cache_sync.errors import RecordError
from ddb_cache_sync.table.clients import AWS_ERRORS, impatient_client, translate

if TYPE_CHECKING:
    from ddb_cache_sync.core.quarantined import QuarantinedRecord

MOST_MESSAGE_BYTES: Final = 2**20
"""What SQS takes."""
PLAIN_MESSAGE_BYTES: Final = 2**18
"""Above it a document is compressed: what every queue took before SQS took more."""

_S3_HINTS: Final = {
    "AccessDenied": "Allow s3:PutObject on the quarantine's objects, and kms:GenerateDataKey on the bucket's key where "
    "it has one.",
    "NoSuchBucket": "Check the bucket's name.",
}
_SQS_HINTS: Final = {
    "AccessDenied": "Allow sqs:SendMessage on the queue.",
    "AWS.SimpleQueueService.NonExistentQueue": "Check the queue's URL.",
    "QueueDoesNotExist": "Check the queue's URL.",
    "InvalidParameterValue": "Raise the queue's MaximumMessageSize to 1048576, or let an S3 bucket be the quarantine.",
}
_REGION: Final = re.compile(r"https://(?:sqs\.([a-z0-9-]+)\.|([a-z0-9-]+)\.queue\.)amazonaws\.com(?:\.cn)?/.*")


class S3Quarantine:
    """Keeps each record as an object, always under the same key.

    Args:
        bucket: Its name.
        prefix: What the keys begin with, without a slash at its end; empty: nothing.
        client: boto3's `s3` client. None makes one.

    Raises:
        ConfigurationError: No Region, for instance.
    """

    def __init__(self, bucket: str, prefix: str = "", client: Any = None) -> None:
        self._bucket = bucket
        self._prefix = prefix
        self._client = impatient_client("s3") if client is None else client

    def put(self, record: QuarantinedRecord, /) -> None:
        """Put the object.

        Raises:
            TableError: S3 refuses, or can't be reached.
        """
        key = posixpath.join(self._prefix, record.name)
        try:
            self._client.put_object(
                Bucket=self._bucket, Key=key, Body=record.document.encode(), ContentType="application/json"
            )
        except AWS_ERRORS as error:
            raise translate(error, f"put into s3://{self._bucket}/{self._prefix}", _S3_HINTS) from None


class SqsQuarantine:
    """Sends each record as a message. A record that comes twice is a second message, but in a FIFO queue.

    Args:
        queue_url: The queue's URL.
        client: boto3's `sqs` client. None makes one, in the URL's Region.

    Raises:
        ConfigurationError: No Region, for instance.
    """

    def __init__(self, queue_url: str, client: Any = None) -> None:
        self._queue_url = queue_url
        self._client = sqs_client_of(queue_url) if client is None else client

    def put(self, record: QuarantinedRecord, /) -> None:
        """Send the message.

        Raises:
            RecordError: It is too large.
            TableError: SQS refuses, or can't be reached.
        """
        body = record.document
        if len(body) > PLAIN_MESSAGE_BYTES:
            body = compressed(body)
        if len(body) > MOST_MESSAGE_BYTES:
            raise RecordError(
                f"a message of {len(body):,} bytes, compressed, and SQS takes {MOST_MESSAGE_BYTES:,}",
                hint="Let an S3 bucket be the quarantine.",
            )
        request = {"QueueUrl": self._queue_url, "MessageBody": body}
        if self._queue_url.endswith(".fifo"):
            name = posixpath.basename(record.name)
            request |= {"MessageGroupId": name, "MessageDeduplicationId": name}
        try:
            self._client.send_message(**request)
        except AWS_ERRORS as error:
            raise translate(error, f"send to the queue {posixpath.basename(self._queue_url)}", _SQS_HINTS) from None


def sqs_client_of(queue_url: str) -> Any:
    """A client of SQS in the Region that the queue's URL names, or else in the environment's.

    Raises:
        ConfigurationError: No Region.
    """
    found = _REGION.fullmatch(queue_url)
    return impatient_client("sqs", found and (found[1] or found[2]))
