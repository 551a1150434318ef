"""The Lambda function: the real `apply_stream_event` with the real `Replicator`, invoked as badly as Lambda may."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar, Final, TypeAlias

from tests.simulation.cache import SimulatedCache, Wrong
from tests.simulation.connection import CONNECTION_FAULTS, LATE, Connection
from tests.simulation.streams import RETENTION_SECONDS, version_of
from tests.simulation.table import TEMPLATE, Table
from tests.simulation.world import Killed, World

from ddb_cache_sync import KeyTemplate, Projection, Replicator, apply_stream_event
from ddb_cache_sync.errors import CacheUnavailable
from ddb_cache_sync.local.responses import FUNCTION_ERROR, Result, Verdict, interpret

Done: TypeAlias = Callable[[Verdict], object]
Records: TypeAlias = Sequence[dict[str, Any]]

INVOCATION_FAULTS: Final = (
    "failed before it began",
    "failed after it was done",
    "invoked twice",
    "records in random order",
    "old batch again",
    "false report",
)
SLOWLY: Final = "applied while others apply"
_REMEMBERED: Final = 60
_LONGEST_SECONDS: Final = 900.0

PROJECTION: Final = Projection(KeyTemplate(TEMPLATE))


class Function:
    """A function that event source mappings invoke.

    Args:
        world: The world.
        cache: The cache that it writes to.
        table: Where its records come from.
        unreliable: The share of invocations that something is wrong with, 0 to 1.

    Attributes:
        deliveries: How many records were handed to it while the cache could be reached.
        replicator_type: Makes the replicator.
        down_until: It fails until then, epoch seconds.
    """

    replicator_type: ClassVar[type[Replicator]] = Replicator

    def __init__(self, world: World, cache: SimulatedCache, table: Table, unreliable: float) -> None:
        self._world = world
        self._table = table
        self._cache = cache
        self._unreliable = unreliable
        self._replicator = self._connected("stream")
        self._past: list[Records] = []
        self.deliveries = 0
        self.down_until = 0.0

    @property
    def outage_seconds(self) -> float:
        """For how long it fails yet; 0: it does not."""
        return max(0.0, self.down_until - self._world.now, self._cache.down_until - self._world.now)

    def invoke(self, records: Records, done: Done) -> None:
        """Invoke it; `done` is told the verdict, now or later."""
        world, chance = self._world, self._world.random
        if self.outage_seconds:
            done(FUNCTION_ERROR)
            return
        self._remember(records)
        if chance.random() >= self._unreliable:
            done(self._verdict(records, self._replicator))
            return
        fault = chance.choice((*INVOCATION_FAULTS, *CONNECTION_FAULTS, SLOWLY, SLOWLY, SLOWLY))
        if fault == SLOWLY:
            world.counts[fault] += 1
            self._apply_slowly(records, done)
        elif fault in CONNECTION_FAULTS:
            late = " (late)" if fault == LATE else ""
            done(self._verdict(records, self._connected(f"stream, {fault}{late}", fault)))
        else:
            world.counts[fault] += 1
            self._misuse(fault, records, done)

    def deliver(self, records: Records, source: str) -> Verdict:
        """Deliver records that come from elsewhere."""
        return self._verdict(records, self._connected(source))

    def _apply_slowly(self, records: Records, done: Done) -> None:
        """Let others go on in between, and perhaps kill it."""

        def apply() -> None:
            try:
                done(self._verdict(records, self._connected("stream, slowly")))
            except Killed:
                self._world.counts["function killed"] += 1
                done(FUNCTION_ERROR)

        task = self._world.start(0.0, apply)
        if self._world.random.random() < 0.2:
            self._world.after(self._world.random.expovariate(20.0), task.kill)

    def repeat(self) -> None:
        """Deliver once more what was delivered before."""
        if self._past:
            self._once_more(self._world.random.choice(self._past))

    def _misuse(self, fault: str, records: Records, done: Done) -> None:
        world, chance = self._world, self._world.random
        if fault == "failed before it began":
            done(FUNCTION_ERROR)
            return
        if fault == "records in random order":
            done(self._verdict(chance.sample(records, len(records)), self._replicator))
            return
        verdict = self._verdict(records, self._replicator)
        if fault == "failed after it was done":
            verdict = FUNCTION_ERROR
        elif fault == "false report":
            number = chance.choice(records)["dynamodb"]["SequenceNumber"]
            verdict = _verdict_of({"batchItemFailures": [{"itemIdentifier": number}]}, records)
        elif fault == "invoked twice":
            world.after(chance.uniform(0.0, _LONGEST_SECONDS), self._once_more, records)
        else:
            self.repeat()
        done(verdict)

    def _once_more(self, records: Records) -> None:
        """Deliver a batch that was delivered before, if it is none that a stream could not have any more."""
        oldest = self._world.now - RETENTION_SECONDS - _LONGEST_SECONDS
        young = [record for record in records if record["dynamodb"].get("ApproximateCreationDateTime", 0.0) > oldest]
        if self._world.now >= self._cache.down_until:
            self.deliver(young, "stream, again")

    def _remember(self, records: Records) -> None:
        if len(self._past) < _REMEMBERED:
            self._past.append(records)
        elif self._world.random.random() < 0.2:
            self._past[self._world.random.randrange(_REMEMBERED)] = records

    def _connected(self, source: str, fault: str | None = None) -> Replicator:
        """A replicator of its own, as a new process has."""
        return self.replicator_type(Connection(self._cache, source, fault), PROJECTION, clock=self._world.clock)

    def _verdict(self, records: Records, replicator: Replicator) -> Verdict:
        """Apply records."""
        self.deliveries += len(records)
        try:
            answer = apply_stream_event({"Records": records}, replicator)
        except CacheUnavailable:
            return FUNCTION_ERROR
        verdict = _verdict_of(answer, records)
        if replicator is not self._replicator and verdict.result is Result.SUCCESS and self._world.running is None:
            self._look_at(records)
        return verdict

    def _look_at(self, records: Records) -> None:
        """Make sure that the cache has heard of each record that was reported as done.

        Raises:
            Wrong: It has not.
        """
        for record in records:
            key, number = record["dynamodb"]["Keys"], record["dynamodb"]["SequenceNumber"]
            item = self._table.find(key)
            if item is not None and self._cache.guards.get(item.guard, "") < version_of(
                record["eventSourceARN"], number
            ):
                raise Wrong(item.cache_key)


def _verdict_of(answer: Any, records: Records) -> Verdict:
    return interpret(
        answer, [record["dynamodb"]["SequenceNumber"] for record in records], report_batch_item_failures=True
    )
