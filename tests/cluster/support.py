"""Moving a slot from node to node, and what a node says of itself."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any, cast

import redis
from redis.backoff import NoBackoff
from redis.crc import key_slot
from redis.retry import Retry

from ddb_cache_sync.local.servers import LOOPBACK

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ddb_cache_sync.local.embedded import EmbeddedCluster, EmbeddedValkey

PATIENCE_SECONDS = 15.0


def node_client(node: EmbeddedValkey) -> redis.Redis:
    """A client of one node, which follows no redirection and tries nothing twice."""
    return redis.Redis(port=node.port, socket_timeout=10, protocol=2, retry=Retry(NoBackoff(), 0))


def ask(client: redis.Redis, *words: str | int) -> Any:
    """Send any command, and give its reply."""
    return client.execute_command(*words)  # type: ignore[no-untyped-call]


def await_that(condition: Callable[[], bool], what: str) -> None:
    """Wait until the condition holds."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, f"not within {PATIENCE_SECONDS:g} s: {what}"
        threading.Event().wait(0.01)


def errors(client: redis.Redis, code: str) -> int:
    """How often a node has answered with this error since `CONFIG RESETSTAT`."""
    stats = cast("dict[str, dict[str, int]]", client.info("errorstats"))
    return stats.get(f"errorstat_{code}", {"count": 0})["count"]


def owner(cluster: EmbeddedCluster, slot: int) -> EmbeddedValkey:
    """The primary that serves a slot, as the cluster started."""
    return cluster.primaries[min(slot * len(cluster.primaries) // 16_384, len(cluster.primaries) - 1)]


def cut_off(replica: redis.Redis) -> None:
    """End a replica's replication: it may not log in to its primary any more."""
    replica.config_set("masteruser", "nobody")
    replica.config_set("masterauth", "wrong")
    replica.client_kill_filter(_type="master")
    await_that(lambda: replica.info("replication")["master_link_status"] == "down", "the link's end")


class Migration:
    """A slot on its way from its owner to another primary, step by step, as `valkey-cli --cluster reshard` does it."""

    def __init__(
        self, slot: int, source: EmbeddedValkey, target: EmbeddedValkey, others: Sequence[EmbeddedValkey]
    ) -> None:
        self.slot = slot
        self.target_port = target.port
        self.source, self.target = node_client(source), node_client(target)
        self._others = [node_client(node) for node in others]
        self._target_id = ask(self.target, "CLUSTER", "MYID").decode()

    def begin(self) -> None:
        """From here on the source answers ASK for keys that it does not hold."""
        source_id = ask(self.source, "CLUSTER", "MYID").decode()
        ask(self.target, "CLUSTER", "SETSLOT", self.slot, "IMPORTING", source_id)
        ask(self.source, "CLUSTER", "SETSLOT", self.slot, "MIGRATING", self._target_id)

    def _await_one_epoch(self) -> None:
        """Wait until the target has heard of every claim: its own is no newer than one it does not know of.

        Two nodes would then each believe that the other has the slot, for good.
        """
        nodes = (self.source, self.target, *self._others)

        def epochs() -> set[bytes]:
            infos = [ask(node, "CLUSTER", "INFO") for node in nodes]
            return {line for info in infos for line in bytes(info).splitlines() if b"cluster_current_epoch" in line}

        await_that(lambda: len(epochs()) == 1, "one epoch in all of the cluster")

    def move(self, most: int) -> int:
        """Move so many keys at most; gives how many there were."""
        keys = ask(self.source, "CLUSTER", "GETKEYSINSLOT", self.slot, most)
        if keys:
            ask(self.source, "MIGRATE", LOOPBACK, self.target_port, "", 0, 5000, "KEYS", *keys)
        return len(keys)

    def end(self) -> None:
        """Move what is left; from here on the source answers MOVED."""
        while self.move(100):
            pass
        self._await_one_epoch()
        for node in (self.target, self.source, *self._others):
            ask(node, "CLUSTER", "SETSLOT", self.slot, "NODE", self._target_id)
            if node is self.target:
                # Its claim has to be the newest: else the others believe the node that had the slot before, once more.
                ask(node, "CLUSTER", "BUMPEPOCH")

    def close(self) -> None:
        """Close the connections."""
        for node in (self.source, self.target, *self._others):
            node.close()


def slot_of(key: str) -> int:
    """The slot of a key."""
    return int(key_slot(key.encode()))
