"""Reading a DynamoDB stream: shards, iterators, pages of records.

Rules kept here, so that no caller has to know them:

1. A child shard is read only after its parent was read to its end and the parent's records are finished with. A
   parent that the description no longer lists has been trimmed away and counts as finished.
2. An empty page says nothing: the shard may hold more. Only a missing next iterator ends a shard.
3. An expired iterator is replaced by one that goes on after the last record seen.
4. Records trimmed before they were read are lost; reading goes on at the oldest left, and a warning says so.
5. Throttling, server errors and lost connections are tried again, with full jitter, a limited number of times.

Sources: the DynamoDB Streams API reference (GetRecords, GetShardIterator, DescribeStream).
"""

from __future__ import annotations

import base64
import logging
import random
import time
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any, TypeVar

from botocore.exceptions import BotoCoreError, ClientError, ConnectionError, HTTPClientError  # noqa: A004

from ddb_cache_sync.errors import TableError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

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

_TRANSIENT = frozenset(
    {
        "InternalFailure",
        "InternalServerError",
        "LimitExceededException",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "ServiceUnavailable",
        "Throttling",
        "ThrottlingException",
    }
)
_HINTS = {
    "ResourceNotFoundException": (
        "The stream or its table does not exist in this account and Region, or the stream was disabled more than a day "
        "ago: enable a stream on the table and take its LatestStreamArn"
    ),
    "AccessDeniedException": "Allow dynamodb:DescribeStream, GetShardIterator and GetRecords on the stream's ARN",
    "UnrecognizedClientException": "Check the credentials and the Region",
    "ExpiredTokenException": "Renew the credentials",
}


class StartingPosition(StrEnum):
    """Where reading begins in a shard: at the oldest record kept, or after the newest."""

    TRIM_HORIZON = "TRIM_HORIZON"
    LATEST = "LATEST"


@dataclass(frozen=True, slots=True)
class Backoff:
    """Exponential backoff with full jitter: a random wait between zero and a limit that doubles each time.

    Attributes:
        base_seconds: The limit of the first wait.
        cap_seconds: What the limit never exceeds.
    """

    base_seconds: float = 0.05
    cap_seconds: float = 5.0

    def seconds(self, attempt: int, fraction: float) -> float:
        """The wait before attempt number `attempt + 1`; `fraction` is the random number, 0 to 1."""
        exponent = min(attempt - 1, 32)  # no cap in use is 2**32 times its base, and float powers overflow
        return float(fraction * min(self.cap_seconds, self.base_seconds * 2.0**exponent))


@dataclass(frozen=True, slots=True)
class Shard:
    """One shard as the stream's description lists it.

    Attributes:
        shard_id: Unique in the stream.
        parent_id: The shard it continues; None for a first shard. It may be listed no longer.
        closed: True when no record will be added any more.
    """

    shard_id: str
    parent_id: str | None
    closed: bool


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
        backoff: Backoff = Backoff(),
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
        """
        return ShardReader(self, shard_id, position)

    def call(self, what: str, request: Callable[[], _T]) -> _T:
        """Make one request, again where trying again can help.

        Raises:
            TableError: It was refused, or kept failing.
            ClientError: Only ExpiredIteratorException and TrimmedDataAccessException, which a shard's reader answers.
        """
        attempt = 0
        while True:
            attempt += 1
            try:
                return request()
            except ClientError as error:
                code = _code(error)
                if code in ("ExpiredIteratorException", "TrimmedDataAccessException"):
                    raise
                if code not in _TRANSIENT or self._gives_up(attempt):
                    hint = _HINTS.get(code, "Read slower, or from fewer places" if code in _TRANSIENT else None)
                    raise TableError(f"{what} of {self.stream_arn} failed: {code}", hint=hint) from error
            except (ConnectionError, HTTPClientError) as error:
                if self._gives_up(attempt):
                    raise TableError(
                        f"{what} of {self.stream_arn} failed: {type(error).__name__}",
                        hint="Check the endpoint, the Region and the network",
                    ) from error
            except BotoCoreError as error:
                raise TableError(
                    f"{what} of {self.stream_arn} failed: {type(error).__name__}",
                    hint="Check the stream ARN, the Region and the credentials",
                ) from error

    def _describe_page(self, request: DescribeStreamInputTypeDef) -> StreamDescriptionTypeDef:
        try:
            return self.call("DescribeStream", lambda: self.client.describe_stream(**request))["StreamDescription"]
        except ClientError as error:  # a code no description is documented to answer
            raise TableError(f"DescribeStream of {self.stream_arn} failed") from error

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
        """
        if self.closed:
            return ()
        for _ in range(4):  # an iterator taken anew is good for 15 minutes: more rounds than this mean it never is
            try:
                page = self._page(limit)
            except ClientError as error:
                self._iterator = None
                if _code(error) == "TrimmedDataAccessException":
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
        except ClientError as error:
            if self.last_sequence_number is None:
                raise TableError(f"shard {self.shard_id} of {self._stream.stream_arn} gives no iterator") from error
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


class ShardLineage:
    """Which shards may be read now. No I/O: it is told what the stream lists and what is finished."""

    def __init__(self) -> None:
        self._waiting: dict[str, Shard] = {}
        self._taken: set[str] = set()
        self._finished: set[str] = set()

    @property
    def waiting(self) -> bool:
        """True while a listed shard waits for its parent, or was not taken yet."""
        return bool(self._waiting)

    def update(self, listed: Iterable[Shard]) -> None:
        """Take note of a description: shards seen for the first time wait for their turn."""
        known = self._taken | self._finished
        self._waiting = {shard.shard_id: shard for shard in listed if shard.shard_id not in known}

    def take_ready(self) -> tuple[Shard, ...]:
        """Take the shards whose parent is finished, or listed no longer; each is given out once."""
        unread = self._waiting.keys() | self._taken
        ready = tuple(shard for shard in self._waiting.values() if shard.parent_id not in unread)
        for shard in ready:
            del self._waiting[shard.shard_id]
            self._taken.add(shard.shard_id)
        return ready

    def finish(self, shard_id: str) -> None:
        """Note that a shard was read to its end and that everything read from it is finished with."""
        self._waiting.pop(shard_id, None)
        self._taken.discard(shard_id)
        self._finished.add(shard_id)


def to_lambda_record(record: RecordTypeDef, stream_arn: str) -> dict[str, Any]:
    """Turn a record as boto3's GetRecords gives it into the JSON that Lambda delivers.

    Binary values become base64 text, the creation time an epoch number in seconds, the user identity's names start
    in lower case, and `eventSourceARN` is added. Pure; the record given is left as it is.
    """
    body: dict[str, Any] = {**record.get("dynamodb", {})}
    created = body.get("ApproximateCreationDateTime")
    if isinstance(created, datetime):
        body["ApproximateCreationDateTime"] = created.timestamp()
    for part in ("Keys", "NewImage", "OldImage"):
        if part in body:
            body[part] = {name: _to_lambda_value(value) for name, value in body[part].items()}
    delivered: dict[str, Any] = {**record, "dynamodb": body}
    identity = record.get("userIdentity")
    if identity:
        delivered["userIdentity"] = {name[:1].lower() + name[1:]: value for name, value in identity.items()}
    delivered["eventSourceARN"] = stream_arn
    return delivered


def _to_lambda_value(value: Mapping[str, Any]) -> dict[str, Any]:
    ((kind, content),) = value.items()
    match kind:
        case "B":
            return {"B": base64.b64encode(content).decode("ascii")}
        case "BS":
            return {"BS": [base64.b64encode(member).decode("ascii") for member in content]}
        case "M":
            return {"M": {name: _to_lambda_value(member) for name, member in content.items()}}
        case "L":
            return {"L": [_to_lambda_value(member) for member in content]}
        case _:
            return {kind: content}


def _code(error: ClientError) -> str:
    return error.response.get("Error", {}).get("Code", "unknown")


def _shard(listed: ShardTypeDef) -> Shard:
    return Shard(
        shard_id=listed.get("ShardId", ""),  # always there, whatever the service model says
        parent_id=listed.get("ParentShardId"),
        closed="EndingSequenceNumber" in listed.get("SequenceNumberRange", {}),
    )
