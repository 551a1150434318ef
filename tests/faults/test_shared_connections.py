"""What others do to a connection in the midst of a batch, and what a failed log-in leaves behind."""

import threading
from collections.abc import Iterator

import pytest
import redis
from redis._parsers import _HiredisParser, _RESP2Parser
from redis.credentials import CredentialProvider

from ddb_cache_sync import CacheError, CacheUnavailable, Image, JsonEncoding, Replicator, connect
from ddb_cache_sync.cache import pipeline
from ddb_cache_sync.cache.applier import RedisCache
from ddb_cache_sync.cache.backoff import Backoff
from ddb_cache_sync.cache.topology import Standalone, topology_of
from ddb_cache_sync.core.guards import guard_key
from ddb_cache_sync.core.outcomes import Outcome
from ddb_cache_sync.core.versions import Version
from ddb_cache_sync.core.writes import Write
from ddb_cache_sync.testing import stream_record

pytestmark = pytest.mark.servers


@pytest.fixture
def client(redis_client: redis.Redis, redis_url: str) -> Iterator[redis.Redis]:
    """Connect as a user of the library does; the server was flushed."""
    with connect(redis_url) as client:
        assert isinstance(client, redis.Redis)
        yield client


def test_connections_closed_by_another_thread_lose_nothing(client: redis.Redis, redis_client: redis.Redis) -> None:
    """redis-py connects anew by itself; replies that are left over are not taken for those of other commands.

    So that something is really lost: replies are waiting unread, and commands unread by a server that pauses.
    """
    closed: list[bool] = []

    class ClosesInTheMiddle(JsonEncoding):
        def encode(self, item: Image) -> bytes:
            if item["id"] == "200" and not closed:
                while not redis_client.exists("T:1"):
                    pass  # the first calls are on their way
                redis_client.execute_command("CLIENT", "PAUSE", 5000, "WRITE")  # type: ignore[no-untyped-call]
            if item["id"] == "600" and not closed:
                closed.append(True)
                thread = threading.Thread(target=client.connection_pool.disconnect)
                thread.start()
                thread.join()
                redis_client.execute_command("CLIENT", "UNPAUSE")  # type: ignore[no-untyped-call]
            return super().encode(item)

    records = [
        stream_record({"id": str(i)}, {"id": str(i), "notes": "x" * 400}, sequence_number=i + 1) for i in range(1000)
    ]
    Replicator(client).apply(records[:1])  # loads the script: else the first round settles nothing
    report = Replicator(client, encoding=ClosesInTheMiddle()).apply(records)
    assert closed
    assert report.applied == 1000
    assert client.exists(*(f"T:{i}" for i in range(1000))) == 1000


@pytest.mark.parametrize("with_hiredis", [True, False], ids=["hiredis", "pure Python"])
@pytest.mark.parametrize("waiting", [False, True], ids=["before the first reply", "waiting for it"])
def test_connections_closed_by_another_thread_while_replies_are_read_lose_nothing(
    redis_client: redis.Redis, redis_url: str, *, waiting: bool, with_hiredis: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The parser loses its socket: whatever it runs into then is a connection that broke."""
    parser = _HiredisParser if with_hiredis else _RESP2Parser
    pool = redis.ConnectionPool.from_url(redis_url, parser_class=parser, protocol=2, socket_timeout=5)
    closed: list[threading.Thread] = []
    replies = pipeline.NodePipeline.replies

    def close() -> None:
        if waiting:
            threading.Event().wait(0.1)
        pool.disconnect()
        redis_client.execute_command("CLIENT", "UNPAUSE")  # type: ignore[no-untyped-call]

    def closing(self: pipeline.NodePipeline) -> list[object]:
        self.flush()
        if not closed:
            closed.append(threading.Thread(target=close))
            closed[0].start()
            if not waiting:
                closed[0].join()
        return replies(self)

    with redis.Redis(connection_pool=pool) as client:
        Replicator(client).apply([stream_record({"id": "1"}, {"id": "1"}, sequence_number=1)])  # loads the script
        monkeypatch.setattr(pipeline.NodePipeline, "replies", closing)
        redis_client.execute_command("CLIENT", "PAUSE", 5000, "WRITE")  # type: ignore[no-untyped-call]
        report = Replicator(client).apply([stream_record({"id": "2"}, {"id": "2"}, sequence_number=2)])
    closed[0].join()
    assert report.applied == 1
    assert redis_client.exists("T:2")


def test_a_pool_that_spares_no_connection_is_no_reason_to_fail(redis_url: str, redis_client: redis.Redis) -> None:
    """`BlockingConnectionPool` of redis-py 5 and 6 knows no other way to disconnect."""

    class Blunt(redis.ConnectionPool):
        def disconnect(self) -> None:  # type: ignore[override]
            super().disconnect()

    topology = topology_of(redis.Redis(connection_pool=Blunt.from_url(redis_url)))
    assert topology is not None
    topology.refresh()


class FailsOnce(CredentialProvider):
    """Fails as a provider of ours does, then logs in as nobody in particular."""

    def __init__(self) -> None:
        self.asked = 0

    def get_credentials(self) -> tuple[str, str]:
        self.asked += 1
        if self.asked == 1:
            raise CacheUnavailable("the secret can't be read")
        return ("default", "")


def one_write() -> list[Write]:
    return [Write("k", guard_key("k"), Version.of(1, "1"), b"v")]


def test_a_failed_log_in_leaves_no_connection_that_nobody_logged_in(redis_client: redis.Redis, redis_url: str) -> None:
    """The next batch asks for credentials again."""
    provider = FailsOnce()
    cache = RedisCache(Standalone(connect(redis_url, credentials=provider)))  # type: ignore[arg-type]
    with pytest.raises(CacheUnavailable, match="secret"):
        cache.apply(one_write())
    assert cache.apply(one_write()) == [Outcome.APPLIED]
    assert provider.asked == 2


def test_a_connection_that_can_not_be_renewed_is_given_back(redis_client: redis.Redis, redis_url: str) -> None:
    """A pool of one connection works on after the provider failed."""
    now = [0.0]
    client = connect(redis_url, max_connections=1)
    assert isinstance(client, redis.Redis)
    cache = RedisCache(Standalone(client), backoff=Backoff(monotonic=lambda: now[0]))
    assert cache.apply(one_write()) == [Outcome.APPLIED]
    provider = FailsOnce()
    connection = client.connection_pool.get_connection()
    connection.credential_provider = provider
    client.connection_pool.release(connection)
    now[0] = pipeline._OLDEST_SECONDS + 1.0
    with pytest.raises(CacheUnavailable, match="secret"):
        cache.apply(one_write())
    assert cache.apply(one_write()) == [Outcome.APPLIED]


def test_a_database_that_is_not_there_is_no_fault_of_a_record(redis_url: str) -> None:
    """The server refuses the connection, so the whole batch fails, at once and with a hint."""
    cache = RedisCache(Standalone(connect(f"{redis_url}/99")))  # type: ignore[arg-type]
    with pytest.raises(CacheError, match=r"HANDSHAKE.*database number"):
        cache.apply(one_write())
