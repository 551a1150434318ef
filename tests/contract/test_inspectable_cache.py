"""What verify and repair need of a cache: one contract, kept by the model in memory, real servers and a cluster."""

from __future__ import annotations

import random
import time
from typing import TYPE_CHECKING, Any

import pytest
import redis
from tests.cache.debian import needs_redis_server, redis_server
from tests.cache.support import (
    CLUSTER_PERMISSIONS,
    DROP_PERMISSIONS,
    LOOKUP_PERMISSIONS,
    REPAIR_PERMISSIONS,
    as_applier,
    limit,
    write,
)

from ddb_cache_sync import CacheError, CacheUnavailable, ConfigurationError, Outcome, connect
from ddb_cache_sync.cache.applier import cache_of
from ddb_cache_sync.cache.contract import InspectableCache
from ddb_cache_sync.cache.inspecting import inspectable_cache_of
from ddb_cache_sync.core.drops import Drop
from ddb_cache_sync.core.guards import DEFAULT_GUARD_TTL_SECONDS, guard_key
from ddb_cache_sync.core.lookup_words import LastWord
from ddb_cache_sync.core.repairs import Repair
from ddb_cache_sync.testing import MemoryCache

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ddb_cache_sync import Cache
    from ddb_cache_sync.local.embedded import EmbeddedCluster

PERMISSIONS = {*REPAIR_PERMISSIONS, *DROP_PERMISSIONS, *LOOKUP_PERMISSIONS, "+pexpireat", "+hgetall"}


class Server:
    """A cache as verify sees it, and as the stream does."""

    def __init__(self, cache: InspectableCache, stream: Cache) -> None:
        self.cache = cache
        self.stream = stream

    def get(self, key: str, kind: str = "string") -> Any:
        """What a key holds."""
        return self.cache.read([key], kind)[0]

    def guard(self, key: str) -> Any:
        """What a key's guard holds."""
        return self.cache.versions([guard_key(key)])[0]


@pytest.fixture
def memory() -> Server:
    cache = MemoryCache()
    return Server(cache, cache)


@pytest.fixture
def valkey(redis_url: str, redis_client: redis.Redis) -> Iterator[Server]:
    limit(redis_client, PERMISSIONS)
    with connect(as_applier(redis_url)) as client:
        yield Server(inspectable_cache_of(client), cache_of(redis_client, DEFAULT_GUARD_TTL_SECONDS))


@pytest.fixture(scope="module")
def own_redis_url() -> Iterator[str]:
    with redis_server("bind 127.0.0.1", "port {port}") as port:
        yield f"redis://127.0.0.1:{port}"


@pytest.fixture
def own_redis(own_redis_url: str) -> Iterator[Server]:
    with redis.Redis.from_url(own_redis_url) as server:
        server.flushall()
        limit(server, PERMISSIONS)
        with connect(as_applier(own_redis_url)) as client:
            yield Server(inspectable_cache_of(client), cache_of(server, DEFAULT_GUARD_TTL_SECONDS))


@pytest.fixture
def of_cluster(cluster: EmbeddedCluster, cluster_client: redis.RedisCluster) -> Iterator[Server]:
    for node in cluster.nodes:
        with redis.Redis(port=node.port) as server:
            limit(server, PERMISSIONS | {*CLUSTER_PERMISSIONS})
    with connect(as_applier(cluster.url) + "?cluster=true") as client:
        yield Server(inspectable_cache_of(client), cache_of(cluster_client, DEFAULT_GUARD_TTL_SECONDS))


CACHES = [
    "memory",
    pytest.param("valkey", marks=pytest.mark.servers),
    pytest.param("own_redis", marks=[pytest.mark.servers, needs_redis_server], id="redis"),
    pytest.param("of_cluster", marks=[pytest.mark.servers, pytest.mark.xdist_group("cluster")], id="cluster"),
]


@pytest.fixture(params=CACHES)
def server(request: pytest.FixtureRequest) -> Server:
    given: Server = request.getfixturevalue(request.param)
    return given


def repair(server: Server, found: str, value: Any = b"right", expires_at_ms: int | None = None) -> Any:
    right = write("k")._replace(value=value, expires_at_ms=expires_at_ms)
    [result] = server.cache.repair([Repair(right, found)])
    return result


def test_a_key_is_repaired_where_its_guard_is_what_was_found(server: Server) -> None:
    """The guard is left just above it, so that the same version is stale and the next one is not."""
    server.stream.apply([write("k", 5, b"spoilt")])
    found = server.guard("k")
    assert repair(server, found) is Outcome.APPLIED
    assert (server.get("k"), server.guard("k")) == (b"right", f"{found}:1")
    assert server.stream.apply([write("k", 5, b"again")]) == [Outcome.STALE]
    assert server.get("k") == b"right"
    assert server.stream.apply([write("k", 6, b"next")]) == [Outcome.APPLIED]
    assert server.get("k") == b"next"


def test_without_a_guard_a_repair_leaves_none(server: Server) -> None:
    """Any change wins, and a backfill still finds that the stream has not spoken."""
    assert server.guard("k") == ""
    assert repair(server, "") is Outcome.APPLIED
    assert (server.get("k"), server.guard("k")) == (b"right", "")
    assert server.stream.fill([write("k", value=b"filled")]) == [Outcome.APPLIED]
    assert server.stream.apply([write("k", 1, b"changed")]) == [Outcome.APPLIED]


@pytest.mark.servers
def test_a_guard_that_a_repair_leaves_expires(valkey: Server, redis_client: redis.Redis) -> None:
    """As one that a change leaves; else it would stay for ever."""
    valkey.stream.apply([write("k", 5, b"spoilt")])
    assert repair(valkey, valkey.guard("k")) is Outcome.APPLIED
    assert DEFAULT_GUARD_TTL_SECONDS - 60 < redis_client.ttl(guard_key("k")) <= DEFAULT_GUARD_TTL_SECONDS


@pytest.mark.parametrize("before", [None, 1], ids=["no guard", "a guard"])
def test_a_repair_does_nothing_where_the_guard_has_moved(server: Server, before: int | None) -> None:
    """A change was applied since; so was this repair, where its reply was lost."""
    if before is not None:
        server.stream.apply([write("k", before, b"old")])
    found = server.guard("k")
    server.stream.apply([write("k", 2, b"newer")])
    moved = server.guard("k")
    assert repair(server, found) is Outcome.STALE
    assert (server.get("k"), server.guard("k")) == (b"newer", moved)
    repair(server, moved)
    assert repair(server, moved, b"once more") is Outcome.STALE
    assert server.get("k") == b"right"


def test_a_repair_deletes_what_should_not_be_there(server: Server) -> None:
    """Whatever type it has."""
    server.stream.apply([write("k")._replace(value={"a": b"1"})])
    assert repair(server, server.guard("k"), None) is Outcome.APPLIED
    assert server.get("k") is None


def test_a_repair_writes_hashes_and_expiries_too(server: Server) -> None:
    """As a change does."""
    at_ms = int(time.time() * 1000) + 60_000
    assert repair(server, "", {"a": b"1"}, at_ms) is Outcome.APPLIED
    assert server.get("k", "hash") == {"a": b"1"}
    [left, missing] = server.cache.lifetimes_ms(["k", "missing"])
    assert isinstance(left, int)
    assert 50_000 < left <= 60_000
    assert missing is None


def test_the_last_words_on_a_lookup_key_are_read(server: Server) -> None:
    """Those of items that claim it, and of items that gave it up; of a key that has none, none."""
    first, second = write("by:x", 5, b"k:1")._replace(owner="k:1"), write("by:x", 6, b"k:2")._replace(owner="k:2")
    for word in (first, second, second._replace(version=write("by:x", 7).version, value=None)):
        assert server.stream.apply([word]) == [Outcome.APPLIED]
    found = server.cache.last_words([guard_key("by:x"), guard_key("by:y")])
    assert found == [
        {
            "k:1": LastWord(str(first.version), claims=True),
            "k:2": LastWord(str(write("by:x", 7).version), claims=False),
        },
        {},
    ]


def test_a_text_of_the_librarys_own_is_remembered(server: Server) -> None:
    """The last one counts; it goes by itself one day."""
    for text in (b"first", b"last"):
        server.cache.remember("~v:~drift:{t}", text, 60)
    assert server.get("~v:~drift:{t}") == b"last"


def test_some_keys_are_found_each_once_and_no_others(server: Server) -> None:
    """At most as many as are asked for; all, where there are no more."""
    wanted = {f"u:{number}" for number in range(30)}
    server.stream.apply([write(key, 1, b"v") for key in [*wanted, "other"]])
    chance = random.Random(1)
    for most in (5, 1000):
        found = server.cache.some_keys("u:", most, chance)
        assert len(found) == len(set(found)) == min(most, 30)
        assert wanted.issuperset(found)
    assert list(server.cache.some_keys("none", 5, chance)) == []


def test_the_keys_that_begin_so_are_found_on_every_node_and_no_others(server: Server) -> None:
    """What means something in a pattern stands for itself."""
    wanted = [f"u*[a]\\:{number}" for number in range(30)]
    server.stream.apply([write(key, 1, b"v") for key in [*wanted, "u*[a]", "uxa\\:1", "other"]])
    found = [key for page in server.cache.keys_beginning("u*[a]\\:") for key in page]
    assert sorted(set(found)) == sorted(wanted)


def test_a_key_is_dropped_with_its_guard_unless_the_guard_is_young(server: Server) -> None:
    """Which shows that the stream keeps it still; nothing of another key is touched."""
    server.stream.apply([write("k", 5, b"kept"), write("other", 5, b"kept")])
    life = DEFAULT_GUARD_TTL_SECONDS * 1000
    assert server.cache.drop([Drop("k", guard_key("k"), life - 60_000)]) == [Outcome.STALE]
    assert (server.get("k"), server.guard("k") != "") == (b"kept", True)
    assert server.cache.drop([Drop("k", guard_key("k"), life)]) == [Outcome.APPLIED]
    assert (server.get("k"), server.guard("k")) == (None, "")
    assert server.cache.drop([Drop("k", guard_key("k"), 0)]) == [Outcome.APPLIED]
    assert (server.get("other"), server.guard("other") != "") == (b"kept", True)


def test_a_lookup_key_is_dropped_whatever_its_guard_has_left(server: Server) -> None:
    """It lives as long as an item claims the key."""
    server.stream.apply([write("by:x", 5, b"k")._replace(owner="k")])
    assert server.cache.drop([Drop("by:x", guard_key("by:x"), None)]) == [Outcome.APPLIED]
    assert server.get("by:x") is None
    assert [key for page in server.cache.keys_beginning("~v:") for key in page] == []


@pytest.mark.servers
@pytest.mark.parametrize("left_out", REPAIR_PERMISSIONS)
def test_each_missing_permission_comes_out(redis_client: redis.Redis, redis_url: str, left_out: str) -> None:
    """As an error that names it as such."""
    redis_client.script_flush()
    redis_client.set(guard_key("k"), write("k").version)
    limit(redis_client, set(REPAIR_PERMISSIONS) - {left_out})
    with connect(as_applier(redis_url)) as client:
        server = Server(inspectable_cache_of(client), cache_of(redis_client, DEFAULT_GUARD_TTL_SECONDS))
        with pytest.raises(CacheError, match=r"\(NOPERM") as it:
            use_all(server)
    assert not isinstance(it.value, CacheUnavailable)


def use_all(server: Server) -> None:
    found = server.guard("k")
    server.get("k")
    server.cache.lifetimes_ms(["k"])
    list(server.cache.keys_beginning("k"))
    repair(server, found)
    repair(server, f"{found}:1", None)


def test_what_is_no_cache_is_refused() -> None:
    """At once."""
    with pytest.raises(ConfigurationError, match="a dict is no cache that can be looked into"):
        inspectable_cache_of({})
