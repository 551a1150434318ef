"""Redrive: batches that were given up come again, hours or days later.

The rule: what is younger than a guard's time to live is delivered as it is; what is older is not trusted, but read from
the table and repaired.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from tests.simulation.function import Function
from tests.simulation.operations import Operations, target_of
from tests.simulation.table import Table
from tests.simulation.world import World

from ddb_cache_sync.errors import CacheUnavailable
from ddb_cache_sync.local.responses import Result

_MARGIN_SECONDS: Final = 900.0
"""How long a delivery may take."""
_LONGEST_SECONDS: Final = 5 * 24 * 3600.0
_AGAIN_SECONDS: Final = 3600.0


class Redrive:
    """An on-failure destination and who empties it. The one place to change for another way to redrive.

    Args:
        world: The world.
        table: The table.
        function: What is invoked with records that are young enough.
        operations: What repairs the others.
        guard_ttl_seconds: The replicator's.
    """

    def __init__(
        self, world: World, table: Table, function: Function, operations: Operations, guard_ttl_seconds: float
    ) -> None:
        self._world = world
        self._table = table
        self._function = function
        self._operations = operations
        self._oldest_seconds = guard_ttl_seconds - _MARGIN_SECONDS
        self._waiting: list[dict[str, Any]] = []

    def take(self, records: Sequence[dict[str, Any]]) -> None:
        """Take a batch that was given up."""
        if not self._waiting:
            chance = self._world.random
            longest = _LONGEST_SECONDS if chance.random() < 0.5 else 2 * 3600.0
            self._world.start(chance.uniform(60.0, longest), self._redrive)
        self._waiting += records

    def _redrive(self) -> None:
        """Take all that waits, and deliver or repair it."""
        world = self._world
        records, self._waiting = self._waiting, []
        world.counts["redrive"] += 1
        oldest = world.now - self._oldest_seconds
        young = [record for record in records if record["dynamodb"]["ApproximateCreationDateTime"] > oldest]
        items = {id(record): self._table.find(record["dynamodb"]["Keys"]) for record in records}
        if young:
            world.counts["record redriven as it is"] += len(young)
            verdict = self._function.deliver(young, "redrive")
            if verdict.result is Result.FAILURE:
                self._again(young)
        old = [record for record in records if record["dynamodb"]["ApproximateCreationDateTime"] <= oldest]
        targets = {item.cache_key: target_of(item) for record in old if (item := items[id(record)]) is not None}
        if targets:
            world.counts["record redriven by a repair"] += len(old)
            try:
                self._operations.repair([*targets.values()])
            except CacheUnavailable:
                self._again(old)

    def _again(self, records: Sequence[dict[str, Any]]) -> None:
        """Let these come once more."""
        if not self._waiting:
            self._world.start(_AGAIN_SECONDS, self._redrive)
        self._waiting += records
