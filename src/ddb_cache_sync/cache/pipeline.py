"""Commands sent to one node as they come, replies read at the end.

redis-py's own pipeline packs everything, then sends, then reads; here the node works on the first commands while the
next are still being encoded. redis-py's cluster pipeline asks the server about the keys of every script call besides.
"""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING, Any, Final
from weakref import WeakKeyDictionary

from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ResponseError
from redis.exceptions import TimeoutError as RedisTimeoutError

from ddb_cache_sync.cache.packing import PUSHES, pack
from ddb_cache_sync.cache.replies import Fault, HandshakeError, fault_of
from ddb_cache_sync.cache.topology import CLIENT_ERRORS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import redis

    from ddb_cache_sync.cache.scripts import Command

_SEND_BYTES: Final = 16 * 1024  # small commands are sent together: a system call costs as much as packing one

_OLDEST_SECONDS: Final = 11 * 3600  # ElastiCache ends a connection that was made with an IAM token after 12 hours
_IN_USE_SINCE: Final[WeakKeyDictionary[Any, float]] = WeakKeyDictionary()  # by connection, monotonic


class NodePipeline:
    """One use of one connection: any number of `send`, one `replies`.

    Errors never leave it: a connection that breaks, or can't be had, is the reply of each command that it took with
    it. (A command whose reply was lost may have been carried out.)

    Args:
        node: The node's client.
        deadline: When to stop waiting for a reply, on the clock of `monotonic`; the client's own time-out may be
            shorter.
        monotonic: The clock.
    """

    def __init__(self, node: redis.Redis, deadline: float, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._pool = node.connection_pool
        self._deadline = deadline
        self._monotonic = monotonic
        self._connection: Any = None
        self._broken: Exception | None = None
        self._packed: list[bytes] = []
        self._packed_bytes = 0
        self._sent = 0
        self._preludes: list[tuple[int, int]] = []  # where those of a command stand in what is sent, how many
        try:
            self._connection = self._pool.get_connection()
            self._renew_if_old()
            # redis-py connects anew by itself where somebody else has closed the connection; the replies to what went
            # before are lost then, and those that come answer other commands.
            self._connection.register_connect_callback(self._reconnected)
        except CLIENT_ERRORS as error:
            self._broken = HandshakeError() if fault_of(error) is Fault.COMMAND else error
        except BaseException:
            self.close()
            raise

    def send(self, command: Command, preludes: Sequence[Command] = ()) -> None:
        """Send a command, after others that make it possible; sends nothing on a broken connection.

        An error in answer to one of those is the reply of the command.
        """
        if preludes:
            self._preludes.append((self._sent, len(preludes)))
            for prelude in preludes:
                self._send(prelude)
        self._send(command)

    def _send(self, command: Command) -> None:
        self._sent += 1
        if self._broken is None:
            packed = pack(command)
            self._packed.append(packed)
            self._packed_bytes += len(packed)
            if self._packed_bytes >= _SEND_BYTES:
                self.flush()

    def flush(self) -> None:
        """Send what is packed and not sent yet."""
        if self._broken is None and self._packed:
            try:
                self._connection.send_packed_command([b"".join(self._packed)], check_health=False)
            except CLIENT_ERRORS as error:
                self._broken = error
        self._packed.clear()
        self._packed_bytes = 0

    def replies(self) -> list[Any]:
        """A reply for each command, in order, errors among them as exceptions; the connection goes back to its pool."""
        self.flush()
        try:
            replies = self._read()
        finally:
            self.close(clean=self._broken is None)
        replies += [self._broken] * (self._sent - len(replies))
        return self._without_preludes(replies) if self._preludes else replies

    def close(self, *, clean: bool = False) -> None:
        """Give the connection back; closed first unless every reply was read. Does nothing the second time."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.deregister_connect_callback(self._reconnected)
            if not clean:
                connection.disconnect()
            self._pool.release(connection)

    def _reconnected(self, _connection: Any) -> None:
        self._broken = RedisConnectionError("closed by somebody else, and connected anew")

    def _renew_if_old(self) -> None:
        """Connect anew before the server ends the connection in the midst of a batch."""
        now = self._monotonic()
        if now - _IN_USE_SINCE.setdefault(self._connection, now) > _OLDEST_SECONDS:
            self._connection.disconnect()
            self._connection.connect()
            _IN_USE_SINCE[self._connection] = now

    def _read(self) -> list[Any]:
        """The replies until all are read or the connection breaks."""
        replies: list[Any] = []
        connection = self._connection
        try:
            while len(replies) < self._sent and self._broken is None:
                left = self._deadline - self._monotonic()
                # Asked first, where a client was made without a time-out, or with one past our deadline: each question
                # costs as much as reading a reply. Looked at each time, since a server's notice can change it.
                longest = getattr(connection, "socket_timeout", None) or math.inf
                if longest > left and not connection.can_read(max(0.0, left)):
                    raise RedisTimeoutError("no reply in time")
                try:
                    reply = connection.read_response(disable_decoding=True)
                except ResponseError as error:
                    reply = error
                if not isinstance(reply, PUSHES):
                    replies.append(reply)
        except CLIENT_ERRORS as error:
            self._broken = error
        except (AttributeError, TypeError, ValueError):
            # What redis-py's parsers run into when another thread closes the connection under them.
            if getattr(connection, "_sock", None) is not None:
                raise
            self._broken = RedisConnectionError("closed by somebody else")
        return replies

    def _without_preludes(self, replies: list[Any]) -> list[Any]:
        own: list[Any] = []
        at = 0
        for first, count in self._preludes:
            own += replies[at:first]
            at = first + count
            refused = [reply for reply in replies[first:at] if isinstance(reply, Exception)]
            own.append(refused[0] if refused else replies[at])
            at += 1
        return own + replies[at:]
