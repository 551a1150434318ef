"""Looks into a Redis or Valkey server or cluster, repairs and drops keys: for verify, repair, inspect and rebuild."""

from __future__ import annotations

import contextlib
import re
from itertools import islice
from typing import TYPE_CHECKING, Any, Final, NamedTuple, cast

import redis
from redis.crc import key_slot

from ddb_cache_sync.cache.contract import InspectableCache
from ddb_cache_sync.cache.filling import FillableRedisCache
from ddb_cache_sync.cache.replies import READING, UNREACHABLE_HINT, Fault, code_of, fault_of, refusal
from ddb_cache_sync.cache.rounds import Call, ScriptCalls
from ddb_cache_sync.cache.scripts import DROP, REPAIR, drop_command, repair_command
from ddb_cache_sync.cache.topology import CLIENT_ERRORS, Cluster, Topology, address_of, failure, topology_of
from ddb_cache_sync.core.guards import DEFAULT_GUARD_TTL_SECONDS
from ddb_cache_sync.core.lookup_words import parse_words
from ddb_cache_sync.errors import CacheError, CacheUnavailable, ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from random import Random

    from ddb_cache_sync.cache.contract import WriteResult
    from ddb_cache_sync.core.drops import Drop
    from ddb_cache_sync.core.lookup_words import LastWord
    from ddb_cache_sync.core.repairs import Repair

_PAGE: Final = 1000  # keys in one SCAN step
_MOST_PAGES: Final = 200  # that a sample looks through on one node: keys of others may be most of them
_GLOB: Final = re.compile(r"([*?\[\]\\^])")


class _Key(NamedTuple):
    key: str


class InspectableRedisCache(FillableRedisCache):
    """The same server or cluster as an `InspectableCache` too."""

    def __init__(self, topology: Topology, *, guard_ttl_seconds: int = DEFAULT_GUARD_TTL_SECONDS) -> None:
        super().__init__(topology, guard_ttl_seconds=guard_ttl_seconds)
        self._repair = ScriptCalls(REPAIR, lambda repairs: repair_command(repairs, guard_ttl_seconds))

    def versions(self, guards: Sequence[str], deadline: float | None = None) -> Sequence[str | CacheError]:
        """See `InspectableCache.versions`."""
        return self._run((Call(_VERSIONS, place, [_Key(key)]) for place, key in enumerate(guards)), deadline)

    def last_words(
        self, guards: Sequence[str], deadline: float | None = None
    ) -> Sequence[Mapping[str, LastWord] | CacheError]:
        """See `InspectableCache.last_words`."""
        return self._run((Call(_WORDS, place, [_Key(key)]) for place, key in enumerate(guards)), deadline)

    def lifetimes_ms(self, keys: Sequence[str], deadline: float | None = None) -> Sequence[int | CacheError | None]:
        """See `InspectableCache.lifetimes_ms`."""
        return self._run((Call(_LIFETIMES, place, [_Key(key)]) for place, key in enumerate(keys)), deadline)

    def repair(self, repairs: Sequence[Repair], deadline: float | None = None) -> Sequence[WriteResult]:
        """See `InspectableCache.repair`."""
        return self._run((Call(self._repair, place, [each]) for place, each in enumerate(repairs)), deadline)

    def drop(self, drops: Sequence[Drop], deadline: float | None = None) -> Sequence[WriteResult]:
        """See `InspectableCache.drop`."""
        return self._run((Call(_DROPS, place, [each]) for place, each in enumerate(drops)), deadline)

    def keys_beginning(self, beginning: str) -> Iterator[Sequence[str]]:
        """See `InspectableCache.keys_beginning`."""
        with _reading(self._topology):
            for node in self._topology.primaries():
                found = node.scan_iter(match=_pattern(beginning), count=_PAGE)
                while page := list(islice(found, _PAGE)):
                    # A key that is no UTF-8 was not made by a key mapping.
                    yield [key for key in map(_text, page) if key is not None]

    def some_keys(self, beginning: str, most: int, chance: Random) -> Sequence[str]:
        """See `InspectableCache.some_keys`."""
        found: dict[str, None] = {}
        with _reading(self._topology):
            nodes = self._topology.primaries()
            for node in nodes:
                theirs: dict[str, None] = {}
                share = -(-most // len(nodes))
                for page in islice(_pages_from(node, _pattern(beginning), chance.getrandbits(48)), _MOST_PAGES):
                    theirs |= dict.fromkeys(key for key in map(_text, page) if key is not None)
                    if len(theirs) >= share:
                        break
                found |= dict.fromkeys(islice(theirs, share))
        return [*islice(found, most)]

    def remember(self, key: str, value: bytes, seconds: int, deadline: float | None = None) -> None:
        """See `InspectableCache.remember`."""
        how = ScriptCalls(None, lambda _: ("SET", key, value, "EX", str(seconds)), lambda *_: [None])
        self._run([Call(how, 0, [_Key(key)])], deadline)

    def place_of(self, key: str) -> tuple[int | None, str]:
        """See `InspectableCache.place_of`."""
        node = self._topology.node_of(key)
        address = None if node is None else address_of(node)
        return (int(key_slot(key.encode())) if isinstance(self._topology, Cluster) else None), address or "?"


def inspectable_cache_of(cache: object, guard_ttl_seconds: int = DEFAULT_GUARD_TTL_SECONDS) -> InspectableCache:
    """A client wrapped as an `InspectableCache`; an `InspectableCache` as it is.

    Raises:
        ConfigurationError: Neither.
    """
    topology = topology_of(cache)
    if topology is not None:
        return InspectableRedisCache(topology, guard_ttl_seconds=guard_ttl_seconds)
    if isinstance(cache, InspectableCache):
        return cache
    raise ConfigurationError(
        f"a {type(cache).__name__} is no cache that can be looked into",
        hint="Give what connect() returns, or a redis.Redis or redis.RedisCluster of your own.",
    )


def _pattern(beginning: str) -> str:
    return _GLOB.sub(r"\\\1", beginning) + "*"


@contextlib.contextmanager
def _reading(topology: Topology) -> Iterator[None]:
    """Translate what goes wrong while keys are looked for."""
    try:
        yield
    except CLIENT_ERRORS as error:
        if fault_of(error) is Fault.REFUSED:
            raise refusal(code_of(error), READING) from None
        raise CacheUnavailable(
            f"the cache can't be read ({failure(code_of(error), topology)})",
            hint=f"{UNREACHABLE_HINT}, and try again.",
        ) from None


def _pages_from(node: redis.Redis, pattern: str, cursor: int) -> Iterator[Sequence[object]]:
    """What SCAN gives from any cursor on to the end, and then from the beginning.

    A cursor stands for a place among hashes, so any number is one; a server that takes its own only is begun with.
    """
    for start in (cursor, 0):
        place = start
        try:
            while True:
                place, page = cast("tuple[int, list[object]]", node.scan(place, match=pattern, count=_PAGE))
                yield page
                if place == 0:
                    break
        except redis.ResponseError:
            if start == 0:
                raise


def _text(key: object) -> str | None:
    if isinstance(key, str):
        return key
    try:
        return cast("bytes", key).decode()
    except UnicodeDecodeError:
        return None


def _version(_: int, reply: Any) -> Sequence[Any] | None:
    return [(reply or b"").decode(errors="replace")] if reply is None or isinstance(reply, bytes) else None


def _words(_: int, reply: Any) -> Sequence[Any] | None:
    if reply is None or isinstance(reply, bytes):
        with contextlib.suppress(ValueError):
            return [parse_words(reply or b"")]
    return None


def _lifetime(_: int, reply: Any) -> Sequence[Any] | None:
    return [reply if reply >= 0 else None] if isinstance(reply, int) else None


_VERSIONS: Final = ScriptCalls(None, lambda keys: ("GET", keys[0].key), _version, READING)
_DROPS: Final = ScriptCalls(DROP, drop_command)
_WORDS: Final = ScriptCalls(None, lambda keys: ("HGET", keys[0].key, "w"), _words, READING)
_LIFETIMES: Final = ScriptCalls(None, lambda keys: ("PTTL", keys[0].key), _lifetime, READING)
