"""An item of a kind that no route takes: its record can't be applied until there is one."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Any

import pytest
from tests.cluster.support import await_that

if TYPE_CHECKING:
    from pathlib import Path

    import redis
    from tests.runbooks.conftest import Pipeline
    from tests.runbooks.destinations import Destinations

pytestmark = [pytest.mark.servers, pytest.mark.long]

USERS = '[[routes]]\nattribute = { value = "user" }\nkey_template = "users:{id}"\n'
ADMINS = '[[routes]]\nattribute = { value = "admin" }\nkey_template = "admins:{id}"\n'


def put(pipeline: Pipeline, number: int, kind: str) -> None:
    pipeline.table.client.put_item(TableName=pipeline.table.name, Item={"id": {"S": str(number)}, "value": {"S": kind}})


def deploy(pipeline: Pipeline, folder: Path, routes: str) -> None:
    """Give the function a configuration file, and set the same in the shell."""
    file = folder / f"{len(routes)}.toml"
    file.write_text(routes, encoding="utf-8")
    variables = {**pipeline.function.variables, "DDB_CACHE_SYNC_CONFIG": str(file)}
    variables.pop("DDB_CACHE_SYNC_KEY_TEMPLATE", None)
    pipeline.function.variables = variables
    pipeline.shell.environment.pop("DDB_CACHE_SYNC_KEY_TEMPLATE", None)
    done = pipeline.shell.run(f"export DDB_CACHE_SYNC_CONFIG={shlex.quote(str(file))}")
    assert done.returncode == 0, done.stderr


def test_a_poison_record_is_set_aside_mended_and_brought_back(
    pipeline: Pipeline,
    redis_client: redis.Redis,
    destinations: Destinations,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Until it is set aside nothing behind it comes through; afterwards everything does."""
    for name in ("AWS_ENDPOINT_URL_S3", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION"):
        monkeypatch.setenv(name, pipeline.shell.environment[name])  # the function runs in this process
    bucket = destinations.bucket()
    invocations: list[Any] = []
    pipeline.function.before = invocations.append
    deploy(pipeline, tmp_path, USERS)
    pipeline.mapping.told["BatchSize"] = 1
    pipeline.aws.start(pipeline.mapping)
    put(pipeline, 1, "user")
    put(pipeline, 2, "admin")
    put(pipeline, 3, "user")
    await_that(lambda: len(invocations) > 5, "Lambda delivers the poison record again and again")
    assert redis_client.keys("*s:?") == [b"users:1"]

    pipeline.shell.environment["QUARANTINE"] = f"s3://{bucket.name}/poison"
    with pipeline.runbook("poison-record.md") as runbook:
        runbook.follow("set it aside")
        pipeline.drain()
        assert sorted(redis_client.keys("*s:?")) == [b"users:1", b"users:3"]
        assert "1 objects or messages failed" in runbook.follow("see why", exits=1)
        deploy(pipeline, tmp_path, USERS + ADMINS)
        runbook.follow("check")
        assert len(bucket.keys()) == 1
        assert "1 deleted" in runbook.follow("bring them back")
        assert bucket.keys() == []
        runbook.follow("verify")
    assert redis_client.get("admins:2") == b'{"id":"2","value":"admin"}'


def test_with_a_quarantine_from_the_beginning_nothing_waits(
    pipeline: Pipeline,
    redis_client: redis.Redis,
    destinations: Destinations,
    tmp_path: Path,
) -> None:
    """A newer change of the item is applied meanwhile, and is not undone."""
    pipeline.function.variables["DDB_CACHE_SYNC_QUARANTINE"] = str(tmp_path / "poison")
    deploy(pipeline, tmp_path, USERS)
    put(pipeline, 2, "admin")
    put(pipeline, 3, "user")
    pipeline.drain()
    assert redis_client.keys("*s:?") == [b"users:3"]
    deploy(pipeline, tmp_path, USERS + ADMINS)
    put(pipeline, 2, "user")
    pipeline.drain()
    pipeline.shell.environment["QUARANTINE"] = str(tmp_path / "poison")
    with pipeline.runbook("poison-record.md") as runbook:
        runbook.skip("set it aside")
        for name in ("see why", "check", "bring them back", "verify"):
            runbook.follow(name)
    assert sorted(redis_client.keys("*s:?")) == [b"users:2", b"users:3"]
