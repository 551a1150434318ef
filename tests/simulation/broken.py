"""Caches, and one function, each with a rule broken that the real ones keep: what a simulation has to find out."""

from __future__ import annotations

from typing import Any

from tests.simulation.cache import SimulatedCache
from tests.simulation.function import Function

from ddb_cache_sync import ApplyReport, CacheUnavailable, Replicator
from ddb_cache_sync.cache.contract import WriteResult
from ddb_cache_sync.core.fills import Fill
from ddb_cache_sync.core.outcomes import APPLIED, STALE
from ddb_cache_sync.core.repairs import Repair
from ddb_cache_sync.core.versions import Version
from ddb_cache_sync.core.writes import Write
from ddb_cache_sync.testing import MemoryCache


class _Compares(SimulatedCache):
    """Takes a change for stale by a rule of its own."""

    def _apply(self, write: Write) -> WriteResult:
        last = self.guards.get(write.guard)
        if last is not None and self._is_stale(write.version, last):
            self.touch(write.guard)
            self._applied(write, STALE)
            return STALE
        # As if there were no guard, so that nothing else decides.
        self.guards.pop(write.guard, None)
        return super()._apply(write)

    def _is_stale(self, version: Version, last: Version) -> bool:
        raise NotImplementedError


class LastOneWins(_Compares):
    """No guard at all."""

    def _is_stale(self, version: Version, last: Version) -> bool:
        return False


class EqualIsStale(_Compares):
    """The same version is refused, so that what stopped half-way is never put right."""

    def _is_stale(self, version: Version, last: Version) -> bool:
        return version <= last


class ComparesText(_Compares):
    """Sequence numbers are compared as text, whatever their lengths."""

    def _is_stale(self, version: Version, last: Version) -> bool:
        return (version[:13], version.sequence_number) < (last[:13], last.sequence_number)


class ComparesDoubles(_Compares):
    """Sequence numbers are compared as Lua's numbers: neighbours are equal."""

    def _is_stale(self, version: Version, last: Version) -> bool:
        return (version[:13], float(version.sequence_number)) < (last[:13], float(last.sequence_number))


class ForgetsTheLabel(_Compares):
    """A new stream's smaller numbers are taken for old ones."""

    def _is_stale(self, version: Version, last: Version) -> bool:
        return version[14:] < last[14:]


class GuardGoesWithTheValue(SimulatedCache):
    """A removal leaves no tombstone."""

    def _apply(self, write: Write) -> WriteResult:
        result = super()._apply(write)
        if write.value is None:
            self._lose(write.guard, "guard dropped")
        return result


class StaleMovesTheGuard(SimulatedCache):
    """A stale change leaves its own version in the guard: it is not put back."""

    def _apply(self, write: Write) -> WriteResult:
        result = super()._apply(write)
        if result is STALE:
            self.guards[write.guard] = write.version
        return result


class FillOverwrites(SimulatedCache):
    """A backfill writes whatever the guard says."""

    def _fill(self, write: Write) -> WriteResult:
        self._put(write)
        self._note("fill", write.key, "", write.value, APPLIED)
        self._look_at(write.key)
        return APPLIED


class RepairOverwrites(SimulatedCache):
    """A repair writes though the guard has moved."""

    def _repair(self, repair: Repair) -> WriteResult:
        return super()._repair(repair._replace(found=self.guards.get(repair.write.guard, "")))


class ReaderOverwrites(SimulatedCache):
    """A reader stores what it read though the guard has moved."""

    def _fill_unmoved(self, fill: Fill) -> WriteResult:
        moved = fill._replace(version=self.guards.get(fill.claim.guard, ""))
        result = MemoryCache._fill_unmoved(self, moved)
        self._note("reader", fill.key, fill.version, fill.write.value, result)
        self._look_at(fill.key)
        return result


class GuardsLiveTooShort(SimulatedCache):
    """Guards go after a minute, and everybody believes that they live 25 h."""

    def let_guards_expire(self) -> None:
        """Drop them early."""
        believed, self.guard_ttl_seconds = self.guard_ttl_seconds, 60.0
        super().let_guards_expire()
        self.guard_ttl_seconds = believed


class SwallowsErrors(Replicator):
    """An unreachable cache is taken for success."""

    def apply(self, records: Any, *, deadline: float | None = None) -> ApplyReport:
        """See `Replicator.apply`."""
        try:
            return super().apply(records, deadline=deadline)
        except CacheUnavailable:
            return ApplyReport(applied=len(records))


class _Swallowing(Function):
    replicator_type = SwallowsErrors


BROKEN: dict[str, dict[str, Any]] = {
    each.__name__: {"cache_type": each}
    for each in (
        LastOneWins,
        EqualIsStale,
        ComparesText,
        ComparesDoubles,
        ForgetsTheLabel,
        GuardGoesWithTheValue,
        StaleMovesTheGuard,
        FillOverwrites,
        RepairOverwrites,
        ReaderOverwrites,
        GuardsLiveTooShort,
    )
} | {"SwallowsErrors": {"function_type": _Swallowing}}
