"""Keys move on real servers, while a table is written to, records come again, and readers go on reading.

`--log-cli-level=INFO` shows what it came to.
"""

from __future__ import annotations

import json
import logging
import random
import threading
import time
from typing import TYPE_CHECKING, Any, Self

import pytest

from ddb_cache_sync import (
    BothLayouts,
    HashEncoding,
    KeyTemplate,
    LookupKey,
    Projection,
    Replicator,
    apply_stream_event,
    connect,
)
from ddb_cache_sync.core.guards import guard_key
from ddb_cache_sync.local.embedded import EmbeddedCluster, EmbeddedDynamoDB, create_demo_table
from ddb_cache_sync.local.event_source_mapping import EventSourceMapping, EventSourceMappingProperties, Pace
from ddb_cache_sync.sync.dropping import DropOptions
from ddb_cache_sync.sync.rebuild import Rebuild
from ddb_cache_sync.sync.verify import VerifyOptions
from ddb_cache_sync.table.items import scan

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mypy_boto3_dynamodb import DynamoDBClient

pytestmark = pytest.mark.servers

BUSY, QUIET = 5, 20  # as many as one BatchWriteItem takes
OLD = Projection(KeyTemplate("users:{id}"), lookups=[LookupKey("users:by-mail:{mail}")])
NEW = Projection(KeyTemplate("v2:{{{id}}}:user"), HashEncoding(), lookups=[LookupKey("v2:by-mail:{mail}")])
OPTIONS = VerifyOptions(looks=(0.05, 0.1, 0.5), segments=1)
PACE = Pace(poll_interval_seconds=0.01)
PATIENCE_SECONDS = 60


@pytest.fixture(params=["one server", pytest.param("cluster", marks=pytest.mark.xdist_group("cluster"))])
def url(request: pytest.FixtureRequest) -> Iterator[str]:
    if request.param == "cluster":
        cluster: EmbeddedCluster = request.getfixturevalue("cluster")
        request.getfixturevalue("cluster_client")
        yield f"{cluster.url}?cluster=true"
    else:
        request.getfixturevalue("redis_client")
        yield request.getfixturevalue("redis_url")


class Function:
    """What the stream invokes; it can be replaced, and applies older events again now and then.

    Attributes:
        repeated: How many events were applied again.
    """

    def __init__(self) -> None:
        self.repeated = 0
        self._replicator: Replicator | None = None
        self._events: list[Any] = []
        self._chance = random.Random(3)
        self._lock = threading.Lock()

    def deploy(self, replicator: Replicator) -> None:
        """Replace it; no invocation of the one before goes on."""
        with self._lock:
            self._replicator = replicator

    def __call__(self, event: Any, context: Any) -> Any:
        with self._lock:
            self._events.append(event)
            answer = apply_stream_event(event, self._replicator, context=context)
            if self._chance.random() < 0.3:
                self.repeated += 1
                apply_stream_event(self._chance.choice(self._events), self._replicator, context=context)
            return answer


class Worker(threading.Thread):
    """Does something over and over while the block lasts, unless it is paused; what it raises is raised in the end."""

    def __init__(self, work: Callable[[], object], rest_seconds: float) -> None:
        super().__init__()
        self._work = work
        self._rest_seconds = rest_seconds
        self._done = threading.Event()
        self.lock = threading.Lock()
        self.error: BaseException | None = None
        self.rounds = 0

    def run(self) -> None:
        """Work."""
        while not self._done.wait(self._rest_seconds) and self.error is None:
            with self.lock:
                try:
                    self._work()
                except BaseException as error:  # noqa: BLE001 - raised in the end
                    self.error = error
            self.rounds += 1

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self.join()
        if self.error is not None:
            raise self.error


class Reader:
    """Reads the items that always exist: none may ever be missing, nor older than it was seen before."""

    def __init__(self, cache: Any) -> None:
        self._cache = cache
        self._seen: dict[str, int] = {}
        self.read: Callable[[str], int | None] = self.of_old

    def of_old(self, identity: str) -> int | None:
        """By the old layout's lookup key."""
        key = self._cache.get(f"users:by-mail:{identity}@x")
        value = None if key is None else self._cache.get(key)
        return None if value is None else int(json.loads(value)["n"])

    def of_new(self, identity: str) -> int | None:
        """By the new layout's."""
        key = self._cache.get(f"v2:by-mail:{identity}@x")
        value = None if key is None else self._cache.hget(key, "n")
        return None if value is None else int(value)

    def switch(self) -> None:
        """Read the new layout from now on."""
        self.read = self.of_new
        self._seen.clear()

    def __call__(self) -> None:
        for number in range(BUSY):
            identity = f"busy-{number}"
            found = self.read(identity)
            assert found is not None, f"{identity} is missing"
            assert found >= self._seen.get(identity, 0), f"{identity} went back"
            self._seen[identity] = found


class Writer:
    """Changes the items that always exist, and lets others come and go."""

    def __init__(self, client: DynamoDBClient, table: str) -> None:
        self._client = client
        self._table = table
        self._chance = random.Random(1)
        self.changes = 0

    def begin(self) -> None:
        """Put all items that always exist."""
        names = [*(f"busy-{number}" for number in range(BUSY)), *(f"quiet-{number}" for number in range(QUIET))]
        puts: list[Any] = [{"PutRequest": {"Item": self._item(name)}} for name in names]
        self._client.batch_write_item(RequestItems={self._table: puts})

    def _item(self, identity: str) -> Any:
        """An item with a greater number than any before."""
        self.changes += 1
        return {"id": {"S": identity}, "mail": {"S": f"{identity}@x"}, "n": {"N": str(self.changes)}}

    def put(self, identity: str) -> None:
        """Put an item."""
        self._client.put_item(TableName=self._table, Item=self._item(identity))

    def __call__(self) -> None:
        number = self._chance.randrange(2 * BUSY)
        if number < BUSY:
            self.put(f"busy-{number}")
        elif self._chance.random() < 0.5:
            self.put(f"comes-and-goes-{number}")
        else:
            self._client.delete_item(TableName=self._table, Key={"id": {"S": f"comes-and-goes-{number}"}})


def keys_of(cache: Any) -> set[str]:
    """Every key of the cache, guards left out."""
    found = cache.scan_iter(count=1000)
    return {key.decode() for key in found if not key.startswith(b"~v:")}


def until(condition: Callable[[], object]) -> None:
    """Wait for it."""
    end = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < end, "it did not come about in time"
        time.sleep(0.05)


def holds(cache: Any, layout: Projection, client: DynamoDBClient, table: str) -> set[str]:
    """The keys of a layout, all of which hold what the table says."""
    keys = set()
    for upsert in scan(client, table):
        write = layout.write(layout.cache_key(upsert), upsert)
        value = cache.hgetall(write.key) if layout is NEW else cache.get(write.key)
        expected = write.value
        if isinstance(expected, dict):
            expected = {field.encode(): content for field, content in expected.items()}
        assert value == expected, write.key
        keys.add(write.key)
        for word in layout.words(write, upsert, [upsert], stale=False):
            assert cache.get(word.key) == write.key.encode()
            keys.add(word.key)
    return keys


@pytest.mark.timeout(300)
def test_keys_move_while_everything_goes_on(url: str, dynamodb: EmbeddedDynamoDB) -> None:
    """Readers of the old layout, and after their switch of the new one, always find what they look for, never older."""
    client, table = dynamodb.client(), f"moves-{'cluster' if 'cluster' in url else 'one'}"
    arn = create_demo_table(client, table)
    function, writer = Function(), Writer(client, table)
    with connect(url) as cache:
        function.deploy(Replicator(cache, OLD))
        rebuild = Rebuild(cache, OLD, NEW, client, table)
        properties = EventSourceMappingProperties(batch_size=20)
        with EventSourceMapping(dynamodb.streams(), arn, function, properties, pace=PACE) as mapping:
            writer.begin()
            mapping.drain(PATIENCE_SECONDS)
            for number in range(QUIET // 2):
                cache.delete(guard_key(f"users:quiet-{number}"))  # as if idle for longer than a guard lives
            reader = Reader(cache)
            with Worker(reader, 0.002) as reading, Worker(writer, 0.004) as writing:
                function.deploy(Replicator(cache, BothLayouts(OLD, NEW)))
                filled = rebuild.prepare_fill().run()
                assert (filled.complete, filled.backfill.failed, filled.carried.left) == (True, 0, 0)
                until(lambda: rebuild.verify(OPTIONS).consistent)
                with writing.lock:
                    mapping.drain(PATIENCE_SECONDS)
                    both = holds(cache, OLD, client, table) | holds(cache, NEW, client, table)
                    assert keys_of(cache) == both
                with reading.lock:
                    reader.switch()
                refused = rebuild.prepare_drop(DropOptions(apply=True, looks=OPTIONS.looks)).run()
                assert "still applied" in (refused.refused or "")
                function.deploy(Replicator(cache, NEW))
                options = DropOptions(apply=True, quiet_seconds=0.3, looks=OPTIONS.looks, sample=10)
                until(lambda: rebuild.prepare_drop(options).run().complete)
                before = reading.rounds
                until(lambda: reading.rounds > before + 3 or reading.error)
            mapping.drain(PATIENCE_SECONDS)
        assert keys_of(cache) == holds(cache, NEW, client, table)
        assert not list(cache.scan_iter(match="~v:{users:*"))
    assert function.repeated > 0
    assert writing.rounds > 0
    figures = (
        writer.changes,
        reading.rounds * BUSY,
        function.repeated,
        filled.carried.carried,
        filled.backfill.written,
    )
    logging.getLogger(__name__).info("%d changes, %d reads, %d events again, %d carried, %d filled", *figures)
