import itertools
import os
from pathlib import Path

import pytest
import redis
from tests.cli.conftest import Cli

from ddb_cache_sync import Replicator
from ddb_cache_sync.local.embedded import EmbeddedDynamoDB, create_demo_table
from ddb_cache_sync.testing import stream_record, write_export

pytestmark = pytest.mark.servers
NUMBERS = itertools.count()


@pytest.fixture
def table(dynamodb: EmbeddedDynamoDB, monkeypatch: pytest.MonkeyPatch) -> str:
    """Give a new table with two items; boto3 finds its server by the environment."""
    for name, value in dynamodb.environment.items():
        monkeypatch.setenv(name, value)
    table = f"cli-backfill-{os.getpid()}-{next(NUMBERS)}"
    create_demo_table(dynamodb.client(), table)
    for number in "12":
        dynamodb.client().put_item(TableName=table, Item={"id": {"S": number}, "kind": {"S": "a"}})
    return table


def test_a_table_is_filled_into_the_cache(cli: Cli, redis_client: redis.Redis, redis_url: str, table: str) -> None:
    """A reader then finds the items, and the counts are on stdout."""
    result = cli("backfill", "--table", table, "--redis-url", redis_url)
    assert (result.code, result.err) == (0, "")
    assert result.out.startswith("2 items in ")
    assert result.out.endswith(" s: 2 values written, 0 left to the stream, 0 left out, 0 failed\n")
    assert redis_client.get(f"{table}:1") == b'{"id":"1","kind":"a"}'


def test_json_is_one_object_on_stdout(cli: Cli, redis_client: redis.Redis, redis_url: str, table: str) -> None:
    """With every option of a scan."""
    Replicator(redis_client).apply([stream_record({"id": "1"}, {"id": "1"}, sequence_number=1, table=table)])
    options = ["--segments", "2", "--eventually-consistent", "--read-capacity", "100"]
    result = cli("backfill", "--table", table, "--redis-url", redis_url, *options, "--encoding", "hash", "--json")
    assert (result.code, result.err) == (0, "")
    assert result.json.pop("seconds") > 0
    assert result.json | {"seconds": 0} == {
        "items": 2,
        "written": 1,
        "removed": 0,
        "guarded": 1,
        "left_out": 0,
        "failed": 0,
        "problems": [],
        "seconds": 0,
        "complete": True,
    }
    assert redis_client.hgetall(f"{table}:2") == {b"id": b"2", b"kind": b"a"}


def test_routes_and_the_guards_time_come_from_the_configuration_file(
    cli: Cli, redis_client: redis.Redis, redis_url: str, table: str, tmp_path: Path, dynamodb: EmbeddedDynamoDB
) -> None:
    """As the function has them; what no route takes is told, and fails."""
    file = tmp_path / "config.toml"
    file.write_text(
        f'redis_url = "{redis_url}"\nguard_ttl_seconds = 7200\n\n'
        '[[routes]]\nattribute = { kind = "a" }\nkey_template = "as:{id}"\nencoding = "dynamodb-json"\n'
    )
    dynamodb.client().put_item(TableName=table, Item={"id": {"S": "3"}, "kind": {"S": "a secret"}})
    result = cli("backfill", "--table", table, "--config", str(file))
    assert result.code == 1
    assert "3 items" in result.out
    assert "1 failed" in result.out
    assert result.err.startswith(f"failed: no route takes this item of table {table}. ")
    assert "a secret" not in result.err
    assert redis_client.get("as:1") == b'{"id":{"S":"1"},"kind":{"S":"a"}}'
    write_export(tmp_path, [], table_arn=f"arn:aws:dynamodb:us-east-1:123456789012:table/{table}", exported_at=4e9)
    assert cli("backfill", "--table", table, "--config", str(file), "--from-export", str(tmp_path)).code == 0
    refused = cli("backfill", "--table", "none", "--config", str(file))
    assert (refused.code, refused.out) == (1, "")
    place = f"in {dynamodb.region} at {dynamodb.endpoint_url}"
    assert refused.err.startswith(f"failed: can't describe table none {place}: ResourceNotFoundException. ")


def test_a_terminal_shows_how_far_it_is(
    cli: Cli, redis_client: redis.Redis, redis_url: str, table: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On stderr, and results are what they are elsewhere."""
    monkeypatch.setenv("FORCE_COLOR", "1")  # which is what rich takes for a terminal
    result = cli("backfill", "--table", table, "--redis-url", redis_url, "--json")
    assert result.json["written"] == redis_client.dbsize() == 2
    assert "2/2" in result.err


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (["--read-again"], "items can be read again for an export only"),
        (["--segments", "0"], "0 segments"),
        (["--read-capacity", "0"], "the rate of reading is not above zero"),
        (["--read-capacity", "1", "--items-per-second", "1"], "two rates"),
        (["--from-export", "nowhere"], "nowhere"),
        (["--checkpoint", "/nowhere/file"], "checkpoint /nowhere/file can't be written"),
        (["--from-export", "x", "--eventually-consistent"], "a scan's"),
    ],
)
def test_what_can_not_be_right_is_refused_with_exit_code_2(
    cli: Cli, redis_url: str, table: str, options: list[str], problem: str
) -> None:
    """Before anything is written; with what to do."""
    result = cli("backfill", "--table", table, "--redis-url", redis_url, *options)
    assert (result.code, result.out) == (2, "")
    assert result.err.startswith("wrong usage: ")
    assert problem in result.err


def test_a_table_and_a_cache_have_to_be_named(cli: Cli, table: str) -> None:
    """Nothing is guessed."""
    assert cli("backfill").code == 2
    result = cli("backfill", "--table", table)
    assert (result.code, result.out) == (2, "")
    assert "DDB_CACHE_SYNC_REDIS_URL is not set" in result.err


def test_a_cache_that_can_not_be_reached_fails_and_says_how_to_go_on(
    cli: Cli, table: str, redis_client: redis.Redis, redis_url: str, tmp_path: Path
) -> None:
    """What was refused is told, with the report of what was done."""
    redis_client.acl_setuser("nobody", enabled=True, nopass=True, keys=["*"], commands=["+ping"])
    path = tmp_path / "checkpoint"
    url = redis_url.replace("redis://", "redis://nobody:x@")
    result = cli("backfill", "--table", table, "--redis-url", url, "--checkpoint", str(path), "--json")
    plain = cli("backfill", "--table", table, "--redis-url", url)
    redis_client.acl_deluser("nobody")
    assert (plain.code, plain.out, plain.err.startswith("failed: ")) == (1, "", True)  # no counts of nothing
    assert result.code == 1
    assert (result.json["items"], result.json["complete"]) == (0, False)
    assert "NOPERM" in result.err
    assert "stopped: not all is done: the same command goes on from there" in result.err
    done = cli("backfill", "--table", table, "--redis-url", redis_url, "--checkpoint", str(path))
    assert done.code == 0  # another user of the same cache: the same job
    assert not path.exists()
