"""A real cluster: routing, redirections, a slot that moves under load."""

import threading
from collections.abc import Iterator
from typing import cast

import pytest
import redis
from redis.cluster import ClusterNode
from tests.cache.support import (
    APPLY_PERMISSIONS,
    CLUSTER_PERMISSIONS,
    SECRET,
    WatchedBackoff,
    as_applier,
    calls,
    getter,
    held,
    limit,
    write,
    writes,
)
from tests.cluster.support import Migration, ask, await_that, errors, node_client, owner, slot_of
from tests.faults.conftest import cache_over

from ddb_cache_sync import KeyTemplate, Replicator, connect
from ddb_cache_sync.cache.applier import cache_of
from ddb_cache_sync.cache.topology import address_of, topology_of
from ddb_cache_sync.core.guards import guard_key
from ddb_cache_sync.core.outcomes import Outcome
from ddb_cache_sync.errors import CacheError, CacheUnavailable
from ddb_cache_sync.local.embedded import EmbeddedCluster
from ddb_cache_sync.testing import stream_record

pytestmark = [pytest.mark.servers, pytest.mark.xdist_group("cluster")]


@pytest.fixture
def migrations(cluster: EmbeddedCluster, cluster_client: redis.RedisCluster) -> Iterator[dict[str, Migration]]:
    """Give a migration for the slot of a key, away from its owner; undone afterwards."""
    begun: list[Migration] = []
    tag = "{moving}"
    slot = slot_of(tag)
    source = owner(cluster, slot)
    target, other = (node for node in cluster.primaries if node is not source)
    for node in cluster.primaries:
        with node_client(node) as client:
            client.config_resetstat()
    there = Migration(slot, source, target, [other])
    begun.append(there)
    yield {tag: there}
    cluster_client.flushall(target_nodes=redis.RedisCluster.PRIMARIES)
    for node in cluster.primaries:
        with node_client(node) as client:
            ask(client, "CLUSTER", "SETSLOT", slot, "STABLE")
    back = Migration(slot, target, source, [other])
    back.end()


def test_writes_go_to_the_nodes_of_their_keys(cluster: EmbeddedCluster, cluster_client: redis.RedisCluster) -> None:
    """Each to its own, value and guard in one slot, with no redirection."""
    for node in cluster.primaries:
        with node_client(node) as client:
            client.config_resetstat()
    sent = writes(300)
    with connect(cluster.url + "?cluster=true") as client:
        assert cache_of(client, 60).apply(sent) == [Outcome.APPLIED] * 300
    assert held(getter(cluster_client), sent)
    for node in cluster.primaries:
        with node_client(node) as direct:
            assert direct.dbsize() > 100
            assert errors(direct, "MOVED") == 0


def test_a_cluster_client_of_ones_own_serves_as_well(
    cluster: EmbeddedCluster, cluster_client: redis.RedisCluster
) -> None:
    """With whatever options: decoded replies, and the protocol that is redis-py's default."""
    nodes = [ClusterNode("127.0.0.1", port) for port in cluster.ports[:2]]  # type: ignore[no-untyped-call]
    with redis.RedisCluster(startup_nodes=nodes, decode_responses=True) as client:
        replicator = Replicator(client, keys=KeyTemplate("users:{id}"))
        records = [stream_record({"id": str(n)}, {"id": str(n)}, sequence_number=n + 1) for n in range(50)]
        assert replicator.apply(records).applied == 50
        assert replicator.apply(records[::-1]).applied == 50
    assert cluster_client.get("users:7") == b'{"id":"7"}'


def test_a_node_whose_client_was_dropped_gets_another(cluster_client: redis.RedisCluster) -> None:
    """Some redis-py drop it when it fails."""
    topology = topology_of(cluster_client)
    assert topology is not None
    for node in cluster_client.get_nodes():  # type: ignore[no-untyped-call]
        node.redis_connection = None
    served_by = {address_of(node) for each in writes(50) if (node := topology.node_of(each.key)) is not None}
    assert served_by == {address_of(node) for node in topology.primaries()}


def test_keys_with_a_hash_tag_share_a_slot_with_their_guards(cluster_client: redis.RedisCluster) -> None:
    """So that readers can get several of them at once."""
    sent = writes(20, prefix="{acme}:")
    assert cache_of(cluster_client, 60).apply(sent) == [Outcome.APPLIED] * 20
    keys = [each.key for each in sent]
    assert cluster_client.mget(*keys) == [each.value for each in sent]
    assert cluster_client.exists(*(guard_key(key) for key in keys)) == 20


def test_one_connection_a_node_serves_many_batches(
    cluster: EmbeddedCluster, cluster_client: redis.RedisCluster
) -> None:
    """Connected once per process; the slots are asked for once, and no command is asked about."""
    admins = [node_client(node) for node in cluster.nodes]
    for admin in admins:
        admin.config_resetstat()
    with connect(cluster.url + "?cluster=true") as client:
        cache = cache_of(client, 60)
        for number in range(50):
            cache.apply(writes(30, number))
    # One for each node, and one to learn the slots with.
    made = sum(int(admin.info("stats")["total_connections_received"]) for admin in admins)
    assert made <= 3 + 1
    assert sum(calls(admin, "cluster|slots") + calls(admin, "cluster|shards") for admin in admins) == 1
    assert sum(calls(admin, "command|getkeys") for admin in admins) == 0


def test_a_node_that_forgot_the_script_is_told_it_again(
    cluster: EmbeddedCluster, cluster_client: redis.RedisCluster
) -> None:
    """Only that node, once, without a wait."""
    waits = WatchedBackoff()
    with connect(cluster.url + "?cluster=true") as client, node_client(cluster.primaries[1]) as admin:
        cache = cache_over(client, waits)
        cache.apply(writes(60, 1))
        admin.script_flush()
        admin.config_resetstat()
        assert cache.apply(writes(60, 2)) == [Outcome.APPLIED] * 60
        assert calls(admin, "script|load") == 1
    assert waits.bounds == []


def test_moved_the_slot_has_a_new_owner_since_the_slots_were_learned(
    cluster: EmbeddedCluster, cluster_client: redis.RedisCluster, migrations: dict[str, Migration]
) -> None:
    """It is followed at once and remembered; the slots need not be asked for."""
    [(tag, migration)] = migrations.items()
    waits = WatchedBackoff()
    with connect(cluster.url + "?cluster=true") as client:
        cache = cache_over(client, waits)
        cache.apply(writes(30, 1, f"{tag}:"))
        migration.begin()
        migration.end()
        migration.source.config_resetstat()
        sent = writes(30, 2, f"{tag}:")
        assert cache.apply(sent) == [Outcome.APPLIED] * 30
        assert errors(migration.source, "MOVED") == 30
        assert cache.apply(sent) == [Outcome.APPLIED] * 30
        assert errors(migration.source, "MOVED") == 30
        admins = [node_client(node) for node in cluster.nodes]
        assert sum(calls(admin, "cluster|slots") for admin in admins) <= 1  # at the first use
    assert waits.bounds == []
    assert held(getter(cluster_client), sent)


def test_ask_what_has_moved_already_is_written_where_it_is(
    cluster: EmbeddedCluster, cluster_client: redis.RedisCluster, migrations: dict[str, Migration]
) -> None:
    """Without a wait; what has not moved yet is written where it still is."""
    [(tag, migration)] = migrations.items()
    waits = WatchedBackoff()
    with connect(cluster.url + "?cluster=true") as client:
        cache = cache_over(client, waits)
        cache.apply([write(f"{tag}:{name}", 1) for name in ("moved", "stays")])
        migration.begin()
        moved = [f"{tag}:moved", guard_key(f"{tag}:moved")]
        ask(migration.source, "MIGRATE", "127.0.0.1", migration.target_port, "", 0, 5000, "KEYS", *moved)
        sent = [write(f"{tag}:{name}", 2, b"new") for name in ("moved", "stays")]
        assert cache.apply(sent) == [Outcome.APPLIED] * 2
        assert errors(migration.source, "ASK") == 1
        assert migration.source.exists(f"{tag}:stays") == 1
        assert waits.bounds == []
        migration.end()
        assert held(getter(cluster_client), sent)


def test_a_slot_moves_under_load_and_nothing_is_lost(
    cluster: EmbeddedCluster, cluster_client: redis.RedisCluster, migrations: dict[str, Migration]
) -> None:
    """Known keys follow; new ones in the half-moved slot wait for the end (TRYAGAIN); other slots never notice."""
    [(tag, migration)] = migrations.items()
    last: dict[str, bytes | None] = {}
    enough, batches, stop = threading.Event(), 0, threading.Event()
    problems: list[object] = []

    with connect(cluster.url + "?cluster=true") as client:
        cache = cache_of(client, 60)
        cache.apply(writes(200, 1, f"{tag}:"))

        def load() -> None:
            nonlocal batches
            while not stop.is_set():
                batches += 1
                sent = [
                    *(write(f"{tag}:{n}", batches + 1, SECRET + b"-%d" % batches) for n in range(0, 200, 7)),
                    *(write(f"{tag}:new-{batches}-{n}", 1) for n in range(3)),
                    *writes(20, batches + 1),
                ]
                results = cache.apply(sent)
                if set(results) != {Outcome.APPLIED}:
                    problems.append(results)
                last.update((each.key, cast("bytes", each.value)) for each in sent)
                if batches == 10:
                    enough.set()

        thread = threading.Thread(target=load)
        thread.start()
        try:
            assert enough.wait(10)
            migration.begin()
            migration.move(150)
            await_that(lambda: errors(migration.source, "ASK") > 0, "ASK")
            await_that(lambda: errors(migration.target, "TRYAGAIN") > 0, "TRYAGAIN")
            migration.end()
            after = batches
            await_that(lambda: batches > after + 10, "batches after the migration")
        finally:
            stop.set()
            thread.join(30)
    assert not thread.is_alive()
    assert problems == []
    wrong = [key for key, value in last.items() if cluster_client.get(key) != value]
    assert wrong == []


@pytest.mark.parametrize("left_out", ["", *APPLY_PERMISSIONS, *CLUSTER_PERMISSIONS])
def test_the_smallest_permissions_are_enough_while_a_slot_moves(
    cluster: EmbeddedCluster, cluster_client: redis.RedisCluster, migrations: dict[str, Migration], left_out: str
) -> None:
    """And none can be left out: the applier learns the slots, loads its script, sets, deletes, and follows an ASK."""
    [(tag, migration)] = migrations.items()
    for node in cluster.nodes:
        with node_client(node) as server:
            server.script_flush()
            limit(server, {*APPLY_PERMISSIONS, *CLUSTER_PERMISSIONS} - {left_out})
    key = f"{tag}:k"
    cluster_client.mset_nonatomic({name: "0" for each in (key, f"{tag}:l") for name in (each, guard_key(each))})
    migration.begin()
    assert migration.move(4) == 4
    with connect(as_applier(cluster.url) + "?cluster=true") as client:
        cache = cache_of(client, 60)
        both = [write(key, 1, b"v"), write(f"{tag}:l", 1, None)]
        if not left_out:
            assert cache.apply(both) == [Outcome.APPLIED] * 2
            return
        with pytest.raises(CacheError) as raised:
            cache.apply(both)
        assert not isinstance(raised.value, CacheUnavailable), "it will not heal by trying again"
