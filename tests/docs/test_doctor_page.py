"""The page about the doctor says what it does."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import redis
from tests.docs.markdown import ROOT, blocks, code_span, marked, rows
from tests.table.pipelines import Pipeline

from ddb_cache_sync.core.diagnosis import CHECKS, Level
from ddb_cache_sync.local.embedded import embedded_dynamodb
from ddb_cache_sync.table.examination import ACTIONS

PAGE = ROOT / "docs" / "how-to" / "doctor.md"


def shell(marker: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """What a block of the page does in a shell, at the root of a clone."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return subprocess.run(
        ["bash", "-euo", "pipefail", "-c", marked(PAGE, marker)],
        cwd=ROOT,
        env={**os.environ, "PATH": path, "PYTHONUTF8": "1", **environment},
        capture_output=True,
        encoding="utf-8",
        check=False,
        timeout=60,
    )


def test_the_checks_are_those_of_the_code() -> None:
    """In the order in which they are made."""
    assert [code_span(check) for check, _ in rows(PAGE, "check")] == [*CHECKS]


def test_the_levels_are_those_of_the_code() -> None:
    """The worst first, but that what can't be told is no fault."""
    assert {code_span(level) for level, _ in rows(PAGE, "level")} == {*Level}


def test_the_actions_are_those_of_the_code() -> None:
    """Each that is asked for."""
    assert [code_span(action) for action, _, _ in rows(PAGE, "action")] == [*ACTIONS]


@pytest.mark.long
@pytest.mark.servers
def test_the_example_shows_what_the_doctor_says(redis_client: redis.Redis, redis_url: str) -> None:
    """Of an event source mapping like that."""
    with embedded_dynamodb() as server:
        pipeline = Pipeline(server)
        pipeline.name = "users"
        pipeline.create_table()
        pipeline.create_function("sync")
        pipeline.clients.lambda_.create_event_source_mapping(
            FunctionName="sync", EventSourceArn=pipeline.stream_arn, StartingPosition="LATEST"
        )
        run = shell("run: doctor", **pipeline.environment, DDB_CACHE_SYNC_REDIS_URL=redis_url)
    [shown] = [block.code for block in blocks(PAGE) if block.language == "text"]
    assert (run.returncode, run.stdout, run.stderr) == (1, shown, "")


@pytest.mark.long
def test_what_is_decoded_on_the_page_can_be_decoded() -> None:
    """A file and an item on stdin."""
    run = shell("run: decode")
    assert (run.returncode, run.stderr) == (0, "")
    assert "12345678901234567890.123456789012345678" in run.stdout
    assert '"balance": 1.50' in run.stdout


@pytest.mark.long
@pytest.mark.servers
@pytest.mark.skipif(shutil.which("redis-cli") is None, reason="the guide uses redis-cli")
def test_stored_values_are_read_by_redis_cli(redis_client: redis.Redis, redis_url: str, tmp_path: Path) -> None:
    """A string and then a hash, by the lines of the page, one after the other."""
    string, fields = marked(PAGE, "run: stored").splitlines()
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    for line in (string, fields):
        redis_client.delete("users:42")
        if line is string:
            redis_client.set("users:42", '{"id":"42"}')
        else:
            redis_client.hset("users:42", "id", "42")
        run = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", line.replace("redis-cli", f"redis-cli -u {redis_url}")],
            cwd=tmp_path,
            env={**os.environ, "PATH": path},
            capture_output=True,
            text=True,
            check=False,
        )
        assert (run.returncode, run.stdout) == (0, '{\n  "id": "42"\n}\n')
