"""Writes to send, a backoff that is watched, and servers' own counts."""

from __future__ import annotations

import contextlib
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

import ddb_cache_sync
from ddb_cache_sync import connect
from ddb_cache_sync.cache.backoff import Backoff
from ddb_cache_sync.core.guards import guard_key
from ddb_cache_sync.core.versions import Version
from ddb_cache_sync.core.writes import Write

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    import pytest
    import redis

LABEL = 1_745_415_436_991
SECRET = b"swordfish-4711"
"""In every value that is written: wherever it shows up besides, contents leak."""

# The smallest permissions that the applier works with, found by experiment; keys aside.
APPLY_PERMISSIONS = ("+evalsha", "+script|load", "+set", "+del")
FILL_PERMISSIONS = ("+evalsha", "+script|load", "+set", "+exists")
HASH_PERMISSIONS = ("+hset", "+del")
EXPIRY_PERMISSIONS = ("+pexpireat",)
REFRESH_PERMISSIONS = ("+pttl", "+pexpire")
"""In addition, for what not everybody uses."""
LOOKUP_PERMISSIONS = ("+hget", "+hset", "+hdel", "+get", "+pexpire", "+persist")
READER_PERMISSIONS = ("+evalsha", "+script|load", "+get", "+set", "+del", "+exists")
"""For a reader that fills what it misses."""
VERIFY_PERMISSIONS = ("+scan", "+get", "+pttl")
REPAIR_PERMISSIONS = (*VERIFY_PERMISSIONS, "+evalsha", "+script|load", "+set", "+del")
DROP_PERMISSIONS = ("+scan", "+pttl", "+evalsha", "+script|load", "+unlink")
CLUSTER_PERMISSIONS = ("+cluster|slots", "+command", "+asking")
"""In addition, on a cluster: to learn the slots, and to follow a slot that is being moved."""


def write(key: str, sequence_number: int = 1, value: bytes | None = SECRET) -> Write:
    """A write of this key."""
    return Write(key, guard_key(key), Version.of(LABEL, str(sequence_number)), value)


def writes(count: int, sequence_number: int = 1, prefix: str = "k") -> list[Write]:
    """As many writes, of the keys k0, k1 and so on."""
    return [write(f"{prefix}{number}", sequence_number, SECRET + b"-%d" % number) for number in range(count)]


def held(get: Callable[[str], bytes | None], expected: Iterable[Write]) -> bool:
    """Say whether a cache holds just what these writes say."""
    return all(get(each.key) == each.value for each in expected)


def getter(client: redis.Redis | redis.RedisCluster) -> Callable[[str], bytes | None]:
    """GET."""
    return lambda key: cast("bytes | None", client.get(key))


def any_getter(client: redis.Redis | redis.RedisCluster) -> Callable[[str], Any]:
    """GET, or HGETALL where the key holds a hash."""
    return lambda key: client.hgetall(key) if client.type(key) == b"hash" else client.get(key)


def calls(client: redis.Redis, command: str) -> int:
    """How often the server has carried this command out, or refused it, since `CONFIG RESETSTAT`."""
    stats = cast("dict[str, dict[str, Any]]", client.info("commandstats"))
    entry = stats.get(f"cmdstat_{command}", {})
    return int(entry.get("calls", 0)) + int(entry.get("rejected_calls", 0))


@dataclass
class WatchedBackoff:
    """Waits that are shortened, on a clock that jumps ahead by what was cut; and counted.

    Attributes:
        bounds: The bound of each wait, as if the random number were 1.
    """

    bounds: list[float] = field(default_factory=list)
    ahead: float = 0.0

    def monotonic(self) -> float:
        """Give the time, with what was not slept."""
        return time.monotonic() + self.ahead

    def sleep(self, seconds: float) -> None:
        """Sleep a thousandth of it."""
        self.bounds.append(seconds)
        time.sleep(seconds / 1000)
        self.ahead += seconds * 0.999

    def backoff(self) -> Backoff:
        """Give the waits themselves."""
        return Backoff(monotonic=self.monotonic, sleep=self.sleep, fraction=lambda: 1.0)


@contextlib.contextmanager
def closing_connections(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Close, in the end, what code that was written for readers has connected to by `connect`."""
    with contextlib.ExitStack() as stack:
        monkeypatch.setattr(
            ddb_cache_sync, "connect", lambda *args, **kwargs: stack.enter_context(connect(*args, **kwargs))
        )
        yield


def limit(server: redis.Redis, permissions: Iterable[str]) -> None:
    """Make a user `applier`, password `secret`, with these permissions on all keys and with no others."""
    words = ("ACL", "SETUSER", "applier", "reset", "on", ">secret", "~*", "-@all", *permissions)
    server.execute_command(*words)  # type: ignore[no-untyped-call]


def as_applier(url: str) -> str:
    """The URL with that user."""
    return url.replace("://", "://applier:secret@")
