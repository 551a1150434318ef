"""rebuild as an operator calls it, on a DynamoDB and a Valkey server."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from ddb_cache_sync.cli.stopping import Stopped
from ddb_cache_sync.core.guards import guard_key
from ddb_cache_sync.local.embedded import EmbeddedDynamoDB, create_demo_table
from ddb_cache_sync.sync.dropping import Dropping
from ddb_cache_sync.sync.rebuild import LayoutFill

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import redis
    from tests.cli.conftest import Cli, Result

pytestmark = pytest.mark.servers
SECRET = "swordfish-4711"
VERSION = "1745415436991:27:202328600001712385967261751"


@pytest.fixture
def call(
    cli: Cli,
    redis_client: redis.Redis,
    redis_url: str,
    dynamodb: EmbeddedDynamoDB,
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
    tmp_path: Path,
) -> Callable[..., Result]:
    """Give a function that calls a step for a table of three items, of which one was changed lately."""
    for name, value in dynamodb.environment.items():
        monkeypatch.setenv(name, value)
    (tmp_path / "new.toml").write_text('key_template = "v2:{id}"\nencoding = "hash"\n', encoding="utf-8")
    monkeypatch.setenv("DDB_CACHE_SYNC_REDIS_URL", redis_url)
    monkeypatch.setenv("DDB_CACHE_SYNC_KEY_TEMPLATE", "users:{id}")
    monkeypatch.setenv("DDB_CACHE_SYNC_NEW_LAYOUT", str(tmp_path / "new.toml"))
    client, table = dynamodb.client(), f"cli-rebuild-{abs(hash(request.node.name))}"
    create_demo_table(client, table)
    for number in range(3):
        client.put_item(TableName=table, Item={"id": {"S": str(number)}, "name": {"S": SECRET}})
        redis_client.set(f"users:{number}", b'{"id":"%d","name":"%s"}' % (number, SECRET.encode()))
    redis_client.set(guard_key("users:1"), VERSION, ex=90_000)

    def called(step: str, *arguments: str) -> Result:
        return cli("rebuild", step, "--table", table, *arguments)

    return called


def test_the_steps_lead_from_one_layout_to_the_next(call: Callable[..., Result], redis_client: redis.Redis) -> None:
    """Each says what comes next, and none shows contents."""
    filled = call("fill")
    assert (filled.code, filled.err) == (0, "next: ddb-cache-sync rebuild verify\n")
    assert filled.out == (
        "1 guards: 1 carried over, 0 left; 3 items: 2 values written, 1 left to the stream, 0 left out, 0 failed\n"
    )
    assert redis_client.hgetall("v2:1") == {b"id": b"1", b"name": SECRET.encode()}
    assert redis_client.get(guard_key("v2:1")) == VERSION.encode()
    verified = call("verify")
    assert (verified.code, verified.err) == (
        0,
        "next: switch the readers, then the function, and then ddb-cache-sync rebuild drop\n",
    )
    young = call("drop", "--apply", "--json")
    assert (young.code, young.json["young"], young.json["dropped"]) == (1, 1, 0)
    assert "still applied" in young.err
    redis_client.expire(guard_key("users:1"), 60_000)
    dry = call("drop")
    assert (dry.code, dry.out) == (0, "3 keys of the old layout, and 1 guards\n")
    assert dry.err == "dry run: nothing was deleted; repeat with --apply\n"
    done = call("drop", "--apply", "--keys-per-second", "500", "--json")
    assert (done.code, done.err) == (0, "")
    assert done.json.pop("seconds") > 0
    assert done.json | {"seconds": 0} == {
        "checked": 3,
        "guards": 1,
        "young": 0,
        "keys": 3,
        "dropped": 3,
        "failed": 0,
        "refused": None,
        "applied": True,
        "seconds": 0,
        "complete": True,
    }
    left = {*redis_client.scan_iter()}
    assert left == {b"v2:0", b"v2:1", b"v2:2", guard_key("v2:1").encode()}
    assert SECRET not in "".join(part for each in (filled, verified, young, dry, done) for part in (each.out, each.err))


def test_what_is_not_right_yet_is_told(call: Callable[..., Result], redis_client: redis.Redis) -> None:
    """With the exit code of drift; and nothing is dropped."""
    drift = call("verify", "--looks", "0.01", "--json")
    assert (drift.code, drift.json["missing"]) == (3, 3)
    assert "put it right with ddb-cache-sync repair" in drift.err
    refused = call("drop", "--apply", "--looks", "0.01", "--quiet-seconds", "0", "--json")
    assert (refused.code, refused.json["complete"]) == (1, False)
    assert "3 of 3 keys that were compared are not right in the new layout" in refused.json["refused"]
    assert redis_client.exists("users:0", "users:1", "users:2") == 3


@pytest.mark.parametrize(("step", "run"), [("fill", LayoutFill.run), ("drop", Dropping.run)])
def test_a_step_that_is_stopped_says_how_to_go_on(
    call: Callable[..., Result], monkeypatch: pytest.MonkeyPatch, step: str, run: Any
) -> None:
    """After Ctrl-C; the report of what was done comes first."""

    def stopped(self: Any, on_progress: Any) -> Any:
        def stop(*told: Any) -> None:
            on_progress(*told)
            raise Stopped(2)

        return run(self, stop)

    monkeypatch.setattr(LayoutFill, "run", stopped)
    monkeypatch.setattr(Dropping, "run", stopped)
    result = call(step, "--looks", "0.01", "--json") if step == "drop" else call(step, "--json")
    assert (result.code, result.json["complete"]) == (130, False)
    assert result.err.startswith("stopped: not all is done: the same command goes on")


@pytest.mark.parametrize("step", ["fill", "drop"])
def test_a_step_that_fails_before_anything_was_read_shows_no_counts(
    call: Callable[..., Result], redis_client: redis.Redis, redis_url: str, step: str
) -> None:
    """Nor what to do after a dry run, which there was none of."""
    redis_client.acl_setuser("nobody", enabled=True, nopass=True, keys=["*"], commands=["+ping"])
    result = call(step, "--redis-url", redis_url.replace("redis://", "redis://nobody:x@"))
    redis_client.acl_deluser("nobody")
    assert (result.code, result.out) == (1, "")
    assert "NOPERM" in result.err
    assert "repeat with --apply" not in result.err


def test_wrong_usage_is_told(call: Callable[..., Result], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With what to do."""
    (tmp_path / "same.toml").write_text('key_template = "users:{id}"\nencoding = "hash"', encoding="utf-8")
    for arguments, said in (
        (["fill", "--new-layout", str(tmp_path / "same.toml")], "begin with a word of their own"),
        (["fill", "--new-layout", str(tmp_path / "none.toml")], "can't read"),
        (["fill", "--checkpoint", "/nowhere/file"], "can't be written"),
        (["verify", "--looks", "x"], "such as 1,5,30"),
        (["verify", "--sample", "x"], "Write 1000, or 1%"),
        (["verify", "--sample", "0%"], "share above 0"),
        (["drop", "--keys-per-second", "0"], "no key a second"),
    ):
        result = call(*arguments)
        assert (result.code, result.out) == (2, ""), arguments
        assert said in " ".join(result.err.split()), arguments
    monkeypatch.delenv("DDB_CACHE_SYNC_NEW_LAYOUT")
    assert "there is no new layout" in call("fill").err
