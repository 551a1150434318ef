"""The nodes of a cluster, whichever of them are primaries now, and their statistics."""

from __future__ import annotations

import random
import time
from typing import TYPE_CHECKING, Any, Final

import redis
from redis.backoff import ConstantBackoff
from redis.retry import Retry
from tests.cluster.support import ask, errors, slot_of
from tests.pipeline_faults.items import cache_key

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.pipeline_faults.items import Items

    from ddb_cache_sync.local.embedded import EmbeddedCluster, EmbeddedValkey

CONFIG: Final[Mapping[str, str | int]] = {
    "cluster-node-timeout": 15_000,  # failovers are ours alone
    "enable-debug-command": "yes",
    "busy-reply-threshold": 20,
    "loading-process-events-interval-bytes": 20_000,
}
"""What the faults need of each node."""
_SETTLED_SECONDS: Final = 60.0


class NotSettledError(Exception):
    """The cluster did not become whole again."""


class Servers:
    """The nodes of a cluster, whichever of them are primaries now."""

    def __init__(self, cluster: EmbeddedCluster, items: Items) -> None:
        self.items = items
        self.nodes: dict[int, EmbeddedValkey] = {node.port: node for node in cluster.nodes}
        self._clients: dict[int, redis.Redis] = {}
        self._keys_of_slot: dict[int, list[int]] = {}
        for key in range(items.count):
            self._keys_of_slot.setdefault(slot_of(cache_key(key)), []).append(key)

    def client(self, port: int) -> redis.Redis:
        """A client of one node, for statistics and orders."""
        if port not in self._clients:
            retry = Retry(ConstantBackoff(0.05), 5)
            self._clients[port] = redis.Redis(port=port, socket_timeout=20, protocol=2, retry=retry)
        return self._clients[port]

    def close(self) -> None:
        """Close the connections."""
        for client in self._clients.values():
            client.close()

    def owners(self, port: int | None = None) -> list[int]:
        """The port of each slot's primary, as one node sees it; 0: nobody serves it."""
        owners = [0] * 16_384
        for first, last, primary, *_ in ask(self.client(port or next(iter(self.nodes))), "CLUSTER", "SLOTS"):
            owners[first : last + 1] = [primary[1]] * (last + 1 - first)
        return owners

    def primaries(self) -> list[int]:
        """The ports of the primaries, by what each node says of itself."""
        return sorted(port for port in self.nodes if self._role(port)["role"] == "master")

    def replicas_of(self, primary: int) -> list[int]:
        """The ports of those that follow a primary, in step with it or not."""
        return sorted(port for port in self.nodes if self._role(port).get("master_port") == primary)

    def slots_of(self, primary: int) -> frozenset[int]:
        """What a primary serves."""
        return frozenset(slot for slot, owner in enumerate(self.owners(primary)) if owner == primary)

    def settle(self) -> None:
        """Wait until every node says the same, all slots are served, and all replicas follow.

        Raises:
            NotSettledError: They don't within a minute.
        """
        deadline = time.monotonic() + _SETTLED_SECONDS
        while not self._is_settled():
            if time.monotonic() > deadline:
                raise NotSettledError(ask(self.client(next(iter(self.nodes))), "CLUSTER", "NODES").decode())
            time.sleep(0.02)

    def _role(self, port: int) -> dict[str, Any]:
        role: dict[str, Any] = self.client(port).info("replication")
        return role

    def _is_settled(self) -> bool:
        try:
            roles = {port: self._role(port) for port in self.nodes}
            primaries = {port for port, role in roles.items() if role["role"] == "master"}
            followed = [role["master_port"] for port, role in roles.items() if port not in primaries]
            if {*followed} != primaries or len(followed) != len(primaries):
                return False
            if any(role["master_link_status"] != "up" for port, role in roles.items() if port not in primaries):
                return False
            views = [self.owners(port) for port in self.nodes]
            return (
                all(view == views[0] for view in views)
                and {*views[0]} == primaries
                and all(b"cluster_state:ok" in ask(self.client(port), "CLUSTER", "INFO") for port in self.nodes)
            )
        except redis.RedisError:
            return False

    def errors(self, code: str) -> int:
        """How often all nodes have answered with this error."""
        return sum(errors(self.client(port), code) for port in self.nodes)

    def applied(self) -> int:
        """How many script calls all nodes have carried out."""
        done = 0
        for port in self.nodes:
            stats: Any = self.client(port).info("commandstats")
            entry = stats.get("cmdstat_evalsha", {})
            done += int(entry.get("calls", 0)) - int(entry.get("failed_calls", 0))
        return done

    def memory_mb(self) -> float:
        """The resident memory of all nodes."""
        total = 0
        for port in self.nodes:
            info: Any = self.client(port).info("memory")
            total += int(info["used_memory_rss"])
        return total / 2**20

    def slot_with_keys(self, slots: frozenset[int], chance: random.Random) -> tuple[int, list[int]]:
        """A slot of these with keys, and the keys; with as many of them as any."""
        counts = {slot: len(self._keys_of_slot.get(slot, ())) for slot in sorted(slots)}
        slot = chance.choice([slot for slot, count in counts.items() if count == max(counts.values())])
        return slot, self._keys_of_slot[slot]
