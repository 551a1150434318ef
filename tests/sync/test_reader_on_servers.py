"""The reader on real servers: many threads and processes, changes at the same time, a cache that goes away."""

import contextlib
import json
import multiprocessing
import random
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import pytest
import redis
from tests.faults.proxy import Fault, FaultProxy, Way

from ddb_cache_sync import CacheReader, KeyTemplate, Replicator, connect
from ddb_cache_sync.core.projection import Mode
from ddb_cache_sync.local.embedded import EmbeddedCluster, EmbeddedDynamoDB, create_demo_table
from ddb_cache_sync.testing import MemoryTable
from ddb_cache_sync.testing.events import attributes

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

pytestmark = pytest.mark.servers

KEYS = KeyTemplate("users:{id}")
SPAWN = multiprocessing.get_context("spawn")


class Counted:
    """A client of DynamoDB that counts its reads."""

    def __init__(self, client: "DynamoDBClient") -> None:
        self._client = client
        self.reads = 0
        self._lock = threading.Lock()

    def __getattr__(self, name: str) -> Any:
        if name in ("get_item", "batch_get_item"):
            with self._lock:
                self.reads += 1
        return getattr(self._client, name)


@contextlib.contextmanager
def reader(url: str, client: Any, mode: Mode = "invalidate") -> Iterator[CacheReader]:
    with connect(url) as cache:
        yield CacheReader(cache, "misses", keys=KEYS, mode=mode, table_client=client, key_name="id")


def read_in_threads(url: str, dynamodb: EmbeddedDynamoDB, threads: int, start: Barrier, rounds: int) -> int:
    """Read an item from many threads at once, as one process of several; how often the table was read."""
    client = Counted(dynamodb.client())
    together = threading.Barrier(threads)

    def read(number: int) -> bool:
        together.wait()
        return bool(reading.get(str(number)) == {"id": str(number), "name": "Ada"})

    with reader(url, client) as reading, ThreadPoolExecutor(threads) as pool:
        reading.get("warm")
        client.reads = 0
        for number in range(rounds):
            start.wait()
            assert all(pool.map(read, [number] * threads))
    return client.reads


def read_in_process(results: Any, *arguments: Any) -> None:
    results.put(read_in_threads(*arguments))


@pytest.mark.long
@pytest.mark.timeout(120)
def test_fifty_threads_of_two_processes_that_miss_one_key_make_one_read(
    redis_client: redis.Redis, redis_url: str, dynamodb: EmbeddedDynamoDB, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ten keys, one after the other: ten reads."""
    monkeypatch.syspath_prepend(Path(__file__).parents[2])  # the processes import this file by its name
    rounds = 10
    client = dynamodb.client()
    create_demo_table(client, "misses")
    for number in range(rounds):
        client.put_item(TableName="misses", Item={"id": {"S": str(number)}, "name": {"S": "Ada"}})
    start, results = SPAWN.Barrier(2), SPAWN.Queue()
    processes = [
        SPAWN.Process(target=read_in_process, args=(results, redis_url, dynamodb, 25, start, rounds)) for _ in range(2)
    ]
    for process in processes:
        process.start()
    reads = [results.get(timeout=60) for _ in processes]
    for process in processes:
        process.join()
        assert process.exitcode == 0
    assert sum(reads) == rounds
    assert redis_client.dbsize() == rounds


class SharedTable:
    """A table in memory that threads change and read, its stream included; consistent as DynamoDB's reads are.

    What was read takes a moment to arrive, so that changes overtake it.
    """

    def __init__(self) -> None:
        self.table = MemoryTable()
        self.lock = threading.Lock()

    def change(self, identity: str, number: int) -> None:
        with self.lock:
            if number % 5:
                self.table.put({"id": identity, "number": number})
            else:
                self.table.remove(id=identity)

    def get_item(self, **request: Any) -> dict[str, Any]:
        item = self._item(request["Key"])
        self._arrive()
        return {} if item is None else {"Item": item}

    def batch_get_item(self, **request: Any) -> dict[str, Any]:
        [(name, asked)] = request["RequestItems"].items()
        found = [self._item(key) for key in asked["Keys"]]
        self._arrive()
        return {"Responses": {name: [item for item in found if item is not None]}, "UnprocessedKeys": {}}

    def _item(self, key: Any) -> Any:
        with self.lock:
            item = self.table.items.get((key["id"]["S"],))
            return None if item is None else attributes(item)

    @staticmethod
    def _arrive() -> None:
        threading.Event().wait(random.random() / 200)


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


@pytest.mark.parametrize("mode", ["replicate", "invalidate", "refresh"])
def test_nothing_stale_is_left_by_a_writer_two_appliers_and_four_readers(url: str, mode: Mode) -> None:
    """The appliers take turns, and deliver out of order and some twice; in the end each item is the newest, or missing.

    Not all of them twice: a removal that comes again would mend what a reader had spoilt.
    """
    shared = SharedTable()
    identities = [str(number) for number in range(60)]
    done = threading.Event()
    found = [0] * 4

    def write() -> None:
        moment = threading.Event()
        for number in range(800):
            shared.change(random.choice(identities), number)
            moment.wait(0.001)  # or it would be done before anybody has read
        done.set()

    def apply(turn: int) -> None:
        chance = random.Random(turn)
        with connect(url) as client:
            deliver(chance, turn, Replicator(client, keys=KEYS, mode=mode))

    def deliver(chance: random.Random, turn: int, replicator: Replicator) -> None:
        delivered = 0
        while not (done.is_set() and delivered == len(shared.table.records)):
            records = shared.table.records[delivered : delivered + chance.randint(1, 40)]
            mixed = [each for place, each in enumerate(records, delivered) if place % 2 == turn]
            delivered += len(records)
            again = chance.choices(shared.table.records[:delivered], k=2) if delivered else []
            mixed += again
            chance.shuffle(mixed)
            assert not replicator.apply(mixed).failures

    def read(number: int) -> None:
        with reader(url, shared, mode) as reading:
            while not (done.is_set() and found[number]):
                found[number] += len(reading.get_many(identities))
                found[number] += reading.get(random.choice(identities)) is not None

    run_together([write, lambda: apply(0), lambda: apply(1), *(partial(read, number) for number in range(4))])
    with connect(url) as client:
        for identity in identities:
            value = cast("bytes | None", client.get(f"users:{identity}"))
            assert value is None or json.loads(value) == shared.table.items.get((identity,))
    with reader(url, shared, mode) as reading:
        everything = reading.get_many(identities)
    assert everything == [shared.table.items.get((identity,)) for identity in identities]


def run_together(work: list[Callable[[], None]]) -> None:
    with ThreadPoolExecutor(len(work)) as pool:
        for each in [pool.submit(each) for each in work]:
            each.result()


def test_a_cache_that_goes_away_and_comes_back_keeps_no_item_from_a_reader(
    redis_client: redis.Redis, caplog: pytest.LogCaptureFixture
) -> None:
    """Meanwhile the table answers."""
    shared = SharedTable()
    shared.change("1", 1)
    port = redis_client.connection_pool.connection_kwargs["port"]
    with FaultProxy(port) as proxy, connect(proxy.url) as client:
        reading = CacheReader(
            client, "misses", keys=KEYS, table_client=cast("Any", shared), key_name="id", cache_seconds=0.2
        )
        assert reading.get("1") == {"id": "1", "number": 1}
        loading = b"-LOADING the dataset is being loaded\r\n"
        proxy.put_in(Fault(Way.ANSWER, loading, command="GET", times=10_000))
        shared.change("1", 2)
        assert reading.get("1") == {"id": "1", "number": 2}
        assert "the table is read instead of the cache: the cache can't be reached" in caplog.text
        proxy.clear()
        moment = threading.Event()
        while reading.get("1") != {"id": "1", "number": 1}:  # as long as it rests the table's; then the cache's again
            moment.wait(0.05)
