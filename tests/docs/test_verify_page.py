"""The page on verifying and repairing: its commands and its function run."""

from __future__ import annotations

import importlib.util
import json
import os
import runpy
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import pytest
import redis
from tests.docs.markdown import ROOT, blocks, code_span, marked, rows

from ddb_cache_sync import aws_lambda
from ddb_cache_sync.core.comparison import Drift
from ddb_cache_sync.local.embedded import EmbeddedDynamoDB, create_demo_table
from ddb_cache_sync.observability.verify_emf import SAMPLE_METRICS
from ddb_cache_sync.settings import PREFIX, Settings

if TYPE_CHECKING:
    from collections.abc import Iterator

PAGE = ROOT / "docs" / "how-to" / "verify-and-repair.md"
EXAMPLE = ROOT / "examples" / "verify_on_a_schedule.py"


@pytest.fixture
def settings(redis_client: redis.Redis, redis_url: str, dynamodb: EmbeddedDynamoDB) -> Iterator[dict[str, str]]:
    """Give the environment for a table `users` of one item, 42, that the cache does not have."""
    redis_client.flushall()
    client = dynamodb.client()
    create_demo_table(client, "users")
    client.put_item(TableName="users", Item={"id": {"S": "42"}})
    yield {**dynamodb.environment, "DDB_CACHE_SYNC_REDIS_URL": redis_url, "TABLE": "users"}
    client.delete_table(TableName="users")


def run(name: str, folder: Path, settings: dict[str, str], shell: str = "-euc") -> int:
    """Run a block of the page; its exit code."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    code = marked(PAGE, f"run: {name}").replace("ddb-cache-sync verify", "ddb-cache-sync verify --looks 0.01,0.02")
    environment = {**os.environ, **settings, "PATH": path}
    return subprocess.run(["bash", shell, code], cwd=folder, env=environment, check=False).returncode


@pytest.mark.long
@pytest.mark.servers
def test_the_commands_of_the_page_run(redis_client: redis.Redis, settings: dict[str, str], tmp_path: Path) -> None:
    """Drift is found, then repaired, and the key agrees afterwards."""
    assert run("verify", tmp_path, settings) == 3
    assert run("repair", tmp_path, settings) == 0
    assert redis_client.get("users:42") == b'{"id":"42"}'
    assert json.loads((tmp_path / "audit.jsonl").read_bytes())["action"] == "written"
    assert run("inspect", tmp_path, settings) == 0


class Context:
    """Lambda's."""

    def get_remaining_time_in_millis(self) -> int:
        """Two minutes."""
        return 120_000


@pytest.mark.servers
def test_the_function_of_the_page_runs_and_is_the_example(
    settings: dict[str, str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """By its environment alone; the age of what it finds grows from run to run, and shows in the metrics."""
    source = EXAMPLE.read_text(encoding="utf-8")
    assert marked(PAGE, "file: verify_on_a_schedule.py") == source.split('"""\n\n', 1)[1]
    layout = {"KEY_TEMPLATE": "users:{id}", "VERIFY_TABLE": "users", "VERIFY_SAMPLE": "100%", "VERIFY_LOOKS": "0.01"}
    for name, value in {**settings, **{f"DDB_CACHE_SYNC_{name}": value for name, value in layout.items()}}.items():
        monkeypatch.setenv(name, value)
    spec = importlib.util.spec_from_file_location("verify_on_a_schedule", EXAMPLE)
    assert spec is not None
    assert spec.loader is not None
    module: Any = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    aws_lambda._verification.cache_clear()
    try:
        found = module.handler({}, Context())
        assert (found["Drift"], found["DriftMissing"], found["KnownDrift"], found["ShareConsistent"]) == (1, 1, 1, 0.0)
        again = module.handler({}, Context())
        assert 0 < again["OldestDrift"] < 60
        lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
        assert [line["Drift"] for line in lines] == [1, 1]
        assert lines[1]["OldestDrift"] == again["OldestDrift"]
        with redis.Redis.from_url(settings["DDB_CACHE_SYNC_REDIS_URL"]) as client:
            assert cast("int", client.ttl("~v:~drift:{users}")) > 0
            client.set("users:42", b'{"id":"42"}')
        assert module.handler({}, Context())["OldestDrift"] == 0
    finally:
        aws_lambda._verification()[1].close()
        aws_lambda._verification.cache_clear()


@pytest.mark.servers
def test_the_function_for_the_occasion_verifies_and_repairs(
    redis_client: redis.Redis, settings: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """By events and answers that are JSON, as `aws lambda invoke` and jq pass them on; dry unless told to apply."""
    example = EXAMPLE.with_name("verify_and_repair.py")
    assert marked(PAGE, "file: verify_and_repair.py") == example.read_text(encoding="utf-8").split('"""\n\n', 1)[1]
    for name, value in {**settings, "DDB_CACHE_SYNC_KEY_TEMPLATE": "users:{id}"}.items():
        monkeypatch.setenv(name, value)
    handler: Any = runpy.run_path(str(example))["handler"]

    def invoke(event: dict[str, Any]) -> dict[str, Any]:
        answer: dict[str, Any] = json.loads(json.dumps(handler(json.loads(json.dumps(event)), Context())))
        return answer

    asked = {"table": "users", "looks": [0.01, 0.02]}
    report = invoke(asked)
    assert (report["missing"], report["sampled"], report["drifts"][0]["key"]) == (1, False, "users:42")
    assert invoke(asked | {"sample": 9})["sampled"]
    assert invoke({"table": report["table"], "report": report}) == {"applied": False, "written": 1}
    assert redis_client.dbsize() == 0
    assert invoke({"table": report["table"], "report": report, "apply": True}) == {"applied": True, "written": 1}
    assert redis_client.get("users:42") == b'{"id":"42"}'
    assert invoke(asked)["consistent"]


def test_the_settings_and_metrics_of_the_page_are_those_of_the_code() -> None:
    """Names, defaults and units, in order."""
    code = next(block.code for block in blocks(PAGE) if "VERIFY_TABLE" in block.code)
    defaults = {
        name: Settings.model_fields[name].default for name in Settings.model_fields if name.startswith("verify")
    }
    assert [line.partition("=")[0] for line in code.splitlines()] == [PREFIX + name.upper() for name in defaults]
    assert [line.partition("=")[2].split()[0] for line in code.splitlines()][1:] == [*defaults.values()][1:]
    written = [(code_span(name), unit) for name, unit, _ in rows(PAGE, "metric of a sample")]
    assert written == [(each.name, each.unit) for each in SAMPLE_METRICS]


def test_the_kinds_are_those_of_the_code() -> None:
    """And what is none."""
    assert [code_span(kind) for kind, _ in rows(PAGE, "kind")] == [*(each.value for each in Drift), "in flight"]
