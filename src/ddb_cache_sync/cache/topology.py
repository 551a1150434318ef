"""Which node serves a cache key: one server, or a cluster whose nodes come and go."""

from __future__ import annotations

import contextlib
import threading
from typing import TYPE_CHECKING, Any, ClassVar, Final, Protocol, Self, cast

import redis
from redis.crc import key_slot
from redis.exceptions import AskError, MovedError, RedisClusterException

from ddb_cache_sync.errors import CacheError

if TYPE_CHECKING:
    from collections.abc import Callable


class Topology(Protocol):
    """Knows the nodes.

    Contract: `node_of` does no I/O once the topology is known; every method may raise what redis-py raises, which the
    caller takes for the cache's failure.
    """

    keys_per_script: ClassVar[int]
    """How many cache keys one script call may have."""

    @property
    def address(self) -> str | None:
        """Where the client was told that the cache is, `host:port` or a socket's path; None: it does not tell."""
        ...

    def node_of(self, cache_key: str) -> redis.Redis | None:
        """The node that serves this key and its guard; None where none is known to."""
        ...

    def primaries(self) -> list[redis.Redis]:
        """The nodes that hold all keys between them."""
        ...

    def redirected(self, error: Exception) -> redis.Redis | None:
        """The node that a MOVED or ASK error names, remembered in the case of MOVED; None where it is not known yet.

        Raises:
            CacheError: There can be no other node.
        """
        ...

    def refresh(self) -> None:
        """Learn the nodes anew."""
        ...


class Standalone:
    """One server, or the primary endpoint of a replication group."""

    keys_per_script: ClassVar[int] = 25
    """Enough to spread the cost of a call, few enough that the server works while the next chunk is encoded. Far below
    the 3,999 arguments that a request to ElastiCache Serverless can have."""

    def __init__(self, client: redis.Redis) -> None:
        self._client = client

    @property
    def address(self) -> str | None:
        """The server's."""
        return address_of(self._client)

    def node_of(self, cache_key: str) -> redis.Redis:  # noqa: ARG002 - the protocol's
        """The server."""
        return self._client

    def primaries(self) -> list[redis.Redis]:
        """The server alone."""
        return [self._client]

    def redirected(self, error: Exception) -> redis.Redis | None:  # noqa: ARG002 - the protocol's
        """There is no other node.

        Raises:
            CacheError: Always.
        """
        raise CacheError(
            "the cache is a cluster, and the client is not a cluster client",
            hint="Connect with ?cluster=true in the URL, or give a redis.RedisCluster.",
        )

    def refresh(self) -> None:
        """Drop the idle connections: after a failover the endpoint's name leads to another server."""
        with contextlib.suppress(TypeError):  # BlockingConnectionPool could not spare those in use before redis-py 7
            self._client.connection_pool.disconnect(inuse_connections=False)


class Cluster:
    """A cluster; ElastiCache Serverless is one with a single virtual node.

    Args:
        client: Gives the cluster client; called at the first use, and again while it raises.
        address: Where it begins to look for nodes, `host:port`; None: not known.
    """

    keys_per_script: ClassVar[int] = 1
    """The keys of one call have to share a slot, and those of two items hardly ever do."""

    def __init__(self, client: Callable[[], redis.RedisCluster], address: str | None = None) -> None:
        self._client = client
        self.address: Final = address

    def node_of(self, cache_key: str) -> redis.Redis | None:
        """The primary that serves this key's slot; None for a slot that nobody serves."""
        client = self._client()
        nodes = client.nodes_manager.slots_cache.get(key_slot(cache_key.encode()))
        return (nodes[0].redis_connection or client.get_redis_connection(nodes[0])) if nodes else None

    def primaries(self) -> list[redis.Redis]:
        """Every primary."""
        client = self._client()
        return [client.get_redis_connection(node) for node in cast("Any", client).get_primaries()]

    def redirected(self, error: Exception) -> redis.Redis | None:
        """The node that the error names, if it is known."""
        # ElastiCache Serverless has been seen to answer "ERR MOVED", which redis-py does not take apart.
        if not isinstance(error, AskError):
            return None
        manager = self._client().nodes_manager
        node = manager.get_node(host=error.host, port=error.port)
        if node is None:
            return None
        if isinstance(error, MovedError):  # an AskError too, as redis-py has it
            manager.slots_cache[error.slot_id] = [node]
        return self._client().get_redis_connection(node)

    def refresh(self) -> None:
        """Ask the cluster for its slots."""
        self._client().nodes_manager.initialize()


class LazyCluster:
    """A `redis.RedisCluster` that connects at its first use, not when it is made.

    So a function's module can be imported, and tested, where there is no cache.

    Args:
        build: Makes the client; called again while it raises.
        address: Where it begins to look for nodes, `host:port`.
    """

    def __init__(self, build: Callable[[], redis.RedisCluster], address: str) -> None:
        self._build = build
        self.address: Final = address
        self._built: redis.RedisCluster | None = None
        self._lock = threading.Lock()

    def built(self) -> redis.RedisCluster:
        """The client, connected.

        Raises:
            RedisError: The cluster can't be reached. The next call tries again.
        """
        if self._built is None:
            with self._lock:
                if self._built is None:
                    self._built = self._build()
        return self._built

    def close(self) -> None:
        """Close the connections, if there are any."""
        if self._built is not None:
            self._built.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.built(), name)


def address_of(node: redis.Redis) -> str | None:
    """`host:port` of a server, or its socket's path, and no user or password; None where its pool does not tell."""
    where = node.connection_pool.connection_kwargs
    if "path" in where:
        return str(where["path"])
    return f"{where['host']}:{where.get('port', 6379)}" if "host" in where else None


def failure(code: str, topology: Topology) -> str:
    """What failed and where, for an error: `ConnectionRefusedError at my-cache:6379`."""
    return code if topology.address is None else f"{code} at {topology.address}"


def topology_of(client: object) -> Topology | None:
    """The topology behind a client; None for what is no client."""
    if isinstance(client, LazyCluster):
        return Cluster(client.built, client.address)
    if isinstance(client, redis.RedisCluster):
        return Cluster(lambda: client, next(iter(client.nodes_manager.startup_nodes), None))
    return Standalone(client) if isinstance(client, redis.Redis) else None


CLIENT_ERRORS: Final = (redis.RedisError, RedisClusterException, OSError)
"""What redis-py raises: RedisClusterException is no RedisError."""
