from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import pytest
import redis
from redis.crc import key_slot
from tests.cache.debian import needs_redis_server, redis_server
from tests.cache.support import (
    APPLY_PERMISSIONS,
    CLUSTER_PERMISSIONS,
    EXPIRY_PERMISSIONS,
    HASH_PERMISSIONS,
    LOOKUP_PERMISSIONS,
    as_applier,
    limit,
    writes,
)
from tests.cluster.support import ask

from ddb_cache_sync import Expiry, HashEncoding, KeyTemplate, LookupKey, Projection, connect
from ddb_cache_sync.cache.applier import cache_of
from ddb_cache_sync.cache.examination import examine_cache
from ddb_cache_sync.core.diagnosis.cache_checks import CACHE_CHECKS
from ddb_cache_sync.core.diagnosis.facts import CacheFacts, NodeFacts, Rehearsal
from ddb_cache_sync.core.diagnosis.findings import Level, Unknown
from ddb_cache_sync.core.diagnosis.scratch import Scratch, scratch_writes
from ddb_cache_sync.errors import CacheError
from ddb_cache_sync.local.embedded import EmbeddedCluster, embedded_valkey
from ddb_cache_sync.local.servers import free_port

pytestmark = pytest.mark.servers

USES: dict[str, tuple[dict[str, Any], tuple[str, ...]]] = {
    "plain": ({}, ()),
    "hash": ({"encoding": HashEncoding()}, HASH_PERMISSIONS),
    "expiry": ({"expiry": Expiry("ttl")}, EXPIRY_PERMISSIONS),
    "refresh": ({"mode": "refresh"}, ()),
    "lookups": ({"lookups": [LookupKey("users:by-email:{email}")]}, LOOKUP_PERMISSIONS),
}
ASKING = ("+info", "+time")


def scratch_named(mark: str, **options: Any) -> Scratch:
    """What is written for a table with the key `id`."""
    return scratch_writes(Projection(KeyTemplate("users:{id}"), **options), "users", {"id": "S"}, mark, 2e9)


def examined(url: str, **options: Any) -> CacheFacts:
    """What is learned of the cache at this URL."""
    with connect(url) as client:
        return examine_cache(client, scratch_named("123", **options))


def node_of(facts: CacheFacts) -> NodeFacts:
    """Its one node."""
    assert not isinstance(facts.nodes, Unknown)
    [node] = facts.nodes
    return node


@pytest.fixture
def applier(redis_client: redis.Redis) -> Iterator[redis.Redis]:
    """Give the administrator of an empty server on which the applier's user is not left behind."""
    yield redis_client
    redis_client.acl_deluser("applier")


@pytest.mark.parametrize("use", USES)
def test_a_cache_that_is_as_it_should_be(redis_client: redis.Redis, redis_url: str, use: str) -> None:
    """It says so of itself, and nothing of what was written is left in it."""
    facts = examined(redis_url, **USES[use][0])
    assert (facts.failure, facts.rehearsal, facts.tls) == (None, Rehearsal(None), False)
    node = node_of(facts)
    assert (node.server in {"valkey", "redis"}, node.policy, node.evicted) == (True, "noeviction", 0)
    assert (node.cluster, facts.cluster_client) == (False, False)
    assert node.used_bytes
    assert node.limit_bytes == 0
    assert isinstance(facts.clock_ahead_seconds, float)
    assert abs(facts.clock_ahead_seconds) < 5
    assert redis_client.keys() == []


@pytest.mark.parametrize("use", USES)
def test_each_command_that_the_user_may_not_run_is_named(applier: redis.Redis, redis_url: str, use: str) -> None:
    """Whichever of those that the configuration needs is missing; the scratch key does not stay."""
    options, further = USES[use]
    permissions = list(dict.fromkeys((*APPLY_PERMISSIONS, *further)))
    limit(applier, permissions)
    assert examined(as_applier(redis_url), **options).rehearsal == Rehearsal(None)
    for missing in permissions:
        limit(applier, [each for each in permissions if each != missing])
        applier.script_flush()
        rehearsal = examined(as_applier(redis_url), **options).rehearsal
        assert isinstance(rehearsal, Rehearsal)
        assert rehearsal.problem == "the cache refuses to apply changes (NOPERM)"
        assert (rehearsal.refused, rehearsal.keys_refused) == ((missing.removeprefix("+"),), False)
        assert [key for key in applier.scan_iter() if applier.ttl(key) == -1] == []
        applier.flushall()


def test_every_command_that_is_missing_is_named_at_once(applier: redis.Redis, redis_url: str) -> None:
    """So that nobody has to come again."""
    limit(applier, ["+evalsha", "+script|load"])
    rehearsal = examined(as_applier(redis_url)).rehearsal
    assert isinstance(rehearsal, Rehearsal)
    assert rehearsal.refused == ("set", "del")


@pytest.mark.parametrize("pattern", ["~users:*", "~~v:{users:*", "~others:*"])
def test_a_key_pattern_that_is_missing_is_told(applier: redis.Redis, redis_url: str, pattern: str) -> None:
    """For the key, for its guard, or for both."""
    limit(applier, ["resetkeys", pattern, *APPLY_PERMISSIONS])
    rehearsal = examined(as_applier(redis_url)).rehearsal
    assert isinstance(rehearsal, Rehearsal)
    assert (rehearsal.refused, rehearsal.keys_refused) == ((), True)


def test_what_only_the_doctor_asks_for_is_not_known_without_its_permission(
    applier: redis.Redis, redis_url: str
) -> None:
    """The function does without, so it is no fault."""
    limit(applier, APPLY_PERMISSIONS)
    facts = examined(as_applier(redis_url))
    assert facts.failure is None
    for unknown, command in ((facts.nodes, "info"), (facts.clock_ahead_seconds, "time")):
        assert isinstance(unknown, Unknown)
        assert f"+{command}" in unknown.mend
    limit(applier, [*APPLY_PERMISSIONS, *ASKING])
    assert not isinstance(examined(as_applier(redis_url)).nodes, Unknown)


def test_a_wrong_password_is_a_refusal(redis_url: str) -> None:
    """And the password is in nothing that is told."""
    facts = examined(redis_url.replace("://", "://nobody:swordfish@"))
    assert (facts.failure, facts.refused) == ("WRONGPASS", True)
    assert "swordfish" not in str(facts)


def test_no_server_is_no_refusal() -> None:
    """Who asks from elsewhere may reach it. It is told where we looked, and not as whom."""
    place = f"127.0.0.1:{free_port()}"
    for options in ("", "?cluster=true"):
        facts = examined(f"redis://nobody:swordfish@{place}{options}")
        assert (facts.failure, facts.refused) == (f"ConnectionRefusedError at {place}", False)
        assert isinstance(facts.rehearsal, Unknown)


def test_a_full_cache_that_evicts_tells_how_much() -> None:
    """By its own count."""
    with embedded_valkey({"maxmemory": "3mb", "maxmemory-policy": "allkeys-lru"}) as server:
        with redis.Redis.from_url(server.url) as client:
            for number in range(40):
                client.set(f"k{number}", b"x" * 100_000)
        node = node_of(examined(server.url))
    assert (node.policy, node.limit_bytes) == ("allkeys-lru", 3 * 2**20)
    assert node.evicted
    assert node.used_bytes is not None
    assert node.used_bytes > 2 * 2**20


def test_a_cache_that_has_no_memory_left_is_told_from_one_that_refuses(monkeypatch: pytest.MonkeyPatch) -> None:
    """No permission is missing."""
    monkeypatch.setattr("ddb_cache_sync.cache.examination._SECONDS", 0.2)
    with embedded_valkey({"maxmemory": "1kb", "maxmemory-policy": "noeviction"}) as server:
        rehearsal = examined(server.url).rehearsal
    assert isinstance(rehearsal, Rehearsal)
    assert rehearsal.problem is not None
    assert "(OOM at " in rehearsal.problem
    assert rehearsal.refused == ()


@needs_redis_server
def test_an_older_redis_tells_its_version_and_what_it_refuses() -> None:
    """In words of its own."""
    with redis_server(
        "port {port}", "bind 127.0.0.1", "user app on >secret ~* +evalsha +script|load +del +info"
    ) as port:
        facts = examined(f"redis://app:secret@127.0.0.1:{port}")
    node = node_of(facts)
    assert (node.server, node.version.split(".")[0].isdigit()) == ("redis", True)
    assert isinstance(facts.rehearsal, Rehearsal)
    assert facts.rehearsal.refused == ("set",)


@pytest.mark.xdist_group("cluster")
def test_each_primary_of_a_cluster_is_looked_at(cluster: EmbeddedCluster, cluster_client: redis.RedisCluster) -> None:
    """And the scratch key is written where it belongs."""
    facts = examined(f"{cluster.url}?cluster=true", **USES["lookups"][0])
    assert facts.rehearsal == Rehearsal(None)
    assert not isinstance(facts.nodes, Unknown)
    assert len({node.name for node in facts.nodes}) == 3
    assert cluster_client.keys(target_nodes=redis.RedisCluster.PRIMARIES) == []


@pytest.mark.xdist_group("cluster")
@pytest.mark.parametrize("node", [0, 1], ids=["the node that is asked", "another node"])
def test_a_client_for_one_server_does_not_fit_a_cluster(
    cluster: EmbeddedCluster, cluster_client: redis.RedisCluster, node: int
) -> None:
    """Whichever node owns the scratch key's slot; the advice is that of the applier."""
    served = range(node * 5461, node * 5461 + 5400)
    written = next(each for each in map(scratch_named, map(str, range(100))) if key_slot(each.key.encode()) in served)
    with connect(cluster.url) as client:
        facts = examine_cache(client, written)
        with pytest.raises(CacheError) as raised:
            cache_of(client, 60).apply(writes(20))
    assert isinstance(facts.rehearsal, Rehearsal)
    assert facts.rehearsal.problem == (None if node == 0 else raised.value.what)
    assert facts.rehearsal.hint == (None if node == 0 else raised.value.hint)
    verdict = CACHE_CHECKS["cluster-client"](facts)
    assert verdict == (Level.LOSES_DATA, raised.value.what, raised.value.hint)
    assert cluster_client.keys(target_nodes=redis.RedisCluster.PRIMARIES) == []


def examined_as_limited(cluster: EmbeddedCluster, permissions: Sequence[str]) -> CacheFacts:
    """A cluster as a user sees it who may do no more than this; the user is gone afterwards."""
    clients = [redis.Redis.from_url(node.url) for node in cluster.primaries]
    try:
        for client in clients:
            limit(client, permissions)
        return examined(f"{as_applier(cluster.url)}?cluster=true")
    finally:
        for client in clients:
            ask(client, "ACL", "DELUSER", "applier")
            client.close()


@pytest.mark.xdist_group("cluster")
def test_a_cluster_client_fits_without_leave_to_ask(
    cluster: EmbeddedCluster, cluster_client: redis.RedisCluster
) -> None:
    """As on ElastiCache Serverless, where INFO tells less."""
    facts = examined_as_limited(cluster, [*APPLY_PERMISSIONS, *CLUSTER_PERMISSIONS])
    assert isinstance(facts.nodes, Unknown)
    assert CACHE_CHECKS["cluster-client"](facts).level is Level.OK


@pytest.mark.xdist_group("cluster")
def test_what_a_cluster_refuses_is_named(cluster: EmbeddedCluster, cluster_client: redis.RedisCluster) -> None:
    """As by one server."""
    facts = examined_as_limited(cluster, [*APPLY_PERMISSIONS[:-1], *CLUSTER_PERMISSIONS])
    assert isinstance(facts.rehearsal, Rehearsal)
    assert facts.rehearsal.refused == ("del",)
