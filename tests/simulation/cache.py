"""A cache in virtual time: `MemoryCache`, whose guards expire and are evicted, and which fails over and forgets.

`MemoryCache` keeps the contract that the real servers keep: `tests/contract` holds it to that. This one does the same,
step by step: `test_cache_in_virtual_time.py`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final, NamedTuple

from tests.simulation.world import World

from ddb_cache_sync.cache.contract import WriteResult
from ddb_cache_sync.core.fills import Fill
from ddb_cache_sync.core.outcomes import APPLIED, STALE
from ddb_cache_sync.core.repairs import Repair
from ddb_cache_sync.core.versions import Version
from ddb_cache_sync.core.writes import Write
from ddb_cache_sync.errors import CacheUnavailable
from ddb_cache_sync.testing import MemoryCache

ARCHIVE: Final = "archive"
"""The source of records that are older than any guard."""


class Happened(NamedTuple):
    """One step of the cache, as it is noted down."""

    at: float
    """Epoch seconds."""
    what: str
    """`apply`, `half`, `fill`, `repair`, `reader`, `guard expired`, `guard evicted`, `value evicted`, `failover`."""
    source: str
    """Who wanted it."""
    key: str
    """The cache key; that of the guard where only that was touched; empty for all."""
    version: str
    """The change's; for a repair what its guard held; for a failover where in the log the replica was."""
    value: Any
    result: Any


class Wrong(BaseException):
    """Raised in the very step that makes a key wrong; no code under test catches it. Its text is the cache key."""


class Replica(NamedTuple):
    """What a replica holds, which lags behind."""

    values: dict[str, Any]
    guards: dict[str, Version]
    touched: dict[str, float]
    place: int
    """How much of the log it has seen."""


class SimulatedCache(MemoryCache):
    """The cache of a simulated world.

    Args:
        world: The world.
        guard_ttl_seconds: How long a guard lives after it was last set.

    Attributes:
        log: All that happened, each a tuple with the fields of `Happened`, in order.
        source: Who is writing.
        newest: By cache key: the version of the item's newest change, and what the key should hold then.
        settled: The cache keys to which their newest change has come, and from then on nothing that is not promised:
            they must hold what it says, whatever else comes, in every moment until the item's next change.
    """

    def __init__(self, world: World, guard_ttl_seconds: float) -> None:
        super().__init__()
        self.world = world
        self.guard_ttl_seconds = guard_ttl_seconds
        self.log: list[tuple[float, str, str, str, str, Any, Any]] = []
        self.source = ""
        self.newest: dict[str, tuple[str, bytes | None]] = {}
        self.settled: set[str] = set()
        self.down_until = 0.0
        self._touched: dict[str, float] = {}  # guards in the order in which they expire

    def apply(self, writes: Iterable[Write], deadline: float | None = None) -> Sequence[WriteResult]:
        """See `Cache.apply`."""
        self.let_guards_expire()
        return super().apply(writes, deadline)

    def fill(self, writes: Iterable[Write], deadline: float | None = None) -> Sequence[WriteResult]:
        """See `Cache.fill`."""
        self.let_guards_expire()
        return super().fill(writes, deadline)

    def versions(self, guards: Sequence[str], deadline: float | None = None) -> Any:
        """See `InspectableCache.versions`."""
        self.let_guards_expire()
        return super().versions(guards, deadline)

    def claim(self, claims: Sequence[Any], deadline: float | None = None) -> Any:
        """See `ReadableCache.claim`."""
        self.let_guards_expire()
        return super().claim(claims, deadline)

    def fill_unmoved(self, fills: Sequence[Fill], deadline: float | None = None) -> Any:
        """See `ReadableCache.fill_unmoved`."""
        self.let_guards_expire()
        return super().fill_unmoved(fills, deadline)

    def repair(self, repairs: Sequence[Repair], deadline: float | None = None) -> Sequence[WriteResult]:
        """See `InspectableCache.repair`."""
        self.let_guards_expire()
        return super().repair(repairs, deadline)

    def let_guards_expire(self) -> None:
        """Drop the guards whose time is over."""
        oldest = self.world.now - self.guard_ttl_seconds
        over = []
        for guard, at in self._touched.items():
            if at > oldest:
                break
            over.append(guard)
        for guard in over:
            self._lose(guard, "guard expired")

    def evict_guard(self, guard: str) -> None:
        """Evict a guard, as a full cache does."""
        if guard in self.guards:
            self._lose(guard, "guard evicted")
            self.settled.discard(guard.removeprefix("~v:{").removesuffix("}"))

    def evict_value(self, key: str) -> None:
        """Evict a value, as a full cache does whose policy is `allkeys-*`."""
        self.settled.discard(key)
        if self.values.pop(key, None) is not None:
            self._note("value evicted", key)
            self.world.counts["value evicted"] += 1

    def replica(self) -> Replica:
        """What a replica holds that has everything up to now, and gets nothing from now on."""
        return Replica(self.values.copy(), self.guards.copy(), self._touched.copy(), len(self.log))

    def fail_over(self, replica: Replica) -> None:
        """Let a replica take over: whatever was written since is lost, and nobody is told."""
        if self.values != replica.values or self.guards != replica.guards:
            self.world.counts["writes lost in a failover"] += 1
        self.values, self.guards, self._touched = replica.values, replica.guards, replica.touched
        self.leases.clear()
        self.settled.clear()
        self._note("failover", "", str(replica.place))
        self.world.counts["failover"] += 1

    def touch(self, guard: str) -> None:
        """Put off a guard's expiry, as setting it does."""
        self._touched.pop(guard, None)
        self._touched[guard] = self.world.now

    def _lose(self, guard: str, why: str) -> None:
        del self.guards[guard], self._touched[guard]
        self._note(why, guard)
        self.world.counts[why] += 1

    def _note(self, what: str, key: str, version: str = "", value: Any = None, result: Any = None) -> None:
        self.log.append((self.world.now, what, self.source, key, version, value, result))

    def _apply(self, write: Write) -> WriteResult:
        self.touch(write.guard)
        try:
            result = MemoryCache._apply(self, write)
        except CacheUnavailable:
            self._note("half", write.key, write.version, write.value)
            raise
        self._applied(write, result)
        return result

    def _applied(self, write: Write, result: WriteResult) -> None:
        """Note a write that was answered, and look at its key."""
        key, version = write.key, write.version
        self.log.append((self.world.now, "apply", self.source, key, version, write.value, result))
        newest = self.newest.get(key)
        if newest is not None and newest[0] == version:
            self.settled.add(key)
        elif self.source == ARCHIVE:
            self.settled.discard(key)
        if key in self.settled:
            self._look_at(key)

    def _look_at(self, key: str) -> None:
        """Make sure that a settled key holds what it should.

        Raises:
            Wrong: It does not.
        """
        if key in self.settled and self.values.get(key) != self.newest[key][1]:
            raise Wrong(key)

    def _fill(self, write: Write) -> WriteResult:
        result = MemoryCache._fill(self, write)
        self._note("fill", write.key, "", write.value, result)
        self._look_at(write.key)
        return result

    def _fill_unmoved(self, fill: Fill) -> WriteResult:
        result = MemoryCache._fill_unmoved(self, fill)
        self._note("reader", fill.key, fill.version, fill.write.value, result)
        self._look_at(fill.key)
        return result

    def _repair(self, repair: Repair) -> WriteResult:
        result = MemoryCache._repair(self, repair)
        if result is APPLIED and repair.left:
            self.touch(repair.write.guard)
        self.world.counts["repair written" if result is not STALE else "repair found its guard moved"] += 1
        self._note("repair", repair.key, repair.found, repair.write.value, result)
        self._look_at(repair.key)
        return result
