"""Records read back from a stream, by shard and sequence numbers: where Lambda tells a queue that a batch was.

A stream keeps a record for 24 hours, and trims the oldest first. Which items were in what it has trimmed nobody knows.

Source: the DynamoDB Streams API reference (GetShardIterator, GetRecords).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from botocore.exceptions import ClientError

from ddb_cache_sync.core.versions import sortable_digits
from ddb_cache_sync.errors import TableError
from ddb_cache_sync.table.clients import error_code
from ddb_cache_sync.table.lambda_records import to_lambda_record
from ddb_cache_sync.table.streams import StreamReader

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from mypy_boto3_dynamodbstreams import DynamoDBStreamsClient

    from ddb_cache_sync.core.given_up import StreamRange

MOST_RECORDS: Final = 100_000
"""Of a range: a batch of 10,000, among those of nine other lanes of its shard."""
MOST_RANGE_BYTES: Final = 100 << 20
"""Of a range, as the stream counts its records: a batch is handed over in 6 MB, among those of nine other lanes."""

_PAGE: Final = 1000
_MOST_EMPTY_PAGES: Final = 200  # in a row: a range whose end the shard does not have would be waited for without end


class ReadBack(NamedTuple):
    """What a stream still has of a range."""

    records: list[dict[str, Any]]
    """As Lambda would deliver them, in order: all that the shard has in the range, so with those that went to other
    lanes, or that a filter of the event source mapping left out."""
    complete: bool
    """Whether the first and the last of the range are among them: what is in between is then there too."""


def read_range(client: DynamoDBStreamsClient, wanted: StreamRange) -> ReadBack:
    """Read the records of a range.

    Raises:
        TableError: The stream or the shard is gone, or can't be read.
        ConfigurationError: Credentials are missing or wrong.
    """
    stream = StreamReader(client, wanted.stream_arn)
    start, end = sortable_digits(wanted.start), sortable_digits(wanted.end)
    numbers: list[str] = []
    records: list[dict[str, Any]] = []
    size = 0
    for record in _from(stream, wanted):
        number = sortable_digits(record["dynamodb"]["SequenceNumber"])
        if number > end:
            break
        if number >= start:
            numbers.append(number)
            records.append(to_lambda_record(record, wanted.stream_arn))
            size += record["dynamodb"].get("SizeBytes", 0)
        if number == end:
            break
        if len(records) > MOST_RECORDS:
            raise TableError(f"a range of more than {MOST_RECORDS:,} records", hint="No batch has as many.")
        if size > MOST_RANGE_BYTES:
            raise TableError(
                f"a range of more than {MOST_RANGE_BYTES >> 20} MiB", hint="Bring its items back by verify and repair."
            )
    return ReadBack(records, bool(numbers) and numbers[0] == start and numbers[-1] == end)


def _from(stream: StreamReader, wanted: StreamRange) -> Iterator[Any]:
    """The records of the shard, from the first of the range on, or from the oldest that is left."""
    iterator: str | None = _iterator(stream, wanted)
    empty_pages = 0
    while iterator is not None and empty_pages < _MOST_EMPTY_PAGES:
        page = _page(stream, iterator)
        yield from page["Records"]
        empty_pages = 0 if page["Records"] else empty_pages + 1
        iterator = page.get("NextShardIterator")


def _iterator(stream: StreamReader, wanted: StreamRange) -> str:
    shard = {"StreamArn": wanted.stream_arn, "ShardId": wanted.shard_id}
    try:
        return _taken(stream, {**shard, "ShardIteratorType": "AT_SEQUENCE_NUMBER", "SequenceNumber": wanted.start})
    except ClientError:  # trimmed beyond it
        return _taken(stream, {**shard, "ShardIteratorType": "TRIM_HORIZON"})


def _taken(stream: StreamReader, request: Mapping[str, Any]) -> str:
    answer: Any = stream.call("GetShardIterator", lambda: stream.client.get_shard_iterator(**request))
    iterator: str = answer["ShardIterator"]
    return iterator


def _page(stream: StreamReader, iterator: str) -> Any:
    try:
        return stream.call("GetRecords", lambda: stream.client.get_records(ShardIterator=iterator, Limit=_PAGE))
    except ClientError as error:
        # Trimmed while it was read, or an iterator that is 15 minutes old: both are over when it is done anew.
        raise TableError(
            f"reading {stream.stream_arn} back broke off: {error_code(error)}", hint="Run the redrive again."
        ) from None
