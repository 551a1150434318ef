"""The page on verifying and repairing: its commands and its function run."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from tests.docs.markdown import ROOT, code_span, marked, rows

from ddb_cache_sync.core.comparison import Drift
from ddb_cache_sync.local.embedded import EmbeddedDynamoDB, create_demo_table

if TYPE_CHECKING:
    from collections.abc import Iterator

    import redis

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


@pytest.mark.servers
def test_the_commands_of_the_page_run(redis_client: redis.Redis, settings: dict[str, str], tmp_path: Path) -> None:
    """Drift is found, then repaired, and the key agrees afterwards."""
    assert run("verify", tmp_path, settings) == 3
    assert run("repair", tmp_path, settings) == 0
    assert redis_client.get("users:42") == b'{"id":"42"}'
    assert json.loads((tmp_path / "audit.jsonl").read_bytes())["action"] == "written"
    assert run("inspect", tmp_path, settings) == 0


@pytest.mark.servers
def test_the_function_of_the_page_runs_and_is_the_example(
    settings: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without its docstring; its looks are shortened here."""
    source = EXAMPLE.read_text(encoding="utf-8")
    assert marked(PAGE, "file: verify_on_a_schedule.py") == source.split('"""\n\n', 1)[1]
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    for name, value in {**settings, "DDB_CACHE_SYNC_KEY_TEMPLATE": "users:{id}"}.items():
        monkeypatch.setenv(name, value)
    spec = importlib.util.spec_from_file_location("verify_on_a_schedule", EXAMPLE)
    assert spec is not None
    assert spec.loader is not None
    module: Any = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    options = module.VerifyOptions
    monkeypatch.setattr(module, "VerifyOptions", lambda **given: options(**{**given, "looks": (0.01,)}))
    with module.cache:
        assert module.handler({}, None) == {"share_consistent": 0.0, "at_least": 0.0, "drift": 1, "in_flight": 0}


def test_the_kinds_are_those_of_the_code() -> None:
    """And what is none."""
    assert [code_span(kind) for kind, _ in rows(PAGE, "kind")] == [*(each.value for each in Drift), "in flight"]
