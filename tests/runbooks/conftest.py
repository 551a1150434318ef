"""A pipeline whose parts the runbooks can change: table, stream, function, event source mapping, cache."""

from __future__ import annotations

import dataclasses
import uuid
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from tests.runbooks.aws_cli import EXPORTS
from tests.runbooks.destinations import destinations  # noqa: F401 - a fixture
from tests.runbooks.local_aws import Function, LocalAws, Mapping
from tests.runbooks.pages import Runbook, Shell
from tests.runbooks.serving import LOOKS, installed
from tests.runbooks.streams import Streams

from ddb_cache_sync.core.guards import guard_key
from ddb_cache_sync.core.versions import Version
from ddb_cache_sync.local.embedded import EmbeddedDynamoDB, create_demo_table

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    import redis
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodbstreams import DynamoDBStreamsClient

TEMPLATE = "users:{id}"
SETTINGS: dict[str, Any] = {
    "StartingPosition": "TRIM_HORIZON",
    "FunctionResponseTypes": ["ReportBatchItemFailures"],
    "BisectBatchOnFunctionError": True,
    "MaximumRetryAttempts": 1000,
    "MaximumRecordAgeInSeconds": 43_200,
    "DestinationConfig": {"OnFailure": {"Destination": "arn:aws:s3:::given-up"}},
}


@dataclasses.dataclass
class Table:
    """A table in one Region."""

    name: str
    server: EmbeddedDynamoDB
    client: DynamoDBClient
    stream_arn: str = ""

    def __post_init__(self) -> None:
        self.stream_arn = create_demo_table(self.client, self.name)

    def put(self, number: object, value: object = 1) -> None:
        self.client.put_item(TableName=self.name, Item={"id": {"S": str(number)}, "value": {"N": str(value)}})

    def switch_stream_off(self) -> None:
        """Leave the items without a stream.

        The emulator can't change a table whose stream was switched off, nor switch on another: so the table is made
        anew, without a stream, and its items are put back, which nobody hears of.
        """
        items = self.client.scan(TableName=self.name)["Items"]
        self.client.delete_table(TableName=self.name)
        self.client.create_table(
            TableName=self.name,
            BillingMode="PAY_PER_REQUEST",
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        )
        for item in items:
            self.client.put_item(TableName=self.name, Item=item)

    def remove(self, number: object) -> None:
        self.client.delete_item(TableName=self.name, Key={"id": {"S": str(number)}})


def guard_of(client: redis.Redis, number: int) -> Version:
    """The version that an item's guard holds."""
    found = client.get(guard_key(TEMPLATE.format(id=number)))
    assert isinstance(found, bytes)
    return Version.parse(found.decode())


@dataclasses.dataclass
class Pipeline:
    """A table whose changes a function applies to a cache."""

    table: Table
    aws: LocalAws
    function: Function
    mapping: Mapping
    streams: Streams
    shell: Shell

    def drain(self) -> None:
        """Wait until all changes are in the cache."""
        self.aws.drain()

    def runbook(self, name: str) -> Runbook:
        """A runbook for this pipeline."""
        return Runbook(name, self.shell)


@pytest.fixture(scope="session")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Give the folder of `ddb-cache-sync` and `aws`."""
    with installed(tmp_path_factory.mktemp("programs")) as folder:
        yield folder


class Region(NamedTuple):
    """The emulator as one Region; each has its own tables."""

    server: EmbeddedDynamoDB
    client: DynamoDBClient
    streams: DynamoDBStreamsClient


@pytest.fixture(scope="session")
def region_of(dynamodb: EmbeddedDynamoDB) -> Callable[[str], Region]:
    """Give a function that gives a Region; its clients take longer to make than most tests."""

    @cache
    def made(name: str) -> Region:
        server = dataclasses.replace(dynamodb, region=name)
        return Region(server, server.client(), server.streams())

    return made


@pytest.fixture
def pipeline_of(
    programs: Path, region_of: Callable[[str], Region], tmp_path: Path
) -> Iterator[Callable[..., Pipeline]]:
    """Give a function that makes a pipeline into the cache with this URL, in a Region, and runs it."""
    streams: dict[str, Streams] = {}
    name = f"users-{uuid.uuid4().hex[:8]}"

    def made(redis_url: str, region: str = "us-east-1") -> Pipeline:
        server, client, streams_client = region_of(region)
        table = Table(name, server, client)
        streams[region] = Streams(streams_client)
        settings = {"DDB_CACHE_SYNC_REDIS_URL": redis_url, "DDB_CACHE_SYNC_KEY_TEMPLATE": TEMPLATE}
        function = aws.deploy("users-sync", region, settings)
        environment = {
            **server.environment,
            **{f"AWS_ENDPOINT_URL_{each}": server.endpoint_url for each in ("CLOUDWATCH", "S3", "SQS")},
            "AWS_ENDPOINT_URL_LAMBDA": aws.url,
            EXPORTS: aws.url,
            LOOKS: "0.05,0.1",
            "TABLE": table.name,
            "FUNCTION": function.name,
            **settings,
        }
        shell = Shell(programs, tmp_path, environment)
        mapping = aws.map(function, table.stream_arn, **SETTINGS)
        return Pipeline(table, aws, function, mapping, streams[region], shell)

    with LocalAws(streams.__getitem__) as aws:
        yield made


@pytest.fixture
def pipeline(pipeline_of: Callable[..., Pipeline], redis_client: object, redis_url: str) -> Pipeline:
    """Give a pipeline into an empty cache, running."""
    return pipeline_of(redis_url)
