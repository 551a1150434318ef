"""A cache that can't be reached, from the start or for a while: what commands say, and how soon."""

from __future__ import annotations

import json
import logging
import time
from typing import TYPE_CHECKING

import pytest

from ddb_cache_sync import connect
from ddb_cache_sync.cache.reaching import check_reachable
from ddb_cache_sync.cache.replies import READING, WRITING, Purpose
from ddb_cache_sync.cli.console import MessageHandler
from ddb_cache_sync.cli.reaching import print_failure
from ddb_cache_sync.errors import CacheUnavailable
from ddb_cache_sync.testing import stream_event, stream_record

if TYPE_CHECKING:
    from pathlib import Path

    import redis
    from tests.cli.conftest import Cli

NOWHERE = "redis://127.0.0.1:1"


@pytest.mark.parametrize("url", [NOWHERE, f"{NOWHERE}/?cluster=true"], ids=["server", "cluster"])
@pytest.mark.parametrize(
    "arguments",
    [["inspect", "users:1"], ["repair", "users:1"], ["backfill"], ["verify", "--no-orphans"], ["redrive", "."]],
    ids=lambda arguments: arguments[0],
)
def test_a_cache_that_is_not_there_is_told_at_once(
    cli: Cli, url: str, arguments: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once, before the table is asked for anything, in words for a command line."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "none")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "none")
    begun = time.monotonic()
    result = cli(*arguments, "--table", "users", "--region", "us-east-1", "--redis-url", url)
    assert time.monotonic() - begun < 8  # an outage is waited out for a minute
    assert (result.code, result.out, result.err.count("\n")) == (1, "", 1)
    assert result.err.startswith("failed: the cache can't be reached (ConnectionRefusedError at 127.0.0.1:1). Check ")


def test_apply_tells_it_at_once_too(cli: Cli, tmp_path: Path) -> None:
    """It would try for ten seconds else."""
    path = tmp_path / "event.json"
    record = stream_record({"id": "1"}, {"id": "1"}, sequence_number=1, table="users")
    path.write_text(json.dumps(stream_event([record])), encoding="utf-8")
    begun = time.monotonic()
    result = cli("apply", str(path), "--redis-url", NOWHERE)
    assert time.monotonic() - begun < 8
    assert (result.code, result.err.split(" (")[0]) == (1, "failed: the cache can't be reached")


@pytest.mark.servers
def test_a_cache_that_refuses_or_lets_nobody_ask_is_there(redis_client: redis.Redis, redis_url: str) -> None:
    """So no permission is needed to be told from one that is not."""
    redis_client.acl_setuser("mute", enabled=True, nopass=True, keys=["*"], commands=["-@all"])
    try:
        for user in ("mute:x", "unknown:x"):
            with connect(redis_url.replace("redis://", f"redis://{user}@")) as client:
                check_reachable(client)
    finally:
        redis_client.acl_deluser("mute")
    with connect(f"{redis_url}/?cluster=true") as client:
        check_reachable(client)  # no cluster, and there


@pytest.mark.parametrize("purpose", [WRITING, READING], ids=["writing", "reading"])
def test_an_outage_that_outlasts_a_run_is_told_in_words_for_a_command_line(
    capsys: pytest.CaptureFixture[str], purpose: Purpose
) -> None:
    """There is no batch to be delivered again, and no reader."""
    print_failure(CacheUnavailable("it failed", hint=f"Check its health; {purpose.when_unavailable}."))
    assert capsys.readouterr().err == "failed: it failed. Check its health; then run the command again.\n"


def test_what_threads_say_at_the_same_time_is_said_once(capsys: pytest.CaptureFixture[str]) -> None:
    """And again after a minute, if it is still so."""
    handler = MessageHandler()
    for seconds, text in ((0, "down"), (1, "down"), (2, "up"), (59, "down"), (61, "down")):
        record = logging.makeLogRecord({"levelname": "WARNING", "msg": text, "created": 1e9 + seconds})
        handler.emit(record)
    assert capsys.readouterr().err.splitlines() == ["warning: down", "warning: up", "warning: down"]
