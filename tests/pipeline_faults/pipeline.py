"""A pipeline that goes through any number of rounds, every key compared after each of them."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from tests.pipeline_faults.checking import Checker
from tests.pipeline_faults.environments import Environments
from tests.pipeline_faults.items import NAME, PROJECTION, Items, ItemsClient, cache_key
from tests.pipeline_faults.kinds import Counts, Kind
from tests.pipeline_faults.plans import MOST_LANES
from tests.pipeline_faults.rig import DivergentError, Rig
from tests.pipeline_faults.rounds import Round
from tests.pipeline_faults.servers import Servers

from ddb_cache_sync import prepare_backfill
from ddb_cache_sync.sync.repair import repair
from ddb_cache_sync.sync.repair_report import RepairTarget
from ddb_cache_sync.sync.verify import VerifyOptions, verify

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.pipeline_faults.delivery import Delivery
    from tests.pipeline_faults.plans import Plan

    from ddb_cache_sync.local.embedded import EmbeddedCluster

_LOOKS: Final = (0.05, 0.1)  # nothing is in flight then


@dataclass(slots=True)
class Outcome:
    """What rounds came to, all together."""

    records: int = 0
    """Records applied or found stale by an invocation, as often as they came."""
    changes: int = 0
    """Changes of the table."""
    invocations: int = 0
    failed_invocations: int = 0
    lost: int = 0
    """Keys that were wrong after a failover, each of them found by verify and healed by repair."""
    compared: int = 0
    """Keys looked at between rounds."""


class Pipeline:
    """A table, a cluster and everything in between, for any number of rounds.

    Args:
        cluster: An empty cluster, with `servers.CONFIG`.
        keys: How many items the table has.
        seed: Draws everything.

    Attributes:
        rig: Its parts.
        outcome: What was done so far.
    """

    def __init__(self, cluster: EmbeddedCluster, keys: int, seed: str) -> None:
        self.outcome = Outcome()
        items = Items(keys)
        servers = Servers(cluster, items)
        environments = Environments(cluster, 2 * MOST_LANES + 2)
        self.rig = Rig(items, servers, Checker(items, servers), environments, Counts())
        self._seed = seed
        self._streams = itertools.count(1)
        self._before: Delivery | None = None

    def close(self) -> None:
        """Close all connections."""
        self.rig.environments.close()
        self.rig.servers.close()

    def fill(self) -> None:
        """Fill the cache with the items that were there before the stream."""
        client: Any = ItemsClient(self.rig.items)
        with self.rig.environments.one() as environment:
            report = prepare_backfill(environment.client, PROJECTION, client, NAME).run()
        assert report.written == self.rig.items.count

    def run(self, number: int, plan: Plan) -> None:
        """Run a round, and look at every key.

        Raises:
            DivergentError: A key is wrong that no failover took.
        """
        items, outcome = self.rig.items, self.outcome
        items.removals = plan.removals
        now = Round(self.rig, f"{self._seed}:{number}", plan, lambda: next(self._streams), self._before)
        now.run()
        items.busy = ()
        self._before = now.delivery
        outcome.records += now.delivery.records
        outcome.changes = items.changes - items.count
        for mapping in now.mappings:
            outcome.invocations += mapping.metrics().invocations
            outcome.failed_invocations += mapping.metrics().failed_invocations
        self.compare(number, now)

    def compare(self, number: int, after: Round | None = None) -> None:
        """Look at every key; what a failover took is found and healed by verify and repair.

        Args:
            number: The round's.
            after: The round. A failover can have taken what was written to its slots until then: changes made since
                the round began, and what a backfill wrote. Whatever changed afterwards has to be right. None: nothing
                can be missing.

        Raises:
            DivergentError: A key is wrong that no failover took.
        """
        checker, items = self.rig.checker, self.rig.items
        wrong = checker.divergent()
        self.outcome.compared += items.count
        if beyond := [key for key in wrong if after is None or not self._may_be_lost(key, after)]:
            raise DivergentError(self._described(number, beyond))
        if after is not None and after.lost:
            self._heal(number, wrong)

    def _may_be_lost(self, key: int, after: Round) -> bool:
        over = after.lost.get(self.rig.checker.slots[key])
        if over is None or self.rig.items.changed_since(key, over):
            return False
        return key in after.filled or self.rig.items.changed_since(key, after.begun_at)

    def _heal(self, number: int, wrong: Sequence[int]) -> None:
        """Let verify find these keys, and repair put them right."""
        client: Any = ItemsClient(self.rig.items)
        with self.rig.environments.one() as environment:
            cache = environment.client
            report = verify(cache, PROJECTION, client, NAME, VerifyOptions(looks=_LOOKS, most_listed=10**6))
            found = sorted(each.key for each in report.drifts)
            if found != sorted(map(cache_key, wrong)):
                raise DivergentError(f"round {number}: verify found {len(found)} keys, and {len(wrong)} are wrong")
            targets = [RepairTarget(each.key) for each in report.drifts]
            repaired = [*repair(cache, PROJECTION, client, NAME, targets, apply=True)]
        if not all(each.applied for each in repaired):
            raise DivergentError(f"round {number}: repair left {sum(not each.applied for each in repaired)} keys")
        if left := self.rig.checker.divergent():
            raise DivergentError(self._described(number, left))
        self.outcome.lost += len(wrong)
        self.rig.counts.add(Kind.FAILOVER_WITH_LOSS, bool(wrong))

    def _described(self, number: int, keys: Sequence[int]) -> str:
        lines = [
            f"round {number} of seed {self._seed}: {len(keys)} keys diverge; primaries {self.rig.servers.primaries()}"
        ]
        for key in keys[:20]:
            value, version = self.rig.checker.found(key)
            wanted = self.rig.items.value(key)
            lines.append(f"  {cache_key(key)}: {_shown(value)}, not {_shown(wanted)}; guard {_shown(version)}")
        return "\n".join(lines)


def _shown(value: bytes | None) -> str:
    return "nothing" if value is None else value[:60].decode(errors="replace")
