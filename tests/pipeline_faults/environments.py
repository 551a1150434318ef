"""Execution environments: each has a client and a replicator of its own, as those of a Lambda function have.

Most talk to the nodes directly. One goes through a proxy in front of each node, which puts faults in.
"""

from __future__ import annotations

import contextlib
import threading
from queue import LifoQueue
from typing import TYPE_CHECKING, Any, NamedTuple

import redis
from tests.faults.proxy import LOOPBACK, FaultProxy
from tests.pipeline_faults.items import PROJECTION

from ddb_cache_sync import Replicator, connect

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ddb_cache_sync.local.embedded import EmbeddedCluster


class Proxies:
    """A proxy in front of each node of a cluster."""

    def __init__(self, cluster: EmbeddedCluster, stack: contextlib.ExitStack) -> None:
        self.by_port = {port: stack.enter_context(FaultProxy(port)) for port in cluster.ports}

    def remap(self, address: tuple[str, int]) -> tuple[str, int]:
        """Where a client finds a node that has this address."""
        proxy = self.by_port.get(address[1])
        return address if proxy is None else (LOOPBACK, proxy.port)

    @property
    def all(self) -> Sequence[FaultProxy]:
        """One for each node."""
        return [*self.by_port.values()]

    def clear(self) -> None:
        """Take all faults out."""
        for proxy in self.by_port.values():
            proxy.clear()

    def commands(self, name: str) -> int:
        """How many of these commands came by since they were cleared."""
        return sum(proxy.commands[name] for proxy in self.by_port.values())


class Environment(NamedTuple):
    """A client and a replicator over it."""

    client: redis.Redis | redis.RedisCluster
    replicator: Replicator


class Environments:
    """The execution environments of a function, until they are closed.

    Args:
        cluster: The cache.
        direct: How many that talk to the nodes directly.

    Attributes:
        proxied: The one that goes through the proxies; hold `proxied_lock` to use it.
    """

    def __init__(self, cluster: EmbeddedCluster, direct: int) -> None:
        self._stack = contextlib.ExitStack()
        self._free: LifoQueue[Environment] = LifoQueue()
        self.url = f"{cluster.url}?cluster=true"
        for _ in range(direct):
            self._free.put(self._environment())
        self.proxies = Proxies(cluster, self._stack)
        self.proxied_lock = threading.Lock()
        # Short, so that a reply that never comes holds nobody up; far above what the proxy takes.
        self.proxied = self._environment(address_remap=self.proxies.remap, socket_timeout=0.5)

    def close(self) -> None:
        """Close all connections, and end the proxies."""
        self._stack.close()

    def _environment(self, **options: Any) -> Environment:
        client = self._stack.enter_context(connect(self.url, **options))
        return Environment(client, Replicator(client, PROJECTION))

    @contextlib.contextmanager
    def one(self) -> Iterator[Environment]:
        """An environment that nobody else uses meanwhile."""
        environment = self._free.get()
        try:
            yield environment
        finally:
            self._free.put(environment)
