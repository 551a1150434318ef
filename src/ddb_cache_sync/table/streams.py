"""Reading a DynamoDB stream: shards, iterators, pages of records.

Rules kept here, so that no caller has to know them:

1. An empty page says nothing: the shard may hold more. Only a missing next iterator ends a shard.
2. An expired iterator is replaced by one that goes on after the last record seen.
3. Records trimmed before they were read are lost; reading goes on at the oldest left, and a warning says so.
4. Throttling, server errors and lost connections are tried again, with full jitter, a limited number of times.

In what order shards may be read: `lineage`. What Lambda makes of a record: `lambda_records`.

Sources: the DynamoDB Streams API reference (GetRecords, GetShardIterator, DescribeStream).
"""

from __future__ import annotations

import logging
import random
import time
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, TypeVar

from botocore.exceptions import ClientError

from ddb_cache_sync.errors import TableError
from ddb_cache_sync.table.clients import AWS_ERRORS, error_code, translate
from ddb_cache_sync.table.lineage import Shard
from ddb_cache_sync.table.retries import DEFAULT_BACKOFF, TRANSIENT_CODES, Backoff, is_transient

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from mypy_boto3_dynamodbstreams import DynamoDBStreamsClient
    from mypy_boto3_dynamodbstreams.type_defs import (
        DescribeStreamInputTypeDef,
        GetRecordsOutputTypeDef,
        GetShardIteratorInputTypeDef,
        RecordTypeDef,
        ShardTypeDef,
        StreamDescriptionTypeDef,
    )

logger = logging.getLogger(__name__)

_T = TypeVar("_T")

_ANSWERED_BY_READERS = frozenset({"ExpiredIteratorException", "TrimmedDataAccessException"})
_HINTS = {
    "ResourceNotFoundException": (
        "The stream or its table does not exist in this account and Region, or the stream was disabled more than a day "
        "ago: enable a stream on the table and take its LatestStreamArn."
    ),
    "AccessDeniedException": "Allow dynamodb:DescribeStream, GetShardIterator and GetRecords on the stream's ARN.",
    "ParamValidationError": "Check the stream's ARN.",
    **dict.fromkeys(TRANSIENT_CODES, "Read slower, or from fewer places."),
}


class StartingPosition(StrEnum):
    """Where reading begins in a shard: at the oldest record kept, or after the newest."""

    TRIM_HORIZON = "TRIM_HORIZON"
    LATEST = "LATEST"


@dataclass(frozen=True, slots=True)
class StreamDescription:
    """A stream and all of its shards, as of one moment.

    Attributes:
        stream_arn: The stream's name.
        enabled: False once it is disabled; what it holds can be read for 24 hours more.
        partition_key: The attribute name of the table's partition key; None where the service did not say.
        shards: In the order listed.
    """

    stream_arn: str
    enabled: bool
    partition_key: str | None
    shards: tuple[Shard, ...]


class StreamReader:
    """Describes one stream and opens its shards for reading.

    Not for use by several threads at once.

    Args:
        client: boto3's `dynamodbstreams` client.
        stream_arn: The stream to read.
        wait: Waits so many seconds before a call is tried again; a true answer means to give up at once. An
            `Event.wait` fits, and so does `time.sleep`.
        backoff: How long those waits are.
        attempts: How often one call is made before its failure is raised, at least 1.
        jitter: A random number from 0 to 1.
    """

    def __init__(
        self,
        client: DynamoDBStreamsClient,
        stream_arn: str,
        *,
        wait: Callable[[float], bool | None] = time.sleep,
        backoff: Backoff = DEFAULT_BACKOFF,
        attempts: int = 8,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self.client = client
        self.stream_arn = stream_arn
        self._wait = wait
        self._backoff = backoff
        self._attempts = attempts
        self._jitter = jitter

    def describe(self) -> StreamDescription:
        """Read the stream's description with every page of its shards.

        Raises:
            TableError: The stream can't be described.
            ConfigurationError: Credentials are missing or wrong.
        """
        request: DescribeStreamInputTypeDef = {"StreamArn": self.stream_arn}
        shards: list[Shard] = []
        while True:
            page = self._describe_page(request)
            shards += [_shard(listed) for listed in page.get("Shards", [])]
            last = page.get("LastEvaluatedShardId")
            if not last:
                break
            request = {"StreamArn": self.stream_arn, "ExclusiveStartShardId": last}
        keys = (element["AttributeName"] for element in page.get("KeySchema", []) if element["KeyType"] == "HASH")
        return StreamDescription(
            stream_arn=self.stream_arn,
            enabled=page.get("StreamStatus") in ("ENABLED", "ENABLING"),
            partition_key=next(keys, None),
            shards=tuple(shards),
        )

    def open(self, shard_id: str, position: StartingPosition) -> ShardReader:
        """Open a shard at a position; the iterator is taken now, so LATEST means now.

        Raises:
            TableError: The shard can't be read.
            ConfigurationError: Credentials are missing or wrong.
        """
        return ShardReader(self, shard_id, position)

    def call(self, operation: str, request: Callable[[], _T]) -> _T:
        """Make one request, again where trying again can help.

        Raises:
            TableError: It was refused, or kept failing.
            ConfigurationError: Credentials are missing or wrong.
            ClientError: Only ExpiredIteratorException and TrimmedDataAccessException, which a shard's reader answers.
        """
        attempt = 0
        while True:
            attempt += 1
            try:
                return request()
            except AWS_ERRORS as error:
                if error_code(error) in _ANSWERED_BY_READERS:
                    raise
                if not is_transient(error) or self._gives_up(attempt):
                    raise translate(error, f"call {operation} on {self.stream_arn}", _HINTS) from None

    def _describe_page(self, request: DescribeStreamInputTypeDef) -> StreamDescriptionTypeDef:
        try:
            return self.call("DescribeStream", lambda: self.client.describe_stream(**request))["StreamDescription"]
        except ClientError as error:  # a code no description is documented to answer
            raise translate(error, f"call DescribeStream on {self.stream_arn}") from None

    def _gives_up(self, attempt: int) -> bool:
        """Wait before the next attempt; True where there is to be none."""
        return attempt >= self._attempts or bool(self._wait(self._backoff.seconds(attempt, self._jitter())))


class ShardReader:
    """Reads one shard from a position to its end.

    Attributes:
        shard_id: The shard.
        closed: True once the shard was read to its end: no more records will come.
        last_sequence_number: Of the newest record read; None before the first.
    """

    def __init__(self, stream: StreamReader, shard_id: str, position: StartingPosition) -> None:
        self.shard_id = shard_id
        self.closed = False
        self.last_sequence_number: str | None = None
        self._stream = stream
        self._position = position
        self._iterator: str | None = self._take_iterator()

    def read(self, limit: int = 1000) -> Sequence[RecordTypeDef]:
        """Read the next page, at most `limit` (1 to 1,000) records; it may be empty before the end.

        Raises:
            TableError: The shard can't be read.
            ConfigurationError: Credentials are missing or wrong.
        """
        if self.closed:
            return ()
        for _ in range(4):  # an iterator taken anew is good for 15 minutes: more rounds than this mean it never is
            try:
                page = self._page(limit)
            except ClientError as error:
                self._iterator = None
                if error_code(error) == "TrimmedDataAccessException":
                    self._skip_trimmed()
                continue
            self._iterator = page.get("NextShardIterator")
            self.closed = self._iterator is None
            records = page["Records"]
            if records:
                self.last_sequence_number = records[-1].get("dynamodb", {}).get("SequenceNumber")
            return records
        raise TableError(f"shard {self.shard_id} of {self._stream.stream_arn} gives no iterator that can be read")

    def _page(self, limit: int) -> GetRecordsOutputTypeDef:
        if self._iterator is None and self.last_sequence_number is None and self._position == StartingPosition.LATEST:
            logger.warning(
                "records may be lost: the iterator of shard %s of %s expired before any record was seen; reading goes "
                "on after the newest",
                self.shard_id,
                self._stream.stream_arn,
            )
        iterator = self._iterator or self._take_iterator()
        return self._stream.call(
            "GetRecords", lambda: self._stream.client.get_records(ShardIterator=iterator, Limit=limit)
        )

    def _take_iterator(self) -> str:
        request: GetShardIteratorInputTypeDef = {
            "StreamArn": self._stream.stream_arn,
            "ShardId": self.shard_id,
            "ShardIteratorType": self._position.value,
        }
        if self.last_sequence_number is not None:
            request["ShardIteratorType"] = "AFTER_SEQUENCE_NUMBER"
            request["SequenceNumber"] = self.last_sequence_number
        try:
            answer = self._stream.call("GetShardIterator", lambda: self._stream.client.get_shard_iterator(**request))
        except ClientError:
            if self.last_sequence_number is None:
                raise TableError(f"shard {self.shard_id} of {self._stream.stream_arn} gives no iterator") from None
            self._skip_trimmed()
            return self._take_iterator()
        return answer["ShardIterator"]

    def _skip_trimmed(self) -> None:
        """Go on at the oldest record left; those between it and the last one read are gone."""
        logger.warning(
            "records lost: shard %s of %s was trimmed beyond sequence number %s; reading goes on at its oldest record",
            self.shard_id,
            self._stream.stream_arn,
            self.last_sequence_number,
        )
        self.last_sequence_number = None
        self._position = StartingPosition.TRIM_HORIZON


def _shard(listed: ShardTypeDef) -> Shard:
    return Shard(
        shard_id=listed.get("ShardId", ""),  # always there, whatever the service model says
        parent_id=listed.get("ParentShardId"),
        closed="EndingSequenceNumber" in listed.get("SequenceNumberRange", {}),
    )
