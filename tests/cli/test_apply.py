import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import pytest
import redis
from tests.cli.conftest import Cli

from ddb_cache_sync.testing import kinesis_event, stream_event, stream_record

pytestmark = pytest.mark.servers

PUT = stream_record({"id": "42"}, {"id": "42", "name": "Zoë"}, sequence_number=2, table="users")
OLDER = stream_record({"id": "42"}, {"id": "42", "name": "Zo"}, sequence_number=1, table="users")
OTHER = stream_record({"id": "7"}, {"id": "7"}, sequence_number=4, table="users")
POISON = stream_record({"id": "1"}, {"id": "1"}, sequence_number=3, table="users")
POISON["dynamodb"]["NewImage"]["secret"] = {"N": "a secret"}


def event_file(folder: Path, *records: Mapping[str, Any]) -> str:
    path = folder / "event.json"
    path.write_text(json.dumps(stream_event(records)))
    return str(path)


def stored(client: redis.Redis, key: str) -> bytes | None:
    return cast("bytes | None", client.get(key))


def test_an_event_file_is_applied(cli: Cli, redis_client: redis.Redis, redis_url: str, tmp_path: Path) -> None:
    """A reader then finds the item, and the count of outcomes is on stdout."""
    result = cli("apply", event_file(tmp_path, PUT, OTHER), "--redis-url", redis_url)
    assert result == (0, "2 records: 2 applied, 0 stale, 0 failed\n", "")
    assert stored(redis_client, "users:42") == '{"id":"42","name":"Zoë"}'.encode()


def test_an_event_of_a_kinesis_data_stream_is_applied(
    cli: Cli, redis_client: redis.Redis, redis_url: str, tmp_path: Path
) -> None:
    """A record that it can't apply is named by its Kinesis sequence number."""
    first, second = kinesis_event([PUT, OTHER])["Records"]
    second["kinesis"]["data"] = "a secret"
    result = cli("apply", event_file(tmp_path, first, second), "--redis-url", redis_url)
    number = second["kinesis"]["sequenceNumber"]
    assert result == (
        1,
        "2 records: 1 applied, 0 stale, 1 failed\n",
        f"record {number}: kinesis.data: not base64\n",
    )
    assert stored(redis_client, "users:42") == '{"id":"42","name":"Zoë"}'.encode()


def test_a_dry_run_shows_what_a_kinesis_event_would_do(cli: Cli, tmp_path: Path) -> None:
    """Its version is the time of the change."""
    event = event_file(tmp_path, *kinesis_event([PUT])["Records"])
    [shown] = cli("apply", event, "--dry-run", "--json").json["records"]
    assert (shown["key"], shown["version"]) == ("users:42", "0000000000000:16:1745415437000000")


def test_an_event_is_read_from_stdin(cli: Cli, redis_client: redis.Redis, redis_url: str) -> None:
    """A dash takes the place of the file."""
    result = cli("apply", "-", "--redis-url", redis_url, stdin=json.dumps([PUT]).encode())
    assert result == (0, "1 record: 1 applied, 0 stale, 0 failed\n", "")
    assert stored(redis_client, "users:42") is not None


def test_a_stale_record_is_no_failure(cli: Cli, redis_client: redis.Redis, redis_url: str, tmp_path: Path) -> None:
    """What was applied before stays, with exit code 0."""
    cli("apply", event_file(tmp_path, PUT), "--redis-url", redis_url)
    result = cli("apply", event_file(tmp_path, OLDER), "--redis-url", redis_url)
    assert result == (0, "1 record: 0 applied, 1 stale, 0 failed\n", "")
    assert stored(redis_client, "users:42") == '{"id":"42","name":"Zoë"}'.encode()


def test_json_is_one_object_on_stdout(cli: Cli, redis_client: redis.Redis, redis_url: str, tmp_path: Path) -> None:
    """It has the counts, and the answer that Lambda would get."""
    result = cli("apply", event_file(tmp_path, PUT, OLDER), "--redis-url", redis_url, "--json")
    assert (result.code, result.err) == (0, "")
    assert result.json["lag_seconds"] > 0
    assert 0 < result.json["duration_seconds"] < 60
    assert result.json | {"lag_seconds": None, "duration_seconds": None} == {
        "records": 2,
        "applied": 1,
        "stale": 1,
        "filtered": 0,
        "failed": 0,
        "failures": [],
        "notices": [],
        "quarantined": [],
        "ttl_removals": 0,
        "lag_seconds": None,
        "duration_seconds": None,
        "batchItemFailures": [],
    }


def test_a_poison_record_fails_and_all_others_are_applied(
    cli: Cli, redis_client: redis.Redis, redis_url: str, tmp_path: Path
) -> None:
    """Exit code 1; the message names the record and its wrong field, and nothing of its contents."""
    result = cli("apply", event_file(tmp_path, PUT, POISON, OTHER), "--redis-url", redis_url)
    assert (result.code, result.out) == (1, "3 records: 2 applied, 0 stale, 1 failed\n")
    assert result.err.startswith("record 3: ")
    assert "dynamodb.NewImage.secret" in result.err
    assert "a secret" not in result.err
    assert stored(redis_client, "users:42") is not None
    assert stored(redis_client, "users:7") is not None


def test_json_names_the_poison_record(cli: Cli, redis_client: redis.Redis, redis_url: str, tmp_path: Path) -> None:
    """In `failures` with the reason, and as Lambda reads it."""
    result = cli("apply", event_file(tmp_path, PUT, POISON), "--redis-url", redis_url, "--json")
    assert result.code == 1
    assert result.json["batchItemFailures"] == [{"itemIdentifier": "3"}]
    [failure] = result.json["failures"]
    assert failure["sequence_number"] == "3"


def test_a_dry_run_touches_nothing(cli: Cli, redis_client: redis.Redis, redis_url: str, tmp_path: Path) -> None:
    """It doesn't so much as connect; record, action, key and value are shown in full."""
    before = cast("dict[str, int]", redis_client.info("stats"))["total_connections_received"]
    removal = stream_record({"id": "9"}, sequence_number=5, table="users")
    result = cli("apply", event_file(tmp_path, PUT, OLDER, removal), "--redis-url", redis_url, "--dry-run")
    assert (result.code, result.err) == (0, "")
    assert result.out == (
        "record  action      key       value or reason\n"
        '2       set         users:42  {"id":"42","name":"Zoë"}\n'
        "1       superseded  users:42\n"
        "5       delete      users:9\n"
    )
    assert cast("dict[str, int]", redis_client.info("stats"))["total_connections_received"] == before
    assert redis_client.dbsize() == 0


def test_a_dry_run_needs_no_cache_and_shows_a_poison_record(cli: Cli, tmp_path: Path) -> None:
    """Without a URL; exit code 1, as applying would give."""
    result = cli("apply", event_file(tmp_path, POISON), "--dry-run")
    assert result.code == 1
    assert "3       refused" in result.out
    assert "a secret" not in result.out


def test_a_dry_run_as_json_shows_the_version_too(cli: Cli, tmp_path: Path) -> None:
    """One object, whose `records` are in the order of the event."""
    result = cli("apply", event_file(tmp_path, OTHER, PUT), "--dry-run", "--json", "--key-template", "u:{id}")
    assert result.json == {
        "records": [
            {
                "sequence_number": "4",
                "action": "set",
                "key": "u:7",
                "version": "1745415436991:01:4",
                "value": '{"id":"7"}',
                "reason": None,
            },
            {
                "sequence_number": "2",
                "action": "set",
                "key": "u:42",
                "version": "1745415436991:01:2",
                "value": '{"id":"42","name":"Zoë"}',
                "reason": None,
            },
        ]
    }


def test_what_is_shown_can_not_steer_the_terminal(cli: Cli, tmp_path: Path) -> None:
    """JSON leaves some control characters as they are; the table of a dry run doesn't."""
    wild = stream_record({"id": "1"}, {"id": "1", "name": "\x9b31m\x7f"}, table="users")
    result = cli("apply", event_file(tmp_path, wild), "--dry-run")
    assert '"name":"\\x9b31m\\x7f"' in result.out


def test_an_option_goes_before_the_environment(cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And the environment before the default."""
    monkeypatch.setenv("DDB_CACHE_SYNC_KEY_TEMPLATE", "environment:{id}")
    event = event_file(tmp_path, PUT)
    assert "environment:42" in cli("apply", event, "--dry-run").out
    assert "option:42" in cli("apply", event, "--dry-run", "--key-template", "option:{id}").out


@pytest.mark.parametrize(
    ("arguments", "environment", "message"),
    [
        ([], {}, "DDB_CACHE_SYNC_REDIS_URL is not set. Set it to the cache's URL"),
        ([], {}, "; or give --redis-url to a command, or redis_url in the configuration file."),
        (["--redis-url", "http://x"], {}, "unix:///path"),
        ([], {"DDB_CACHE_SYNC_REDIS_ULR": "x"}, "Did you mean DDB_CACHE_SYNC_REDIS_URL?"),
        (
            ["--dry-run", "--encoding", "xml"],
            {},
            "--encoding: not the name of an encoding. There are json, ",
        ),
        (["--dry-run"], {"DDB_CACHE_SYNC_ENCODING": "xml"}, "DDB_CACHE_SYNC_ENCODING: not the name of an encoding."),
        (["--dry-run", "--key-template", "u:{nope}"], {}, "leaves out id of the primary key"),
        (["--dry-run"], {"DDB_CACHE_SYNC_STREAM_LABEL": "yesterday"}, "stream_label: not a stream label"),
    ],
)
def test_a_wrong_setting_is_wrong_usage(
    cli: Cli,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    environment: Mapping[str, str],
    message: str,
) -> None:
    """Exit code 2; one line on stderr says what to do, however long it is."""
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    result = cli("apply", event_file(tmp_path, PUT), *arguments)
    assert (result.code, result.out) == (2, "")
    assert result.err.startswith("wrong usage: ")
    assert result.err.count("\n") == 1
    assert message in result.err


def test_a_file_that_can_not_be_read_is_wrong_usage(cli: Cli, tmp_path: Path) -> None:
    """The message names it."""
    result = cli("apply", str(tmp_path / "none.json"))
    assert result == (2, "", f"wrong usage: can't read {tmp_path / 'none.json'}: No such file or directory\n")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"{", "stdin is not JSON (line 1, column "),
        (b'{"a": 1}', "not a DynamoDB Streams event but an object without a list of Records"),
        (b'"text"', "not a DynamoDB Streams event but a str"),
    ],
)
def test_what_is_no_event_fails(cli: Cli, content: bytes, message: str) -> None:
    """Exit code 1, one line on stderr."""
    result = cli("apply", "-", stdin=content)
    assert (result.code, result.out) == (1, "")
    assert result.err.startswith(f"failed: {message}")
    assert result.err.count("\n") == 1


def test_a_cache_that_refuses_us_fails(cli: Cli, redis_client: redis.Redis, redis_url: str, tmp_path: Path) -> None:
    """Exit code 1; the message names the error code and where to read on."""
    redis_client.acl_setuser("reader", enabled=True, passwords=["+secret"], keys=["*"], commands=["+get"])
    try:
        url = redis_url.replace("redis://", "redis://reader:secret@")
        result = cli("apply", event_file(tmp_path, PUT), "--redis-url", url)
    finally:
        redis_client.acl_deluser("reader")
    assert (result.code, result.out) == (1, "")
    assert result.err.startswith("failed: the cache refuses")
    assert "NOPERM" in result.err
    assert "secret" not in result.err
