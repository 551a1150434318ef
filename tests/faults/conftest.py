"""A proxy that puts faults in, in front of a Valkey server, and the server's own client."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import pytest
import redis
from tests.cache.support import WatchedBackoff
from tests.faults.proxy import FaultProxy

from ddb_cache_sync import connect
from ddb_cache_sync.cache.applier import RedisCache
from ddb_cache_sync.cache.scripts import APPLY
from ddb_cache_sync.cache.topology import topology_of

if TYPE_CHECKING:
    from collections.abc import Iterator


class Faulty(NamedTuple):
    """A cache behind a proxy."""

    cache: RedisCache
    """Connected by `connect`, through the proxy; its waits are shortened."""
    proxy: FaultProxy
    waits: WatchedBackoff
    server: redis.Redis
    """A client that goes to the server directly. The server is empty, and knows the script."""
    client: redis.Redis | redis.RedisCluster
    """The one that the cache uses."""


def cache_over(client: redis.Redis | redis.RedisCluster, waits: WatchedBackoff) -> RedisCache:
    """A cache over a client, with shortened waits."""
    topology = topology_of(client)
    assert topology is not None
    return RedisCache(topology, backoff=waits.backoff())


@pytest.fixture
def faulty(redis_client: redis.Redis) -> Iterator[Faulty]:
    """Give an empty cache, reached through a proxy."""
    redis_client.script_load(APPLY.source)
    port = redis_client.connection_pool.connection_kwargs["port"]
    with FaultProxy(port) as proxy, connect(proxy.url) as client:
        waits = WatchedBackoff()
        yield Faulty(cache_over(client, waits), proxy, waits, redis_client, client)
