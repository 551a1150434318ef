"""Connections that wait no longer than the deadline of the batch they serve.

Rule: whatever a connection of `connect` waits for (the server's host, TLS, AUTH, a cluster's slots, room to send), it
waits for the shorter of its own time-out and what is left until the deadline. (Looking up the host's name has the
resolver's own time-out.)
"""

from __future__ import annotations

import contextlib
import socket
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Final

import redis

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_LEAST_SECONDS: Final = 0.01  # a healthy cache nearby answers in less; zero would mean not to wait for anything

_remaining: ContextVar[Callable[[], float] | None] = ContextVar("ddb_cache_sync_remaining", default=None)


@contextlib.contextmanager
def waiting_until(deadline: float, monotonic: Callable[[], float]) -> Iterator[None]:
    """Bound by this deadline, on this clock, what connections used in the block wait for."""
    token = _remaining.set(lambda: deadline - monotonic())
    try:
        yield
    finally:
        _remaining.reset(token)


def bounded(seconds: float | None) -> float | None:
    """The time-out, or what is left until the deadline where that is less. None: without end."""
    remaining = _remaining.get()
    if remaining is None:
        return seconds
    left = max(_LEAST_SECONDS, remaining())
    return left if seconds is None else min(seconds, left)


class BoundedPool(redis.ConnectionPool):
    """A pool of such connections."""

    def __init__(self, connection_class: type[Any] = redis.Connection, **arguments: Any) -> None:
        if issubclass(connection_class, redis.SSLConnection):
            # The cluster client of redis-py 5.3 does not pass it on, and there it is off by default.
            arguments.setdefault("ssl_check_hostname", True)
        super().__init__(_BOUNDED.get(connection_class, connection_class), **arguments)


class _Bounded(redis.Connection):
    """Over TCP. A socket of the same machine answers or refuses at once."""

    _sock: Any
    _socket_connect_timeout: float | None

    @property
    def socket_connect_timeout(self) -> float | None:
        """How long each address of the host is tried, seconds."""
        return bounded(self._socket_connect_timeout)

    @socket_connect_timeout.setter
    def socket_connect_timeout(self, value: float | None) -> None:
        self._socket_connect_timeout = value

    def connect(self) -> None:
        """Connect, and leave no half-made connection behind: one whose credentials could not be had, for instance."""
        with self._closed_on_failure():
            super().connect()  # type: ignore[no-untyped-call]

    def connect_check_health(self, *arguments: Any, **options: Any) -> None:
        """As `connect`; what redis-py 6 and newer connect by themselves with."""
        with self._closed_on_failure():
            super().connect_check_health(*arguments, **options)

    @contextlib.contextmanager
    def _closed_on_failure(self) -> Iterator[None]:
        try:
            yield
        except BaseException:
            self.disconnect()  # type: ignore[no-untyped-call]
            raise

    def send_packed_command(self, command: Any, check_health: bool = True) -> None:  # noqa: FBT001, FBT002 - redis-py's
        """Send it, and bound the wait for its reply."""
        if self._sock is not None:
            self._sock.settimeout(bounded(self.socket_timeout))
        super().send_packed_command(command, check_health)  # type: ignore[no-untyped-call]


class _AskedLate(socket.socket):
    """A socket that tells its time-out when the handshake begins.

    Loading the certificate authorities goes before, and takes so long on a small function that a time-out set ahead of
    it would run past the deadline.
    """

    seconds: float | None

    def gettimeout(self) -> float | None:
        return bounded(self.seconds)


class _BoundedTls(_Bounded, redis.SSLConnection):
    def _wrap_socket_with_ssl(self, sock: socket.socket) -> Any:
        late = _AskedLate(sock.family, sock.type, sock.proto, fileno=sock.detach())
        late.seconds = self.socket_timeout
        try:
            return super()._wrap_socket_with_ssl(late)  # type: ignore[no-untyped-call]
        except BaseException:
            late.close()
            raise


_BOUNDED: Final[dict[type[Any], type[Any]]] = {redis.Connection: _Bounded, redis.SSLConnection: _BoundedTls}
