"""Verify under load: changes go on, the event source mapping applies them, and only what was planted is found.

`VERIFY_LOAD_ITEMS=2000` makes it a longer run (the emulator takes its time to scan a large table);
`--log-cli-level=INFO` shows what it came to.
"""

from __future__ import annotations

import logging
import os
import random
import threading
import time
from typing import TYPE_CHECKING, Any, Self

import pytest

from ddb_cache_sync import KeyTemplate, Projection, Replicator, apply_stream_event, connect
from ddb_cache_sync.cache.applier import cache_of
from ddb_cache_sync.core.comparison import Drift
from ddb_cache_sync.core.guards import DEFAULT_GUARD_TTL_SECONDS
from ddb_cache_sync.local.embedded import EmbeddedCluster, EmbeddedDynamoDB
from ddb_cache_sync.local.event_source_mapping import EventSourceMapping, EventSourceMappingProperties
from ddb_cache_sync.sync.repair import repair
from ddb_cache_sync.sync.repair_report import RepairTarget
from ddb_cache_sync.sync.verify import VerifyOptions, verify
from ddb_cache_sync.table.scanning import scan_segment

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mypy_boto3_dynamodb import DynamoDBClient

pytestmark = pytest.mark.servers

ITEMS = int(os.environ.get("VERIFY_LOAD_ITEMS", "400"))
PLANTED = 30
BUSY = 50
"""So many items keep changing; those among which drift is planted do not, or the stream would mend it."""
PROJECTION = Projection(KeyTemplate("users:{id}"))
LOOKS = (0.5, 1.0, 4.0)


@pytest.fixture(
    params=["one server", pytest.param("cluster", marks=[pytest.mark.xdist_group("cluster"), pytest.mark.long])]
)
def url(request: pytest.FixtureRequest) -> Iterator[str]:
    if request.param == "cluster":
        cluster: EmbeddedCluster = request.getfixturevalue("cluster")
        request.getfixturevalue("cluster_client")
        yield f"{cluster.url}?cluster=true"
    else:
        request.getfixturevalue("redis_client")
        yield request.getfixturevalue("redis_url")


class Writer(threading.Thread):
    """Changes items as long as the block lasts."""

    def __init__(self, client: DynamoDBClient, table: str) -> None:
        super().__init__()
        self._client = client
        self._table = table
        self._done = threading.Event()
        self.changes = 0
        self.busy = threading.Event()

    def run(self) -> None:
        """Put and delete at random."""
        chance = random.Random(1)
        while not self._done.wait(0.002):
            identity = {"id": {"S": f"busy-{chance.randrange(BUSY)}"}}
            if chance.random() < 0.3:
                self._client.delete_item(TableName=self._table, Key=identity)
            else:
                self._client.put_item(TableName=self._table, Item=identity | {"n": {"N": str(self.changes)}})
            self.changes += 1
            if self.changes > 4 * BUSY:
                self.busy.set()

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self.join()

    def __enter__(self) -> Self:
        self.start()
        return self


def fill(client: DynamoDBClient, table: str) -> None:
    """Put the items, in batches."""
    requests: list[Any] = [
        {"PutRequest": {"Item": {"id": {"S": str(number)}, "name": {"S": f"name {number}"}}}} for number in range(ITEMS)
    ]
    for first in range(0, ITEMS, 25):
        client.batch_write_item(RequestItems={table: requests[first : first + 25]})


def create_table(client: DynamoDBClient, table: str) -> None:
    """A table without a stream: the emulator takes long to read a long one."""
    client.create_table(
        TableName=table,
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )


def start_stream(client: DynamoDBClient, table: str) -> str:
    """From now on changes go to a stream; its ARN."""
    stream: Any = {"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"}
    updated = client.update_table(TableName=table, StreamSpecification=stream)
    return updated["TableDescription"].get("LatestStreamArn", "")


def backfill(cache: Any, client: DynamoDBClient, table: str) -> None:
    """Fill the cache with all there is."""
    filling = cache_of(cache, DEFAULT_GUARD_TTL_SECONDS)
    for page in scan_segment(client, table, ["id"]):
        writes = [PROJECTION.write(PROJECTION.cache_key(each), each, filling=True) for each in page.upserts]
        filling.fill(writes, time.monotonic() + 60)


def plant(cache: Any, chance: random.Random) -> dict[str, Drift]:
    """Spoil the cache behind its back; what should be found."""
    numbers = chance.sample(range(ITEMS), 2 * PLANTED)
    planted = {}
    for number in numbers[:PLANTED]:
        cache.delete(f"users:{number}")
        planted[f"users:{number}"] = Drift.MISSING
    for number in numbers[PLANTED:]:
        cache.set(f"users:{number}", b"{}")
        planted[f"users:{number}"] = Drift.STALE
    for number in range(PLANTED):
        cache.set(f"users:nobody-{number}", b"{}")
        planted[f"users:nobody-{number}"] = Drift.ORPHANED
    return planted


@pytest.mark.long
@pytest.mark.timeout(900)
def test_under_load_what_was_planted_is_found_and_nothing_else(url: str, dynamodb: EmbeddedDynamoDB) -> None:
    """And repaired, after which nothing is left."""
    client, table = dynamodb.client(), f"load-{'cluster' if 'cluster' in url else 'one'}"
    create_table(client, table)
    fill(client, table)
    arn = start_stream(client, table)
    properties = EventSourceMappingProperties(batch_size=1000, parallelization_factor=2)
    with connect(url) as cache:
        replicator = Replicator(cache, PROJECTION)

        def handler(event: Any, context: Any) -> Any:
            return apply_stream_event(event, replicator, context=context)

        with EventSourceMapping(dynamodb.streams(), arn, handler, properties) as mapping:
            backfill(cache, client, table)
            planted = plant(cache, random.Random(2))
            with Writer(client, table) as writer:
                assert writer.busy.wait(60)
                started = time.monotonic()
                report = verify(cache, PROJECTION, client, table, VerifyOptions(looks=LOOKS))
                seconds = time.monotonic() - started
                assert {each.key: each.kind for each in report.drifts} == planted
                assert (report.missing, report.stale, report.orphaned) == (PLANTED, PLANTED, PLANTED)
                targets = [RepairTarget(each.key) for each in report.drifts]
                repaired = [*repair(cache, PROJECTION, client, table, targets, apply=True)]
                assert all(each.applied for each in repaired)
                assert verify(cache, PROJECTION, client, table, VerifyOptions(looks=LOOKS)).consistent
            mapping.drain(600)
        again = verify(cache, PROJECTION, client, table, VerifyOptions(looks=LOOKS))
        assert (again.drift, again.in_flight) == (0, 0)
    figures = (report.items, report.keys, writer.changes, seconds, report.in_flight)
    logging.getLogger(__name__).info("%d items, %d keys, %d changes meanwhile, %.1f s, %d in flight", *figures)
    assert writer.changes > 0
