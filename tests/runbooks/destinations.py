"""On-failure destinations in moto, as Lambda fills them, and the variables by which a function finds them."""

from __future__ import annotations

import json
import uuid
from typing import TYPE_CHECKING, Any, NamedTuple

import boto3
import pytest

if TYPE_CHECKING:
    from ddb_cache_sync.local.embedded import EmbeddedDynamoDB
    from ddb_cache_sync.local.failure_destination import DiscardedBatch


class Bucket(NamedTuple):
    """A bucket that gets the records of what is given up."""

    s3: Any
    name: str

    def deliver(self, discarded: DiscardedBatch) -> None:
        """Keep a batch."""
        self.s3.put_object(Bucket=self.name, Key=discarded.key(), Body=json.dumps(discarded.body()).encode())

    def keys(self) -> list[str]:
        """Of all objects."""
        return [each["Key"] for each in self.s3.list_objects_v2(Bucket=self.name).get("Contents", [])]


class Queue(NamedTuple):
    """A queue that gets told where they are."""

    sqs: Any
    url: str

    def deliver(self, discarded: DiscardedBatch) -> None:
        """Tell of a batch."""
        self.send(discarded.metadata())

    def send(self, metadata: dict[str, Any]) -> None:
        """Send this."""
        self.sqs.send_message(QueueUrl=self.url, MessageBody=json.dumps(metadata))

    def messages(self) -> int:
        """How many there are."""
        told = self.sqs.get_queue_attributes(QueueUrl=self.url, AttributeNames=["ApproximateNumberOfMessages"])
        return int(told["Attributes"]["ApproximateNumberOfMessages"])


class Destinations:
    """Makes buckets and queues."""

    def __init__(self, server: EmbeddedDynamoDB) -> None:
        self._s3, self._sqs = (
            boto3.session.Session().client(
                name,
                region_name=server.region,
                endpoint_url=server.endpoint_url,
                aws_access_key_id="local",
                aws_secret_access_key="local",
            )
            for name in ("s3", "sqs")
        )

    def bucket(self) -> Bucket:
        """A new one."""
        name = f"given-up-{uuid.uuid4().hex[:8]}"
        self._s3.create_bucket(Bucket=name)
        return Bucket(self._s3, name)

    def queue(self) -> Queue:
        """A new one."""
        return Queue(self._sqs, self._sqs.create_queue(QueueName=f"given-up-{uuid.uuid4().hex[:8]}")["QueueUrl"])


@pytest.fixture(scope="session")
def destinations(dynamodb: EmbeddedDynamoDB) -> Destinations:
    """Give what makes buckets and queues."""
    return Destinations(dynamodb)
