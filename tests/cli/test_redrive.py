"""redrive as a user calls it, on a DynamoDB and a Valkey server."""

from __future__ import annotations

import itertools
import json
import os
from typing import TYPE_CHECKING, Any

import pytest

from ddb_cache_sync.cli.stopping import Stopped
from ddb_cache_sync.errors import TableError
from ddb_cache_sync.local.embedded import EmbeddedDynamoDB, create_demo_table
from ddb_cache_sync.sync.redrive import Redrive, RedriveReport
from ddb_cache_sync.table.clients import StaticCredentials, s3_client

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import redis
    from tests.cli.conftest import Cli, Result

pytestmark = pytest.mark.servers
NUMBERS = itertools.count()


@pytest.fixture
def table(dynamodb: EmbeddedDynamoDB) -> str:
    """Give a new table."""
    name = f"cli-redrive-{os.getpid()}-{next(NUMBERS)}"
    create_demo_table(dynamodb.client(), name)
    return name


@pytest.fixture
def given_up(tmp_path: Path, dynamodb: EmbeddedDynamoDB, table: str) -> Path:
    """Give a folder with two batches of the table's stream, and a file that is none."""
    arn = dynamodb.client().describe_table(TableName=table)["Table"]["LatestStreamArn"]
    folder = tmp_path / "given-up"
    folder.mkdir()
    for number in "12":
        dynamodb.client().put_item(TableName=table, Item={"id": {"S": number}, "name": {"S": "SECRET"}})
        (folder / number).write_text(json.dumps(batch(arn, number)), encoding="utf-8")
    (folder / "other").write_text("SECRET")
    return folder


def batch(arn: str, number: str) -> dict[str, Any]:
    item = {"id": {"S": number}, "name": {"S": "SECRET"}}
    record = {
        "eventName": "INSERT",
        "eventSourceARN": arn,
        "dynamodb": {"Keys": {"id": {"S": number}}, "NewImage": item, "SequenceNumber": number},
    }
    return {"DDBStreamBatchInfo": {}, "payload": json.dumps({"Records": [record]})}


@pytest.fixture
def call(
    cli: Cli, redis_client: redis.Redis, redis_url: str, dynamodb: EmbeddedDynamoDB, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Result]:
    """Give a function that calls the command; boto3 finds its server by the environment."""
    for name, value in dynamodb.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", dynamodb.endpoint_url)
    monkeypatch.setenv("DDB_CACHE_SYNC_REDIS_URL", redis_url)
    monkeypatch.setenv("DDB_CACHE_SYNC_KEY_TEMPLATE", "users:{id}")
    return lambda *arguments: cli("redrive", *arguments)


def test_what_succeeds_is_deleted_where_that_is_asked_for_and_what_fails_is_told(
    call: Callable[..., Result], given_up: Path, table: str, redis_client: redis.Redis
) -> None:
    """A dry run first; counts on stdout, problems on stderr, exit code 1 for the file that is none."""
    dry = call(str(given_up), "--table", table, "--dry-run")
    assert (dry.code, redis_client.dbsize()) == (1, 0)
    assert dry.out.startswith("dry run, nothing was written: 2 records of 3 objects or messages in ")
    done = call(str(given_up), "--table", table, "--delete", "--json")
    assert done.json == {
        **RedriveReport().to_json(),
        "entries": 3,
        "records": 2,
        "read_again": 2,
        "repaired": 2,
        "failed": 1,
        "deleted": 2,
        "problems": done.json["problems"],
        "seconds": done.json["seconds"],
    }
    assert done.code == 1
    assert done.err == "failed: other: it is not JSON\n"
    assert [path.name for path in given_up.iterdir()] == ["other"]
    assert redis_client.get("users:1") == b'{"id":"1","name":"SECRET"}'
    assert "SECRET" not in dry.out + dry.err + done.out + done.err


def test_all_well_is_exit_code_0(
    call: Callable[..., Result], given_up: Path, table: str, dynamodb: EmbeddedDynamoDB, redis_client: redis.Redis
) -> None:
    """From a bucket; with a limit there may be more, which is no failure."""
    s3 = s3_client(dynamodb.region, dynamodb.endpoint_url, credentials=StaticCredentials("local", "local"))
    s3.create_bucket(Bucket=table)
    for number in "12":
        s3.put_object(Bucket=table, Key=f"failed/{number}", Body=(given_up / number).read_bytes())
    limited = call(f"s3://{table}/failed", "--table", table, "--limit", "1", "--delete")
    assert (limited.code, limited.err) == (0, "the limit of 1 is reached; there may be more\n")
    assert " 1 deleted\n" in limited.out
    rest = call(f"s3://{table}/failed/", "--table", table, "--json")
    assert (rest.code, rest.err, rest.json["entries"], rest.json["complete"]) == (0, "", 1, True)
    assert redis_client.exists("users:1", "users:2") == 2


def test_a_stop_says_how_to_go_on(
    call: Callable[..., Result], given_up: Path, table: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After Ctrl-C; the report of what was done comes first."""
    run = Redrive.run

    def stopped(self: Redrive, on_progress: Any) -> Any:
        def stop(entries: int) -> None:
            on_progress(entries)
            raise Stopped(2)

        return run(self, stop)

    monkeypatch.setattr(Redrive, "run", stopped)
    path = str(tmp_path / "checkpoint")
    result = call(str(given_up), "--table", table, "--checkpoint", path, "--json")
    assert (result.code, result.json["entries"], result.json["complete"]) == (130, 1, False)
    assert result.err == "stopped: not all is done: the same command goes on from there\n"


def test_what_fails_before_anything_was_read_shows_no_counts(call: Callable[..., Result], table: str) -> None:
    """Zeros would look like a place with nothing in it; with --json they are there, beside `complete`."""
    place = f"s3://{table}-absent/failed"
    result = call(place, "--table", table)
    assert (result.code, result.out) == (1, "")
    failed, stopped = result.err.splitlines()
    assert failed.startswith("failed: can't list objects of s3://")
    assert stopped == "stopped: not all is done: the same command begins anew; what succeeded changes nothing"
    shown = call(place, "--table", table, "--json")
    assert (shown.json["entries"], shown.json["complete"], shown.err) == (0, False, result.err)


def test_what_fails_later_shows_what_was_done(
    call: Callable[..., Result], given_up: Path, table: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It counts."""
    bring_back = Redrive._bring_back

    def denied(self: Redrive, name: str, content: Any) -> bool:
        if self.report.entries:
            raise TableError("AccessDenied")
        return bring_back(self, name, content)

    monkeypatch.setattr(Redrive, "_bring_back", denied)
    result = call(str(given_up), "--table", table)
    assert (result.code, " of 1 objects or messages in " in result.out) == (1, True)


def test_a_terminal_shows_how_far_it_is(
    call: Callable[..., Result], given_up: Path, table: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On stderr."""
    (given_up / "other").unlink()
    monkeypatch.setenv("FORCE_COLOR", "1")  # which is what rich takes for a terminal
    result = call(str(given_up), "--table", table, "--json")
    assert (result.code, result.json["records"]) == (0, 2)
    assert "2/2" in result.err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["{folder}/absent"], "is no folder"),
        (["ftp://x"], "neither s3://bucket/prefix"),
        (["{folder}", "--limit", "0"], "a limit of 0"),
        (["{folder}", "--dry-run", "--delete"], "a dry run"),
        (["http://127.0.0.1:1/1/queue", "--checkpoint", "x"], "a checkpoint for a queue"),
        (["{folder}", "--account", "1"], "not in 1"),
    ],
)
def test_wrong_usage_is_told(
    call: Callable[..., Result], given_up: Path, table: str, arguments: list[str], said: str
) -> None:
    """With exit code 2, and nothing done."""
    given = [each.format(folder=given_up) for each in arguments]
    result = call(*given, "--table", table)
    assert (result.code, result.out) == (2, "")
    assert said in " ".join(result.err.split())


def test_a_table_that_is_not_there_fails(call: Callable[..., Result], given_up: Path) -> None:
    """With exit code 1."""
    result = call(str(given_up), "--table", "no-such-table")
    assert (result.code, result.out) == (1, "")
    assert "ResourceNotFoundException" in result.err
