"""What operators and readers do to a table and its cache: the real backfill, verify, repair and reader, each as a task.

They run in virtual time: wherever one of them would wait for the table or the cache, others go on.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import Any, Final, cast

from tests.simulation.cache import SimulatedCache
from tests.simulation.client import TableClient
from tests.simulation.connection import Connection
from tests.simulation.function import PROJECTION
from tests.simulation.streams import TABLE
from tests.simulation.table import Item, Table
from tests.simulation.world import Killed, World

from ddb_cache_sync import CacheReader, Image
from ddb_cache_sync.cache.backoff import Backoff
from ddb_cache_sync.errors import CacheUnavailable, TableError
from ddb_cache_sync.sync.backfill import Backfill
from ddb_cache_sync.sync.checkpoint import Checkpoint
from ddb_cache_sync.sync.item_sources import Page, ScanSource
from ddb_cache_sync.sync.repair import repair
from ddb_cache_sync.sync.repair_report import RepairTarget
from ddb_cache_sync.sync.verify import VerifyOptions, verify
from ddb_cache_sync.sync.verify_report import VerifyReport
from ddb_cache_sync.table.descriptions import table_description

LOOKS: Final = (1.0, 5.0, 30.0)


class _Scan(ScanSource):
    """A scan whose pages are as old as virtual time says."""

    def __init__(self, world: World, client: TableClient) -> None:
        chance = world.random
        self._table_client = client
        super().__init__(
            cast("Any", client),
            table_description(cast("Any", client), TABLE),
            segments=chance.randint(1, 3),
            consistent=chance.random() < 0.5,
            page_limit=chance.randint(1, 20),
        )

    def pages(self, piece: str, position: Any) -> Generator[Page, None, None]:
        """See `ItemSource.pages`."""
        for page in super().pages(piece, position):
            yield page._replace(as_of=self._table_client.asked_at)


class Operations:
    """The commands, each to be started as a task.

    Args:
        world: The world.
        table: The table.
        cache: The cache.
    """

    def __init__(self, world: World, table: Table, cache: SimulatedCache) -> None:
        self._world = world
        self._table = table
        self._cache = cache

    def backfill(self) -> None:
        """Fill the cache, again from the checkpoint wherever it is stopped."""
        world, client = self._world, TableClient(self._world, self._table)
        source = _Scan(world, client)
        checkpoint = Checkpoint(None, source.job)
        wait = 0.0
        while True:
            run = Backfill(
                Connection(self._cache, "backfill"),
                PROJECTION,
                source,
                checkpoint,
                guard_ttl_seconds=self._cache.guard_ttl_seconds,
                threads=1,
                clock=world.clock,
            )
            try:
                world.pause(wait)
                report = run.run()
            except (Killed, CacheUnavailable):
                world.counts["backfill killed"] += 1
                wait = world.random.uniform(1.0, 3600.0)
            except TableError:
                world.counts["backfill refused a page that was too old"] += 1
            else:
                world.counts["backfill"] += 1
                world.counts["item filled"] += report.written
                world.counts["item the stream had spoken of"] += report.guarded
                return

    def verify(self) -> VerifyReport:
        """Compare table and cache."""
        self._world.counts["verification"] += 1
        return verify(
            Connection(self._cache, "verify"),
            PROJECTION,
            cast("Any", TableClient(self._world, self._table)),
            TABLE,
            VerifyOptions(looks=LOOKS, segments=1),
            clock=self._world.clock,
            # What is left of the time until a look, in which no real time passes to speak of.
            sleep=lambda seconds: self._world.pause(float(round(seconds))),
        )

    def verify_and_repair(self) -> None:
        """Repair what has drifted, as `repair --keys-from` does."""
        try:
            drifted = self.verify().drifts
            self.repair([RepairTarget(each.key, None if each.item is None else Image(each.item)) for each in drifted])
        except (CacheUnavailable, Killed):
            self._world.counts["repair stopped"] += 1

    def repair_any(self) -> None:
        """Repair items whatever they hold, while the stream goes on."""
        chance = self._world.random
        chosen = chance.sample(self._table.items, chance.randint(1, min(8, len(self._table.items))))
        try:
            self.repair([target_of(item) for item in chosen])
        except (CacheUnavailable, Killed):
            self._world.counts["repair stopped"] += 1

    def repair(self, targets: Sequence[RepairTarget]) -> None:
        """Repair these keys."""
        world = self._world
        done = repair(
            Connection(self._cache, "repair"),
            PROJECTION,
            cast("Any", TableClient(world, self._table)),
            TABLE,
            targets,
            apply=True,
            clock=world.clock,
            monotonic=world.clock,
        )
        for each in done:
            world.counts[f"repair: {each.action}"] += 1

    def read_any(self) -> None:
        """Read items as an application does; what is missing is filled in.

        Raises:
            AssertionError: What was read is no state that the item has had.
        """
        world = self._world
        reader = CacheReader(
            Connection(self._cache, "reader"),
            TABLE,
            PROJECTION,
            table_client=cast("Any", TableClient(world, self._table)),
            clock=world.clock,
        )
        loader = reader._loader
        assert loader is not None
        loader._waits = Backoff(0.01, 0.1, monotonic=world.clock, sleep=world.pause, fraction=world.random.random)
        # What is there and not in the cache, for the moment: such items keep changing.
        missing = [
            item for item in self._table.items if item.cache_key not in self._cache.values and item.wire is not None
        ]
        latest = sorted(missing, key=lambda item: item.changes[-1].at, reverse=True)[: world.random.randint(0, 3)]
        for item in [*latest, world.random.choice(self._table.items)]:
            try:
                found = reader.get({name: value["S"] for name, value in item.key.items()})
            except Killed:
                return
            world.counts["read"] += 1
            numbers = [None if change.value is None else change.number for change in item.changes]
            assert (None if found is None else int(found["n"])) in numbers, f"{item.cache_key} was never {found}"


def target_of(item: Item) -> RepairTarget:
    """An item, as a repair is told it."""
    return RepairTarget(item.cache_key, Image(item.key))
