"""The guide to backfills: its command runs, and its options are those of the command."""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import redis
import typer
from tests.docs.markdown import ROOT, marked, rows

from ddb_cache_sync.cli.app import app
from ddb_cache_sync.core.guards import DEFAULT_GUARD_TTL_SECONDS
from ddb_cache_sync.local.embedded import EmbeddedDynamoDB, create_demo_table
from ddb_cache_sync.sync.preparing import DEFAULT_SEGMENTS

PAGE = ROOT / "docs" / "how-to" / "backfill.md"


@pytest.mark.servers
def test_its_command_fills_the_cache(
    redis_client: redis.Redis, redis_url: str, dynamodb: EmbeddedDynamoDB, tmp_path: Path
) -> None:
    """From a table named users; no checkpoint is left."""
    client = dynamodb.client()
    create_demo_table(client, "users")
    client.put_item(TableName="users", Item={"id": {"S": "42"}})
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    try:
        subprocess.run(
            ["bash", "-euo", "pipefail", "-c", marked(PAGE, "run: with a table and a cache")],
            cwd=tmp_path,
            env={**os.environ, **dynamodb.environment, "PATH": path, "DDB_CACHE_SYNC_REDIS_URL": redis_url},
            check=True,
        )
    finally:
        client.delete_table(TableName="users")
    assert redis_client.get("users:42") == b'{"id":"42"}'
    assert list(tmp_path.iterdir()) == []


def test_its_options_are_those_of_the_command() -> None:
    """All of them, and the defaults that it gives."""
    table = rows(PAGE, "option")
    described = {name for options, _, _ in table for name in re.findall(r"--[\w-]+", options)}
    group: Any = typer.main.get_command(app)
    assert described == {name for each in group.commands["backfill"].params for name in each.opts}
    defaults = {options: default for options, _, default in table}
    assert defaults["`--segments N`"] == str(DEFAULT_SEGMENTS)
    assert f"({DEFAULT_GUARD_TTL_SECONDS / 2 / 3600:.1f} h)" in PAGE.read_text(encoding="utf-8")
