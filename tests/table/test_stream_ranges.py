"""Records read back from a stream by their range: on moto, and from shards made by hand, as moto's is never trimmed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from ddb_cache_sync import TableError
from ddb_cache_sync.core.given_up import StreamRange
from ddb_cache_sync.local.embedded import create_demo_table
from ddb_cache_sync.table import stream_ranges
from ddb_cache_sync.table.stream_ranges import read_range

if TYPE_CHECKING:
    from ddb_cache_sync.local.embedded import EmbeddedDynamoDB

ARN = "arn:aws:dynamodb:eu-west-1:111122223333:table/T/stream/2025-04-23T13:37:16.991"


class Shard:
    """A shard behind boto3's operations: pages of two, an empty one before each, trimmed up to a number.

    Attributes:
        trims_later: Whether it is trimmed while it is read.
    """

    def __init__(self, *numbers: int, trimmed_below: int = 0, closed: bool = False) -> None:
        self.numbers = numbers
        self.trimmed_below = trimmed_below
        self.closed = closed
        self.breaks = ""
        self.calls = 0

    def get_shard_iterator(self, **request: Any) -> Any:
        assert (request["StreamArn"], request["ShardId"]) == (ARN, "shard-1")
        first = int(request.get("SequenceNumber", 0))
        if request["ShardIteratorType"] == "AT_SEQUENCE_NUMBER" and first < self.trimmed_below:
            raise ClientError({"Error": {"Code": "TrimmedDataAccessException"}}, "GetShardIterator")
        return {"ShardIterator": f"{max(first, self.trimmed_below)} empty"}

    def get_records(self, **request: Any) -> Any:
        self.calls += 1
        if self.breaks:
            raise ClientError({"Error": {"Code": self.breaks}}, "GetRecords")
        first, _, empty = request["ShardIterator"].partition(" ")
        if empty:
            return {"Records": [], "NextShardIterator": first}
        page = [number for number in self.numbers if number >= int(first)][:2]
        if not page and self.closed:
            return {"Records": []}
        records = [
            {
                "eventName": "INSERT",
                "dynamodb": {"Keys": {"b": {"B": b"x"}}, "SequenceNumber": f"{number:020d}", "SizeBytes": 1000},
            }
            for number in page
        ]
        return {"Records": records, "NextShardIterator": f"{page[-1] + 1 if page else first} empty"}


def wanted(start: int, end: int, records: int = 3) -> StreamRange:
    return StreamRange(ARN, "shard-1", str(start), str(end), records)


def read(shard: Shard, start: int, end: int) -> tuple[list[int], bool]:
    found, complete = read_range(shard, wanted(start, end))  # type: ignore[arg-type]
    return [int(each["dynamodb"]["SequenceNumber"]) for each in found], complete


def test_a_range_is_read_to_its_last_record_and_no_further() -> None:
    """By number, over pages and empty pages; as Lambda would deliver them."""
    shard = Shard(*range(5, 30))
    assert read(shard, 9, 14) == ([9, 10, 11, 12, 13, 14], True)
    assert shard.calls == 6
    [first, *_] = read_range(shard, wanted(9, 14)).records  # type: ignore[arg-type]
    assert (first["eventSourceARN"], first["dynamodb"]["Keys"]) == (ARN, {"b": {"B": "eA=="}})


@pytest.mark.parametrize(
    ("shard", "found"),
    [
        (Shard(*range(5, 30), trimmed_below=12), ([12, 13, 14], False)),
        (Shard(*range(5, 30), trimmed_below=15), ([], False)),
        (Shard(*range(5, 13), closed=True), ([9, 10, 11, 12], False)),
        (Shard(9, 11, 17), ([9, 11], False)),
        (Shard(10, 14), ([10, 14], False)),
        (Shard(closed=True), ([], False)),
    ],
    ids=["trimmed in part", "trimmed", "ends before", "without its last", "without its first", "empty"],
)
def test_what_is_not_there_any_more_is_told(shard: Shard, found: tuple[list[int], bool]) -> None:
    """And what is left of the range is given."""
    assert read(shard, 9, 14) == found


def test_a_range_that_an_open_shard_does_not_reach_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its end may be made up."""
    monkeypatch.setattr(stream_ranges, "_MOST_EMPTY_PAGES", 10)
    shard = Shard(9, 10)
    assert read(shard, 9, 10**30) == ([9, 10], False)
    assert shard.calls < 20


def test_a_range_larger_than_any_batch_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """It may be made up to read the whole stream."""
    monkeypatch.setattr(stream_ranges, "MOST_RECORDS", 10)
    with pytest.raises(TableError, match="a range of more than 10 records"):
        read(Shard(*range(100)), 1, 90)


def test_a_range_of_records_too_large_to_hold_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """A hundred thousand records could be of 400 KB an image each."""
    monkeypatch.setattr(stream_ranges, "MOST_RANGE_BYTES", 3000)
    assert read(Shard(*range(5, 30)), 9, 11) == ([9, 10, 11], True)
    shard = Shard(*range(5, 30))
    with pytest.raises(TableError, match="a range of more than 0 MiB"):
        read(shard, 9, 28)
    assert shard.calls == 4, "it reads no further"


@pytest.mark.parametrize("code", ["ExpiredIteratorException", "TrimmedDataAccessException"])
def test_reading_that_breaks_off_is_told(code: str) -> None:
    """Done anew it is over."""
    shard = Shard(9, 14)
    shard.breaks = code
    with pytest.raises(TableError, match=f"broke off: {code}. Run the redrive again"):
        read(shard, 9, 14)


@pytest.mark.servers
def test_a_range_is_read_back_from_a_server(dynamodb: EmbeddedDynamoDB) -> None:
    """From moto, binary values and all."""
    client, streams = dynamodb.client(), dynamodb.streams()
    create_demo_table(client, "ranges")
    for number in range(6):
        client.put_item(TableName="ranges", Item={"id": {"S": str(number)}, "b": {"B": b"x"}})
    arn = client.describe_table(TableName="ranges")["Table"]["LatestStreamArn"]
    [shard] = streams.describe_stream(StreamArn=arn)["StreamDescription"]["Shards"]
    shard_id = shard["ShardId"]
    taken = streams.get_shard_iterator(StreamArn=arn, ShardId=shard_id, ShardIteratorType="TRIM_HORIZON")
    numbers = [
        record["dynamodb"]["SequenceNumber"]
        for record in streams.get_records(ShardIterator=taken["ShardIterator"])["Records"]
    ]
    found, complete = read_range(streams, StreamRange(arn, shard_id, numbers[2], numbers[4], 3))
    assert complete
    assert [each["dynamodb"]["Keys"]["id"]["S"] for each in found] == ["2", "3", "4"]
    assert {each["dynamodb"]["NewImage"]["b"]["B"] for each in found} == {"eA=="}
