"""ElastiCache Serverless as far as it can be had here: a cluster of one node that owns every slot, behind a proxy."""

from collections.abc import Iterator
from typing import NamedTuple

import pytest
import redis
from tests.cache.support import WatchedBackoff, calls, getter, held, write, writes
from tests.cluster.support import ask, node_client
from tests.faults.conftest import cache_over
from tests.faults.proxy import LOOPBACK, FaultProxy

from ddb_cache_sync import connect
from ddb_cache_sync.cache.applier import RedisCache, cache_of
from ddb_cache_sync.cache.scripts import APPLY, FILL
from ddb_cache_sync.core.outcomes import Outcome
from ddb_cache_sync.errors import CacheError, CacheUnavailable
from ddb_cache_sync.local.embedded import embedded_cluster

pytestmark = pytest.mark.servers


class Serverless(NamedTuple):
    """A cluster client's cache, the proxy it goes through, and the one node behind it."""

    cache: RedisCache
    proxy: FaultProxy
    waits: WatchedBackoff
    node: redis.Redis


@pytest.fixture(scope="module")
def behind() -> Iterator[tuple[FaultProxy, redis.Redis]]:
    with (
        FaultProxy() as proxy,
        embedded_cluster(1, config={"cluster-announce-port": proxy.port}) as cluster,
        node_client(cluster.primaries[0]) as node,
    ):
        proxy.upstream = cluster.primaries[0].port
        yield proxy, node


@pytest.fixture
def serverless(behind: tuple[FaultProxy, redis.Redis]) -> Iterator[Serverless]:
    """Give an empty cache that knows the scripts, its client connected."""
    proxy, node = behind
    proxy.clear()
    node.flushall()
    for script in (APPLY, FILL):
        node.script_load(script.source)
    node.config_resetstat()
    with connect(proxy.url + "?cluster=true", socket_timeout=0.3) as client:
        waits = WatchedBackoff()
        yield Serverless(cache_over(client, waits), proxy, waits, node)


def test_one_node_serves_all(serverless: Serverless) -> None:
    """Every key through one connection; another one learns the slots."""
    sent = writes(200)
    assert serverless.cache.apply(sent) == [Outcome.APPLIED] * 200
    assert held(getter(serverless.node), sent)
    assert serverless.proxy.connections == 2


def test_moved_as_text_is_tried_again_for_its_own_command(serverless: Serverless) -> None:
    """`ERR MOVED …`, which redis-py takes for any error: the slots are asked for, and it is sent again."""
    fault = serverless.proxy.answer("-ERR MOVED 866 10.0.0.1:6379", first=3)
    sent = writes(20)
    assert serverless.cache.apply(sent) == [Outcome.APPLIED] * 20
    assert fault.fired == 1
    assert sorted(serverless.proxy.keys[each.key.encode()] for each in sent) == [1] * 19 + [2]


@pytest.mark.parametrize("code", ["MOVED", "ASK"])
def test_a_redirection_to_a_node_that_nobody_knows_is_tried_again(serverless: Serverless, code: str) -> None:
    """After the slots were learned anew."""
    fault = serverless.proxy.answer(f"-{code} 866 127.0.0.1:1", key=b"k7")
    assert serverless.cache.apply(writes(20)) == [Outcome.APPLIED] * 20
    assert fault.fired == 1
    assert serverless.proxy.keys[b"k7"] == 2


def test_moved_to_where_it_came_from_does_not_go_round_for_ever(serverless: Serverless) -> None:
    """Sent there once; then it waits as for any failure."""
    serverless.proxy.answer(f"-MOVED 866 {LOOPBACK}:{serverless.proxy.port}", key=b"k7", times=10_000)
    with pytest.raises(CacheUnavailable, match="MOVED"):
        serverless.cache.apply(writes(20), serverless.waits.monotonic() + 5)
    assert serverless.proxy.keys[b"k7"] < 25


def test_a_storm_of_redirections_asks_for_the_slots_once_a_round(serverless: Serverless) -> None:
    """However many commands are redirected."""
    serverless.cache.apply(writes(1))
    serverless.node.config_resetstat()
    fault = serverless.proxy.answer("-MOVED 866 127.0.0.1:1", times=500)
    assert serverless.cache.apply(writes(500)) == [Outcome.APPLIED] * 500
    assert fault.fired == 500
    assert calls(serverless.node, "cluster|slots") == 1


@pytest.mark.long
def test_failing_batches_do_not_hammer_the_cluster_for_its_slots(serverless: Serverless) -> None:
    """Forty batches that fail, one after the other, ask no more often than they wait."""
    serverless.cache.apply(writes(1))
    serverless.node.config_resetstat()
    serverless.proxy.answer("-CLUSTERDOWN The cluster is down", times=1_000_000)
    for _ in range(40):
        with pytest.raises(CacheUnavailable):
            serverless.cache.apply(writes(3), serverless.waits.monotonic() + 0.1)
    asked = calls(serverless.node, "cluster|slots")
    assert asked <= len(serverless.waits.bounds) <= 80


def test_a_batch_that_fails_for_long_asks_for_the_slots_once_a_wait(serverless: Serverless) -> None:
    """Ten seconds are nine waits with full bounds: not one question for each command and attempt."""
    serverless.cache.apply(writes(1))
    serverless.node.config_resetstat()
    serverless.proxy.answer("-CLUSTERDOWN The cluster is down", times=1_000_000)
    with pytest.raises(CacheUnavailable):
        serverless.cache.apply(writes(300), serverless.waits.monotonic() + 10)
    assert calls(serverless.node, "cluster|slots") <= len(serverless.waits.bounds) < 12


def test_idle_connections_that_were_dropped_are_healed(serverless: Serverless) -> None:
    """Closed ones without a wait."""
    serverless.cache.apply(writes(20, 1))
    serverless.node.client_kill_filter(_type="normal", skipme=True)
    sent = writes(20, 2)
    assert serverless.cache.apply(sent) == [Outcome.APPLIED] * 20
    assert held(getter(serverless.node), sent)


def test_idle_connections_that_died_silently_are_healed(serverless: Serverless) -> None:
    """The one to the node, and the one that learns the slots: a time-out each, no failed record."""
    serverless.cache.apply(writes(20, 1))
    assert serverless.proxy.freeze() >= 1
    sent = writes(20, 2)
    assert serverless.cache.apply(sent) == [Outcome.APPLIED] * 20
    assert held(getter(serverless.node), sent)


def test_keys_of_several_slots_are_never_in_one_call(serverless: Serverless) -> None:
    """The node owns every slot, and says CROSSSLOT all the same."""
    with pytest.raises(redis.ResponseError, match=r"slot|CROSSSLOT"):
        ask(serverless.node, "EVAL", "return 1", 2, "a", "b")
    assert serverless.cache.apply(writes(50)) == [Outcome.APPLIED] * 50


def test_a_client_for_one_server_is_told_what_to_do(serverless: Serverless) -> None:
    """The most likely mistake with a serverless cache under a name of one's own."""
    with connect(serverless.proxy.url) as client, pytest.raises(CacheError, match="cluster=true") as raised:
        cache_of(client, 60).apply([write("a"), write("b")])
    assert not isinstance(raised.value, CacheUnavailable)
