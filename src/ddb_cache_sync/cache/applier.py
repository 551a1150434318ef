"""Applies writes to a Redis or Valkey server: guarded, pipelined, every reply looked at."""

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple, TypeAlias

import redis

from ddb_cache_sync.cache.backoff import Backoff
from ddb_cache_sync.cache.contract import Cache, WriteResult
from ddb_cache_sync.cache.pipeline import NodePipeline
from ddb_cache_sync.cache.replies import Fault, code_of, fault_of
from ddb_cache_sync.cache.scripts import APPLY, FILL, Command, Script, apply_command, fill_command
from ddb_cache_sync.core.guards import DEFAULT_GUARD_TTL_SECONDS
from ddb_cache_sync.core.outcomes import Outcome
from ddb_cache_sync.core.projection import Write
from ddb_cache_sync.errors import CacheError, CacheUnavailable, ConfigurationError

KEYS_PER_SCRIPT: Final = 25
"""Cache keys in one script call: enough to spread the cost of a call, few enough that the server works while the next
chunk is encoded. Far below the 3,999 arguments a request of ElastiCache Serverless can have."""

DEFAULT_RETRY_SECONDS: Final = 10.0
"""How long a failing cache is tried again where no deadline is given."""

CacheLike: TypeAlias = redis.Redis | Cache
"""A client, or anything that keeps the contract of `Cache`."""

_LOG: Final = logging.getLogger("ddb_cache_sync")


class _Placed(NamedTuple):
    """A write and its place among the results."""

    place: int
    write: Write


_Chunk: TypeAlias = Sequence[_Placed]
"""Writes that go in one script call."""

_CommandOf: TypeAlias = Callable[[Sequence[Write]], Command]


@dataclass(slots=True)
class _Round:
    """What one round of sending came to."""

    settled: dict[int, WriteResult] = field(default_factory=dict)
    """Results by place."""
    again: list[_Chunk] = field(default_factory=list)
    """What has to be sent again."""
    script_missing: bool = False
    transient: str | None = None
    """The code of the last error that calls for a wait before the next round; None: no need to wait."""
    refused: str | None = None
    """The code of the last error that makes trying again pointless."""


class RedisCache:
    """A Redis or Valkey server as the `Cache` that a replicator writes to.

    Args:
        client: The client.
        guard_ttl_seconds: How long a guard outlives the change that set it.
        backoff: The waits between rounds.

    Raises:
        ConfigurationError: A guard TTL below one second.
    """

    def __init__(
        self,
        client: redis.Redis,
        *,
        guard_ttl_seconds: int = DEFAULT_GUARD_TTL_SECONDS,
        backoff: Backoff | None = None,
    ) -> None:
        if guard_ttl_seconds < 1:
            raise ConfigurationError("a guard TTL below one second", hint="25 hours outlive what a stream can repeat.")
        self._client = client
        self._guard_ttl_seconds = guard_ttl_seconds
        self._backoff = backoff or Backoff()

    def apply(self, writes: Iterable[Write], deadline: float | None = None) -> Sequence[WriteResult]:
        """See `Cache.apply`."""
        return self._run(APPLY, lambda writes: apply_command(writes, self._guard_ttl_seconds), writes, deadline)

    def fill(self, writes: Iterable[Write], deadline: float | None = None) -> Sequence[WriteResult]:
        """See `Cache.fill`."""
        return self._run(FILL, fill_command, writes, deadline)

    def _run(
        self, script: Script, command: _CommandOf, writes: Iterable[Write], deadline: float | None
    ) -> Sequence[WriteResult]:
        """Send every write through the script, again and again until each is settled or time is up."""
        limit = self._backoff.monotonic() + DEFAULT_RETRY_SECONDS if deadline is None else deadline
        latest = self._round(command, _chunks(writes))
        results = latest.settled
        waits = 0
        while latest.again:
            if latest.transient:
                waits += 1
                _LOG.warning("the cache answered %s: sending %d calls again", latest.transient, len(latest.again))
                if not self._backoff.wait(waits, limit):
                    raise CacheUnavailable(
                        f"the cache kept failing until the deadline ({latest.transient})",
                        hint="Have the batch delivered again: what was applied of it may be applied twice.",
                    )
            latest = self._round(command, latest.again, load=script if latest.script_missing else None)
            results |= latest.settled
        return [results[place] for place in range(len(results))]

    def _round(self, command: _CommandOf, chunks: Iterable[_Chunk], *, load: Script | None = None) -> _Round:
        """Send every chunk, then look at every reply.

        Raises:
            CacheError: The cache refuses us.
        """
        pipeline = NodePipeline(self._client)
        sent = []
        try:
            if load is not None:
                pipeline.send(*load.load_command)
            for chunk in chunks:
                pipeline.send(*command([write for _, write in chunk]))
                sent.append(chunk)
            replies = pipeline.replies()
        finally:
            pipeline.close(clean=False)
        outcome = _Round()
        if load is not None:
            loaded = replies.pop(0)
            if isinstance(loaded, Exception):
                _settle_error(outcome, (), loaded)
        for chunk, reply in zip(sent, replies, strict=True):
            if isinstance(reply, list):
                stale = set(reply)
                for position, (place, _) in enumerate(chunk, start=1):
                    outcome.settled[place] = Outcome.STALE if position in stale else Outcome.APPLIED
            else:
                _settle_error(outcome, chunk, reply)
        if load is not None and outcome.script_missing:
            outcome.transient = "NOSCRIPT"  # loaded, and missing again: no reason to hurry
        if outcome.refused:
            raise CacheError(
                f"the cache refuses to apply changes ({outcome.refused})",
                hint="Check the user's password and permissions: docs/how-to/permissions.md lists the smallest set.",
            )
        return outcome


def cache_of(cache: CacheLike, guard_ttl_seconds: int) -> Cache:
    """A client wrapped as a `Cache`; a `Cache` as it is.

    Raises:
        ConfigurationError: Neither.
    """
    if isinstance(cache, redis.Redis):
        return RedisCache(cache, guard_ttl_seconds=guard_ttl_seconds)
    if isinstance(cache, Cache):
        return cache
    raise ConfigurationError(
        f"a {type(cache).__name__} is no cache", hint="Give what connect() returns, or a redis.Redis of your own."
    )


def _settle_error(outcome: _Round, chunk: _Chunk, reply: Any) -> None:
    """Decide what an error reply means for the writes of its chunk."""
    code = code_of(reply) if isinstance(reply, Exception) else "an unexpected reply"
    fault = fault_of(reply) if isinstance(reply, Exception) else Fault.COMMAND
    if fault is Fault.REFUSED:
        outcome.refused = code
    elif fault is Fault.TRANSIENT:
        outcome.transient = code
        outcome.again.append(chunk)
    elif fault is Fault.SCRIPT_MISSING:
        outcome.script_missing = True
        outcome.again.append(chunk)
    elif len(chunk) > 1:
        # One of its keys is at fault: the others are told apart by sending each alone.
        outcome.again.extend([placed] for placed in chunk)
    else:
        for place, write in chunk:
            outcome.settled[place] = CacheError(
                f"the cache refused to write key {write.key!r} ({code})",
                hint="Look at what that key and its guard hold.",
            )


def _chunks(writes: Iterable[Write]) -> Iterator[_Chunk]:
    chunk: list[_Placed] = []
    for placed in map(_Placed._make, enumerate(writes)):
        chunk.append(placed)
        if len(chunk) == KEYS_PER_SCRIPT:
            yield chunk
            chunk = []
    if chunk:
        yield chunk
