"""Whether a cache can be reached at all: asked once, before work that would wait an outage out.

Rule: only what keeps a connection from being made counts. A cache that refuses us, loads, or has no node for some slots
has been reached; what comes of that is for the work itself to meet. So nothing is sent, and no permission is needed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import redis

from ddb_cache_sync.cache.replies import code_of, is_answer, source_of
from ddb_cache_sync.cache.topology import CLIENT_ERRORS, failure, topology_of
from ddb_cache_sync.errors import CacheUnavailable

if TYPE_CHECKING:
    from ddb_cache_sync.cache.topology import Topology

_NO_CONNECTION: Final = (redis.ConnectionError, redis.TimeoutError, OSError)


def check_reachable(client: redis.Redis | redis.RedisCluster) -> None:
    """Connect to a cache, to one node of a cluster, without trying again.

    Args:
        client: What `connect` returns, or a client of one's own.

    Raises:
        CacheUnavailable: It can't be reached.
        CacheError: There are no credentials for it.
    """
    topology = topology_of(client)
    unreached = None if topology is None else _unreached(topology)
    if topology is not None and unreached is not None:
        raise CacheUnavailable(
            f"the cache can't be reached ({failure(code_of(unreached), topology)})",
            hint="Check its address and its health, and whether this host is in its network.",
        )


def _unreached(topology: Topology) -> Exception | None:
    """What kept us from connecting to any node; None: nothing did, or it was not the way there."""
    last: Exception | None = None
    try:
        for node in topology.primaries():
            try:
                node.connection_pool.release(node.connection_pool.get_connection())
            except CLIENT_ERRORS as error:
                last = error
            else:
                return None
    except CLIENT_ERRORS as error:
        last = error
    if last is None or not isinstance(source_of(last), _NO_CONNECTION) or is_answer(last):
        return None
    return last
