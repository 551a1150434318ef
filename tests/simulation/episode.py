"""An episode: a small world in which everything goes wrong for some days, then all is drained and checked."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple

from tests.simulation.cache import SimulatedCache, Wrong
from tests.simulation.checker import DivergenceError, excuse, histories, wrong_items
from tests.simulation.function import Function
from tests.simulation.operations import Operations, target_of
from tests.simulation.redriving import Redrive
from tests.simulation.table import Item, Table
from tests.simulation.tracing import trace
from tests.simulation.troubles import Troubles
from tests.simulation.world import World

GUARD_TTL_SECONDS: Final = 25 * 3600.0


class EpisodeResult(NamedTuple):
    """What an episode came to."""

    deliveries: int
    """Records handed to the function, those that came again included."""
    changes: int
    counts: Counter[str]
    """How often each fault happened, and more."""
    excused: Counter[str]
    """Items that were wrong until they were repaired, by the reason why they may be."""


class Episode:
    """One episode.

    Args:
        seed: That of the whole run.
        number: Which episode of the run.
        cache_type: The cache, to try broken ones.
        function_type: The function, to try broken ones.
        guard_ttl_seconds: The replicator's.
    """

    def __init__(
        self,
        seed: int,
        number: int,
        *,
        cache_type: Callable[[World, float], SimulatedCache] = SimulatedCache,
        function_type: Callable[[World, SimulatedCache, Table, float], Function] = Function,
        guard_ttl_seconds: float = GUARD_TTL_SECONDS,
    ) -> None:
        self._name = f"--seed {seed} --episode {number}"
        self.world = World(f"{seed}/{number}")
        chance = self.world.random
        self.cache = cache_type(self.world, guard_ttl_seconds)
        self.table = Table(self.world, chance.randint(3, 50), self.cache.newest)
        self.function = function_type(self.world, self.cache, self.table, chance.choice((0.0, 0.05, 0.1, 0.3)))
        self.operations = Operations(self.world, self.table, self.cache)
        self.redrive = Redrive(self.world, self.table, self.cache)
        self._left = chance.randint(300, 1600)
        self.strict = chance.random() < 0.4
        """Nothing happens that the consistency model excepts: so nothing is excused."""
        self.troubles = Troubles(self.world, self.table, self.cache, self.function, self.operations, strict=self.strict)
        self.troubles.start(self.redrive.take)
        self._rate = chance.choice((50.0, 500.0, 5000.0))

    def run(self) -> EpisodeResult:
        """Let it happen, drain, and check.

        Raises:
            DivergenceError: The cache is wrong, and nothing excuses it.
        """
        world = self.world
        world.after(0.0, self._write)
        world.start(world.random.uniform(0.0, 100.0), self.operations.backfill)
        try:
            world.run()
            excused = self._check()
        except Wrong as wrong:
            [item] = [item for item in self.table.items if item.cache_key == str(wrong)]
            raise self._divergence(item) from None
        finally:
            world.close()
        return EpisodeResult(self.function.deliveries, self.table.changes, world.counts, excused)

    def _write(self) -> None:
        """Change an item, and perhaps do something else."""
        self.troubles.perhaps()
        item = self.table.change()
        if item is not None:
            self.cache.settled.discard(item.cache_key)
        self._left -= 1
        if self._left > 0:
            self.world.after(self._wait(), self._write)
        elif not self.strict:
            self.troubles.aftermath()

    def _wait(self) -> float:
        """How long until the next change: mostly a burst goes on, sometimes minutes or hours pass."""
        chance = self.world.random
        draw = chance.random()
        if draw < 0.003:
            return chance.uniform(600.0, 30 * 3600.0)
        return chance.expovariate(1 / 300) if draw < 0.01 else chance.expovariate(self._rate)

    def _check(self) -> Counter[str]:
        """Compare, excuse what may be wrong, repair it, and compare again."""
        world, table, cache = self.world, self.table, self.cache
        excused: Counter[str] = Counter()
        cache.down_until = 0.0
        wrong = self._wrong()
        history = histories(wrong, cache)
        for item in wrong:
            reason = None if self.strict else excuse(item, history[item.cache_key], table, cache)
            if reason is None:
                raise self._divergence(item)
            excused[reason] += 1
        world.start(0.0, lambda: self._verify({item.cache_key for item in wrong}))
        world.run()
        world.start(0.0, lambda: self.operations.repair([target_of(item) for item in wrong]))
        world.run()
        left = self._wrong()
        if left:
            raise DivergenceError(f"{self._name}: a repair did not heal {[item.cache_key for item in left]}")
        return excused

    def _divergence(self, item: Item) -> DivergenceError:
        history = histories([item], self.cache)[item.cache_key]
        found = trace(item, [happened for _, happened in history], self.cache)
        return DivergenceError(f"{self._name}, after {self.function.deliveries} deliveries: {found}")

    def _wrong(self) -> Sequence[Item]:
        try:
            return wrong_items(self.table, self.cache)
        except DivergenceError as error:
            raise DivergenceError(f"{self._name}: {error}") from None

    def _verify(self, wrong: set[str]) -> None:
        """The real verification finds the same."""
        found: Any = {each.key for each in self.operations.verify().drifts}
        if found != wrong:
            raise DivergenceError(f"{self._name}: verify found {sorted(found)}, and {sorted(wrong)} are wrong")
