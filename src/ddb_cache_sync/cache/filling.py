"""Reads a Redis or Valkey server or cluster, and fills what is missing: what a `CacheReader` needs of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias

import redis

from ddb_cache_sync.cache.applier import RedisCache
from ddb_cache_sync.cache.contract import ReadableCache
from ddb_cache_sync.cache.replies import READING
from ddb_cache_sync.cache.rounds import Call, Keyed, ScriptCalls
from ddb_cache_sync.cache.scripts import CLAIM, FILL_UNMOVED, claim_command, fill_unmoved_command
from ddb_cache_sync.cache.topology import topology_of
from ddb_cache_sync.core.fills import Claimed, ClaimState
from ddb_cache_sync.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ddb_cache_sync.cache.contract import ReadResult, WriteResult
    from ddb_cache_sync.core.fills import Claim, Fill
    from ddb_cache_sync.errors import CacheError


Readable: TypeAlias = redis.Redis | redis.RedisCluster | ReadableCache
"""A client, or anything that keeps the contract of `ReadableCache`."""


class _Key(NamedTuple):
    key: str


class FillableRedisCache(RedisCache):
    """The same server or cluster as a `ReadableCache` too. One command a key: keys of a cluster share no slot."""

    def read(self, keys: Sequence[str], kind: str, deadline: float | None = None) -> Sequence[ReadResult]:
        """See `ReadableCache.read`."""
        return self._run(_single(_HASHES if kind == "hash" else _STRINGS, list(map(_Key, keys))), deadline)

    def claim(self, claims: Sequence[Claim], deadline: float | None = None) -> Sequence[Claimed | CacheError]:
        """See `ReadableCache.claim`."""
        return self._run(_single(_CLAIMS, claims), deadline)

    def fill_unmoved(self, fills: Sequence[Fill], deadline: float | None = None) -> Sequence[WriteResult]:
        """See `ReadableCache.fill_unmoved`."""
        return self._run(_single(_FILLS, fills), deadline)


def readable_cache_of(cache: object) -> ReadableCache:
    """A client wrapped as a `ReadableCache`; a `ReadableCache` as it is.

    Raises:
        ConfigurationError: Neither.
    """
    topology = topology_of(cache)
    if topology is not None:
        return FillableRedisCache(topology)
    if isinstance(cache, ReadableCache):
        return cache
    raise ConfigurationError(
        f"a {type(cache).__name__} is no cache that can be read",
        hint="Give what connect() returns, or a redis.Redis or redis.RedisCluster of your own.",
    )


def _single(how: ScriptCalls, questions: Sequence[Keyed]) -> Iterator[Call]:
    return (Call(how, place, [question]) for place, question in enumerate(questions))


def _string(_: int, reply: Any) -> Sequence[Any] | None:
    return [reply] if reply is None or isinstance(reply, bytes) else None


def _hash(_: int, reply: Any) -> Sequence[Any] | None:
    """Fields and contents in turn, or a mapping where the client speaks RESP3; a hash without fields does not exist."""
    if isinstance(reply, list):
        reply = dict(zip(reply[::2], reply[1::2], strict=True))
    return (
        [{name.decode(errors="surrogateescape"): content for name, content in reply.items()} or None]
        if isinstance(reply, dict)
        else None
    )


def _claimed(_: int, reply: Any) -> Sequence[Any] | None:
    match reply:
        case [bytes(state), bytes(version), bytes(holder)]:
            return [
                Claimed(ClaimState(state.decode()), version.decode(errors="replace"), holder.decode(errors="replace"))
            ]
    return None


_STRINGS: Final = ScriptCalls(None, lambda keys: ("GET", keys[0].key), _string, READING)
_HASHES: Final = ScriptCalls(None, lambda keys: ("HGETALL", keys[0].key), _hash, READING)
_CLAIMS: Final = ScriptCalls(CLAIM, lambda claims: claim_command(claims[0]), _claimed, READING)
_FILLS: Final = ScriptCalls(FILL_UNMOVED, lambda fills: fill_unmoved_command(fills[0]), purpose=READING)
