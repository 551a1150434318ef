"""What broken, dead, slow and missing connections do: nothing is lost, nothing hangs."""

import logging
import socket
import ssl
import time
from collections.abc import Iterator
from typing import Any

import pytest
import redis
from tests.cache.support import SECRET, WatchedBackoff, calls, getter, held, write, writes
from tests.faults.conftest import Faulty, cache_over
from tests.faults.proxy import LOOPBACK, Fault, FaultProxy, Way

from ddb_cache_sync import connect
from ddb_cache_sync.cache.applier import RedisCache, cache_of
from ddb_cache_sync.cache.bounded import waiting_until
from ddb_cache_sync.cache.connect import SOCKET_SECONDS
from ddb_cache_sync.cache.topology import Standalone, topology_of
from ddb_cache_sync.core.outcomes import Outcome
from ddb_cache_sync.errors import CacheUnavailable
from ddb_cache_sync.local.servers import free_port

pytestmark = pytest.mark.servers

MANY = 3 * Standalone.keys_per_script


@pytest.mark.parametrize("way", [Way.CUT_BEFORE, Way.CUT_AFTER, Way.CUT_WITHIN])
def test_a_cut_connection_fails_no_record(faulty: Faulty, way: Way) -> None:
    """Whether or not the server had carried the command out; what was answered before is not sent again."""
    fault = Fault(way, first=2)
    faulty.proxy.put_in(fault)
    sent = writes(MANY)
    assert faulty.cache.apply(sent) == [Outcome.APPLIED] * MANY
    assert fault.fired == 1
    assert faulty.proxy.connections == 2
    assert held(getter(faulty.server), sent)
    if way is not Way.CUT_BEFORE:  # else what the server answered before may be lost with the connection
        assert {faulty.proxy.keys[each.key.encode()] for each in sent[: Standalone.keys_per_script]} == {1}


def test_a_change_whose_reply_was_lost_is_not_called_stale(faulty: Faulty) -> None:
    """It is applied twice, which the guard allows."""
    faulty.cache.apply([write("k", 1, b"old")])
    fault = Fault(Way.CUT_AFTER)
    faulty.proxy.put_in(fault)
    assert faulty.cache.apply([write("k", 2, b"new")]) == [Outcome.APPLIED]
    assert fault.fired == 1
    assert faulty.server.get("k") == b"new"


def test_a_reply_that_never_comes_is_waited_for_no_longer_than_the_time_out(redis_client: redis.Redis) -> None:
    """The connection is given up, and another has the answer."""
    fault = Fault(Way.SWALLOW)
    port = redis_client.connection_pool.connection_kwargs["port"]
    with FaultProxy(port) as proxy, connect(proxy.url, socket_timeout=0.3) as client:
        cache = cache_over(client, WatchedBackoff())
        cache.apply([write("k", 1)])
        proxy.put_in(fault)
        began = time.monotonic()
        assert cache.apply([write("k", 2, b"new")]) == [Outcome.APPLIED]
        assert 0.3 <= time.monotonic() - began < 1.3
        assert (fault.fired, proxy.connections) == (1, 2)
    assert redis_client.get("k") == b"new"


def test_a_client_of_ones_own_is_waited_for_no_longer_than_the_deadline(redis_client: redis.Redis) -> None:
    """Where its own time-out would be later."""
    port = redis_client.connection_pool.connection_kwargs["port"]
    fault = Fault(Way.SWALLOW)
    with FaultProxy(port) as proxy, redis.Redis(port=proxy.port, socket_timeout=20) as client:
        cache = cache_over(client, WatchedBackoff())
        cache.apply([write("k", 1)])
        proxy.put_in(fault)
        began = time.monotonic()
        with pytest.raises(CacheUnavailable):
            cache.apply([write("k", 2)], began + 0.3)
        assert time.monotonic() - began < 10
    assert fault.fired == 1


def test_a_socket_that_died_silently_while_frozen_is_healed(redis_client: redis.Redis) -> None:
    """After a thaw the first batch waits for one time-out, and fails no record."""
    port = redis_client.connection_pool.connection_kwargs["port"]
    with FaultProxy(port) as proxy, connect(proxy.url, socket_timeout=0.3) as client:
        cache = cache_over(client, WatchedBackoff())
        cache.apply(writes(3, 1))
        assert proxy.freeze() == 1
        sent = writes(MANY, 2)
        assert cache.apply(sent) == [Outcome.APPLIED] * MANY
        assert proxy.connections == 2
    assert held(getter(redis_client), sent)


def test_the_time_out_of_connect_is_below_the_default_deadline() -> None:
    """So that a dead socket leaves time to try again."""
    client = connect("redis://localhost")
    assert isinstance(client, redis.Redis)
    assert client.connection_pool.connection_kwargs["socket_timeout"] == SOCKET_SECONDS == 2


def test_a_socket_that_the_server_closed_is_healed_unnoticed(redis_url: str, redis_client: redis.Redis) -> None:
    """No waiting, no record sent twice."""
    waits = WatchedBackoff()
    with connect(redis_url) as client:
        cache = cache_over(client, waits)
        cache.apply(writes(3, 1))
        assert redis_client.client_kill_filter(_type="normal", skipme=True) >= 1  # another test's may still be there
        redis_client.config_resetstat()
        assert cache.apply(writes(3, 2)) == [Outcome.APPLIED] * 3
    assert waits.bounds == []
    assert calls(redis_client, "evalsha") == 1


def test_one_connection_serves_fifty_batches(faulty: Faulty) -> None:
    """Connected once per process."""
    for number in range(50):
        faulty.cache.apply(writes(3, number))
    assert faulty.proxy.connections == 1


def test_a_connection_is_made_anew_after_eleven_hours(faulty: Faulty) -> None:
    """Before ElastiCache ends it, which it does 12 hours after an IAM log-in."""
    for hours, connections in [(0, 1), (10.9, 1), (11.1, 2), (20, 2), (22.3, 3)]:
        faulty.waits.ahead = hours * 3600
        faulty.cache.apply([write("k")])
        assert faulty.proxy.connections == connections, hours


def test_connections_closed_at_once_are_tried_again(faulty: Faulty) -> None:
    """As a server in the midst of its start does."""
    faulty.proxy.refuse = 3
    assert faulty.cache.apply(writes(3)) == [Outcome.APPLIED] * 3
    assert faulty.proxy.refused == 3
    assert faulty.waits.bounds == [0.05, 0.1, 0.2]


def test_a_slow_reply_is_awaited(faulty: Faulty) -> None:
    """Slow is not dead."""
    fault = Fault(Way.DELAY, seconds=0.2)
    faulty.proxy.put_in(fault)
    assert faulty.cache.apply([write("k")]) == [Outcome.APPLIED]
    assert fault.fired == 1
    assert faulty.proxy.keys[b"k"] == 1


def test_a_server_that_is_not_there_is_given_up_at_the_deadline() -> None:
    """A refused connection costs nothing, so many are tried, each after a longer wait."""
    with socket.create_server((LOOPBACK, 0)) as taken:
        port = taken.getsockname()[1]
    waits = WatchedBackoff()
    with connect(f"redis://127.0.0.1:{port}") as client, pytest.raises(CacheUnavailable):
        cache_over(client, waits).apply([write("k")], waits.monotonic() + 5)
    assert len(waits.bounds) >= 5


@pytest.fixture
def black_hole() -> Iterator[int]:
    """Give the port of a server that takes no connection: its backlog is full."""
    with socket.socket() as listener:
        listener.bind((LOOPBACK, 0))
        listener.listen(0)
        port: int = listener.getsockname()[1]
        fillers = []
        for _ in range(4):
            filler = socket.socket()
            filler.setblocking(False)
            filler.connect_ex((LOOPBACK, port))
            fillers.append(filler)
        yield port
        for filler in fillers:
            filler.close()


@pytest.fixture
def mute() -> Iterator[int]:
    """Give the port of a server that accepts and never says anything."""
    with FaultProxy() as proxy:
        proxy.mute = True
        yield proxy.port


@pytest.mark.parametrize("options", ["", "?cluster=true"], ids=["standalone", "cluster"])
@pytest.mark.parametrize(
    ("server", "url"),
    [
        ("black_hole", "redis://127.0.0.1:{}"),
        ("mute", "redis://127.0.0.1:{}"),
        ("mute", "redis://app:secret@127.0.0.1:{}"),
        ("mute", "rediss://127.0.0.1:{}"),
    ],
    ids=["connecting", "asking", "AUTH", "TLS handshake"],
)
def test_a_host_that_never_answers_is_given_up_at_the_deadline(
    request: pytest.FixtureRequest, caplog: pytest.LogCaptureFixture, server: str, url: str, options: str
) -> None:
    """In real time, wherever the silence begins and however large the batch: time-outs shrink with the deadline."""
    caplog.set_level(logging.DEBUG, logger="ddb_cache_sync")
    port = request.getfixturevalue(server)
    with connect(url.format(port) + options) as client:
        cache = cache_of(client, 60)
        began = time.monotonic()
        with pytest.raises(CacheUnavailable) as raised:
            cache.apply(writes(300), began + 0.7)
        assert time.monotonic() - began < 1.9
    assert SECRET.decode() not in str(raised.value) + caplog.text


@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("redis://app:swordfish@127.0.0.1:{}", "127.0.0.1:{}"),
        ("redis://app:swordfish@127.0.0.1:{}?cluster=true", "127.0.0.1:{}"),
        ("unix://app:swordfish@/no/server-{}", "/no/server-{}"),
    ],
    ids=["standalone", "cluster", "socket"],
)
def test_an_outage_is_told_once_with_the_address(caplog: pytest.LogCaptureFixture, url: str, place: str) -> None:
    """However often it is tried again; neither the warning nor the error has user or password."""
    port, watched = free_port(), WatchedBackoff()
    with connect(url.format(port)) as client:
        topology = topology_of(client)
        assert topology is not None
        cache = RedisCache(topology, backoff=watched.backoff())
        with pytest.raises(CacheUnavailable) as raised:
            cache.apply(writes(3), watched.monotonic() + 10)
    assert len(watched.bounds) > 3
    where = place.format(port)
    [warning] = caplog.messages
    for text in (warning, str(raised.value)):
        assert text.count(f"Error at {where})") == 1
        assert "app" not in text.replace("apply", "")
        assert "swordfish" not in text


def test_a_handshake_is_bound_by_what_is_left_once_the_authorities_are_loaded(
    mute: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Loading them can take half of a small function's time, and that time counts."""
    clock = [0.0]
    told: list[float | None] = []
    load = ssl.create_default_context

    def slow_load(*arguments: Any, **options: Any) -> ssl.SSLContext:
        clock[0] += 0.65
        return load(*arguments, **options)

    def wrap(context: ssl.SSLContext, sock: socket.socket, **_: Any) -> ssl.SSLSocket:
        told.append(sock.gettimeout())
        raise TimeoutError

    monkeypatch.setattr(ssl, "create_default_context", slow_load)
    monkeypatch.setattr(ssl.SSLContext, "wrap_socket", wrap)
    client = connect(f"rediss://127.0.0.1:{mute}")
    assert isinstance(client, redis.Redis)
    with client, waiting_until(0.7, lambda: clock[0]), pytest.raises(redis.RedisError):
        client.connection_pool.get_connection()
    assert told == [pytest.approx(0.05)]


def test_a_client_without_time_outs_is_still_bound_once_connected(redis_client: redis.Redis) -> None:
    """Replies are awaited until the deadline at most, whatever the client would do."""
    port = redis_client.connection_pool.connection_kwargs["port"]
    with FaultProxy(port) as proxy, redis.Redis(port=proxy.port, socket_timeout=None) as client:
        client.ping()
        proxy.freeze()
        began = time.monotonic()
        with pytest.raises(CacheUnavailable):
            RedisCache(Standalone(client)).apply([write("k")], began + 0.3)
        assert time.monotonic() - began < 3
