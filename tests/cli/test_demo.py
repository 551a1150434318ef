import json
from pathlib import Path
from signal import SIGINT
from typing import Any

import pytest
import redis
from tests.cli.conftest import Cli
from tests.cli.programs import COMMAND, PROC, Program

from ddb_cache_sync.local.demo import TABLE, Comparison, Demo
from ddb_cache_sync.table.clients import StaticCredentials, dynamodb_client

pytestmark = pytest.mark.servers


def comes_to(temporary: Path, *options: str) -> dict[str, Any]:
    """The JSON of a demo that was run to its end, and left nothing behind."""
    with Program(COMMAND, "demo", "--changes", "60", "--seed", "7", "--json", *options, temporary=temporary) as demo:
        code, out, err = demo.end()
        if PROC.is_dir():
            assert demo.processes() == []
    assert (code, err) == (0, "")
    assert list(temporary.iterdir()) == []
    assert out.count("\n") == 1
    report: dict[str, Any] = json.loads(out)
    return report


def test_the_demo_ends_consistent(tmp_path: Path) -> None:
    """All changes are made, all records applied, every key is equal; nothing is left running or lying about."""
    report = comes_to(tmp_path)
    assert report["consistent"] is True
    assert report["changes"] == 60
    assert report["records"] == report["applied"] + report["stale"] > 0
    assert report["failed"] == 0
    assert report["items"] == report["keys"] > 0
    assert 0 < report["lag_ms"]["p50"] <= report["lag_ms"]["p99"]
    assert (report["drift"], report["faults"]) == ({}, {})


@pytest.mark.long
def test_the_demo_ends_consistent_whatever_chaos_does(tmp_path: Path) -> None:
    """Faults were put in, so some records came twice, and the cache is right all the same."""
    report = comes_to(tmp_path, "--chaos")
    assert report["consistent"] is True
    assert sum(report["faults"].values()) > 0
    assert set(report["faults"]) >= {"duplicate", "reorder", "replay", "fail half-way", "flush scripts"}


def damaged(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have somebody else delete a cache key, change one and add one, between the demo's draining and comparing."""
    compare = Demo.compare

    def damage_and_compare(self: Demo) -> Comparison:
        with redis.Redis.from_url(self.addresses.redis_url) as client:
            lost, changed, *_ = sorted(client.scan_iter(match=f"{TABLE}:*"))
            client.delete(lost)
            client.set(changed, "{}")
            client.set(f"{TABLE}:none", "{}")
        return compare(self)

    monkeypatch.setattr(Demo, "compare", damage_and_compare)


def test_drift_is_found_and_told_by_its_exit_code(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    """Exit code 3, and one of each kind: missing, stale, orphaned."""
    damaged(monkeypatch)
    result = cli("demo", "--changes", "20", "--json")
    assert (result.code, result.err) == (3, "")
    assert result.json["consistent"] is False
    assert result.json["drift"] == {"missing": 1, "stale": 1, "orphaned": 1}


def test_the_result_for_people_says_the_same(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    """Aligned, one line each, none broken."""
    damaged(monkeypatch)
    result = cli("demo", "--changes", "20", "--chaos")
    assert (result.code, result.err) == (3, "")
    lines = result.out.splitlines()
    assert [line[:9].rstrip() for line in lines] == ["changes", "records", "lag", "faults", "drift"]
    assert {line[7:9] for line in lines} == {"  "}
    assert lines[-1].endswith("items: 1 missing, 1 stale, 1 orphaned")


@pytest.mark.long
def test_a_demo_that_is_kept_goes_on_until_ctrl_c(tmp_path: Path) -> None:
    """It says where its servers are; what anybody writes to the table comes to the cache; then all of it ends."""
    with Program(COMMAND, "demo", "--changes", "5", "--keep", "--json", temporary=tmp_path) as demo:
        addresses = json.loads(demo.line())["addresses"]
        environment = addresses["environment"]
        table = dynamodb_client(
            environment["AWS_REGION"],
            addresses["dynamodb_endpoint_url"],
            credentials=StaticCredentials(environment["AWS_ACCESS_KEY_ID"], environment["AWS_SECRET_ACCESS_KEY"]),
        )
        with redis.Redis.from_url(addresses["redis_url"]) as client, client.monitor() as monitor:
            table.put_item(TableName=addresses["table"], Item={"id": {"S": "by hand"}})
            # The command that EVALSHA makes is seen by the monitor, with the key in it.
            assert any("users:by hand" in each["command"] for each in monitor.listen())
        if PROC.is_dir():
            assert len(demo.processes()) > 2
        demo.send(SIGINT)
        assert demo.end() == (0, "", "")
        if PROC.is_dir():
            assert demo.processes() == []
    assert list(tmp_path.iterdir()) == []


@pytest.mark.long
def test_a_demo_that_is_kept_prints_what_to_export(tmp_path: Path) -> None:
    """The lines can be pasted into a shell."""
    with Program(COMMAND, "demo", "--changes", "5", "--keep", temporary=tmp_path) as demo:
        lines = demo.lines_until(lambda line: line.startswith("export DDB_CACHE_SYNC_REDIS_URL="))
        demo.send(SIGINT)
        assert demo.end() == (0, "", "")
    exported = dict(line.removeprefix("export ").strip().split("=", 1) for line in lines if line.startswith("export "))
    assert exported["AWS_ENDPOINT_URL_DYNAMODB"].startswith("http://127.0.0.1:")
    assert exported["AWS_ENDPOINT_URL_DYNAMODB_STREAMS"] == exported["AWS_ENDPOINT_URL_DYNAMODB"]


def test_dynamodb_local_must_be_a_jar_with_its_libraries(cli: Cli, tmp_path: Path) -> None:
    """Anything else is wrong usage, before any server starts."""
    jar = tmp_path / "DynamoDBLocal.jar"
    jar.touch()
    result = cli("demo", "--dynamodb-local", str(jar))
    assert (result.code, result.out) == (2, "")
    assert "DynamoDBLocal_lib" in result.err
