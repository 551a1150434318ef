"""A backfill from a real table into a real server and a real cluster, while the table changes and is killed itself."""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import json
import os
import signal
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest
import redis
from tests.cli.programs import COMMAND, Program

from ddb_cache_sync import (
    BackfillOptions,
    ConfigurationError,
    KeyTemplate,
    LookupKey,
    Projection,
    Replicator,
    apply_stream_event,
    connect,
    prepare_backfill,
)
from ddb_cache_sync.cache.applier import cache_of
from ddb_cache_sync.core.comparison import compare
from ddb_cache_sync.local.embedded import EmbeddedCluster, EmbeddedDynamoDB, create_demo_table
from ddb_cache_sync.local.event_source_mapping import EventSourceMapping, EventSourceMappingProperties
from ddb_cache_sync.simulator import random_changes, simulate
from ddb_cache_sync.table.clients import StaticCredentials, s3_client
from ddb_cache_sync.table.descriptions import table_description
from ddb_cache_sync.table.items import scan
from ddb_cache_sync.table.streams import StartingPosition
from ddb_cache_sync.testing import write_export

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.servers
NUMBERS = itertools.count()


@pytest.fixture
def table(dynamodb: EmbeddedDynamoDB) -> str:
    """Give the name of a new table with a stream."""
    name = f"backfill-{os.getpid()}-{next(NUMBERS)}"
    create_demo_table(dynamodb.client(), name)
    return name


@pytest.fixture(params=["one server", pytest.param("cluster", marks=pytest.mark.xdist_group("cluster"))])
def client(request: pytest.FixtureRequest) -> Iterator[redis.Redis | redis.RedisCluster]:
    """Give a client of an empty cache."""
    if request.param == "cluster":
        request.getfixturevalue("cluster_client")
        cluster: EmbeddedCluster = request.getfixturevalue("cluster")
        url = f"{cluster.url}?cluster=true"
    else:
        request.getfixturevalue("redis_client")
        url = request.getfixturevalue("redis_url")
    with connect(url) as connected:
        yield connected


def put(dynamodb: EmbeddedDynamoDB, table: str, count: int) -> None:
    """Put items, 25 at a time."""
    for start in range(0, count, 25):
        requests: Any = [
            {"PutRequest": {"Item": {"id": {"S": str(number)}, "email": {"S": f"{number}@x"}}}}
            for number in range(start, min(start + 25, count))
        ]
        dynamodb.client().batch_write_item(RequestItems={table: requests})


def held(client: Any) -> dict[str, Any]:
    """What the cache holds, guards left out."""
    found = {}
    for key in client.scan_iter(count=1000):
        if not key.startswith(b"~v:"):
            found[key.decode()] = client.get(key)
    return found


def wanted(dynamodb: EmbeddedDynamoDB, table: str, projection: Projection) -> dict[str, Any]:
    """What the table says that it should hold, lookup keys left out."""
    writes = [projection.write(projection.cache_key(item), item) for item in scan(dynamodb.client(), table)]
    return {write.key: write.value for write in writes if write.value is not None}


def test_a_table_is_filled_in(dynamodb: EmbeddedDynamoDB, table: str, client: Any) -> None:
    """In segments, pages and lookup keys."""
    put(dynamodb, table, 120)
    projection = Projection(lookups=[LookupKey("by-email:{email}")])
    options = BackfillOptions(segments=3, items_per_second=1000)
    report = prepare_backfill(client, projection, dynamodb.client(), table, options).run()
    assert (report.items, report.written, report.guarded, report.failed) == (120, 240, 0, 0)
    found = held(client)
    assert found["by-email:7@x"] == f"{table}:7".encode()
    assert compare(wanted(dynamodb, table, projection), {k: v for k, v in found.items() if k.startswith(table)}) == {}


@pytest.mark.timeout(180)
def test_a_backfill_while_the_table_changes_ends_equal(dynamodb: EmbeddedDynamoDB, table: str, client: Any) -> None:
    """A simulator writes, the stream is applied, the backfill runs; in the end every key is compared."""
    simulate(dynamodb.client(), table, random_changes(1, 150, ids=150, item_bytes=300))  # before the function was there
    arn = table_description(dynamodb.client(), table).stream_arn
    assert arn is not None
    projection = Projection()
    replicator = Replicator(client, projection)
    first = threading.Event()
    enough = threading.Event()

    def changing() -> None:
        def told(*_: object) -> None:
            first.set()
            if enough.is_set():
                raise InterruptedError

        with contextlib.suppress(InterruptedError):
            simulate(dynamodb.client(), table, random_changes(2, ids=200, item_bytes=300), on_change=told)

    properties = EventSourceMappingProperties(
        batch_size=20, parallelization_factor=2, starting_position=StartingPosition.LATEST
    )
    with EventSourceMapping(
        dynamodb.streams(),
        arn,
        lambda event, context: apply_stream_event(event, replicator, context=context),
        properties,
    ) as mapping:
        writer = threading.Thread(target=changing)
        writer.start()
        try:
            assert first.wait(30)
            options = BackfillOptions(segments=2, items_per_second=80)
            report = prepare_backfill(client, projection, dynamodb.client(), table, options).run()
        finally:
            enough.set()
            writer.join()
        mapping.drain(60)
    assert report.complete
    assert report.failed == 0
    assert report.written > 0
    expected = wanted(dynamodb, table, projection)
    assert len(expected) > 50
    assert compare(expected, held(client)) == {}


def arguments(dynamodb: EmbeddedDynamoDB, table: str, redis_url: str, *more: str) -> list[str]:
    common = ["--table", table, "--redis-url", redis_url, "--endpoint-url", dynamodb.endpoint_url]
    return [COMMAND, "backfill", *common, "--region", dynamodb.region, "--key-template", "u:{id}", "--json", *more]


@pytest.mark.long
@pytest.mark.timeout(120)
def test_a_backfill_that_was_killed_goes_on(
    dynamodb: EmbeddedDynamoDB, table: str, redis_client: redis.Redis, redis_url: str, tmp_path: Path
) -> None:
    """After kill -9 in the midst of it at most one page of each segment is done twice."""
    put(dynamodb, table, 400)
    path, page, segments = tmp_path / "checkpoint.json", 10, 4
    slowly = arguments(
        dynamodb, table, redis_url, "--checkpoint", str(path), "--items-per-second", str(page * segments)
    )
    with Program(*slowly, temporary=tmp_path, environment=dynamodb.environment) as program:
        deadline = time.monotonic() + 60
        while not (path.exists() and len(json.loads(path.read_bytes())["positions"]) == segments):
            assert time.monotonic() < deadline
            threading.Event().wait(0.01)
        program.send(signal.SIGKILL)
        assert program.end()[0] == -signal.SIGKILL
    done = sum(1 for _ in redis_client.scan_iter("u:*"))
    assert 0 < done < 400
    other = [*arguments(dynamodb, table, redis_url, "--checkpoint", str(path)), "--segments", "3"]
    elsewhere = arguments(dynamodb, table, redis_url + "/1", "--checkpoint", str(path))
    for refused in (other, elsewhere):
        with Program(*refused, temporary=tmp_path, environment=dynamodb.environment) as program:
            code, out, err = program.end()
        assert (code, out) == (2, "")
        assert "of another job" in err
    again = arguments(dynamodb, table, redis_url, "--checkpoint", str(path))
    with Program(*again, temporary=tmp_path, environment=dynamodb.environment) as program:
        code, out, err = program.end()
    assert (code, err) == (0, f"going on from checkpoint {path}\n")
    report = json.loads(out)
    assert report["complete"]
    assert 400 - done <= report["items"] <= 400 - done + segments * page
    assert sum(1 for _ in redis_client.scan_iter("u:*")) == 400
    assert not path.exists()


@pytest.mark.long
@pytest.mark.timeout(120)
def test_ctrl_c_stops_after_the_pages_under_way_and_says_how_to_go_on(
    dynamodb: EmbeddedDynamoDB, table: str, redis_client: redis.Redis, redis_url: str, tmp_path: Path
) -> None:
    """Soon, though a slow rate would have it wait; nothing is done twice then."""
    put(dynamodb, table, 300)
    path = tmp_path / "checkpoint.json"
    slowly = arguments(dynamodb, table, redis_url, "--checkpoint", str(path), "--items-per-second", "20")
    with Program(*slowly, temporary=tmp_path, environment=dynamodb.environment) as program:
        deadline = time.monotonic() + 60
        while not any(redis_client.scan_iter("u:*")):
            assert time.monotonic() < deadline
            threading.Event().wait(0.01)
        program.send(signal.SIGINT)
        code, out, err = program.end()
    assert code == 130
    assert err == "stopped: not all is done: the same command goes on from there\n"
    stopped = json.loads(out)
    assert not stopped["complete"]
    with Program(
        *arguments(dynamodb, table, redis_url, "--checkpoint", str(path)),
        temporary=tmp_path,
        environment=dynamodb.environment,
    ) as program:
        code, out, _ = program.end()
    assert code == 0
    assert json.loads(out)["items"] + stopped["items"] == 300


@pytest.mark.parametrize("kind", ["full", "incremental"])
def test_an_export_in_s3_fills_the_cache(
    dynamodb: EmbeddedDynamoDB, table: str, client: Any, kind: Any, tmp_path: Path
) -> None:
    """From the bucket that it was made in."""
    described = table_description(dynamodb.client(), table)
    removed = [{"id": "9"}] if kind == "incremental" else []
    items = [{"id": str(number)} for number in range(5)]
    write_export(
        tmp_path, items, kind=kind, removed=removed, table_arn=described.arn, table=table, exported_at=time.time() + 120
    )
    s3 = s3_client(dynamodb.region, dynamodb.endpoint_url, credentials=StaticCredentials("local", "local"))
    s3.create_bucket(Bucket=table)
    for path in tmp_path.rglob("*"):
        if path.is_file():
            s3.put_object(Bucket=table, Key=f"x/{path.relative_to(tmp_path)}", Body=path.read_bytes())
    client.set("u:9", "old")
    options = BackfillOptions(from_export=f"s3://{table}/x")
    running = prepare_backfill(
        client, Projection(KeyTemplate("u:{id}")), dynamodb.client(), table, options, s3_client=s3
    )
    report = running.run()
    assert (running.about, report.items, report.written, report.removed) == (
        5 + len(removed),
        5 + len(removed),
        5,
        len(removed),
    )
    assert (client.get("u:3"), client.exists("u:9")) == (b'{"id":"3"}', 0 if removed else 1)


def test_items_of_an_old_export_are_read_again(
    dynamodb: EmbeddedDynamoDB, table: str, redis_client: redis.Redis, tmp_path: Path
) -> None:
    """As they are now; what is gone is not written, and what came back is not removed."""
    put(dynamodb, table, 3)
    described = table_description(dynamodb.client(), table)
    items: list[dict[str, Any]] = [{"id": "0", "old": True}, {"id": "gone"}]
    write_export(
        tmp_path,
        items,
        kind="incremental",
        removed=[{"id": "1"}, {"id": "9"}],
        table_arn=described.arn,
        exported_at=time.time() + 120,
    )
    redis_client.set("u:9", "old")
    clock = lambda: time.time() + 400 * 3600  # noqa: E731 - as short as it gets
    options = BackfillOptions(from_export=str(tmp_path))
    projection = Projection(KeyTemplate("u:{id}"))
    with pytest.raises(ConfigurationError, match="--read-again"):
        prepare_backfill(redis_client, projection, dynamodb.client(), table, options, clock=clock)
    again = dataclasses.replace(options, read_again=True)
    report = prepare_backfill(redis_client, projection, dynamodb.client(), table, again).run()
    assert (report.items, report.written, report.removed, report.left_out) == (4, 2, 1, 1)
    assert held(redis_client) == {f"u:{n}": b'{"email":"%d@x","id":"%d"}' % (n, n) for n in (0, 1)}


def test_a_table_without_a_stream_is_refused(dynamodb: EmbeddedDynamoDB, redis_client: redis.Redis) -> None:
    """Its changes would be lost to the cache."""
    plain = dynamodb.client()
    name = f"no-stream-{os.getpid()}"
    plain.create_table(
        TableName=name,
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    with pytest.raises(ConfigurationError, match=f"table {name} has no stream"):
        prepare_backfill(cache_of(redis_client, 60), Projection(), dynamodb.client(), name)
