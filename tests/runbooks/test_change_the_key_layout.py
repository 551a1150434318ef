"""Keys move to another layout, step by step, while the table is written to."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import pytest

from ddb_cache_sync.core.guards import guard_key

if TYPE_CHECKING:
    from pathlib import Path

    import redis
    from tests.runbooks.conftest import Pipeline

pytestmark = [pytest.mark.servers, pytest.mark.long]


def shown(client: redis.Redis, number: int) -> tuple[bytes | None, bytes | None]:
    """What readers of the old layout, and of the new one, see of an item."""
    old, new = client.get(f"users:{number}"), client.hget(f"v2:users:{number}", "value")
    return cast("bytes | None", old), cast("bytes | None", new)


def as_if_later(client: redis.Redis) -> None:
    """Let a quarter of an hour pass for all guards of the old layout."""
    for guard in client.scan_iter(match="~v:{users:*"):
        client.expire(guard, 90_000 - 901)


def test_keys_move_to_another_layout(
    pipeline: Pipeline, redis_client: redis.Redis, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both are right until the readers have switched, and in the end the new one is all there is."""
    monkeypatch.chdir(tmp_path)  # the bundle's root, for the function
    table = pipeline.table
    of_the_old = {"DDB_CACHE_SYNC_VALUE_TTL_SECONDS": "86400"}  # which would go before what the new one's file says
    pipeline.function.variables.update(of_the_old)
    pipeline.shell.environment.update(of_the_old)
    for number in range(6):
        table.put(number)
    table.remove(5)
    pipeline.drain()
    redis_client.delete(guard_key("users:0"))  # which has been idle for longer than a guard lives
    with pipeline.runbook("change-the-key-layout.md") as runbook:
        assert "failed 0" in " ".join(runbook.follow("write it", exits=3).split())
        runbook.follow("apply to both")
        table.put(1, 2)
        pipeline.drain()
        assert shown(redis_client, 1) == (b'{"id":"1","value":2}', b"2")
        assert shown(redis_client, 2) == (b'{"id":"2","value":1}', None)
        assert runbook.follow("fill").startswith("5 guards: 4 carried over, 0 left; 5 items: 1 values written, ")
        table.put(2, 3)
        table.remove(3)
        pipeline.drain()
        assert [shown(redis_client, number) for number in (0, 2, 3)] == [
            (b'{"id":"0","value":1}', b"1"),
            (b'{"id":"2","value":3}', b"3"),
            (None, None),
        ]
        assert "consistent" in runbook.follow("verify")
        runbook.follow("apply to the new one")
        table.put(4, 4)
        pipeline.drain()
        assert shown(redis_client, 4) == (b'{"id":"4","value":1}', b"4"), "the old one stands still"
        assert (redis_client.ttl("users:4") > 0, redis_client.ttl("v2:users:4")) == (True, -1)
        as_if_later(redis_client)
        assert runbook.follow("see what would go") == "4 keys of the old layout, and 5 guards\n"
        assert redis_client.exists(*(f"users:{number}" for number in (0, 1, 2, 4))) == 4
        assert runbook.follow("drop") == "4 keys of the old layout, and 5 guards: 6 deleted\n"
        assert "consistent" in runbook.follow("tidy up")
    assert not [key for key in redis_client.scan_iter() if key.startswith((b"users:", b"~v:{users:"))]
    assert set(redis_client.scan_iter(match="v2:*")) == {b"v2:users:%d" % number for number in (0, 1, 2, 4)}
