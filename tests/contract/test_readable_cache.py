"""What a reader needs of a cache: one contract, kept by the model in memory, fakeredis, real servers and a cluster."""

import threading
import time
from collections.abc import Iterator
from typing import Any, NamedTuple

import fakeredis
import pytest
import redis
from tests.cache.debian import needs_redis_server, redis_server
from tests.cache.support import (
    APPLY_PERMISSIONS,
    CLUSTER_PERMISSIONS,
    EXPIRY_PERMISSIONS,
    HASH_PERMISSIONS,
    READER_PERMISSIONS,
    as_applier,
    limit,
    write,
)

from ddb_cache_sync import CacheError, CacheUnavailable, ConfigurationError, Outcome, connect
from ddb_cache_sync.cache.filling import FillableRedisCache, readable_cache_of
from ddb_cache_sync.core.fills import Claim, Claimed, ClaimState, Fill
from ddb_cache_sync.core.guards import guard_key, lease_key
from ddb_cache_sync.local.embedded import EmbeddedCluster
from ddb_cache_sync.testing import MemoryCache

ReadAndApplied = FillableRedisCache | MemoryCache
PERMISSIONS = {*APPLY_PERMISSIONS, *READER_PERMISSIONS, *HASH_PERMISSIONS, *EXPIRY_PERMISSIONS, "+hgetall"}


class Server(NamedTuple):
    """A cache, and what looks into it past the contract."""

    cache: ReadAndApplied
    look: Any


def over(client: redis.Redis | redis.RedisCluster) -> FillableRedisCache:
    cache = readable_cache_of(client)
    assert isinstance(cache, FillableRedisCache)
    return cache


@pytest.fixture
def memory() -> Server:
    return Server(MemoryCache(), None)


@pytest.fixture
def fake() -> Iterator[Server]:
    with fakeredis.FakeRedis() as client:
        yield Server(over(client), client)


@pytest.fixture
def valkey(redis_url: str, redis_client: redis.Redis) -> Iterator[Server]:
    limit(redis_client, PERMISSIONS)
    with connect(as_applier(redis_url)) as client:
        yield Server(over(client), redis_client)


@pytest.fixture
def texts(redis_url: str, redis_client: redis.Redis) -> Iterator[Server]:
    """Give a cache over a client that was told to decode replies, and speaks RESP3."""
    with redis.Redis.from_url(redis_url, decode_responses=True, protocol=3) as client:
        yield Server(over(client), redis_client)


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
            yield Server(over(client), server)


@pytest.fixture
def of_cluster(cluster: EmbeddedCluster, cluster_client: redis.RedisCluster) -> Iterator[Server]:
    for node in cluster.nodes:
        with redis.Redis(port=node.port) as server:
            limit(server, PERMISSIONS | {*CLUSTER_PERMISSIONS})
    with connect(as_applier(cluster.url) + "?cluster=true") as client:
        yield Server(over(client), cluster_client)


CACHES = [
    "memory",
    pytest.param("fake", id="fakeredis"),
    pytest.param("valkey", marks=pytest.mark.servers),
    pytest.param("texts", marks=pytest.mark.servers, id="decode_responses"),
    pytest.param("own_redis", marks=[pytest.mark.servers, needs_redis_server], id="redis"),
    pytest.param("of_cluster", marks=[pytest.mark.servers, pytest.mark.xdist_group("cluster")], id="cluster"),
]


@pytest.fixture(params=CACHES)
def server(request: pytest.FixtureRequest) -> Server:
    given: Server = request.getfixturevalue(request.param)
    return given


@pytest.fixture
def cache(server: Server) -> ReadAndApplied:
    return server.cache


def claim_of(key: str, token: str = "me", lease_ms: int = 60_000) -> Claim:
    return Claim(key, guard_key(key), lease_key(guard_key(key)), token, lease_ms)


def claimed(cache: ReadAndApplied, key: str = "k", token: str = "me", lease_ms: int = 60_000) -> Claimed:
    [answer] = cache.claim([claim_of(key, token, lease_ms)])
    assert isinstance(answer, Claimed)
    return answer


def fill(
    cache: ReadAndApplied, version: str, value: Any = b"filled", token: str = "me", expires_at_ms: int | None = None
) -> Any:
    filled = write("k")._replace(value=value, expires_at_ms=expires_at_ms)
    [result] = cache.fill_unmoved([Fill(claim_of("k", token), version, filled)])
    return result


def get(cache: ReadAndApplied, key: str = "k", kind: str = "string") -> Any:
    return cache.read([key], kind)[0]


def read_and_fill(cache: ReadAndApplied) -> None:
    get(cache)
    fill(cache, claimed(cache).version)


def test_what_was_applied_is_read(cache: ReadAndApplied) -> None:
    """Byte for byte, in order; what is missing is None."""
    cache.apply([write("a", 1, b"\x00\xff"), write("b", 1, "grüße".encode())])
    assert cache.read(["b", "missing", "a"], "string") == ["grüße".encode(), None, b"\x00\xff"]
    assert cache.read([], "string") == []


def test_a_hash_is_read_as_its_fields(cache: ReadAndApplied) -> None:
    """And a missing one as None."""
    cache.apply([write("h")._replace(value={"a": b"\xff", "é": b""})])
    assert cache.read(["h", "missing"], "hash") == [{"a": b"\xff", "é": b""}, None]


def test_a_missing_key_is_granted_to_the_first_who_claims_it(cache: ReadAndApplied) -> None:
    """Others are told who has it."""
    assert claimed(cache) == (ClaimState.GRANTED, "", "me")
    assert claimed(cache, token="other") == (ClaimState.BUSY, "", "me")


def test_who_claims_again_is_granted_again(cache: ReadAndApplied) -> None:
    """The first reply may have been lost."""
    claimed(cache)
    assert claimed(cache) == (ClaimState.GRANTED, "", "me")


def test_a_key_that_exists_can_not_be_claimed(cache: ReadAndApplied) -> None:
    """It is there to be read."""
    cache.apply([write("k", 1, b"v")])
    assert claimed(cache).state is ClaimState.CACHED


def test_a_claim_tells_what_the_guard_holds(cache: ReadAndApplied) -> None:
    """Of a removed item, for instance; also to those who have to wait."""
    removed = write("k", 5, None)
    cache.apply([removed])
    assert claimed(cache) == (ClaimState.GRANTED, removed.version, "me")
    assert claimed(cache, token="other").version == removed.version


def test_what_was_loaded_is_stored_where_nothing_moved(cache: ReadAndApplied) -> None:
    """Whether there is a guard or not."""
    assert fill(cache, claimed(cache).version) is Outcome.APPLIED
    assert get(cache) == b"filled"
    cache.apply([write("k", 5, None)])
    assert fill(cache, claimed(cache).version, b"again") is Outcome.APPLIED
    assert get(cache) == b"again"


@pytest.mark.parametrize("before", [None, 1], ids=["no guard", "a guard"])
@pytest.mark.parametrize("value", [b"newer", None], ids=["upsert", "removal"])
def test_nothing_is_stored_where_the_guard_has_moved(
    cache: ReadAndApplied, before: int | None, value: bytes | None
) -> None:
    """A change was applied since the claim; what was read may be older."""
    if before is not None:
        cache.apply([write("k", before, None)])
    version = claimed(cache).version
    cache.apply([write("k", 2, value)])
    assert fill(cache, version) is Outcome.STALE
    assert get(cache) == value


def test_a_key_that_exists_meanwhile_is_left_as_it_is(cache: ReadAndApplied) -> None:
    """By a change delivered again, a backfill or another reader."""
    cache.apply([write("k", 1, None)])
    version = claimed(cache).version
    cache.apply([write("k", 1, b"same version")])
    assert fill(cache, version) is Outcome.STALE
    assert get(cache) == b"same version"


def test_every_change_wins_over_what_a_reader_stored(cache: ReadAndApplied) -> None:
    """A fill leaves the guard as it was, or none."""
    fill(cache, claimed(cache).version)
    assert cache.apply([write("k", 1, b"changed")]) == [Outcome.APPLIED]
    assert get(cache) == b"changed"


def test_a_fill_ends_the_lease(cache: ReadAndApplied) -> None:
    """Also where the table has no such item, and where nothing was stored."""
    fill(cache, claimed(cache).version, None)
    assert claimed(cache, token="other").state is ClaimState.GRANTED
    fill(cache, "moved", b"v", "other")
    assert get(cache) is None
    assert claimed(cache).state is ClaimState.GRANTED


def test_a_fill_does_not_end_the_lease_of_another(cache: ReadAndApplied) -> None:
    """Ours had run out, and somebody else loads by now; ours is stored all the same."""
    claimed(cache, token="other")
    assert fill(cache, "", token="me") is Outcome.APPLIED
    cache.apply([write("k", 1, None)])
    assert claimed(cache).holder == "other"


def test_what_is_stored_expires(cache: ReadAndApplied) -> None:
    """As what a change stores does."""
    at_ms = int(time.time() * 1000) + 50
    fill(cache, claimed(cache).version, {"a": b"1"}, expires_at_ms=at_ms)
    while time.time() * 1000 <= at_ms + 1:
        threading.Event().wait(0.01)
    if isinstance(cache, MemoryCache):
        cache.expire(time.time())
    assert get(cache, kind="hash") is None


def test_a_lease_runs_out(server: Server) -> None:
    """A reader that dies keeps others waiting no longer; its guard is no older than its claim."""
    if isinstance(server.cache, MemoryCache):
        return
    claimed(server.cache, lease_ms=20)
    deadline = time.monotonic() + 5
    while claimed(server.cache, token="other").state is not ClaimState.GRANTED:
        assert time.monotonic() < deadline


def test_claims_and_fills_leave_no_key_without_an_expiry_but_the_value(server: Server) -> None:
    """No guard is made, and a lease goes by itself."""
    if isinstance(server.cache, MemoryCache):
        return
    claimed(server.cache, "other")
    fill(server.cache, claimed(server.cache).version)
    lease = lease_key(guard_key("other"))
    assert sorted(server.look.scan_iter()) == sorted([b"k", lease.encode()])
    assert 0 < server.look.pttl(lease) <= 60_000


def test_a_key_of_another_type_is_an_error_of_its_own(server: Server) -> None:
    """The others are read."""
    if isinstance(server.cache, MemoryCache):
        return
    server.cache.apply([write("h")._replace(value={"a": b"1"}), write("s", 1, b"v")])
    unread, value = server.cache.read(["h", "s"], "string")
    assert isinstance(unread, CacheError)
    assert "read key 'h' (WRONGTYPE)" in str(unread)
    assert value == b"v"


@pytest.mark.servers
@pytest.mark.parametrize("left_out", READER_PERMISSIONS)
def test_each_missing_permission_comes_out(redis_client: redis.Redis, redis_url: str, left_out: str) -> None:
    """Also where it is missed inside a script only."""
    redis_client.script_flush()
    limit(redis_client, set(READER_PERMISSIONS) - {left_out})
    with (
        connect(as_applier(redis_url)) as client,
        pytest.raises(CacheError, match=r"refuses to be read \(NOPERM") as it,
    ):
        read_and_fill(over(client))
    assert not isinstance(it.value, CacheUnavailable)


def test_what_is_no_cache_is_refused() -> None:
    """When the reader is made."""
    with pytest.raises(ConfigurationError, match="a dict is no cache that can be read"):
        readable_cache_of({})
