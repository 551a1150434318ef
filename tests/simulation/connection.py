"""What a process sees of the cache: in a task every call takes time, and writes fail as they do over a network."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from random import Random
from typing import Any, Final

from tests.simulation.cache import SimulatedCache

from ddb_cache_sync.cache.contract import WriteResult
from ddb_cache_sync.core.drops import Drop
from ddb_cache_sync.core.fills import Claim, Fill
from ddb_cache_sync.core.repairs import Repair
from ddb_cache_sync.core.writes import Write
from ddb_cache_sync.errors import CacheUnavailable

UNREACHABLE: Final = "unreachable"
HALF: Final = "script stopped half-way"
LATE: Final = "request carried out late"
LOST_REPLY: Final = "reply lost"
PARTLY: Final = "connection lost midway"
CONNECTION_FAULTS: Final = (UNREACHABLE, HALF, LATE, LOST_REPLY, PARTLY)

_MOST_LATE_SECONDS: Final = 300.0


class Connection:
    """A connection to the cache.

    Args:
        cache: The cache.
        source: Who it belongs to, for the cache's log.
        fault: What happens to its next write; None: nothing.
    """

    def __init__(self, cache: SimulatedCache, source: str, fault: str | None = None) -> None:
        self._cache = cache
        self._world = cache.world
        self._source = source
        self.fault = fault

    def apply(self, writes: Iterable[Write], deadline: float | None = None) -> Sequence[WriteResult]:
        """See `Cache.apply`."""
        fault, self.fault = self.fault, None
        if fault is not None:
            self._fail(fault, list(writes))
        if self._world.running is None:
            self._arrive()
            return self._cache.apply(writes, deadline)
        return list(self._in_chunks(self._cache.apply, iter(writes)))

    def fill(self, writes: Iterable[Write], deadline: float | None = None) -> Sequence[WriteResult]:
        """See `Cache.fill`."""
        return list(self._in_chunks(self._cache.fill, iter(writes)))

    def read(self, keys: Sequence[str], kind: str, deadline: float | None = None) -> Any:
        """See `ReadableCache.read`."""
        return self._later(lambda: self._cache.read(keys, kind))

    def claim(self, claims: Sequence[Claim], deadline: float | None = None) -> Any:
        """See `ReadableCache.claim`."""
        return self._later(lambda: self._cache.claim(claims))

    def fill_unmoved(self, fills: Sequence[Fill], deadline: float | None = None) -> Any:
        """See `ReadableCache.fill_unmoved`."""
        return self._later(lambda: self._cache.fill_unmoved(fills))

    def versions(self, guards: Sequence[str], deadline: float | None = None) -> Any:
        """See `InspectableCache.versions`."""
        return self._later(lambda: self._cache.versions(guards))

    def lifetimes_ms(self, keys: Sequence[str], deadline: float | None = None) -> Any:
        """See `InspectableCache.lifetimes_ms`."""
        return self._later(lambda: self._cache.lifetimes_ms(keys))

    def keys_beginning(self, beginning: str) -> Iterator[Sequence[str]]:
        """See `InspectableCache.keys_beginning`."""
        yield from self._later(lambda: list(self._cache.keys_beginning(beginning)))

    def last_words(self, guards: Sequence[str], deadline: float | None = None) -> Any:
        """See `InspectableCache.last_words`."""
        return self._later(lambda: self._cache.last_words(guards))

    def some_keys(self, beginning: str, most: int, chance: Random) -> Sequence[str]:
        """See `InspectableCache.some_keys`."""
        found: Sequence[str] = self._later(lambda: self._cache.some_keys(beginning, most, chance))
        return found

    def drop(self, drops: Sequence[Drop], deadline: float | None = None) -> Sequence[WriteResult]:
        """See `InspectableCache.drop`."""
        raise NotImplementedError("nobody changes the layout here")

    def remember(self, key: str, value: bytes, seconds: int, deadline: float | None = None) -> None:
        """See `InspectableCache.remember`."""
        raise NotImplementedError("nobody changes the layout here")

    def place_of(self, key: str) -> tuple[int | None, str]:
        """See `InspectableCache.place_of`."""
        return self._cache.place_of(key)

    def repair(self, repairs: Sequence[Repair], deadline: float | None = None) -> Sequence[WriteResult]:
        """See `InspectableCache.repair`: each key in a moment of its own."""
        return [result for each in repairs for result in self._later(lambda each=each: self._cache.repair([each]))]

    def _in_chunks(self, call: Any, writes: Iterator[Write]) -> Iterator[WriteResult]:
        """As many writes at a time as a script may have, while others go on in between."""
        size = self._world.random.choice((1, 5, 25))
        while chunk := list(islice(writes, size)):
            yield from self._later(lambda chunk=chunk: call(chunk))

    def _later(self, call: Any) -> Any:
        """Arrive some time from now, and have the answer some time after."""
        self._world.pause()
        self._arrive()
        result = call()
        self._world.pause()
        return result

    def _arrive(self) -> None:
        cache = self._cache
        if self._world.now < cache.down_until:
            self._world.counts["cache down"] += 1
            raise CacheUnavailable("the simulated cache is down")
        cache.source = self._source

    def _fail(self, fault: str, writes: list[Write]) -> None:
        """Fail, having done all, some or nothing.

        Raises:
            CacheUnavailable: Always, but where a script should stop that has too little to do.
        """
        cache, chance = self._cache, self._world.random
        self._arrive()
        some = chance.randint(0, len(writes))
        match fault:
            case "script stopped half-way":
                cache.break_after = chance.randrange(len(writes)) if writes else 0
                try:
                    cache.apply(writes)
                finally:
                    cache.break_after = None
            case "request carried out late":
                cache.apply(writes[:some])
                self._world.after(chance.uniform(0.0, _MOST_LATE_SECONDS), self._carry_out, writes[some:])
            case "reply lost":
                cache.apply(writes)
            case "connection lost midway":
                cache.apply(writes[:some])
        self._world.counts[fault] += 1
        raise CacheUnavailable(f"simulated: {fault}")

    def _carry_out(self, writes: list[Write]) -> None:
        if self._world.now >= self._cache.down_until:
            self._cache.source = self._source
            self._cache.apply(writes)
