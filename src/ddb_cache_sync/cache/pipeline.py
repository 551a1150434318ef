"""Commands sent to one node as they come, replies read at the end.

redis-py's own pipeline packs everything, then sends, then reads; here the node works on the first commands while the
next are still being encoded.
"""

from typing import Any

import redis


class NodePipeline:
    """One use of one connection: any number of `send`, one `replies`.

    Errors never leave it: a connection that breaks, or can't be had, is the reply of each command that it took with
    it. (A command whose reply was lost may have been carried out.)
    """

    def __init__(self, node: redis.Redis) -> None:
        self._pool = node.connection_pool
        self._connection: Any = None
        self._broken: Exception | None = None
        self._sent = 0
        try:
            self._connection = self._pool.get_connection()
        except (redis.RedisError, OSError) as error:
            self._broken = error

    def send(self, *command: str | bytes | int) -> None:
        """Send one command. Does nothing on a broken connection but count the command."""
        self._sent += 1
        if self._broken is not None:
            return
        try:
            self._connection.send_packed_command(self._connection.pack_command(*command), check_health=False)
        except (redis.RedisError, OSError) as error:
            self._broken = error

    def replies(self) -> list[Any]:
        """A reply for each command, in order, errors among them as exceptions; the connection goes back to its pool."""
        replies: list[Any] = []
        try:
            while len(replies) < self._sent and self._broken is None:
                try:
                    replies.append(self._connection.read_response())
                except redis.ResponseError as error:
                    replies.append(error)
                except (redis.RedisError, OSError) as error:
                    self._broken = error
        finally:
            self.close(clean=len(replies) == self._sent)
        return replies + [self._broken] * (self._sent - len(replies))

    def close(self, *, clean: bool) -> None:
        """Give the connection back; closed first unless every reply was read. Does nothing the second time."""
        connection, self._connection = self._connection, None
        if connection is None:
            return
        if not clean:
            connection.disconnect()
        self._pool.release(connection)
