"""The event source mapping with its threads, against a real moto server."""

from __future__ import annotations

import json
from contextlib import closing
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.config import Config
from moto.server import ThreadedMotoServer

from ddb_cache_sync.local.event_source_mapping import EventSourceMapping, EventSourceMappingProperties, Pace
from ddb_cache_sync.local.failure_destination import FolderDestination

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PACE = Pace(poll_interval_seconds=0.01)
SECONDS = 10.0


@pytest.fixture
def endpoint() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.mark.servers
def test_items_written_to_a_real_server_arrive_as_lambda_delivers_them(endpoint: str, tmp_path: Path) -> None:
    """From PutItem to the handler, through a server, with a poison item on the way into a folder."""
    options: dict[str, Any] = {
        "endpoint_url": endpoint,
        "region_name": "us-east-1",
        "aws_access_key_id": "test",
        "aws_secret_access_key": "test",
        "config": Config(account_id_endpoint_mode="disabled"),
    }
    sent: dict[str, Any] = {}

    def handler(event: Any, context: Any) -> object:
        for record in event["Records"]:
            number = record["dynamodb"]["SequenceNumber"]
            if record["dynamodb"]["Keys"]["pk"]["S"] == "poison":
                return {"batchItemFailures": [{"itemIdentifier": number}]}
            sent[number] = record
        return None

    with (
        closing(boto3.client("dynamodb", **options)) as table,
        closing(boto3.client("dynamodbstreams", **options)) as streams,
    ):
        made = table.create_table(
            TableName="T",
            KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
            StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"},
        )
        properties = EventSourceMappingProperties(
            batch_size=10, parallelization_factor=2, maximum_retry_attempts=1, bisect_batch_on_function_error=True
        )
        arn = made["TableDescription"]["LatestStreamArn"]
        with EventSourceMapping(
            streams, arn, handler, properties, on_failure=FolderDestination(tmp_path), pace=PACE
        ) as mapping:
            for number in range(12):
                table.put_item(TableName="T", Item={"pk": {"S": f"item {number}"}, "content": {"B": b"foobar"}})
            mapping.drain(SECONDS)
            assert len(sent) == 12
            table.put_item(TableName="T", Item={"pk": {"S": "poison"}})
            table.delete_item(TableName="T", Key={"pk": {"S": "item 0"}})
            mapping.drain(SECONDS)
    last = sent[max(sent, key=int)]
    assert (last["eventName"], last["dynamodb"]["Keys"]) == ("REMOVE", {"pk": {"S": "item 0"}})
    first = sent[min(sent, key=int)]
    assert first["dynamodb"]["NewImage"] == {"pk": {"S": "item 0"}, "content": {"B": "Zm9vYmFy"}}
    assert first["eventSourceARN"] == arn
    (path,) = (path for path in tmp_path.rglob("*") if path.is_file())
    (poison,) = json.loads(json.loads(path.read_text(encoding="utf-8"))["payload"])["Records"]
    assert poison["dynamodb"]["Keys"] == {"pk": {"S": "poison"}}
