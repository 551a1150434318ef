"""What goes wrong around a function: shards, streams, event source mappings, outages, failovers, evictions."""

from __future__ import annotations

from bisect import bisect
from collections.abc import Callable
from itertools import accumulate
from typing import Final

from tests.simulation.cache import ARCHIVE, Replica, SimulatedCache
from tests.simulation.function import Function
from tests.simulation.mapping import Destination, Mapping
from tests.simulation.operations import Operations
from tests.simulation.table import Table
from tests.simulation.world import World

_CALM_SECONDS: Final = 30 * 3600.0
_HANDOVER_SECONDS: Final = 2 * 3600.0


class Troubles:
    """All that can happen, and who reads the table's streams meanwhile.

    Args:
        world: The world.
        table: The table.
        cache: The cache.
        function: What event source mappings invoke.
        operations: What operators and readers do.
        strict: Whether only that happens in which nothing may be lost.
    """

    def __init__(
        self,
        world: World,
        table: Table,
        cache: SimulatedCache,
        function: Function,
        operations: Operations,
        *,
        strict: bool,
    ) -> None:
        self._world = world
        self._table = table
        self._cache = cache
        self._function = function
        self._operations = operations
        self._strict = strict
        self._mappings: list[Mapping] = []
        self._replica: Replica | None = None
        self._calm_until = 0.0
        self._events = self._promised()
        if not strict:
            self._events += self._not_promised()
        # With each change at most one of them happens; some not at all in this episode, some often.
        likely = (world.random.choice((0.0, 1.0, 1.0, 4.0)) * each for each, _ in self._events)
        self._likely = list(accumulate(likely))

    def start(self, destination: Destination) -> None:
        """Begin to read the stream; what is given up goes to the destination."""
        self._destination = destination
        self._mappings.append(self._mapping())

    def perhaps(self) -> None:
        """Let one of them happen, or none."""
        drawn = self._world.random.random()
        if drawn < self._likely[-1]:
            self._events[bisect(self._likely, drawn)][1]()

    def aftermath(self) -> None:
        """Let some of those happen that are not promised, and old records come, when nothing is changed any more."""
        chance, after = self._world.random, self._world.after
        for _, event in chance.choices(self._not_promised(), k=6):
            after(chance.uniform(0.0, 60.0) * 3600.0, event)
        for _ in range(6):
            after(chance.uniform(0.0, 24.0) * 3600.0, self._function.repeat)

    def _promised(self) -> list[tuple[float, Callable[[], object]]]:
        """What may happen within what is promised, and how likely it is with each change."""
        operations, start = self._operations, self._task
        return [
            (0.003, self._table.stream_split),
            (0.003, self._table.stream_poison),
            (0.003, self._recreate_mapping),
            (0.008, self._add_mapping),
            (0.002, self._disable_mapping),
            (0.001, self._fail_function),
            (0.001, self._fail_cache),
            (0.001, self._new_stream),
            (0.002, lambda: start(0.0, operations.backfill)),
            (0.004, lambda: start(0.0, operations.repair_any)),
            (0.001, lambda: start(0.0, operations.verify_and_repair)),
            (0.012, lambda: start(0.0, operations.read_any)),
        ]

    def _task(self, seconds: float, body: Callable[[], object]) -> None:
        """Start a task, and perhaps kill it."""
        task = self._world.start(seconds, body)
        if self._world.random.random() < 0.2:
            self._world.after(seconds + self._world.random.expovariate(5.0), task.kill)

    def _not_promised(self) -> list[tuple[float, Callable[[], object]]]:
        """What the consistency model excepts."""
        return [
            (0.006, self._lag_and_fail_over),
            (0.002, self._evict_guards),
            (0.002, self._evict_values),
            (0.001, self._switch_stream_off),
            (0.003, self._replay_archive),
            (0.001, lambda: self._disable(self._world.random.uniform(24.0, 60.0) * 3600.0)),
        ]

    def _mapping(self) -> Mapping:
        return Mapping(self._world, self._table.stream, self._function, self._destination)

    def _recreate_mapping(self) -> None:
        """Delete the stream's event source mapping and make another: it begins with the oldest record there is."""
        if self._mappings[-1].disabled_until <= self._world.now:
            # What the old one still holds may be too old for the new one to read: so that it is lost, or not.
            self._world.after(_HANDOVER_SECONDS if self._strict else 0.0, self._mappings.pop().stop)
            self._mappings.append(self._mapping())
            self._world.counts["event source mapping made anew"] += 1

    def _add_mapping(self) -> None:
        """Have a second one read the stream from its oldest record on, and delete it later, wherever it is."""
        mapping = self._mapping()
        self._world.after(self._world.random.choice((1.0, 60.0, 3600.0, 90_000.0)), mapping.stop)
        self._world.counts["second event source mapping"] += 1

    def _disable_mapping(self) -> None:
        self._disable(self._outage_seconds(4.8))

    def _disable(self, seconds: float) -> None:
        mapping = self._mappings[-1]
        mapping.disabled_until = max(mapping.disabled_until, self._world.now + seconds)
        self._world.counts["event source mapping disabled"] += 1

    def _fail_function(self) -> None:
        self._function.down_until = self._world.now + self._outage_seconds(4.8)
        self._world.counts["function down"] += 1

    def _fail_cache(self) -> None:
        self._cache.down_until = self._world.now + self._outage_seconds(4.0)
        self._world.counts["cache outage"] += 1

    def _outage_seconds(self, most: float) -> float:
        """How long something fails: at most 10 to the power of this; less than a day in all, if nothing may be lost."""
        if self._strict and self._world.now < self._calm_until:
            return 1.0
        self._calm_until = self._world.now + _CALM_SECONDS
        return float(10 ** self._world.random.uniform(0.0, most))

    def _new_stream(self) -> None:
        """Switch the stream off and on again, with no change in between."""
        if self._table.stream.settled:
            self._table.stream.disable()
            self._switch_stream_on()

    def _switch_stream_off(self) -> None:
        """The same, with changes in between that nobody hears of."""
        if self._table.stream.settled:
            self._table.stream.disable()
            self._world.counts["stream switched off"] += 1
            self._world.after(self._world.random.uniform(0.1, 10.0), self._switch_stream_on)

    def _switch_stream_on(self) -> None:
        self._table.new_stream()
        self._mappings.append(self._mapping())
        self._world.counts["stream made anew"] += 1

    def _lag_and_fail_over(self) -> None:
        """Let a replica fall behind and take over."""
        if self._replica is None:
            self._replica = self._cache.replica()
            self._world.after(10 ** self._world.random.uniform(-1.5, 1.5), self._fail_over)

    def _fail_over(self) -> None:
        if self._replica is not None:
            self._cache.fail_over(self._replica)
            self._replica = None
            self._cache.down_until = max(self._cache.down_until, self._world.now + self._world.random.uniform(0.0, 5.0))

    def _evict_guards(self) -> None:
        share = self._world.random.random()
        for guard in [guard for guard in self._cache.guards if self._world.random.random() < share]:
            self._cache.evict_guard(guard)

    def _evict_values(self) -> None:
        for item in self._world.random.sample(self._table.items, 2):
            self._cache.evict_value(item.cache_key)

    def _replay_archive(self) -> None:
        """Deliver records that are older than any guard, as if they were new."""
        chance = self._world.random
        records = chance.choice(chance.choice(self._table.streams).shards).records
        first = chance.randint(0, len(records))
        oldest = self._world.now - self._cache.guard_ttl_seconds
        old = [
            record
            for record in records[first : first + 20]
            if record["dynamodb"]["ApproximateCreationDateTime"] < oldest
        ]
        if old and self._cache.down_until < self._world.now:
            self._function.deliver(old, ARCHIVE)
            self._world.counts["archive replayed"] += 1
