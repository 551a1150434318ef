"""The same on a real server, wherever one can be made to say it."""

import random
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry
from tests.cache.support import SECRET, WatchedBackoff, calls, getter, held, write, writes
from tests.faults.conftest import cache_over

from ddb_cache_sync import KeyTemplate, Replicator, connect
from ddb_cache_sync.cache.applier import RedisCache, cache_of
from ddb_cache_sync.cache.backoff import Backoff
from ddb_cache_sync.cache.topology import Standalone
from ddb_cache_sync.core.guards import guard_key
from ddb_cache_sync.core.outcomes import Outcome
from ddb_cache_sync.errors import CacheError, CacheUnavailable
from ddb_cache_sync.local.embedded import embedded_valkey
from ddb_cache_sync.local.servers import LOOPBACK, free_port
from ddb_cache_sync.testing import stream_record

pytestmark = pytest.mark.servers

CONFIG: dict[str, str | int] = {"enable-debug-command": "yes", "repl-diskless-sync-delay": 0}


def plain_client(port: int) -> redis.Redis:
    """A client that tries nothing twice."""
    return redis.Redis(port=port, socket_timeout=30, protocol=2, retry=Retry(NoBackoff(), 0))


class Server(NamedTuple):
    """A server of this file's own, for what would disturb others."""

    url: str
    port: int
    admin: redis.Redis


@pytest.fixture(scope="module")
def started() -> Iterator[Server]:
    with embedded_valkey(CONFIG) as server, plain_client(server.port) as admin:
        yield Server(server.url, server.port, admin)


@pytest.fixture
def server(started: Server) -> Iterator[Server]:
    """Give the server as it was when it started."""
    started.admin.flushall()
    started.admin.script_flush()
    started.admin.config_resetstat()
    yield started
    started.admin.replicaof("NO", "ONE")
    started.admin.config_set("maxmemory", 0)
    started.admin.config_set("busy-reply-threshold", 5000)
    started.admin.config_set("replica-serve-stale-data", "yes")
    started.admin.config_set("key-load-delay", 0)


class Relief:
    """A backoff that does something about the cause when it is first waited, and counts the waits."""

    def __init__(self, relieve: object) -> None:
        self.waits = 0
        self._relieve = relieve

    def backoff(self) -> Backoff:
        """Give the waits."""
        return Backoff(first_seconds=0.02, longest_seconds=0.1, sleep=self._sleep, fraction=lambda: 1.0)

    def _sleep(self, seconds: float) -> None:
        self.waits += 1
        if self.waits == 1:
            assert callable(self._relieve)
            self._relieve()
        threading.Event().wait(seconds)


@contextmanager
def relieved_by(server: Server, relieve: object) -> Iterator[tuple[RedisCache, Relief]]:
    """Give a cache whose first wait relieves the server."""
    relief = Relief(relieve)
    with connect(server.url) as client:
        assert isinstance(client, redis.Redis)
        yield RedisCache(Standalone(client), backoff=relief.backoff()), relief


def test_noscript_the_server_forgets_its_scripts_between_batches(server: Server) -> None:
    """As after a failover or a restart: loaded once, without a wait, and no batch notices."""
    waits = WatchedBackoff()
    with connect(server.url) as client:
        cache = cache_over(client, waits)
        for number in range(3):
            server.admin.script_flush()
            sent = writes(60, number)
            assert cache.apply(sent) == [Outcome.APPLIED] * 60
            assert held(getter(server.admin), sent)
    assert waits.bounds == []
    assert calls(server.admin, "script|load") == 3


def test_oom_the_memory_is_full_until_room_is_made(server: Server) -> None:
    """Records are not to blame for it."""
    server.admin.config_set("maxmemory", 1)
    with relieved_by(server, lambda: server.admin.config_set("maxmemory", 0)) as (cache, relief):
        assert cache.apply(writes(30)) == [Outcome.APPLIED] * 30
    assert relief.waits == 1


def test_oom_removals_pass_nothing_by(server: Server) -> None:
    """Even one that would free memory sets a guard first, so it is refused as a whole and tried again."""
    with relieved_by(server, lambda: server.admin.config_set("maxmemory", 0)) as (cache, relief):
        cache.apply([write("k", 1)])
        server.admin.config_set("maxmemory", 1)
        assert cache.apply([write("k", 2, None)]) == [Outcome.APPLIED]
    assert relief.waits == 1
    assert server.admin.get("k") is None


def test_busy_another_script_runs_too_long_until_it_is_killed(server: Server) -> None:
    """It is waited for."""
    server.admin.config_set("busy-reply-threshold", 10)
    blocker = plain_client(server.port)

    def block() -> None:
        with blocker, pytest.raises(redis.ResponseError):
            blocker.eval("while true do end", 0)

    def is_busy() -> bool:
        try:
            server.admin.get("k")
        except redis.ResponseError as error:
            return str(error).startswith("BUSY")
        return False

    with relieved_by(server, server.admin.script_kill) as (cache, relief):
        cache.apply([write("k", 1)])
        thread = threading.Thread(target=block)
        thread.start()
        while not is_busy():
            assert thread.is_alive()
        assert cache.apply([write("k", 2)]) == [Outcome.APPLIED]
        thread.join()
    assert relief.waits >= 1


def test_readonly_the_server_is_made_a_replica_and_a_primary_again(server: Server) -> None:
    """As the old primary in a failover: idle connections are dropped, since its name may lead elsewhere by now."""
    with embedded_valkey(CONFIG) as primary:
        server.admin.replicaof(LOOPBACK, primary.port)
        with relieved_by(server, lambda: server.admin.replicaof("NO", "ONE")) as (cache, relief):
            assert cache.apply(writes(3)) == [Outcome.APPLIED] * 3
    assert relief.waits >= 1
    assert held(getter(server.admin), writes(3))


def test_masterdown_a_replica_without_its_primary_says_no(server: Server) -> None:
    """Until it is one itself."""
    server.admin.config_set("replica-serve-stale-data", "no")
    server.admin.replicaof(LOOPBACK, free_port())
    with relieved_by(server, lambda: server.admin.replicaof("NO", "ONE")) as (cache, relief):
        assert cache.apply(writes(3)) == [Outcome.APPLIED] * 3
    assert relief.waits == 1


def test_loading_a_server_that_reads_its_copy_from_disk_is_waited_for(server: Server) -> None:
    """Then it is there again, with what it held."""
    with server.admin.pipeline(transaction=False) as pipe:
        for number in range(300):
            pipe.set(f"old{number}", random.randbytes(20_000))  # such as no compression makes smaller
        pipe.execute()
    server.admin.config_set("key-load-delay", 2000)  # microseconds
    server.admin.config_set("loading-process-events-interval-bytes", 10_000)
    reloading = plain_client(server.port)

    def reload() -> None:
        with reloading:
            reloading.execute_command("DEBUG RELOAD")  # type: ignore[no-untyped-call]

    def is_loading() -> bool:
        try:
            server.admin.get("k")
        except redis.BusyLoadingError:
            return True
        return False

    thread = threading.Thread(target=reload)
    with relieved_by(server, lambda: None) as (cache, relief):
        thread.start()
        while not is_loading():
            assert thread.is_alive()
        assert cache.apply(writes(30)) == [Outcome.APPLIED] * 30
        thread.join()
    assert relief.waits >= 1
    assert server.admin.exists("old0", "k0") == 2


def test_noperm_comes_out_at_once_with_a_hint(server: Server) -> None:
    """Permissions do not heal by trying again."""
    server.admin.acl_setuser("weak", enabled=True, passwords=["+pw"], commands=["+get"], keys=["*"])
    with connect(server.url.replace("//", "//weak:pw@")) as client, pytest.raises(CacheError, match="NOPERM") as raised:
        cache_of(client, 60).apply(writes(3))
    assert not isinstance(raised.value, CacheUnavailable)
    assert raised.value.hint is not None
    assert "permissions" in raised.value.hint


def test_noperm_on_a_key_inside_the_script_comes_out_at_once(server: Server) -> None:
    """Keys outside of the user's pattern: the same."""
    server.admin.acl_setuser("narrow", enabled=True, passwords=["+pw"], commands=["+@all"], keys=["other:*"])
    with connect(server.url.replace("//", "//narrow:pw@")) as client, pytest.raises(CacheError, match="NOPERM"):
        cache_of(client, 60).apply(writes(3))


def test_wrongpass_comes_out_at_once_with_a_hint(server: Server) -> None:
    """The same."""
    with connect(server.url.replace("//", "//nobody:pw@")) as client, pytest.raises(CacheError, match="WRONGPASS"):
        cache_of(client, 60).apply(writes(3))


def test_asking_a_plain_server_for_a_cluster_says_what_to_do(server: Server) -> None:
    """Not a thing that trying again would mend."""
    with connect(server.url + "?cluster=true") as client, pytest.raises(CacheError, match="cluster=true") as raised:
        cache_of(client, 60).apply(writes(3))
    assert not isinstance(raised.value, CacheUnavailable)


@pytest.mark.parametrize("wrong", ["guard", "value and guard"])
def test_wrongtype_fails_its_record_alone(server: Server, wrong: str) -> None:
    """The response names it, all others are applied; its text holds the key's name and no contents."""
    server.admin.rpush(guard_key("users:7"), "a list")
    if wrong != "guard":
        server.admin.rpush("users:7", "a list")
    with connect(server.url) as client:
        replicator = Replicator(client, keys=KeyTemplate("users:{id}"))
        records = [
            stream_record({"id": str(n)}, {"id": str(n), "s": SECRET.decode()}, sequence_number=100 + n)
            for n in range(60)
        ]
        report = replicator.apply(records)
    assert (report.applied, report.failed) == (59, 1)
    assert report.response == {"batchItemFailures": [{"itemIdentifier": "107"}]}
    assert "WRONGTYPE" in report.failures[0].reason
    assert SECRET.decode() not in str(report)
    assert server.admin.exists(*(f"users:{n}" for n in range(60) if n != 7)) == 59


def test_a_value_of_another_type_is_replaced(server: Server) -> None:
    """A cache key that held a list, say, before we came: SET replaces it."""
    server.admin.rpush("k", "a list")
    with connect(server.url) as client:
        assert cache_of(client, 60).apply([write("k")]) == [Outcome.APPLIED]
    assert server.admin.get("k") == SECRET
