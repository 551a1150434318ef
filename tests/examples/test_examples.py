"""The examples run as their docstrings say."""

import importlib.util
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import redis
from tests.cache.support import closing_connections
from tests.cli.programs import COMMAND, Program
from tests.table.pipelines import Pipeline

from ddb_cache_sync import KeyTemplate, Replicator, decode_stream_event
from ddb_cache_sync.core.transforms import check_transforms
from ddb_cache_sync.local.embedded import EmbeddedDynamoDB, create_demo_table
from ddb_cache_sync.settings import Settings
from ddb_cache_sync.table.clients import StaticCredentials, dynamodb_client
from ddb_cache_sync.table.items import scan
from ddb_cache_sync.testing import MemoryCache, kinesis_event, stream_record

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"


def imported(path: Path) -> ModuleType:
    """A Python file, imported as a module of its own."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.long
@pytest.mark.servers
def test_the_handler_runs_on_this_machine(tmp_path: Path) -> None:
    """Every item of the demo's table is afterwards under `copy:<id>` too, the same as under the demo's own key."""
    with Program(COMMAND, "demo", "--changes", "40", "--keep", temporary=tmp_path) as demo:
        lines = demo.lines_until(lambda line: line.startswith("export DDB_CACHE_SYNC_REDIS_URL="))
        exports = dict(line.removeprefix("export ").strip().split("=", 1) for line in lines if "export " in line)
        run = subprocess.run(
            [sys.executable, str(EXAMPLES / "run_on_this_machine.py"), "users"],
            env={**os.environ, **exports, "DDB_CACHE_SYNC_KEY_TEMPLATE": "copy:{id}"},
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert (run.returncode, run.stderr) == (0, "")
        assert "records of table users applied" in run.stdout
        table = dynamodb_client(
            exports["AWS_REGION"],
            exports["AWS_ENDPOINT_URL_DYNAMODB"],
            credentials=StaticCredentials(exports["AWS_ACCESS_KEY_ID"], exports["AWS_SECRET_ACCESS_KEY"]),
        )
        ids = {str(upsert.item["id"]) for upsert in scan(table, "users")}
        with redis.Redis.from_url(exports["DDB_CACHE_SYNC_REDIS_URL"]) as client:
            copies = {key.decode().removeprefix("copy:") for key in client.scan_iter(match="copy:*")}
            assert copies == ids
            assert all(client.get(f"copy:{each}") == client.get(f"users:{each}") for each in ids)
        demo.send(signal.SIGINT)
        assert demo.end()[0] == 0


@pytest.mark.servers
def test_the_event_applies(redis_client: redis.Redis, redis_url: str) -> None:
    """By the command line, as the documentation shows; every digit of its number arrives."""
    subprocess.run([COMMAND, "apply", str(EXAMPLES / "event.json"), "--redis-url", redis_url], check=True)
    stored = redis_client.get("users:42")
    assert isinstance(stored, bytes)
    assert b'"balance":12345678901234567890.123456789012345678,' in stored
    assert redis_client.get("users:7") is None


def test_the_event_is_one_that_lambda_could_send() -> None:
    """Its second record is a removal by time to live."""
    put, removed = decode_stream_event(json.loads((EXAMPLES / "event.json").read_text(encoding="utf-8")))
    assert (put.event_name, removed.event_name, removed.is_ttl_removal) == ("INSERT", "REMOVE", True)


def test_a_replicator_of_ones_own_is_made_without_a_connection() -> None:
    """Importing the function's module succeeds before the cache can be reached."""
    module = imported(EXAMPLES / "own_replicator.py")
    assert isinstance(module.replicator, Replicator)
    assert callable(module.handler)


def test_every_hook_reports_the_batch() -> None:
    """Metrics on stdout, the log and a hook of one's own on stderr."""
    run = subprocess.run(
        [sys.executable, str(EXAMPLES / "observability.py")], capture_output=True, text=True, check=True, timeout=60
    )
    line = json.loads(run.stdout)
    assert (line["Applied"], line["Stale"], line["service"]) == (1, 1, "users-cache")
    logged, own = run.stderr.splitlines()
    assert logged.startswith("INFO batch applied: applied=1 stale=1 ")
    assert own == "0 of 2 records failed"


def test_the_transforms_do_what_they_say() -> None:
    """One user is stored, one left out, one a poison record whose contents are not repeated."""
    program = EXAMPLES / "transforms.py"
    run = subprocess.run(
        [sys.executable, str(program)],
        env={**os.environ, "PYTHONUTF8": "1"},
        capture_output=True,
        encoding="utf-8",
        check=True,
        timeout=60,
    )
    assert run.stdout.splitlines() == [
        '42 {"full_name":"Zoë Li","id":"42","joined":"2025-04-23T13:37:16Z","name":"Zoë"}',
        "7 left out",
        "8 poison record: the item does not fit User: name: string_type",
    ]
    check_transforms(imported(program).transforms)


def test_an_estimate_compares_batch_sizes() -> None:
    """A larger one costs less, and one record at a time falls behind."""
    run = subprocess.run(
        [sys.executable, str(EXAMPLES / "estimate.py")], capture_output=True, text=True, check=True, timeout=60
    )
    *sizes, last = run.stdout.splitlines()
    assert [line.endswith("keeps up") for line in sizes] == [False, True, True, True]
    assert last.startswith("2 shards; first bottleneck: ")


def test_a_user_is_found_by_an_address_that_was_passed_on() -> None:
    """Though the records of the one who had it come last."""
    run = subprocess.run(
        [sys.executable, str(EXAMPLES / "lookup_keys.py")], capture_output=True, text=True, check=True, timeout=60
    )
    assert run.stdout.splitlines() == [
        'before: {"email":"team@example.com","id":"1"}',
        'after: {"email":"team@example.com","id":"2"}',
    ]


def test_the_handler_for_kinesis_applies_what_a_data_stream_delivers(monkeypatch: pytest.MonkeyPatch) -> None:
    """With a cache in memory in place of its own."""
    module = imported(EXAMPLES / "kinesis_handler.py")
    cache = MemoryCache()
    monkeypatch.setattr(module, "replicator", Replicator(cache, keys=KeyTemplate("users:{id}")))
    event = kinesis_event([stream_record({"id": "42"}, {"id": "42"}, table="users")])
    assert module.handler(event, None) == {"batchItemFailures": []}
    assert cache.values == {"users:42": b'{"id":"42"}'}


def test_the_single_table_ends_with_each_item_in_its_place() -> None:
    """Its changes come newest first, and each item is where its newest change puts it."""
    program = EXAMPLES / "single_table.py"
    run = subprocess.run([sys.executable, str(program)], capture_output=True, text=True, check=True, timeout=60)
    assert run.stdout.splitlines() == [
        "2 applied, 2 stale, 2 filtered",
        'profile:USER#1 {"PK":"USER#1","SK":"PROFILE","name":"Wei"}',
        'sent:USER#1:ORDER#7 {"PK":"USER#1","SK":"ORDER#7","status":"sent"}',
    ]
    assert callable(imported(program).handler)


def test_the_configuration_file_is_right_and_routes() -> None:
    """By `config check`; applied to an order that is open, and to one that is not."""
    subprocess.run([COMMAND, "config", "check", str(EXAMPLES / "config.toml")], check=True, timeout=60)
    router = Settings.from_file(EXAMPLES / "config.toml").router()
    key = {"userId": "u1", "createdAt": 1745415436}
    cache = MemoryCache(values={"order:u1:1745415436": b"", "order:u2:1745415436": b""})
    opened = stream_record(key, key | {"status": "open"}, sequence_number=1, table="orders")
    other = key | {"userId": "u2"}
    closed = stream_record(other, other | {"status": "closed"}, sequence_number=2, table="orders")
    report = Replicator(cache, router).apply([opened, closed])
    assert (report.applied, report.filtered) == (1, 1)
    assert cache.values == {"order:u1:1745415436": b'{"createdAt":1745415436,"status":"open","userId":"u1"}'}


@pytest.mark.long
@pytest.mark.servers
def test_the_reader_fills_what_it_misses(redis_client: redis.Redis, redis_url: str, dynamodb: EmbeddedDynamoDB) -> None:
    """Run as a program; the second time from the cache."""
    client = dynamodb.client()
    create_demo_table(client, "examples")
    client.put_item(TableName="examples", Item={"id": {"S": "1"}, "name": {"S": "Ada"}})
    for _ in range(2):
        run = subprocess.run(
            [sys.executable, str(EXAMPLES / "reader.py"), "examples", "1", "2"],
            env={**os.environ, **dynamodb.environment, "DDB_CACHE_SYNC_REDIS_URL": redis_url},
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert (run.returncode, run.stderr) == (0, "")
        assert run.stdout == "{'id': '1', 'name': 'Ada'}\nNone\n"
        client.delete_item(TableName="examples", Key={"id": {"S": "1"}})
    assert redis_client.get("examples:1") == b'{"id":"1","name":"Ada"}'


@pytest.mark.servers
def test_the_backfill_fills_the_cache(
    redis_client: redis.Redis, redis_url: str, dynamodb: EmbeddedDynamoDB, tmp_path: Path
) -> None:
    """Run as a program; a change that came before stays, and no checkpoint is left."""
    client = dynamodb.client()
    create_demo_table(client, "backfilled")
    for number in "12":
        client.put_item(TableName="backfilled", Item={"id": {"S": number}, "writtenAtMs": {"N": "1"}})
    change = stream_record({"id": "1"}, {"id": "1", "new": True}, sequence_number=1, table="backfilled")
    Replicator(redis_client, keys=KeyTemplate("names:{id}")).apply([change])
    run = subprocess.run(
        [sys.executable, str(EXAMPLES / "backfill.py"), "backfilled"],
        cwd=tmp_path,
        env={**os.environ, **dynamodb.environment, "DDB_CACHE_SYNC_REDIS_URL": redis_url},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (run.returncode, run.stderr) == (0, "")
    assert run.stdout == "2 items read, 1 written, 1 left to the stream\n"
    assert (redis_client.get("names:1"), redis_client.get("names:2")) == (b'{"id":"1","new":true}', b'{"id":"2"}')
    assert list(tmp_path.iterdir()) == []


@pytest.mark.servers
def test_what_has_expired_is_gone_and_what_is_odd_is_logged(
    redis_client: redis.Redis, redis_url: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A session in seconds, one in milliseconds."""
    monkeypatch.setenv("DDB_CACHE_SYNC_REDIS_URL", redis_url)
    soon = int(time.time()) + 60
    records = [
        stream_record({"id": "1"}, {"id": "1", "expires_at": soon}, sequence_number=1, table="sessions"),
        stream_record({"id": "2"}, {"id": "2", "expires_at": soon * 1000}, sequence_number=2, table="sessions"),
    ]
    with closing_connections(monkeypatch):
        module = imported(EXAMPLES / "expiry.py")
        assert module.handler({"Records": records}, None) == {"batchItemFailures": []}
    assert 0 < redis_client.ttl("sessions:1") <= 60
    assert 60 < redis_client.ttl("sessions:2") <= 86_400
    assert "record 2: expires_at: a time to live past the year 3000" in caplog.text


@pytest.mark.long
@pytest.mark.servers
def test_a_deployment_is_stopped_where_changes_would_be_lost(
    dynamodb: EmbeddedDynamoDB, redis_client: redis.Redis, redis_url: str
) -> None:
    """And goes on where nothing is wrong."""
    pipeline = Pipeline(dynamodb)
    pipeline.create_table()
    pipeline.create_function()
    command = [sys.executable, str(EXAMPLES / "check_pipeline.py"), pipeline.name]
    environment = {**os.environ, **pipeline.environment, "DDB_CACHE_SYNC_REDIS_URL": redis_url}
    cases: list[tuple[dict[str, Any], list[str]]] = [({}, []), ({"FunctionResponseTypes": []}, ["report-failures"])]
    for changes, said in cases:
        uuid = pipeline.map(**changes)
        run = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=60)
        assert (run.returncode, run.stderr) == (int(bool(said)), "")
        assert [line.split(": ")[1] for line in run.stdout.splitlines()] == said
        pipeline.clients.lambda_.delete_event_source_mapping(UUID=uuid)


def test_readme_shows_the_example() -> None:
    """README's block is the file without its docstring."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    block = readme.split("<!-- example: handler -->\n```python\n")[1].split("```")[0]
    source = (EXAMPLES / "own_replicator.py").read_text(encoding="utf-8")
    assert source.split('"""', 2)[2].lstrip("\n") == block
