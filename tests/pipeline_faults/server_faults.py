"""Faults of the servers of a cluster, each made to happen for real, seen to strike, and undone.

Each function returns once the fault has struck and the cluster is whole again; it counts what it saw, from the
servers' own statistics. Records have to keep coming meanwhile.
"""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from typing import TYPE_CHECKING, Any, Final

import redis
from redis.backoff import ConstantBackoff
from redis.retry import Retry
from tests.cluster.support import Migration, ask
from tests.pipeline_faults.kinds import Counts, Kind

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from tests.pipeline_faults.servers import Servers

_PATIENCE_SECONDS: Final = 20.0


def seen(condition: Callable[[], bool], seconds: float = _PATIENCE_SECONDS) -> bool:
    """Wait for a condition; whether it came to hold."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.01)
    return condition()


def _until_answered(servers: Servers, counts: Counts, kind: Kind, before: int) -> None:
    """Wait until the nodes have answered with this error, and count it."""
    if seen(lambda: servers.errors(kind.value) > before):
        counts.add(kind)


def noscript(servers: Servers, counts: Counts, _: random.Random) -> None:
    """All primaries forget their scripts."""
    before = servers.errors("NOSCRIPT")
    for port in servers.primaries():
        servers.client(port).script_flush()
    _until_answered(servers, counts, Kind.NOSCRIPT, before)


def oom(servers: Servers, counts: Counts, chance: random.Random) -> None:
    """A primary has no memory to spare for a moment."""
    _with_setting(servers, counts, chance, Kind.OOM, "maxmemory", "1", "0")


def noreplicas(servers: Servers, counts: Counts, chance: random.Random) -> None:
    """A primary wants more replicas than it has."""
    _with_setting(servers, counts, chance, Kind.NOREPLICAS, "min-replicas-to-write", "9", "0")


def _with_setting(
    servers: Servers, counts: Counts, chance: random.Random, kind: Kind, name: str, value: str, back: str
) -> None:
    client = servers.client(chance.choice(servers.primaries()))
    before = servers.errors(kind.value)
    client.config_set(name, value)
    try:
        _until_answered(servers, counts, kind, before)
    finally:
        client.config_set(name, back)


def busy(servers: Servers, counts: Counts, chance: random.Random) -> None:
    """A primary runs an endless script until it is killed; again, where nobody came by meanwhile."""
    port = chance.choice(servers.primaries())
    before = servers.errors("BUSY")
    for _ in range(10):
        thread = threading.Thread(target=_block, args=(port,))
        thread.start()
        time.sleep(0.3)
        while thread.is_alive():
            try:
                servers.client(port).script_kill()
            except redis.RedisError:
                time.sleep(0.01)
            thread.join(0.05)
        if servers.errors("BUSY") > before:
            counts.add(Kind.BUSY)
            return


def _block(port: int) -> None:
    with redis.Redis(port=port, socket_timeout=30, protocol=2, retry=Retry(ConstantBackoff(0), 0)) as client:
        try:
            client.eval("while true do end", 0)
        except redis.RedisError:
            return


def stall(servers: Servers, counts: Counts, chance: random.Random) -> None:
    """A primary's process stands still for a while, less than the cluster would take it for dead."""
    port = chance.choice(servers.primaries())
    client = servers.client(port)
    client.ping()
    pid = servers.nodes[port].pid
    os.kill(pid, signal.SIGSTOP)
    wake = threading.Timer(0.6, os.kill, (pid, signal.SIGCONT))
    wake.start()
    began = time.monotonic()
    client.ping()
    if time.monotonic() - began > 0.4:
        counts.add(Kind.STALLED_SERVER)
    wake.join()


def kill_connections(servers: Servers, counts: Counts, chance: random.Random) -> None:
    """A primary ends all its clients' connections."""
    client = servers.client(chance.choice(servers.primaries()))
    if client.client_kill_filter(_type="normal", skipme=True):
        counts.add(Kind.KILLED_CONNECTIONS)


def clusterdown(servers: Servers, counts: Counts, chance: random.Random) -> None:
    """A primary misses a slot, and so serves none."""
    port = chance.choice(servers.primaries())
    slot = chance.choice(sorted(servers.slots_of(port)))
    client = servers.client(port)
    before = servers.errors("CLUSTERDOWN")
    ask(client, "CLUSTER", "DELSLOTS", slot)
    try:
        _until_answered(servers, counts, Kind.CLUSTERDOWN, before)
    finally:
        ask(client, "CLUSTER", "ADDSLOTS", slot)
    servers.settle()


def loading(servers: Servers, counts: Counts, chance: random.Random) -> None:
    """A primary writes its data down and reads it anew, which takes it about half a second."""
    port = chance.choice(servers.primaries())
    client = servers.client(port)
    before = servers.errors("LOADING")
    client.config_set("key-load-delay", max(1, 500_000 // max(1, client.dbsize())))
    try:
        ask(client, "DEBUG", "RELOAD")
    finally:
        client.config_set("key-load-delay", 0)
    _until_answered(servers, counts, Kind.LOADING, before)
    servers.settle()


def migrate(servers: Servers, counts: Counts, chance: random.Random) -> None:
    """A slot moves to another primary while its keys keep changing."""
    primaries = servers.primaries()
    source, target, *others = chance.sample(primaries, len(primaries))
    slot, keys = servers.slot_with_keys(servers.slots_of(source), chance)
    before = {kind: servers.errors(kind.value) for kind in (Kind.ASK, Kind.TRYAGAIN, Kind.MOVED)}
    items = servers.items
    removals = items.removals
    items.busy, items.busy_share, items.removals = keys, 0.05, 0.5  # TRYAGAIN takes a guard without a value
    migration = Migration(slot, servers.nodes[source], servers.nodes[target], [servers.nodes[port] for port in others])
    try:
        migration.begin()
        migration.move(100)
        for kind in (Kind.ASK, Kind.TRYAGAIN):
            # What comes to the source in the meantime stays there: keys that it holds are its own still.
            if seen(lambda kind=kind: migration.move(100) < 0 or servers.errors(kind.value) > before[kind]):  # type: ignore[misc]
                counts.add(kind)
        migration.end()
        _until_answered(servers, counts, Kind.MOVED, before[Kind.MOVED])
    finally:
        migration.close()
    items.busy, items.removals = (), removals
    servers.settle()


def failover(servers: Servers, counts: Counts, chance: random.Random) -> None:
    """A replica takes over in agreement with its primary."""
    [replica_port] = servers.replicas_of(chance.choice(servers.primaries()))
    replica = servers.client(replica_port)
    ask(replica, "CLUSTER", "FAILOVER")
    if seen(lambda: replica.info("replication")["role"] == "master"):
        counts.add(Kind.FAILOVER)
    servers.settle()


def failover_with_loss(servers: Servers, _: Counts, chance: random.Random) -> frozenset[int]:
    """A replica falls behind and takes over by force: the slots in which writes may be missing; none, if it did not."""
    primary = chance.choice(servers.primaries())
    slots = servers.slots_of(primary)
    [replica_port] = servers.replicas_of(primary)
    replica = servers.client(replica_port)
    replica.config_set("masteruser", "nobody")
    replica.config_set("masterauth", "wrong")
    try:
        replica.client_kill_filter(_type="master")
        seen(lambda: replica.info("replication").get("master_link_status") == "down")
        began = _offset(servers, primary)
        if not seen(lambda: _offset(servers, primary) > began + 100_000):
            return frozenset()
        ask(replica, "CLUSTER", "FAILOVER", "TAKEOVER")
        seen(lambda: servers.client(primary).info("replication")["role"] == "slave")
    finally:
        replica.config_set("masteruser", "")
        replica.config_set("masterauth", "")
    servers.settle()
    return slots


def _offset(servers: Servers, port: int) -> int:
    info: Any = servers.client(port).info("replication")
    return int(info["master_repl_offset"])


FAULTS: Final[Mapping[Kind, Callable[[Servers, Counts, random.Random], frozenset[int] | None]]] = {
    Kind.NOSCRIPT: noscript,
    Kind.OOM: oom,
    Kind.NOREPLICAS: noreplicas,
    Kind.BUSY: busy,
    Kind.STALLED_SERVER: stall,
    Kind.KILLED_CONNECTIONS: kill_connections,
    Kind.CLUSTERDOWN: clusterdown,
    Kind.LOADING: loading,
    Kind.MOVED: migrate,
    Kind.FAILOVER: failover,
    Kind.FAILOVER_WITH_LOSS: failover_with_loss,
}
"""What the servers do; a slot's migration is ASK and TRYAGAIN as well."""
SERVERS: Final[Sequence[Kind]] = tuple(FAULTS)
