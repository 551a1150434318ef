"""Compares every key of a cluster with what it should hold, by commands made beforehand: it costs next to nothing."""

from __future__ import annotations

import contextlib
import socket
from typing import TYPE_CHECKING, Any

import hiredis
from tests.cluster.support import slot_of
from tests.faults.proxy import LOOPBACK
from tests.pipeline_faults.items import cache_key

from ddb_cache_sync.core.guards import guard_key

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from tests.pipeline_faults.items import Items
    from tests.pipeline_faults.servers import Servers

_MANY = 2000


class Checker:
    """Looks at the keys of a table, on their primaries."""

    def __init__(self, items: Items, servers: Servers) -> None:
        self._items = items
        self._servers = servers
        keys = [cache_key(key) for key in range(items.count)]
        self.slots = [slot_of(key) for key in keys]
        self._gets = [_packed("GET", key) for key in keys]

    def divergent(self) -> list[int]:
        """The keys that don't hold what they should. The stream has to be drained, and nobody at work."""
        value = self._items.value
        return [
            key
            for key, reply in self._replies([(key, self._gets[key]) for key in range(self._items.count)])
            if reply != value(key)
        ]

    def found(self, key: int) -> tuple[bytes | None, bytes | None]:
        """What a key and its guard hold."""
        guard = _packed("GET", guard_key(cache_key(key)))
        (_, value), (_, version) = self._replies([(key, self._gets[key]), (key, guard)])
        return value, version

    def forget_guards(self, keys: Sequence[int], values: Sequence[int]) -> int:
        """Let the guards of these keys expire, and remove the values of some; gives how many guards are gone."""
        guards = [guard_key(cache_key(key)) for key in keys]
        had = self._count([(key, _packed("EXISTS", guard)) for key, guard in zip(keys, guards, strict=True)])
        self._count([(key, _packed("PEXPIRE", guard, "1")) for key, guard in zip(keys, guards, strict=True)])
        self._count([(key, _packed("DEL", cache_key(key))) for key in values])
        while self._count([(key, _packed("EXISTS", guard)) for key, guard in zip(keys, guards, strict=True)]):
            pass
        return had

    def _count(self, commands: Sequence[tuple[int, bytes]]) -> int:
        return sum(reply for _, reply in self._replies(commands))

    def _replies(self, commands: Iterable[tuple[int, bytes]]) -> Iterator[tuple[int, Any]]:
        """Each key with the reply to its command, in no order unless they are of one node."""
        owners = self._servers.owners()
        by_owner: dict[int, list[tuple[int, bytes]]] = {}
        for key, command in commands:
            by_owner.setdefault(owners[self.slots[key]], []).append((key, command))
        with contextlib.ExitStack() as stack:
            for port, mine in by_owner.items():
                connection = stack.enter_context(socket.create_connection((LOOPBACK, port), timeout=60))
                reader = hiredis.Reader()
                for at in range(0, len(mine), _MANY):
                    part = mine[at : at + _MANY]
                    connection.sendall(b"".join(command for _, command in part))
                    for key, _ in part:
                        while (reply := reader.gets()) is False:
                            reader.feed(connection.recv(1 << 16))
                        if isinstance(reply, hiredis.ReplyError):
                            raise reply
                        yield key, reply


def _packed(*words: str) -> bytes:
    packed: bytes = hiredis.pack_command(words)  # type: ignore[arg-type]  # its stub means a tuple of any length
    return packed
