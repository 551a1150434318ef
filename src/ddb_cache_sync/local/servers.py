"""Server programs run as children of this one, so that none of them outlives it.

Rules kept here:

1. Only what was started here is ended, by its own process object.
2. A child has a session of its own: the terminal's Ctrl-C reaches the caller alone, who then stops it in order.
3. However the caller leaves (return, exception, Ctrl-C, exit, even SIGKILL), the child ends and its folder goes.
"""

from __future__ import annotations

import contextlib
import shutil
import socket
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from ddb_cache_sync.errors import CacheSyncError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

LOOPBACK = "127.0.0.1"

_Result = TypeVar("_Result")

_STOP_SECONDS = 5.0
_POLL_SECONDS = 0.01
_LOG_TAIL = 800  # characters of a server's log that go into an error
_START_ATTEMPTS = 5
_ADDRESS_IN_USE = "Address already in use"

# Waits on a pipe that only the caller holds. A line from it means an orderly end; the pipe's end without a line means
# that the caller is gone, killed perhaps, and that nobody else will clean up.
_WATCH = 'read -r _ && exit 0; kill "$1" 2>/dev/null; rm -rf "$2"'


class ServerError(CacheSyncError):
    """An embedded server did not start, or ended by itself."""


class PortTakenError(ServerError):
    """Another program took the chosen port between the choice and the start: try again with another."""


@dataclass(frozen=True, slots=True)
class ChildServer:
    """A server program that is running.

    Attributes:
        pid: Its process id.
        folder: Its working folder, removed when it ends.
        log: File that its output goes to.
        has_ended: Says whether it ended by itself.
        send_signal: Sends it a signal, and none to anyone else once it has ended.
    """

    pid: int
    folder: Path
    log: Path
    has_ended: Callable[[], bool]
    send_signal: Callable[[int], None]

    def read_log(self) -> str:
        """Give all that it has written so far."""
        return self.log.read_text(encoding="utf-8", errors="replace")


@contextlib.contextmanager
def temporary_folder(name: str) -> Iterator[Path]:
    """Give a new folder only this user can read, removed at the end."""
    folder = Path(tempfile.mkdtemp(prefix=f"{name}-"))
    try:
        yield folder
    finally:
        # A server killed in the middle of a write can leave the folder busy for a moment; it is temporary anyway.
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def child_server(
    command: Sequence[str], folder: Path, *, environment: Mapping[str, str] | None = None
) -> Iterator[ChildServer]:
    """Run a program in `folder` until the block is left, then end it: SIGTERM, and SIGKILL after 5 seconds.

    Args:
        command: Program and arguments.
        folder: Its working folder, which a killed caller's watcher removes.
        environment: All of its environment variables; None passes on the caller's.

    Raises:
        ServerError: The program can't be run.
    """
    log = folder / "server.log"
    try:
        with log.open("wb") as output:
            child = subprocess.Popen(  # noqa: S603 - no shell, and the commands are built in this package
                command,
                cwd=folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
    except OSError as error:
        raise ServerError(f"can't run {command[0]}: {error.strerror}") from None
    try:
        with _watcher(child.pid, folder):
            yield ChildServer(child.pid, folder, log, lambda: child.poll() is not None, child.send_signal)
    finally:
        _stop(child)


def wait_until(condition: Callable[[], bool], *, server: ChildServer, name: str, seconds: float) -> None:
    """Return once the condition holds.

    Args:
        condition: Asked every 10 ms.
        server: Whose end also ends the waiting.
        name: Of the server, for the error.
        seconds: How long to wait.

    Raises:
        PortTakenError: The server ended since another program has its port.
        ServerError: The server ended, or the time is over; with the end of its log.
    """
    deadline = time.monotonic() + seconds
    while not condition():
        ended = server.has_ended()
        # Asked again after its end: it may have fulfilled the condition just before.
        if condition():
            return
        if ended and _ADDRESS_IN_USE in server.read_log():
            raise PortTakenError(f"{name} found its port taken")
        if ended or time.monotonic() > deadline:
            reason = "ended while starting" if ended else f"was not ready within {seconds:g} s"
            raise ServerError(f"{name} {reason}; the end of its log: {server.read_log()[-_LOG_TAIL:].strip()}")
        time.sleep(_POLL_SECONDS)


def with_free_port(start: Callable[[int], _Result]) -> _Result:
    """Call `start` with a free port, and with another while it raises `PortTakenError`, five times at most."""
    for _ in range(_START_ATTEMPTS - 1):
        with contextlib.suppress(PortTakenError):
            return start(free_port())
    return start(free_port())


def free_port() -> int:
    """Give a TCP port of the loopback interface that nobody uses right now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.bind((LOOPBACK, 0))
        port: int = probe.getsockname()[1]
        return port


def is_listening(port: int) -> bool:
    """Say whether something accepts connections on this port of the loopback interface."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.settimeout(1)
        return probe.connect_ex((LOOPBACK, port)) == 0


@contextlib.contextmanager
def _watcher(pid: int, folder: Path) -> Iterator[None]:
    watcher = subprocess.Popen(  # noqa: S603 - a fixed script; number and path come as its arguments
        ["/bin/sh", "-c", _WATCH, "sh", str(pid), str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        yield
    finally:
        # Told before the child is reaped, so that it can never signal a process id that was given to another program.
        with contextlib.suppress(OSError):
            watcher.communicate(b"done\n", timeout=_STOP_SECONDS)
        watcher.wait()


def _stop(child: subprocess.Popen[bytes]) -> None:
    try:
        child.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(timeout=_STOP_SECONDS)
    finally:  # also after a second Ctrl-C
        if child.poll() is None:
            child.kill()
            child.wait()
