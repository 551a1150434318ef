"""What can be learned of a cache from outside, by one who may not be allowed to ask.

Rule: whatever the cache refuses or fails to answer becomes a fact too; only a mistake of ours is raised. What is
written is written to a scratch key by the applier itself, and removed.
"""

from __future__ import annotations

import re
import time
from secrets import randbelow
from typing import TYPE_CHECKING, Any, Final, cast

from redis.exceptions import NoPermissionError

from ddb_cache_sync.cache.applier import RedisCache
from ddb_cache_sync.cache.node_facts import connection_facts, node_facts
from ddb_cache_sync.cache.replies import Fault, code_of, fault_of
from ddb_cache_sync.cache.scripts import APPLY
from ddb_cache_sync.cache.topology import CLIENT_ERRORS, Cluster, failure, topology_of
from ddb_cache_sync.core.diagnosis.facts import CacheFacts, Rehearsal
from ddb_cache_sync.core.diagnosis.findings import Known, Unknown
from ddb_cache_sync.errors import CacheError, CacheSyncError, CacheUnavailable, ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    import redis

    from ddb_cache_sync.cache.topology import Topology
    from ddb_cache_sync.core.diagnosis.facts import NodeFacts
    from ddb_cache_sync.core.diagnosis.scratch import Scratch

_SECONDS: Final = 5.0
_GUARD_TTL_SECONDS: Final = 60
# What Redis and Valkey since 6.2 say of a command; of a key they say something else.
_REFUSED_COMMAND: Final = re.compile(r"permissions to run the '([a-z|_-]{1,40})' command")

_ALWAYS: Final = ("EVALSHA", "SCRIPT LOAD", "SET", "DEL")
_FOR_LOOKUPS: Final = ("HGET", "HSET", "HDEL", "GET", "PEXPIRE", "PERSIST")
# Each does nothing, or next to nothing, to the guard: SET makes it a string for a minute, which a hash command refuses.
_PROBES: Final[Mapping[str, tuple[str, ...]]] = {
    "EVALSHA": ("EVALSHA", "0" * 40, "1", "{guard}"),
    "SCRIPT LOAD": ("SCRIPT", "LOAD", APPLY.source),
    "SET": ("SET", "{guard}", "0", "EX", str(_GUARD_TTL_SECONDS)),
    "DEL": ("DEL", "{key}"),
    "PEXPIREAT": ("PEXPIREAT", "{key}", "1"),
    "HSET": ("HSET", "{guard}", "f", "v"),
    "HGET": ("HGET", "{guard}", "f"),
    "HDEL": ("HDEL", "{guard}", "f"),
    "GET": ("GET", "{key}"),
    "PTTL": ("PTTL", "{key}"),
    "PERSIST": ("PERSIST", "{key}"),
    "PEXPIRE": ("PEXPIRE", "{key}", str(1000 * _GUARD_TTL_SECONDS)),
}


def scratch_mark() -> str:
    """Digits that nobody else uses: the name of a scratch key."""
    return str(10**15 + randbelow(10**15))


def examine_cache(
    client: redis.Redis | redis.RedisCluster,
    scratch: Known[Scratch],
    *,
    clock: Callable[[], float] = time.time,
) -> CacheFacts:
    """Try a cache.

    Args:
        client: What `connect` returns.
        scratch: What to write to which key, or why nothing can be.
        clock: Epoch seconds.

    Raises:
        ConfigurationError: Not a client.
    """
    topology = topology_of(client)
    if topology is None:
        raise ConfigurationError(
            f"a {type(client).__name__} is no client of a cache", hint="Give what connect returns."
        )
    try:
        node = topology.node_of("k" if isinstance(scratch, Unknown) else scratch.key)
        if node is None:
            return _unreachable(failure("CLUSTERDOWN", topology), refused=False)
        facts = connection_facts(node)
        _greet(node)
    except CacheSyncError as error:  # of a credential provider
        return _unreachable(error.what, refused=isinstance(error, ConfigurationError))
    except CLIENT_ERRORS as error:
        refused = fault_of(error) in (Fault.REFUSED, Fault.COMMAND)
        return _unreachable(code_of(error) if refused else failure(code_of(error), topology), refused=refused)
    return CacheFacts(
        **facts,
        cluster_client=isinstance(topology, Cluster),
        failure=None,
        refused=False,
        rehearsal=scratch if isinstance(scratch, Unknown) else rehearse(topology, scratch),
        nodes=_nodes(client, topology, node),
        clock_ahead_seconds=_clock_ahead(node, clock),
    )


def rehearse(topology: Topology, scratch: Scratch) -> Rehearsal:
    """Apply writes to a scratch key one by one, and remove what is left of them."""
    cache = RedisCache(topology, guard_ttl_seconds=_GUARD_TTL_SECONDS)
    problem = None
    deadline = time.monotonic() + _SECONDS
    try:
        for write, outcome in scratch.steps:
            [result] = cache.apply([write], deadline)
            if isinstance(result, CacheError):
                raise result
            if result is not outcome and problem is None:
                problem = f"a write that should be {outcome} was {result}"
    except CacheUnavailable as error:  # its hint speaks of a batch
        return Rehearsal(error.what)
    except CacheSyncError as error:
        refused, keys_refused = _refused(topology, scratch)
        return Rehearsal(error.what, refused, keys_refused, error.hint)
    finally:
        _clean_up(topology, scratch)
    return Rehearsal(problem)


def _unreachable(code: str, *, refused: bool) -> CacheFacts:
    unknown = Unknown("the cache can't be talked to", "Let it be reached first.")
    return CacheFacts(
        host=None,
        tls=None,
        unchecked=None,
        aws=False,
        cluster_client=False,
        failure=code,
        refused=refused,
        rehearsal=unknown,
        nodes=unknown,
        clock_ahead_seconds=unknown,
    )


def _greet(node: redis.Redis) -> None:
    """Raise what keeps us from talking to the node. A PING that the user may not send was answered all the same."""
    try:
        _ask(node, "PING")
    except NoPermissionError:
        return


def _refused(topology: Topology, scratch: Scratch) -> tuple[tuple[str, ...], bool]:
    """The commands that the user may not run, as an access string writes them; and whether a key is out of bounds."""
    writes = [step.write for step in scratch.steps]
    wanted = list(_ALWAYS)
    wanted += ["HSET"] * any(isinstance(write.value, dict) for write in writes)
    wanted += ["PEXPIREAT"] * any(write.expires_at_ms is not None for write in writes)
    wanted += ["PTTL", "PEXPIRE"] * any(write.only_cached and isinstance(write.value, dict) for write in writes)
    wanted += _FOR_LOOKUPS if any(write.owner is not None for write in writes) else ()
    commands: dict[str, None] = {}
    keys_refused = False
    for key, guard in scratch.keys:
        for name in dict.fromkeys(wanted):
            error = _probe(topology, key, guard, _PROBES[name])
            if error is not None and code_of(error) == "NOPERM":
                found = _REFUSED_COMMAND.search(str(error))
                if found:
                    commands[found[1]] = None
                else:
                    keys_refused = True
    return tuple(commands), keys_refused


def _probe(topology: Topology, key: str, guard: str, words: tuple[str, ...]) -> Exception | None:
    node = topology.node_of(key)
    try:
        if node is not None:
            _ask(node, *({"{key}": key, "{guard}": guard}.get(word, word) for word in words))
    except CLIENT_ERRORS as error:
        return error
    return None


def _clean_up(topology: Topology, scratch: Scratch) -> None:
    """Remove the scratch keys and their guards, as far as we may; a guard goes by itself within a minute."""
    for key, guard in scratch.keys:
        for each in (guard, key):
            _probe(topology, key, guard, ("DEL", each))


def _nodes(
    client: redis.Redis | redis.RedisCluster, topology: Topology, node: redis.Redis
) -> Known[tuple[NodeFacts, ...]]:
    """What each primary says of itself."""
    try:
        if not isinstance(topology, Cluster):
            return (node_facts("", node),)
        cluster = cast("redis.RedisCluster", client)
        return tuple(node_facts(name, each) for name, each in _primaries(cluster))
    except CLIENT_ERRORS as error:
        return _untold("INFO", error)


def _primaries(cluster: redis.RedisCluster) -> Iterator[tuple[str, redis.Redis]]:
    for each in cluster.get_primaries():  # type: ignore[no-untyped-call]
        yield str(each.name), cluster.get_redis_connection(each)


def _clock_ahead(node: redis.Redis, clock: Callable[[], float]) -> Known[float]:
    try:
        before = clock()
        seconds, microseconds = node.time()
        return seconds + microseconds / 1e6 - (before + clock()) / 2
    except CLIENT_ERRORS as error:
        return _untold("TIME", error)


def _untold(command: str, error: Exception) -> Unknown:
    code = code_of(error)
    if code == "NOPERM":
        mend = f"Allow +{command.lower()} to the user that asks here; the function does without."
    else:
        mend = "Look at the cache's health."
    return Unknown(f"{command}: {code}", mend)


def _ask(node: redis.Redis, *words: str) -> Any:
    return node.execute_command(*words)  # type: ignore[no-untyped-call]
