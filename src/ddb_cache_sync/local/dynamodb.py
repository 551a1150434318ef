"""DynamoDB on this machine: moto's server, or Amazon's DynamoDB Local where the caller has it.

moto comes with the extra `demo` and starts in half a second. It runs as a program of its own: in a thread it would
share the interpreter with the pipeline, and while that is busy it answered 5 writes a second instead of 30 (without
other work both gave about 300). DynamoDB Local is closer to the service: it deletes expired items, and a write that
changes nothing makes no stream record.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import re
import shutil
import signal
import socket
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ddb_cache_sync.errors import ConfigurationError, TableError
from ddb_cache_sync.local.servers import (
    LOOPBACK,
    PortTakenError,
    child_server,
    is_listening,
    temporary_folder,
    wait_until,
    with_free_port,
)
from ddb_cache_sync.table.clients import AWS_ERRORS, StaticCredentials, dynamodb_client, streams_client, translate

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.literals import StreamViewTypeType
    from mypy_boto3_dynamodbstreams import DynamoDBStreamsClient

    from ddb_cache_sync.local.servers import ChildServer

_CREDENTIALS = StaticCredentials("local", "local")
_REGION = "us-east-1"
_MOTO_PROGRAM = Path(__file__).with_name("moto_program.py")
_MOTO_NEEDS = ("moto", "flask", "flask_cors")
_START_SECONDS = 30.0
_LISTENING = re.compile(r"^listening on (\d+)$", re.MULTILINE)
_BIND_FAILURE = "Failed to bind"
_HALT_SECONDS = 0.2  # any other server on this machine answers within it
_ANSWER_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class EmbeddedDynamoDB:
    """A DynamoDB server on this machine that is running, with no table yet.

    Attributes:
        endpoint_url: `http://127.0.0.1:<port>`.
        region: The Region to ask for; DynamoDB Local keeps each Region's tables apart.
        pid: Its process id.
    """

    endpoint_url: str
    region: str
    pid: int

    def client(self) -> DynamoDBClient:
        """Build a client of its tables, with credentials it takes; the environment's are left alone."""
        return dynamodb_client(self.region, self.endpoint_url, credentials=_CREDENTIALS)

    def streams(self) -> DynamoDBStreamsClient:
        """Build a client of its streams; the environment's credentials are left alone."""
        return streams_client(self.region, self.endpoint_url, credentials=_CREDENTIALS)

    @property
    def environment(self) -> Mapping[str, str]:
        """Variables that send another program, or boto3's own clients, to this server."""
        return {
            "AWS_ACCESS_KEY_ID": _CREDENTIALS.access_key_id,
            "AWS_SECRET_ACCESS_KEY": _CREDENTIALS.secret_access_key,
            "AWS_REGION": self.region,
            "AWS_DEFAULT_REGION": self.region,
            "AWS_ENDPOINT_URL_DYNAMODB": self.endpoint_url,
            "AWS_ENDPOINT_URL_DYNAMODB_STREAMS": self.endpoint_url,
        }


@contextlib.contextmanager
def embedded_dynamodb() -> Iterator[EmbeddedDynamoDB]:
    """Run moto's DynamoDB, empty and in memory, until the block is left.

    Raises:
        ConfigurationError: moto's server is not installed.
        ServerError: It did not start.
    """
    if any(importlib.util.find_spec(name) is None for name in _MOTO_NEEDS):
        raise ConfigurationError(
            "the embedded DynamoDB is not installed", hint="Run pip install 'ddb-cache-sync[demo]'."
        )
    # -P: the program's own folder is not searched, where modules have names that moto's dependencies have too.
    command = [sys.executable, "-P", str(_MOTO_PROGRAM)]
    with temporary_folder("moto") as folder, child_server(command, folder) as child:
        wait_until(lambda: _announced_port(child) is not None, server=child, name="moto", seconds=_START_SECONDS)
        yield EmbeddedDynamoDB(f"http://{LOOPBACK}:{_announced_port(child)}", _REGION, child.pid)


@contextlib.contextmanager
def dynamodb_local(jar: str | os.PathLike[str]) -> Iterator[EmbeddedDynamoDB]:
    """Run Amazon's DynamoDB Local, in memory, until the block is left; it takes about two seconds to start.

    It listens on every network interface, as it knows no option to listen on one only.

    Args:
        jar: Path of DynamoDBLocal.jar, the folder DynamoDBLocal_lib beside it.

    Raises:
        ConfigurationError: The JAR, its libraries or Java are missing.
        ServerError: It did not start.
    """
    path = Path(jar).resolve()
    libraries = path.with_name("DynamoDBLocal_lib")
    if not path.is_file() or not libraries.is_dir():
        raise ConfigurationError(
            f"{path} is not DynamoDB Local's JAR with the folder {libraries.name} beside it",
            hint="Download DynamoDB Local from AWS, unpack it and give the path of DynamoDBLocal.jar.",
        )
    command = [_java(), f"-Djava.library.path={libraries}", "-jar", str(path), "-inMemory", "-disableTelemetry"]
    with contextlib.ExitStack() as stack:
        yield with_free_port(lambda port: _start_dynamodb_local(stack, command, port))


def create_demo_table(
    client: DynamoDBClient,
    name: str,
    *,
    partition_key: str = "id",
    view_type: StreamViewTypeType = "NEW_AND_OLD_IMAGES",
) -> str:
    """Create an on-demand table with a partition key of type S and a stream, and wait until it is active.

    Returns:
        The stream's ARN.

    Raises:
        TableError: It exists already, was refused, or did not become active within a minute.
        ConfigurationError: Credentials are missing.
    """
    try:
        created = client.create_table(
            TableName=name,
            BillingMode="PAY_PER_REQUEST",
            KeySchema=[{"AttributeName": partition_key, "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": partition_key, "AttributeType": "S"}],
            StreamSpecification={"StreamEnabled": True, "StreamViewType": view_type},
        )
        client.get_waiter("table_exists").wait(TableName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 60})
    except client.exceptions.ResourceInUseException:
        raise TableError(f"table {name} exists already", hint="Choose another name, or delete it first.") from None
    except AWS_ERRORS as error:
        raise translate(error, f"create table {name}") from None
    stream_arn = created["TableDescription"].get("LatestStreamArn")
    if stream_arn is None:
        raise TableError(f"table {name} was created without a stream")
    return stream_arn


def _announced_port(child: ChildServer) -> int | None:
    match = _LISTENING.search(child.read_log())
    return int(match[1]) if match else None


def _java() -> str:
    home = os.environ.get("JAVA_HOME")
    found = shutil.which("java", path=os.path.join(home, "bin")) if home else None  # noqa: PTH118 - a PATH entry
    found = found or shutil.which("java")
    if found is None:
        raise ConfigurationError("DynamoDB Local needs Java", hint="Install Java 17 or newer, or set JAVA_HOME.")
    return found


def _start_dynamodb_local(stack: contextlib.ExitStack, command: list[str], port: int) -> EmbeddedDynamoDB:
    with contextlib.ExitStack() as attempt:
        folder = attempt.enter_context(temporary_folder("dynamodb-local"))
        child = attempt.enter_context(child_server([*command, "-port", str(port)], folder))

        def is_ready() -> bool:
            # Where its port is taken, DynamoDB Local says so and goes on running.
            if _BIND_FAILURE in child.read_log():
                raise PortTakenError("DynamoDB Local found its port taken")
            return is_listening(port) and _is_ours(child, port)

        wait_until(is_ready, server=child, name="DynamoDB Local", seconds=_START_SECONDS)
        stack.enter_context(attempt.pop_all())
    return EmbeddedDynamoDB(f"http://{LOOPBACK}:{port}", _REGION, child.pid)


def _is_ours(child: ChildServer, port: int) -> bool:
    """Say whether it is the child that answers on this port, by halting it for a moment.

    Another program may have taken the port while Java was starting, and even be a DynamoDB Local.

    Raises:
        PortTakenError: An answer came while the child was halted.
    """
    with socket.create_connection((LOOPBACK, port), timeout=_ANSWER_SECONDS) as connection:
        child.send_signal(signal.SIGSTOP)
        try:
            connection.settimeout(_HALT_SECONDS)
            with contextlib.suppress(TimeoutError):
                with contextlib.suppress(ConnectionError):  # a closed connection is an answer too
                    connection.sendall(b"GET / HTTP/1.0\r\n\r\n")
                    connection.recv(1)
                raise PortTakenError("another program took the port of DynamoDB Local")
        finally:
            child.send_signal(signal.SIGCONT)
        connection.settimeout(_ANSWER_SECONDS)
        try:
            return connection.recv(1) != b""
        except OSError:
            return False
