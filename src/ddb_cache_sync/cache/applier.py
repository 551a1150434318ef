"""Applies writes to a Redis or Valkey server or cluster: guarded, pipelined, tried again until a deadline."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import redis

from ddb_cache_sync.cache.backoff import Backoff
from ddb_cache_sync.cache.bounded import waiting_until
from ddb_cache_sync.cache.contract import Cache, WriteResult
from ddb_cache_sync.cache.replies import UNREACHABLE_HINT, code_of
from ddb_cache_sync.cache.rounds import Call, Round, ScriptCalls
from ddb_cache_sync.cache.scripts import APPLY, FILL, LOOKUPS, apply_command, fill_command, lookup_command
from ddb_cache_sync.cache.topology import CLIENT_ERRORS, Topology, failure, topology_of
from ddb_cache_sync.core.changes import new_tuple
from ddb_cache_sync.core.expiry import FURTHEST_SECONDS
from ddb_cache_sync.core.guards import DEFAULT_GUARD_TTL_SECONDS
from ddb_cache_sync.errors import CacheUnavailable, ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from ddb_cache_sync.core.writes import Write

CacheLike: TypeAlias = redis.Redis | redis.RedisCluster | Cache
"""A client, or anything that keeps the contract of `Cache`."""

DEFAULT_RETRY_SECONDS: Final = 10.0
"""How long a failing cache is tried again where no deadline is given."""

_LOG: Final = logging.getLogger("ddb_cache_sync")


class RedisCache:
    """A Redis or Valkey server or cluster as the `Cache` that a replicator writes to.

    Args:
        topology: The nodes.
        guard_ttl_seconds: How long a guard outlives the change that set it.
        backoff: The waits between rounds.
        clock: Epoch seconds, for lookup keys.

    Raises:
        ConfigurationError: A guard TTL that can't be right.
    """

    def __init__(
        self,
        topology: Topology,
        *,
        guard_ttl_seconds: int = DEFAULT_GUARD_TTL_SECONDS,
        backoff: Backoff | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        if not 1 <= guard_ttl_seconds <= FURTHEST_SECONDS:
            raise ConfigurationError(
                "a guard TTL below one second, or of a thousand years",
                hint="25 hours outlive what a stream can repeat.",
            )
        self._topology = topology
        self._backoff = backoff or Backoff()
        self._apply = ScriptCalls(APPLY, lambda writes: apply_command(writes, guard_ttl_seconds))
        self._lookup = ScriptCalls(LOOKUPS, lambda writes: lookup_command(writes, guard_ttl_seconds, clock()))
        self._fill = ScriptCalls(FILL, fill_command)

    def apply(self, writes: Iterable[Write], deadline: float | None = None) -> Sequence[WriteResult]:
        """See `Cache.apply`."""
        return self._run(self._calls(self._apply, writes), deadline)

    def fill(self, writes: Iterable[Write], deadline: float | None = None) -> Sequence[WriteResult]:
        """See `Cache.fill`."""
        return self._run(self._calls(self._fill, writes), deadline)

    def _run(self, calls: Iterable[Call], deadline: float | None) -> Sequence[Any]:
        """Send every call, again and again until each is settled or time is up."""
        monotonic = self._backoff.monotonic
        limit = monotonic() + DEFAULT_RETRY_SECONDS if deadline is None else deadline
        with waiting_until(limit, monotonic):
            return self._run_until(calls, limit)

    def _run_until(self, calls: Iterable[Call], limit: float) -> Sequence[Any]:
        monotonic = self._backoff.monotonic
        latest = Round(self._topology, limit, monotonic)
        latest.send(calls)
        results = latest.settled
        waits = 0
        told: set[str] = set()
        while latest.again:
            if latest.wait_for is not None:
                waits += 1
                failed = failure(latest.wait_for, self._topology)
                _warn_once(told, "the cache fails (%s): sending its calls again until the deadline", failed)
                if not self._backoff.wait(waits, limit):
                    purpose = latest.again[0].how.purpose
                    raise CacheUnavailable(
                        f"the cache can't be reached or kept failing until the deadline ({failed})",
                        hint=f"{UNREACHABLE_HINT}; {purpose.when_unavailable}.",
                    )
            if latest.topology_changed:
                self._refresh(told)
            calls, latest = latest.again, Round(self._topology, limit, monotonic)
            latest.send(calls)
            results |= latest.settled
        return [results[place] for place in range(len(results))]

    def _refresh(self, told: set[str]) -> None:
        try:
            self._topology.refresh()
        except CLIENT_ERRORS as error:
            # The next round meets the same error and waits for it.
            failed = failure(code_of(error), self._topology)
            _warn_once(told, "the cache's nodes can't be learned (%s)", failed)

    def _calls(self, how: ScriptCalls, writes: Iterable[Write]) -> Iterator[Call]:
        """The writes, as many in a call as the topology allows; those of lookup keys have a script of their own."""
        most = self._topology.keys_per_script
        if most == 1:
            for place, write in enumerate(writes):
                yield new_tuple(
                    Call, (how if write.owner is None else self._lookup, place, (write,), None, False, False)
                )
            return
        chunk: list[Write] = []
        place = 0
        script = how
        for write in writes:
            wanted = how if write.owner is None else self._lookup
            if wanted is not script:
                if chunk:
                    yield Call(script, place, chunk)
                    place += len(chunk)
                    chunk = []
                script = wanted
            chunk.append(write)
            if len(chunk) == most:
                yield Call(script, place, chunk)
                place += most
                chunk = []
        if chunk:
            yield Call(script, place, chunk)


def _warn_once(told: set[str], text: str, failed: str) -> None:
    """Log a failure, unless it was told already: an outage fails the same way many times a second."""
    if failed not in told:
        told.add(failed)
        _LOG.warning(text, failed)


def cache_of(cache: object, guard_ttl_seconds: int) -> Cache:
    """A client wrapped as a `Cache`; a `Cache` as it is.

    Raises:
        ConfigurationError: Neither.
    """
    topology = topology_of(cache)
    if topology is not None:
        return RedisCache(topology, guard_ttl_seconds=guard_ttl_seconds)
    if isinstance(cache, Cache):
        return cache
    raise ConfigurationError(
        f"a {type(cache).__name__} is no cache",
        hint="Give what connect() returns, or a redis.Redis or redis.RedisCluster of your own.",
    )
