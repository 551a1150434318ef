"""The cache is emptied, or an empty one takes its place, while changes go on."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Self

import pytest
import redis
from tests.runbooks.serving import LOOKS

from ddb_cache_sync.local.embedded import embedded_valkey

if TYPE_CHECKING:
    from tests.runbooks.conftest import Pipeline, Table

pytestmark = [pytest.mark.servers, pytest.mark.long]

PAGE = "cache-lost.md"


class Changes:
    """Changes items without a pause, in a thread.

    Attributes:
        made: How many changes.
    """

    def __init__(self, table: Table) -> None:
        self.made = 0
        self._table = table
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stop.wait(0.01):
            number = self.made % 20  # of 30: the others are the backfill's alone
            if self.made % 7:
                self._table.put(number, self.made)
            else:
                self._table.remove(number)
            self.made += 1


def test_an_empty_cache_is_filled_while_the_stream_goes_on(pipeline: Pipeline, redis_client: redis.Redis) -> None:
    """What changed since is the stream's, the rest the backfill's."""
    for number in range(30):
        pipeline.table.put(number)
    pipeline.drain()
    redis_client.flushall()
    with Changes(pipeline.table) as changes, pipeline.runbook(PAGE) as runbook:
        runbook.skip("new address")
        assert "missing " in runbook.follow("see what is missing", exits=3)
        before = changes.made
        runbook.follow("fill")
        assert changes.made > before, "changes went on"
        pipeline.shell.environment[LOOKS] = "0.5,2,8"  # the stream is at work
        runbook.follow("verify")
    assert redis_client.get("users:29") == b'{"id":"29","value":1}'
    assert not redis_client.exists("~v:{users:29}"), "a backfill leaves no guard"


def test_another_cache_takes_the_place_of_the_lost_one(pipeline: Pipeline, redis_client: redis.Redis) -> None:
    """The function writes to it from then on."""
    pipeline.table.put(1)
    pipeline.drain()
    with embedded_valkey() as server, redis.Redis(port=server.port) as other:
        pipeline.shell.environment["NEW_REDIS_URL"] = server.url
        with pipeline.runbook(PAGE) as runbook:
            runbook.follow("new address")
            pipeline.table.put(2)
            pipeline.drain()
            assert (other.exists("users:2"), redis_client.exists("users:2")) == (1, 0)
            runbook.follow("see what is missing", exits=3)
            runbook.follow("fill")
            runbook.follow("verify")
        assert other.get("users:1") == b'{"id":"1","value":1}'
