"""Redrive beside the stream, on real parts: Valkey and a cluster of it, and S3, SQS and DynamoDB Streams in moto."""

from __future__ import annotations

import json
import threading
import uuid
from typing import TYPE_CHECKING, Any, cast

import pytest
import redis
from tests.table.pipelines import Pipeline

from ddb_cache_sync import KeyTemplate, LookupKey, Projection, Replicator, apply_stream_event
from ddb_cache_sync.core.guards import guard_key
from ddb_cache_sync.local.event_source_mapping import EventSourceMapping, EventSourceMappingProperties, Pace
from ddb_cache_sync.sync.preparing_redrive import RedriveClients, prepare_redrive
from ddb_cache_sync.sync.redrive import RedriveOptions
from ddb_cache_sync.table import given_up_queue
from ddb_cache_sync.table.quarantines import S3Quarantine, SqsQuarantine
from ddb_cache_sync.table.retries import Backoff
from ddb_cache_sync.testing import MemoryCache, MemoryTable

if TYPE_CHECKING:
    from ddb_cache_sync.local.embedded import EmbeddedDynamoDB
    from ddb_cache_sync.local.failure_destination import DiscardedBatch
    from ddb_cache_sync.sync.redrive import RedriveReport

pytestmark = pytest.mark.servers

PACE = Pace(poll_interval_seconds=0.01, retry_backoff=Backoff(0.0, 0.0))
ROUTER = Projection(KeyTemplate("users:{id}"))


class Places:
    """A table, a bucket and two queues, each new, and the failure destinations that fill them.

    Attributes:
        given_up: How many batches were.
    """

    def __init__(self, pipeline: Pipeline, s3: Any) -> None:
        pipeline.name = f"users-{uuid.uuid4().hex[:8]}"
        pipeline.create_table()
        self.pipeline = pipeline
        self.s3 = s3
        self.sqs = pipeline.clients.sqs
        self.bucket = f"b-{uuid.uuid4().hex[:8]}"
        s3.create_bucket(Bucket=self.bucket)
        self.queue, self.quarantine = (
            self.sqs.create_queue(QueueName=f"{name}-{self.bucket}")["QueueUrl"] for name in ("given-up", "quarantine")
        )
        self.streams = pipeline.server.streams()
        self.clients = RedriveClients(pipeline.clients.dynamodb, self.streams, s3, self.sqs)
        self.given_up = 0

    def deliver(self, discarded: DiscardedBatch) -> None:
        """Take a batch given up: one after the other to the bucket and to the queue."""
        self.given_up += 1
        if self.given_up % 2:
            body = json.dumps(discarded.body()).encode()
            self.s3.put_object(Bucket=self.bucket, Key=f"failed/{discarded.key()}", Body=body)
        else:
            self.sqs.send_message(QueueUrl=self.queue, MessageBody=json.dumps(discarded.metadata()))

    def put(self, identity: str, **others: str) -> None:
        item = {"id": {"S": identity}} | {name: {"S": value} for name, value in others.items()}
        self.pipeline.clients.dynamodb.put_item(TableName=self.pipeline.name, Item=cast("Any", item))

    def remove(self, identity: str) -> None:
        self.pipeline.clients.dynamodb.delete_item(TableName=self.pipeline.name, Key={"id": {"S": identity}})

    def redrive(self, source: str, cache: Any, router: Any = ROUTER, **options: Any) -> RedriveReport:
        return prepare_redrive(
            source, cache, router, self.clients, self.pipeline.name, options=RedriveOptions(**options)
        ).run()

    def left(self) -> tuple[int, int, int]:
        """Objects, and messages in each queue."""
        objects = self.s3.list_objects_v2(Bucket=self.bucket).get("KeyCount", 0)
        counts = [
            self.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["ApproximateNumberOfMessages"])["Attributes"]
            for url in (self.queue, self.quarantine)
        ]
        return (objects, *(int(each["ApproximateNumberOfMessages"]) for each in counts))

    def expected(self) -> dict[bytes, bytes]:
        """What the cache has to hold."""
        model, fresh = MemoryCache(), MemoryTable(name=self.pipeline.name)
        for item in self.pipeline.clients.dynamodb.scan(TableName=self.pipeline.name, ConsistentRead=True)["Items"]:
            fresh.put({name: next(iter(value.values())) for name, value in item.items()})
        Replicator(model, ROUTER).apply(fresh.records)
        return {key.encode(): value for key, value in model.values.items()}


@pytest.fixture(scope="module")
def pipeline(dynamodb: EmbeddedDynamoDB) -> Pipeline:
    """Give clients of all services of moto."""
    return Pipeline(dynamodb)


@pytest.fixture(scope="module")
def s3(pipeline: Pipeline) -> Any:
    """Give a client of S3."""
    return pipeline.client("s3")


@pytest.fixture
def places(pipeline: Pipeline, s3: Any, monkeypatch: pytest.MonkeyPatch) -> Places:
    """Give a table and where its failures go; empty queues are not waited for."""
    monkeypatch.setitem(given_up_queue.SqsSource.__init__.__kwdefaults__ or {}, "wait_seconds", 0)
    return Places(pipeline, s3)


def values(cache: Any) -> dict[bytes, bytes]:
    return {key: cache.get(key) for key in cache.scan_iter(match="users:*", count=1000)}


def buggy(item: Any) -> Any:
    """A transform with a bug, which makes poison records."""
    if int(item["place"]) % 4 == 0:
        raise KeyError
    return item


class Handler:
    """Fails two times of three, and has the bug; sets aside what it can't apply, in turn in a bucket and in a queue."""

    def __init__(self, places: Places, cache: Any) -> None:
        router = Projection(KeyTemplate("users:{id}"), transforms=[buggy])
        self.replicators = [
            Replicator(cache, router, quarantine=S3Quarantine(places.bucket, "poison", places.s3)),
            Replicator(cache, router, quarantine=SqsQuarantine(places.quarantine, places.sqs)),
        ]
        self.invocations = 0

    def __call__(self, event: Any, context: Any) -> Any:
        self.invocations += 1
        if self.invocations % 3:
            raise RuntimeError
        return apply_stream_event(event, self.replicators[self.invocations % 2], context=context)


class Redriving(threading.Thread):
    """Redrives everything again and again, without the bug, and deletes what succeeded."""

    def __init__(self, places: Places, cache: Any) -> None:
        super().__init__()
        self.places = places
        self.cache = cache
        self.reports: list[RedriveReport] = []
        self.stopping = threading.Event()

    def all(self) -> None:
        for source in (f"s3://{self.places.bucket}", self.places.queue, self.places.quarantine):
            self.reports.append(self.places.redrive(source, self.cache, delete=True))

    def run(self) -> None:
        while not self.stopping.wait(0.05):
            self.all()


def beside_the_stream(places: Places, cache: Any) -> None:
    """Items change, batches are given up, poison records are set aside, and all of it is redriven meanwhile."""
    redriving, handler = Redriving(places, cache), Handler(places, cache)
    properties = EventSourceMappingProperties(batch_size=8, maximum_retry_attempts=1)
    with EventSourceMapping(
        places.streams, places.pipeline.stream_arn, handler, properties, on_failure=places, pace=PACE
    ) as mapping:
        redriving.start()
        for number in range(1, 61):
            if number % 5 == 0:
                places.remove(str(number % 7))
            else:
                places.put(str(number % 7), place=str(number))
        mapping.drain(60)
    redriving.stopping.set()
    redriving.join(60)
    assert not redriving.is_alive()
    redriving.all()
    assert values(cache) == places.expected()
    assert places.left() == (0, 0, 0)
    deleted = sum(report.deleted for report in redriving.reports)
    assert deleted > places.given_up >= 2, "nothing was set aside, or given up"
    assert [report.problems for report in redriving.reports if report.failed] == []


def test_beside_the_stream_the_cache_ends_as_the_table_does(places: Places, redis_client: redis.Redis) -> None:
    """On one server."""
    beside_the_stream(places, redis_client)


@pytest.mark.xdist_group("cluster")
def test_beside_the_stream_a_cluster_ends_as_the_table_does(places: Places, cluster_client: redis.RedisCluster) -> None:
    """The same."""
    beside_the_stream(places, cluster_client)


def test_an_old_record_is_read_from_the_table_and_a_second_run_changes_nothing(
    places: Places, redis_client: redis.Redis
) -> None:
    """Over a real server, with guards that were there and some that were not, and lookup keys."""
    router = Projection(KeyTemplate("users:{id}"), lookups=[LookupKey("users:by-email:{email}")])
    replicator = Replicator(redis_client, router)
    records: list[Any] = []

    def handler(event: Any, _context: Any) -> None:
        records.extend(event["Records"])

    with EventSourceMapping(places.streams, places.pipeline.stream_arn, handler, pace=PACE) as mapping:
        for number in range(3):
            places.put(str(number), email=f"old-{number}")
        places.put("1", email="new")
        places.remove("2")
        mapping.drain(60)
    for record in records:
        record["dynamodb"]["ApproximateCreationDateTime"] = 1_700_000_000
    replicator.apply([record for record in records if record["dynamodb"]["Keys"]["id"]["S"] == "1"])
    redis_client.delete("users:by-email:new")
    redis_client.set("users:by-email:old-2", b"users:2")
    guard = redis_client.get(guard_key("users:1"))
    redis_client.set("users:1", b"spoiled")
    redis_client.set("users:2", b"left over")
    body = json.dumps({"DDBStreamBatchInfo": {}, "payload": {"Records": records}}).encode()
    places.s3.put_object(Bucket=places.bucket, Key="failed/one", Body=body)
    first = places.redrive(f"s3://{places.bucket}/failed", redis_client, router)
    assert (first.read_again, first.failed, first.applied) == (5, 0, 0)
    assert first.repaired == 3 + 3  # own keys, and lookup keys: two that were missing, one left over
    assert values(redis_client) == {
        b"users:0": b'{"email":"old-0","id":"0"}',
        b"users:1": b'{"email":"new","id":"1"}',
        b"users:by-email:old-0": b"users:0",
        b"users:by-email:new": b"users:1",
    }
    assert redis_client.get(guard_key("users:1")) == cast("bytes", guard) + b":1"
    state = {key: redis_client.dump(key) for key in redis_client.scan_iter()}
    second = places.redrive(f"s3://{places.bucket}/failed", redis_client, router)
    assert (second.repaired, second.failed) == (0, 0)
    assert {key: redis_client.dump(key) for key in redis_client.scan_iter()} == state
