"""One contract, kept by the model in memory, by fakeredis, by a real Valkey, a Redis and a cluster."""

import time
from collections.abc import Callable, Iterator
from itertools import permutations
from typing import Any

import fakeredis
import pytest
import redis
from tests.cache.debian import needs_redis_server, redis_server
from tests.cache.support import (
    APPLY_PERMISSIONS,
    CLUSTER_PERMISSIONS,
    EXPIRY_PERMISSIONS,
    FILL_PERMISSIONS,
    HASH_PERMISSIONS,
    LOOKUP_PERMISSIONS,
    REFRESH_PERMISSIONS,
    any_getter,
    as_applier,
    limit,
)

from ddb_cache_sync import connect
from ddb_cache_sync.cache.applier import cache_of
from ddb_cache_sync.cache.contract import Cache
from ddb_cache_sync.cache.topology import Standalone
from ddb_cache_sync.core.guards import guard_key
from ddb_cache_sync.core.outcomes import Outcome
from ddb_cache_sync.core.versions import Version
from ddb_cache_sync.core.writes import Write
from ddb_cache_sync.errors import CacheError, CacheUnavailable
from ddb_cache_sync.local.embedded import EmbeddedCluster
from ddb_cache_sync.testing import MemoryCache

LABEL = 1_745_415_436_991
PERMISSIONS = {
    *APPLY_PERMISSIONS,
    *FILL_PERMISSIONS,
    *HASH_PERMISSIONS,
    *EXPIRY_PERMISSIONS,
    *REFRESH_PERMISSIONS,
    *LOOKUP_PERMISSIONS,
}
Get = Callable[[str], Any]


def write(key: str, sequence_number: int | str, value: bytes | None, label: int = LABEL) -> Write:
    return Write(key, guard_key(key), Version.of(label, str(sequence_number)), value)


@pytest.fixture
def memory() -> tuple[Cache, Get]:
    cache = MemoryCache()

    def get(key: str) -> Any:
        value = cache.values.get(key)
        return {name.encode(): each for name, each in value.items()} if isinstance(value, dict) else value

    return cache, get


@pytest.fixture
def fake() -> Iterator[tuple[Cache, Get]]:
    with fakeredis.FakeRedis() as client:
        yield cache_of(client, 60), any_getter(client)


@pytest.fixture
def valkey(redis_url: str, redis_client: redis.Redis) -> Iterator[tuple[Cache, Get]]:
    """Give a server's cache, used with the smallest permissions."""
    limit(redis_client, PERMISSIONS)
    with connect(as_applier(redis_url)) as client:
        yield cache_of(client, 60), any_getter(redis_client)


@pytest.fixture(scope="module")
def own_redis_url() -> Iterator[str]:
    with redis_server("bind 127.0.0.1", "port {port}") as port:
        yield f"redis://127.0.0.1:{port}"


@pytest.fixture
def own_redis(own_redis_url: str) -> Iterator[tuple[Cache, Get]]:
    """Give the cache of the machine's own Redis, used with the smallest permissions."""
    with redis.Redis.from_url(own_redis_url) as server:
        server.flushall()
        limit(server, PERMISSIONS)
        with connect(as_applier(own_redis_url)) as client:
            yield cache_of(client, 60), any_getter(server)


@pytest.fixture
def of_cluster(cluster: EmbeddedCluster, cluster_client: redis.RedisCluster) -> Iterator[tuple[Cache, Get]]:
    """Give a cluster's cache, used with the smallest permissions."""
    for node in cluster.nodes:
        with redis.Redis(port=node.port) as server:
            limit(server, PERMISSIONS | {*CLUSTER_PERMISSIONS})
    with connect(as_applier(cluster.url) + "?cluster=true") as client:
        yield cache_of(client, 60), any_getter(cluster_client)


CACHES = [
    "memory",
    pytest.param("fake", id="fakeredis"),
    pytest.param("valkey", marks=pytest.mark.servers),
    pytest.param("own_redis", marks=[pytest.mark.servers, needs_redis_server], id="redis"),
    pytest.param("of_cluster", marks=[pytest.mark.servers, pytest.mark.xdist_group("cluster")], id="cluster"),
]


@pytest.fixture(params=CACHES)
def cache_and_get(request: pytest.FixtureRequest) -> tuple[Cache, Get]:
    given: tuple[Cache, Get] = request.getfixturevalue(request.param)
    return given


@pytest.fixture
def cache(cache_and_get: tuple[Cache, Get]) -> Cache:
    return cache_and_get[0]


@pytest.fixture
def get(cache_and_get: tuple[Cache, Get]) -> Get:
    return cache_and_get[1]


def test_an_upsert_stores_the_value_and_nothing_else_under_the_key(cache: Cache, get: Get) -> None:
    """A reader's GET gives exactly the encoded item."""
    assert cache.apply([write("users:42", 1, b'{"id":"42"}')]) == [Outcome.APPLIED]
    assert get("users:42") == b'{"id":"42"}'


def test_a_hash_is_stored_as_its_fields(cache: Cache, get: Get) -> None:
    """Those of an earlier value are gone with it, in the same step."""
    cache.apply([write("k", 1, None)._replace(value={"a": b"1", "b": b"2"})])
    assert get("k") == {b"a": b"1", b"b": b"2"}
    cache.apply([write("k", 2, None)._replace(value={"b": b"3", "\u00e9": b""})])
    assert get("k") == {b"b": b"3", "\u00e9".encode(): b""}


def test_a_hash_may_have_as_many_fields_as_a_request_has_room_for(cache: Cache, get: Get) -> None:
    """Together with others that go with it."""
    fields = {f"f{n:04d}": b"%d" % n for n in range(1_900)}
    writes = [write(f"k{n}", 1, b"v")._replace(value=fields if n in {3, 4} else b"v") for n in range(30)]
    assert cache.apply(writes) == [Outcome.APPLIED] * 30
    assert get("k3") == get("k4") == {name.encode(): content for name, content in fields.items()}
    assert get("k5") == b"v"


def test_a_key_of_another_type_is_replaced(cache: Cache, get: Get) -> None:
    """Whatever encoding wrote it."""
    cache.apply([write("k", 1, b"v")])
    cache.apply([write("k", 2, None)._replace(value={"a": b"1"})])
    assert get("k") == {b"a": b"1"}
    cache.apply([write("k", 3, b"v")])
    assert get("k") == b"v"


@pytest.mark.parametrize("value", [b"v", {"a": b"1"}], ids=["string", "hash"])
def test_only_what_is_cached_is_refreshed(cache: Cache, get: Get, value: Any) -> None:
    """The guard is kept all the same: what is older can't come later."""
    refresh = write("k", 2, None)._replace(value=value, only_cached=True)
    assert cache.apply([refresh]) == [Outcome.APPLIED]
    assert get("k") is None
    assert cache.apply([write("k", 1, b"old")]) == [Outcome.STALE]
    cache.apply([write("k", 3, b"cached")])
    assert cache.apply([refresh._replace(version=Version.of(LABEL, "4"))]) == [Outcome.APPLIED]
    assert get("k") == (value if isinstance(value, bytes) else {b"a": b"1"})


@pytest.mark.parametrize("value", [b"v", {"a": b"1"}], ids=["string", "hash"])
def test_what_is_refreshed_keeps_the_expiry_that_its_reader_gave_it(cache: Cache, get: Get, value: Any) -> None:
    """Else what readers cache for a while would stay for ever."""
    at_ms = int(time.time() * 1000) + 1000
    cache.apply([write("k", 1, None)._replace(value=value, expires_at_ms=at_ms)])
    assert cache.apply([write("k", 2, None)._replace(value=value, only_cached=True)]) == [Outcome.APPLIED]
    assert get("k") is not None
    while time.time() * 1000 <= at_ms + 1:
        time.sleep(0.05)
    if isinstance(cache, MemoryCache):
        cache.expire(time.time())
    assert get("k") is None


@pytest.mark.parametrize("value", [b"v", {"a": b"1"}], ids=["string", "hash"])
def test_a_value_expires_and_its_guard_does_not(cache: Cache, get: Get, value: Any) -> None:
    """So nothing late brings it back."""
    at_ms = int(time.time() * 1000) + 1000
    assert cache.apply([write("k", 2, None)._replace(value=value, expires_at_ms=at_ms)]) == [Outcome.APPLIED]
    assert get("k") is not None
    while time.time() * 1000 <= at_ms + 1:
        time.sleep(0.01)
    if isinstance(cache, MemoryCache):
        cache.expire(time.time())
    assert get("k") is None
    assert cache.apply([write("k", 1, b"old")]) == [Outcome.STALE]
    assert get("k") is None


def test_a_value_written_without_an_expiry_stays(cache: Cache, get: Get) -> None:
    """Though the one before would have expired."""
    far_ms = int(time.time() * 1000) + 1000
    cache.apply([write("k", 1, b"v")._replace(expires_at_ms=far_ms)])
    cache.apply([write("k", 2, b"w")])
    while time.time() * 1000 <= far_ms + 1:
        time.sleep(0.01)
    if isinstance(cache, MemoryCache):
        cache.expire(time.time())
    assert get("k") == b"w"


def test_a_removal_deletes_the_key(cache: Cache, get: Get) -> None:
    """After a removal nothing is left for a reader."""
    cache.apply([write("k", 1, b"v")])
    assert cache.apply([write("k", 2, None)]) == [Outcome.APPLIED]
    assert get("k") is None


def test_an_older_change_is_stale_and_changes_nothing(cache: Cache, get: Get) -> None:
    """What comes late does not win."""
    cache.apply([write("k", 2, b"new")])
    assert cache.apply([write("k", 1, b"old")]) == [Outcome.STALE]
    assert get("k") == b"new"


def test_a_stale_change_leaves_the_newer_version_in_place(cache: Cache, get: Get) -> None:
    """After a stale change another one between the two is stale as well."""
    cache.apply([write("k", 3, b"new")])
    cache.apply([write("k", 1, b"old")])
    assert cache.apply([write("k", 2, b"middle")]) == [Outcome.STALE]
    assert get("k") == b"new"


def test_the_same_change_applies_again(cache: Cache, get: Get) -> None:
    """A duplicate is applied, not refused: it may be the retry of one that stopped half-way."""
    for _ in range(2):
        assert cache.apply([write("k", 1, b"v")]) == [Outcome.APPLIED]
    assert get("k") == b"v"


def test_a_removed_item_stays_removed_when_an_older_upsert_comes(cache: Cache, get: Get) -> None:
    """The guard is the tombstone of a deleted item."""
    cache.apply([write("k", 2, None)])
    assert cache.apply([write("k", 1, b"v")]) == [Outcome.STALE]
    assert get("k") is None


@pytest.mark.parametrize(
    ("older", "newer"),
    [
        ("999", "1000"),
        ("20500000000000000910398", "820400000000000001192334"),
        ("202328600001712385967261751", "202328600001712385967261752"),
        ("9" * 39, "1" + "0" * 39),
        ("000000000000000000009", "000000000000000000010"),
    ],
    ids=["a digit more", "child shard", "last digit, past what a double holds", "40 digits", "leading zeros"],
)
def test_sequence_numbers_compare_as_numbers_of_any_length(cache: Cache, get: Get, older: str, newer: str) -> None:
    """Neither text order nor the precision of a double decides."""
    assert cache.apply([write("k", newer, b"new")]) == [Outcome.APPLIED]
    assert cache.apply([write("k", older, b"old")]) == [Outcome.STALE]
    assert get("k") == b"new"
    assert cache.apply([write("k2", older, b"old")]) == [Outcome.APPLIED]
    assert cache.apply([write("k2", newer, b"new")]) == [Outcome.APPLIED]
    assert get("k2") == b"new"


def test_a_newer_stream_outranks_an_older_one(cache: Cache, get: Get) -> None:
    """After a stream was made anew, its small sequence numbers win over the old stream's large ones."""
    cache.apply([write("k", 10**26, b"old stream")])
    assert cache.apply([write("k", 1, b"new stream", LABEL + 1)]) == [Outcome.APPLIED]
    assert cache.apply([write("k", 10**27, b"old stream")]) == [Outcome.STALE]
    assert get("k") == b"new stream"


def test_results_come_in_the_order_of_the_writes_over_many_chunks(cache: Cache, get: Get) -> None:
    """Each write has its own result, wherever it lies in its chunk."""
    count = 4 * Standalone.keys_per_script + 3
    cache.apply([write(f"k{i}", 5, b"x") for i in range(0, count, 3)])
    results = cache.apply([write(f"k{i}", 4, str(i).encode()) for i in range(count)])
    assert results == [Outcome.APPLIED if i % 3 else Outcome.STALE for i in range(count)]
    assert [get(f"k{i}") for i in range(6)] == [b"x", b"1", b"2", b"x", b"4", b"5"]


def test_no_writes_give_no_results(cache: Cache) -> None:
    """An empty batch is fine."""
    assert cache.apply([]) == []
    assert cache.fill([]) == []


@pytest.mark.parametrize(
    "value", [b"", b"\x00\xff\r\n", "grüße".encode(), b"x" * 400_000], ids=["empty", "binary", "utf-8", "large"]
)
def test_a_value_comes_back_byte_for_byte(cache: Cache, get: Get, value: bytes) -> None:
    """Values are bytes to the cache."""
    cache.apply([write("k", 1, value)])
    assert get("k") == value


@pytest.mark.parametrize("key", ["{acme}:42", "ключ:1", "a b\n", "a{b"])
def test_a_key_of_any_kind_has_its_guard(cache: Cache, get: Get, key: str) -> None:
    """Keys with a hash tag of their own, not ASCII, with spaces: guarded like any."""
    cache.apply([write(key, 2, b"new")])
    assert cache.apply([write(key, 1, b"old")]) == [Outcome.STALE]
    assert get(key) == b"new"


def test_a_fill_writes_where_the_stream_has_not_spoken(cache: Cache, get: Get) -> None:
    """A backfill fills an empty cache, and its own earlier value."""
    assert cache.fill([write("k", 0, b"first"), write("l", 0, b"second")]) == [Outcome.APPLIED] * 2
    assert cache.fill([write("k", 0, b"third")]) == [Outcome.APPLIED]
    assert (get("k"), get("l")) == (b"third", b"second")


@pytest.mark.parametrize("streamed", [b"new", None], ids=["upsert", "removal"])
def test_a_fill_never_beats_the_stream(cache: Cache, get: Get, streamed: bytes | None) -> None:
    """Where a change was applied, be it a removal, a backfill writes nothing."""
    cache.apply([write("k", 1, streamed)])
    assert cache.fill([write("k", 0, b"read earlier"), write("l", 0, b"v")]) == [Outcome.STALE, Outcome.APPLIED]
    assert get("k") == streamed


def test_a_fill_leaves_no_guard(cache: Cache, get: Get) -> None:
    """Any change wins over what a backfill wrote, whatever its version."""
    cache.fill([write("k", 10**30, b"filled")])
    assert cache.apply([write("k", 1, b"streamed")]) == [Outcome.APPLIED]
    assert get("k") == b"streamed"


def test_a_fill_deletes_where_the_stream_has_not_spoken(cache: Cache, get: Get) -> None:
    """An export can say that an item is gone; where a change was applied, that counts."""
    cache.fill([write("k", 0, b"filled")])
    cache.apply([write("l", 1, b"streamed")])
    removals = [write("k", 0, None), write("l", 0, None), write("m", 0, None)]
    assert cache.fill(removals) == [Outcome.APPLIED, Outcome.STALE, Outcome.APPLIED]
    assert (get("k"), get("l"), get("m")) == (None, b"streamed", None)


def test_writes_are_read_lazily_and_may_raise(cache: Cache, get: Get) -> None:
    """An error while writes are made comes out, and the cache works on."""

    def broken() -> Iterator[Write]:
        for i in range(Standalone.keys_per_script + 1):
            yield write(f"k{i}", 1, b"v")
        raise LookupError

    with pytest.raises(LookupError):
        cache.apply(broken())
    assert cache.apply([write("k0", 1, b"v")]) == [Outcome.APPLIED]
    assert get("k0") == b"v"


@pytest.mark.servers
@pytest.mark.parametrize("server", ["redis_url", pytest.param("own_redis_url", marks=needs_redis_server)])
@pytest.mark.parametrize("left_out", APPLY_PERMISSIONS)
def test_each_missing_permission_comes_out_at_once(request: pytest.FixtureRequest, server: str, left_out: str) -> None:
    """And fails no record, also where it is missed inside the script only."""
    url = request.getfixturevalue(server)
    with redis.Redis.from_url(url) as admin:
        admin.flushall()
        admin.script_flush()
        limit(admin, set(APPLY_PERMISSIONS) - {left_out})
    with connect(as_applier(url)) as client, pytest.raises(CacheError, match="NOPERM") as raised:
        cache_of(client, 60).apply([write("k", 1, b"v"), write("l", 1, None)])
    assert not isinstance(raised.value, CacheUnavailable)


@pytest.mark.servers
def test_a_guard_expires_also_after_a_stale_change(redis_client: redis.Redis) -> None:
    """What put it back gave it its time to live again; a guard without one would stay for ever."""
    cache = cache_of(redis_client, 600)
    cache.apply([write("k", 2, b"new")])
    assert 590 < redis_client.ttl(guard_key("k")) <= 600
    redis_client.expire(guard_key("k"), 100)
    assert cache.apply([write("k", 1, b"old")]) == [Outcome.STALE]
    assert 590 < redis_client.ttl(guard_key("k")) <= 600


def word(lookup_key: str, item: str, sequence_number: int, *, claims: bool = True, value: bytes | None = None) -> Write:
    """What an item says of a lookup key, which holds its cache key if nothing else is given."""
    said = write(lookup_key, sequence_number, (value or item.encode()) if claims else None)
    return said._replace(owner=item)


def test_a_lookup_key_shows_the_item_that_claims_it(cache: Cache, get: Get) -> None:
    """A reader's GET gives the item's cache key, or whatever it was claimed with."""
    assert cache.apply([word("by-email:x", "users:1", 1)]) == [Outcome.APPLIED]
    assert get("by-email:x") == b"users:1"
    assert cache.apply([word("by-email:x", "users:1", 2, value=b"{}")]) == [Outcome.APPLIED]
    assert get("by-email:x") == b"{}"


def test_a_released_lookup_key_is_gone(cache: Cache, get: Get) -> None:
    """And no older claim of that item brings it back."""
    cache.apply([word("by-email:x", "users:1", 1), word("by-email:y", "users:1", 1)])
    assert cache.apply([word("by-email:x", "users:1", 2, claims=False)]) == [Outcome.APPLIED]
    assert cache.apply([word("by-email:x", "users:1", 1)]) == [Outcome.STALE]
    assert (get("by-email:x"), get("by-email:y")) == (None, b"users:1")


def test_an_item_releases_its_own_claim_and_no_other(cache: Cache, get: Get) -> None:
    """Its release may come after the next item's claim, and be newer."""
    cache.apply([word("by-email:x", "users:1", 1)])
    cache.apply([word("by-email:x", "users:2", 5)])
    cache.apply([word("by-email:x", "users:1", 9, claims=False)])
    assert get("by-email:x") == b"users:2"


HISTORY = [
    word("by-email:x", "users:1", 10, value=b"one"),
    word("by-email:x", "users:1", 20, claims=False),
    word("by-email:x", "users:2", 15, value=b"two"),  # versions of two items are not comparable
    word("by-email:x", "users:2", 25, claims=False),
    word("by-email:x", "users:3", 5, value=b"three"),
]


def test_a_value_passed_on_ends_with_its_last_owner_in_any_order(cache: Cache, get: Get) -> None:
    """Every order of what three items say of a lookup key that they pass between them, and some of it twice."""
    for place, order in enumerate(permutations(HISTORY)):
        key = f"by-email:{place}"
        said = [each._replace(key=key, guard=guard_key(key)) for each in (*order, order[place % len(order)])]
        for each in said:
            assert cache.apply([each])[0] in {Outcome.APPLIED, Outcome.STALE}
        assert get(key) == b"three", order


def test_of_several_claims_the_newest_is_shown_in_any_order(cache: Cache, get: Get) -> None:
    """An attribute that items share is a wrong lookup key; what it shows does not depend on luck all the same."""
    claims = [word("k", "a", 1, value=b"a"), word("k", "b", 3, value=b"b"), word("k", "c", 3, value=b"c")]
    for place, order in enumerate(permutations(claims)):
        key = f"by-state:{place}"
        cache.apply([order[0]._replace(key=key, guard=guard_key(key))])
        cache.apply([order[1]._replace(key=key, guard=guard_key(key))])
        cache.apply([order[2]._replace(key=key, guard=guard_key(key))])
        assert get(key) == b"c", order
        gone = claims[2]._replace(key=key, guard=guard_key(key), version=Version.of(LABEL, "4"), value=None)
        cache.apply([gone])
        assert get(key) == b"b", order


def test_a_lookup_key_that_everybody_claims_is_refused(cache: Cache, get: Get) -> None:
    """Its guard would grow without end; the others are applied."""
    claims = [word("by-state:open", f"users:{n}", n) for n in range(64)]
    for claim in claims:
        assert cache.apply([claim]) == [Outcome.APPLIED]
    refused, applied = cache.apply([word("by-state:open", "users:64", 64), word("by-state:closed", "users:64", 64)])
    assert isinstance(refused, CacheError)
    assert applied == Outcome.APPLIED
    assert get("by-state:open") == b"users:63"


def test_lookup_keys_and_items_go_together(cache: Cache, get: Get) -> None:
    """In one batch, in any mixture."""
    mixed = [write("k1", 1, b"v"), word("by-email:x", "k1", 1), write("k2", 1, b"w"), word("by-email:y", "k2", 1)]
    assert cache.apply(mixed) == [Outcome.APPLIED] * 4
    assert [get(key) for key in ("k1", "k2", "by-email:x", "by-email:y")] == [b"v", b"w", b"k1", b"k2"]


def test_a_lookup_key_expires_with_its_item(cache: Cache, get: Get) -> None:
    """As its value does."""
    at_ms = int(time.time() * 1000) + 1000
    cache.apply([word("by-email:x", "users:1", 1)._replace(expires_at_ms=at_ms)])
    assert get("by-email:x") == b"users:1"
    while time.time() * 1000 <= at_ms + 1:
        time.sleep(0.01)
    if isinstance(cache, MemoryCache):
        cache.expire(time.time())
    assert get("by-email:x") is None


def filled_word(lookup_key: str, item: str, *, claims: bool = True) -> Write:
    """What a backfill says of a lookup key."""
    return word(lookup_key, item, 0, claims=claims)._replace(version=Version.of(0, "0"))


def test_a_fill_of_a_lookup_key_is_the_oldest_word_of_its_item(cache: Cache, get: Get) -> None:
    """It shows where nobody else claims the key; any change of the item, or of another that claims it, wins."""
    filled = [filled_word("k", "a"), filled_word("l", "b")]
    assert cache.fill([write("a", 0, b"item"), *filled]) == [Outcome.APPLIED] * 3
    assert (get("a"), get("k"), get("l")) == (b"item", b"a", b"b")
    cache.apply([word("k", "a", 1, claims=False), word("l", "c", 2)])
    assert (get("k"), get("l")) == (None, b"c")
    assert cache.fill(filled) == [Outcome.STALE, Outcome.APPLIED]
    assert (get("k"), get("l")) == (None, b"c")


def test_a_fill_can_release_a_lookup_key(cache: Cache, get: Get) -> None:
    """That it claimed itself; what a change claimed stays."""
    cache.fill([filled_word("k", "a")])
    cache.apply([word("l", "b", 1)])
    released = [filled_word("k", "a", claims=False), filled_word("l", "b", claims=False)]
    assert cache.fill(released) == [Outcome.APPLIED, Outcome.STALE]
    assert (get("k"), get("l")) == (None, b"b")
