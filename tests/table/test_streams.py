"""Reading a stream against hand-made answers: no emulator splits a shard, expires an iterator or trims a record."""

import logging
from collections.abc import Callable
from typing import Any, cast

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, NoCredentialsError, ParamValidationError

from ddb_cache_sync.errors import ConfigurationError, TableError
from ddb_cache_sync.table.lineage import Shard
from ddb_cache_sync.table.retries import Backoff
from ddb_cache_sync.table.streams import StartingPosition, StreamReader

ARN = "arn:aws:dynamodb:us-east-1:111122223333:table/T/stream/2025-04-23T13:37:16.991"


class _ScriptedClient:
    """Gives the answers written down for it, one a call, and keeps what it was asked."""

    def __init__(self, **answers: list[Any]) -> None:
        self.answers = answers
        self.asked: list[tuple[str, dict[str, Any]]] = []

    def _answer(self, operation: str, request: dict[str, Any]) -> Any:
        self.asked.append((operation, request))
        answer = self.answers[operation].pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def describe_stream(self, **request: Any) -> Any:
        return self._answer("describe_stream", request)

    def get_shard_iterator(self, **request: Any) -> Any:
        return {"ShardIterator": self._answer("get_shard_iterator", request)}

    def get_records(self, **request: Any) -> Any:
        return self._answer("get_records", request)

    def requests(self, operation: str) -> list[dict[str, Any]]:
        return [request for name, request in self.asked if name == operation]


def refusal(code: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": "an item's content"}}, "GetRecords")


def page(*sequence_numbers: str, following: str | None = "next") -> dict[str, Any]:
    answer: dict[str, Any] = {"Records": [{"dynamodb": {"SequenceNumber": number}} for number in sequence_numbers]}
    return answer if following is None else {**answer, "NextShardIterator": following}


def reader_of(client: _ScriptedClient, wait: Callable[[float], bool | None] | None = None) -> StreamReader:
    return StreamReader(cast("Any", client), ARN, wait=wait or (lambda _: None), jitter=lambda: 1.0)


def numbers(records: Any) -> list[str]:
    return [record["dynamodb"]["SequenceNumber"] for record in records]


def description(*shards: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"StreamDescription": {"StreamStatus": "ENABLED", "Shards": list(shards), **more}}


def test_a_description_gathers_the_shards_of_every_page() -> None:
    """A page ends with the shard to go on after."""
    client = _ScriptedClient(
        describe_stream=[
            description(
                {"ShardId": "a", "SequenceNumberRange": {"StartingSequenceNumber": "1", "EndingSequenceNumber": "2"}},
                LastEvaluatedShardId="a",
            ),
            description(
                {"ShardId": "b", "ParentShardId": "a", "SequenceNumberRange": {"StartingSequenceNumber": "3"}},
                KeySchema=[
                    {"AttributeName": "sk", "KeyType": "RANGE"},
                    {"AttributeName": "pk", "KeyType": "HASH"},
                ],
            ),
        ]
    )
    described = reader_of(client).describe()
    assert described.shards == (Shard("a", None, closed=True), Shard("b", "a", closed=False))
    assert (described.partition_key, described.enabled) == ("pk", True)
    assert client.requests("describe_stream")[1] == {"StreamArn": ARN, "ExclusiveStartShardId": "a"}


def test_a_disabled_stream_is_described_as_such() -> None:
    """It can still be read for a day, so it is no error."""
    client = _ScriptedClient(describe_stream=[description(StreamStatus="DISABLED")])
    assert not reader_of(client).describe().enabled


def test_an_empty_page_does_not_end_a_shard() -> None:
    """Only a missing next iterator does."""
    client = _ScriptedClient(get_shard_iterator=["first"], get_records=[page(), page("1", "2"), page(following=None)])
    shard = reader_of(client).open("s", StartingPosition.TRIM_HORIZON)
    assert numbers(shard.read()) == []
    assert not shard.closed
    assert numbers(shard.read()) == ["1", "2"]
    assert numbers(shard.read()) == []
    assert shard.closed


def test_a_shard_read_to_its_end_is_not_asked_again() -> None:
    """There is no iterator left to ask with."""
    client = _ScriptedClient(get_shard_iterator=["first"], get_records=[page("1", following=None)])
    shard = reader_of(client).open("s", StartingPosition.TRIM_HORIZON)
    assert numbers(shard.read()) == ["1"]
    assert shard.closed
    assert shard.read() == ()


def test_an_expired_iterator_is_replaced_after_the_last_record_seen() -> None:
    """Nothing is read twice, nothing is skipped."""
    client = _ScriptedClient(
        get_shard_iterator=["first", "second"],
        get_records=[page("1", "2"), refusal("ExpiredIteratorException"), page("3")],
    )
    shard = reader_of(client).open("s", StartingPosition.TRIM_HORIZON)
    shard.read()
    assert numbers(shard.read()) == ["3"]
    assert client.requests("get_shard_iterator")[1] == {
        "StreamArn": ARN,
        "ShardId": "s",
        "ShardIteratorType": "AFTER_SEQUENCE_NUMBER",
        "SequenceNumber": "2",
    }
    assert client.requests("get_records")[2]["ShardIterator"] == "second"


@pytest.mark.parametrize("position", list(StartingPosition))
def test_an_iterator_that_expires_before_any_record_is_replaced_at_the_starting_position(
    position: StartingPosition, caplog: pytest.LogCaptureFixture
) -> None:
    """With LATEST that may skip records, and a warning says so."""
    client = _ScriptedClient(
        get_shard_iterator=["first", "second"], get_records=[refusal("ExpiredIteratorException"), page("1")]
    )
    shard = reader_of(client).open("s", position)
    with caplog.at_level(logging.WARNING):
        assert numbers(shard.read()) == ["1"]
    assert client.requests("get_shard_iterator")[1]["ShardIteratorType"] == position
    assert ("records may be lost" in caplog.text) == (position is StartingPosition.LATEST)


def test_trimmed_records_are_skipped_with_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    """Reading goes on at the oldest record left."""
    client = _ScriptedClient(
        get_shard_iterator=["first", "oldest"],
        get_records=[page("1"), refusal("TrimmedDataAccessException"), page("9")],
    )
    shard = reader_of(client).open("s", StartingPosition.LATEST)
    shard.read()
    with caplog.at_level(logging.WARNING):
        assert numbers(shard.read()) == ["9"]
    assert client.requests("get_shard_iterator")[1]["ShardIteratorType"] == "TRIM_HORIZON"
    assert "records lost" in caplog.text


def test_a_position_trimmed_while_its_iterator_was_expired_is_skipped_too(caplog: pytest.LogCaptureFixture) -> None:
    """GetShardIterator refuses a sequence number that is gone, as GetRecords does."""
    client = _ScriptedClient(
        get_shard_iterator=["first", refusal("TrimmedDataAccessException"), "oldest"],
        get_records=[page("1"), refusal("ExpiredIteratorException"), page("9")],
    )
    shard = reader_of(client).open("s", StartingPosition.TRIM_HORIZON)
    shard.read()
    with caplog.at_level(logging.WARNING):
        assert numbers(shard.read()) == ["9"]
    assert "records lost" in caplog.text


def test_iterators_that_never_work_end_in_an_error() -> None:
    """Taking another one for ever would hide that nothing is read."""
    client = _ScriptedClient(
        get_shard_iterator=["i"] * 10, get_records=[refusal("ExpiredIteratorException") for _ in range(10)]
    )
    shard = reader_of(client).open("s", StartingPosition.TRIM_HORIZON)
    with pytest.raises(TableError, match="no iterator that can be read"):
        shard.read()


@pytest.mark.parametrize(
    "fault",
    [
        refusal("LimitExceededException"),
        refusal("ProvisionedThroughputExceededException"),
        refusal("InternalServerError"),
        EndpointConnectionError(endpoint_url="http://127.0.0.1:1"),
    ],
    ids=lambda fault: type(fault).__name__,
)
def test_what_may_pass_is_tried_again_after_a_growing_wait(fault: Exception) -> None:
    """The waits come from the backoff, through the injected wait."""
    waits: list[float] = []
    client = _ScriptedClient(get_shard_iterator=["first"], get_records=[fault, fault, fault, page("1")])
    shard = reader_of(client, waits.append).open("s", StartingPosition.TRIM_HORIZON)
    assert numbers(shard.read()) == ["1"]
    assert waits == [0.05, 0.1, 0.2]


def test_throttling_without_end_is_raised() -> None:
    """A caller learns of it after a limited number of attempts."""
    client = _ScriptedClient(get_shard_iterator=[refusal("LimitExceededException")] * 8)
    with pytest.raises(TableError, match=r"call GetShardIterator on arn:.*: LimitExceededException\. Read slower"):
        reader_of(client).open("s", StartingPosition.TRIM_HORIZON)


def test_a_wait_that_answers_true_gives_up_at_once() -> None:
    """So a stop is not held up by a throttled call."""
    client = _ScriptedClient(describe_stream=[refusal("LimitExceededException")])
    with pytest.raises(TableError):
        reader_of(client, lambda _: True).describe()
    assert len(client.asked) == 1


@pytest.mark.parametrize(
    ("fault", "hint"),
    [
        (refusal("ResourceNotFoundException"), "LatestStreamArn"),
        (refusal("AccessDeniedException"), "dynamodb:GetRecords|GetRecords"),
        (refusal("TrimmedDataAccessException"), None),
        (EndpointConnectionError(endpoint_url="http://127.0.0.1:1"), "endpoint"),
        (ParamValidationError(report="too short"), "ARN"),
    ],
    ids=["not found", "denied", "undocumented", "unreachable", "invalid"],
)
def test_a_foreign_error_becomes_a_table_error_that_says_what_to_do(fault: Exception, hint: str | None) -> None:
    """It names the operation and the stream, and nothing that the service wrote."""
    client = _ScriptedClient(describe_stream=[fault] * 8)
    with pytest.raises(TableError, match=f"can't call DescribeStream on {ARN}: ") as caught:
        reader_of(client).describe()
    assert "an item's content" not in str(caught.value)
    if hint is not None:
        assert caught.match(hint)


@pytest.mark.parametrize("fault", [NoCredentialsError(), refusal("UnrecognizedClientException")], ids=["none", "wrong"])
def test_missing_or_wrong_credentials_are_a_matter_of_configuration(fault: Exception) -> None:
    """They are not tried again, and the error says where credentials come from."""
    client = _ScriptedClient(describe_stream=[fault])
    with pytest.raises(ConfigurationError, match="credentials"):
        reader_of(client).describe()


def test_backoff_doubles_up_to_its_cap_and_is_random_below() -> None:
    """Full jitter: anything from zero to the limit."""
    backoff = Backoff(base_seconds=1, cap_seconds=5)
    assert [backoff.seconds(attempt, 1.0) for attempt in (1, 2, 3, 4, 10_000)] == [1, 2, 4, 5, 5]
    assert backoff.seconds(3, 0.0) == 0
    assert backoff.seconds(3, 0.5) == 2
