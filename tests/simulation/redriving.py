"""Redrive: batches that were given up come again, hours or days later, by the real `Redriving`.

What it reads is left out: files, buckets and queues have tests of their own. What is decided is not: which records are
applied as they are, and for which the table is read and the cache repaired.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, cast

from tests.simulation.cache import SimulatedCache
from tests.simulation.client import TableClient
from tests.simulation.connection import Connection
from tests.simulation.function import PROJECTION
from tests.simulation.streams import TABLE
from tests.simulation.table import Table
from tests.simulation.world import World

from ddb_cache_sync import Replicator
from ddb_cache_sync.core.expectations import Known
from ddb_cache_sync.errors import CacheUnavailable
from ddb_cache_sync.sync.preparing_redrive import _origin
from ddb_cache_sync.sync.redrive import RedriveOptions
from ddb_cache_sync.sync.redriving import Redriving
from ddb_cache_sync.sync.repair import Repairs
from ddb_cache_sync.sync.sides import Sides
from ddb_cache_sync.table.descriptions import table_description

_LONGEST_SECONDS: Final = 5 * 24 * 3600.0
_AGAIN_SECONDS: Final = 3600.0


class Redrive:
    """An on-failure destination and who empties it.

    Args:
        world: The world.
        table: The table.
        cache: The cache.
    """

    def __init__(self, world: World, table: Table, cache: SimulatedCache) -> None:
        self._world = world
        self._table = table
        self._cache = cache
        self._waiting: list[dict[str, Any]] = []

    def take(self, records: Sequence[dict[str, Any]]) -> None:
        """Take a batch that was given up."""
        chance = self._world.random
        longest = _LONGEST_SECONDS if chance.random() < 0.5 else 2 * 3600.0
        self._wait(records, chance.uniform(60.0, longest))

    def _wait(self, records: Sequence[dict[str, Any]], seconds: float) -> None:
        if not self._waiting:
            self._world.start(seconds, self._bring_back)
        self._waiting += records

    def _bring_back(self) -> None:
        """Bring back all that waits, stream by stream."""
        world = self._world
        records, self._waiting = self._waiting, []
        world.counts["redrive"] += 1
        by_stream: dict[str, list[dict[str, Any]]] = {}
        for record in records:
            by_stream.setdefault(record["eventSourceARN"], []).append(record)
        for stream_arn, of_stream in by_stream.items():
            try:
                done = self._redriving(stream_arn).bring_back(of_stream)
            except CacheUnavailable:
                self._wait(of_stream, _AGAIN_SECONDS)
                continue
            world.counts["record redriven as it is"] += done.applied + done.stale
            world.counts["record redriven by a repair"] += done.read_again

    def _redriving(self, stream_arn: str) -> Redriving:
        """One run, of what `ddb-cache-sync redrive --stream-arn` does."""
        world, connection = self._world, Connection(self._cache, "redrive")
        client = cast("Any", TableClient(world, self._table))
        described = table_description(client, TABLE)

        def repairs() -> Repairs:
            known = Known.of(PROJECTION, TABLE, described.key_names, described.key_types)
            return Repairs(Sides(connection, PROJECTION, client, known, world.clock), world.clock, apply=True)

        return Redriving(
            _origin(described, RedriveOptions(stream_arn=stream_arn), None),
            Replicator(connection, PROJECTION, clock=world.clock),
            PROJECTION,
            repairs,
            guard_ttl_seconds=int(self._cache.guard_ttl_seconds),
            read_again=False,
            dry_run=False,
            clock=world.clock,
        )
