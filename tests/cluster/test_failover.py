"""The death of a primary under load: what it takes with it, and what heals it."""

import contextlib
import os
import signal
import threading
import time
from collections.abc import Callable
from typing import Self

import pytest
import redis
from tests.cache.support import write
from tests.cluster.support import await_that, cut_off, node_client, owner, slot_of

from ddb_cache_sync import connect
from ddb_cache_sync.cache.applier import cache_of
from ddb_cache_sync.cache.contract import Cache
from ddb_cache_sync.core.outcomes import Outcome
from ddb_cache_sync.core.writes import Write
from ddb_cache_sync.errors import CacheUnavailable
from ddb_cache_sync.local.embedded import EmbeddedCluster, embedded_cluster

pytestmark = [pytest.mark.servers, pytest.mark.xdist_group("failover")]


class Stream:
    """Applies batch after batch as Lambda does: what raised comes again, before anything newer.

    Attributes:
        acknowledged: When each write was acknowledged, by key, monotonic.
        unavailable: How many times a batch raised CacheUnavailable.
        problems: Whatever else came out.
    """

    def __init__(self, cache: Cache) -> None:
        self.sent: list[Write] = []
        self.acknowledged: dict[str, float] = {}
        self.unavailable = 0
        self.batches = 0
        self.problems: list[object] = []
        self._cache = cache
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(30)

    def _run(self) -> None:
        while not self._stop.is_set():
            # New keys in each batch: so a lost write is seen, and not covered by the next.
            batch = [write(f"k{self.batches}-{n}", 1, b"%d" % self.batches) for n in range(30)]
            self.sent += batch
            while not self._applied(batch):
                if self._stop.is_set():
                    return
            self.acknowledged.update(dict.fromkeys((each.key for each in batch), time.monotonic()))
            self.batches += 1

    def _applied(self, batch: list[Write]) -> bool:
        try:
            results = self._cache.apply(batch, time.monotonic() + 1.5)
        except CacheUnavailable:
            self.unavailable += 1
            return False
        except BaseException as error:
            self.problems.append(error)
            raise
        if set(results) != {Outcome.APPLIED}:
            self.problems.append(results)
        return True


@pytest.mark.long
@pytest.mark.parametrize(
    "lagging",
    [pytest.param(False, id="replica in step"), pytest.param(True, id="replica behind")],
)
def test_a_killed_primary_takes_only_what_its_replica_had_not_got(
    record_property: Callable[[str, object], None], lagging: bool
) -> None:
    """Every batch succeeds or raises CacheUnavailable; what is lost all the same is counted, and a replay heals it."""
    with contextlib.ExitStack() as stack:
        cluster = stack.enter_context(embedded_cluster(3, 3, config={"cluster-node-timeout": 1000}))
        dead = cluster.primaries[1]
        replica = stack.enter_context(node_client(cluster.replicas[1]))
        cache = cache_of(stack.enter_context(connect(cluster.url + "?cluster=true")), 3600)
        with Stream(cache) as stream:
            await_that(lambda: stream.batches > 50, "50 batches")
            behind_since = time.monotonic() - 1  # replication's lag is far below a second here
            if lagging:
                cut_off(replica)
                await_that(lambda: stream.batches > 100, "50 batches that the replica never sees")
            os.kill(dead.pid, signal.SIGKILL)
            killed = time.monotonic()
            before = stream.batches
            await_that(lambda: stream.batches > before + 50, "50 more batches after the failover")
        assert stream.problems == []
        assert replica.info("replication")["role"] == "master"

        by_failover = missing(cluster, stream)
        assert bool(by_failover) >= lagging
        assert all(owner(cluster, slot_of(key)) is dead for key in by_failover), "only the dead primary's keys"
        assert all(behind_since <= stream.acknowledged[key] <= killed + 0.1 for key in by_failover), "only the lag"
        record_property("lost by the failover", len(by_failover))
        record_property("times unavailable", stream.unavailable)

        assert set(cache.apply(stream.sent)) == {Outcome.APPLIED}
        assert missing(cluster, stream) == set()


def missing(cluster: EmbeddedCluster, stream: Stream) -> set[str]:
    """Which acknowledged writes the cache does not hold."""
    keys = list(stream.acknowledged)
    with redis.RedisCluster.from_url(cluster.url) as reader:
        pipe = reader.pipeline()
        for key in keys:
            pipe.get(key)
        return {key for key, value in zip(keys, pipe.execute(), strict=True) if value is None}
