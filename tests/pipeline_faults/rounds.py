"""A round: the whole pipeline over a real cluster, with faults drawn from a seed, until all that came is applied.

The schedule is drawn from the seed and the round's number alone: settings, changes, which event meets which fault,
which servers fail, when, and how. Not replayed: how threads and servers interleave, what the network is doing at that
moment, hence where batches end when a shard's lanes run dry and how long a server's fault lasts.
"""

from __future__ import annotations

import contextlib
import random
import shutil
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import orjson
from tests.pipeline_faults.checking import Checker
from tests.pipeline_faults.delivery import DELIVERED, PROXIED, Delivery, JumpingClock
from tests.pipeline_faults.environments import Environments
from tests.pipeline_faults.items import NAME, PROJECTION, Items, ItemsClient, cache_key
from tests.pipeline_faults.kinds import Counts, Kind
from tests.pipeline_faults.redriving import LATE_SECONDS, give_up, left, redrive
from tests.pipeline_faults.servers import FAULTS, SERVERS, Lost, Servers
from tests.pipeline_faults.stream import GeneratedStream

from ddb_cache_sync import BackfillOptions, prepare_backfill
from ddb_cache_sync.local.event_source_mapping import EventSourceMapping, EventSourceMappingProperties, Pace
from ddb_cache_sync.local.failure_destination import FolderDestination
from ddb_cache_sync.sync.repair import repair
from ddb_cache_sync.sync.repair_report import RepairTarget
from ddb_cache_sync.sync.verify import VerifyOptions, verify
from ddb_cache_sync.table.retries import Backoff

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ddb_cache_sync.local.embedded import EmbeddedCluster
    from ddb_cache_sync.sync.redrive import RedriveReport

_TIMEOUT_SECONDS: Final = 60.0
_DRAIN_SECONDS: Final = 300.0
_LOOKS: Final = (0.05, 0.1)  # nothing is in flight then
_MOST_LANES: Final = 6
_SLOW: Final = (Kind.KILLED, Kind.NO_REPLY, Kind.THAWED_SOCKET)


class DivergentError(Exception):
    """Keys don't hold what they should."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What a round does."""

    records: int
    """So many changes at least; more while a server's fault lasts."""
    page: int = 1000
    batch_size: int = 1000
    shards: int = 2
    parallelization_factor: int = 1
    bisect: bool = False
    retries: int = 6
    removals: float = 0.2
    poison_share: float = 0.0
    mix: Mapping[Kind, float] = field(default_factory=dict)
    """The share of the invocations that meet each fault."""
    each: Sequence[Kind] = ()
    """Faults that invocations meet in turn, until each of them has struck; the round goes on until then."""
    servers: Sequence[Kind] = ()
    """The servers' faults, evenly spread."""
    split: bool = False
    recreate: bool = False
    expire_guards: int = 0
    """How many guards expire before it, their items being filled in by a backfill that races with the stream."""


def drawn_plan(seed: str, number: int, records: int) -> Plan:
    """The plan of a round of a long run."""
    chance = random.Random(f"plan:{seed}:{number}")
    batch_size = chance.choice((200, 500, 1000, 1000, 1000, 3000))
    # As many in a round, whatever the batch size; those that take seconds are the rarer.
    shares = dict.fromkeys(DELIVERED, 0.02) | dict.fromkeys(PROXIED, 0.01) | dict.fromkeys(_SLOW, 0.003)
    kinds = chance.sample(DELIVERED, 4) + chance.sample(PROXIED, 3)
    return Plan(
        records=records,
        batch_size=batch_size,
        shards=chance.choice((1, 2, 2, 3)),
        parallelization_factor=chance.choice((1, 1, 2)),
        bisect=chance.random() < 0.3,
        removals=chance.choice((0.02, 0.2, 0.5)),
        poison_share=chance.choice((0.0, 0.0, 0.005)),
        mix={kind: shares[kind] * batch_size / 1000 for kind in kinds},
        servers=chance.sample([kind for kind in SERVERS if kind is not Kind.FAILOVER_WITH_LOSS], 2)
        + ([Kind.FAILOVER_WITH_LOSS] if chance.random() < 0.15 else []),
        split=chance.random() < 0.3,
        recreate=chance.random() < 0.3,
        expire_guards=chance.choice((0, 0, 2000)),
    )


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
        counts: The faults that struck.
        outcome: What was done so far.
    """

    def __init__(self, cluster: EmbeddedCluster, keys: int, seed: str) -> None:
        self.counts = Counts()
        self.outcome = Outcome()
        self.items = Items(keys)
        self.servers = Servers(cluster, self.items)
        self.checker = Checker(self.items, self.servers)
        self._seed = seed
        self._environments = Environments(cluster, 2 * _MOST_LANES + 2)
        self._streams = 0
        self._mapped: list[tuple[GeneratedStream, EventSourceMapping]] = []
        self._past: Delivery | None = None

    def close(self) -> None:
        """Close all connections."""
        self._environments.__exit__()
        self.servers.close()

    def fill(self) -> None:
        """Fill the cache with the items that were there before the stream."""
        client: Any = ItemsClient(self.items)
        with self._environments.one() as environment:
            report = prepare_backfill(environment.client, PROJECTION, client, NAME).run()
        assert report.written == self.items.count

    def run(self, number: int, plan: Plan) -> None:
        """Run a round, and look at every key.

        Raises:
            DivergentError: A key is wrong that no failover took.
        """
        round_ = _Round(self, f"{self._seed}:{number}", plan)
        self.items.removals = plan.removals
        lost = round_.run()
        self.items.busy = ()
        self.compare(number, lost, frozenset(round_.filled))
        self.outcome.changes = self.items.changes - self.items.count

    def compare(self, number: int, lost: Sequence[Lost] = (), filled: frozenset[int] = frozenset()) -> None:
        """Look at every key; what a failover took is found and healed by verify and repair.

        Args:
            number: The round's.
            lost: The failovers. They may have taken what was written to their slots just before.
            filled: The keys that a backfill wrote in this round.

        Raises:
            DivergentError: A key is wrong that no failover took.
        """
        wrong = self.checker.divergent()
        self.outcome.compared += self.items.count
        beyond = [
            key
            for key in wrong
            if not any(
                self.checker.slots[key] in each.slots
                and (key in filled or self.items.changed_since(key, each.since_change))
                for each in lost
            )
        ]
        if beyond:
            raise DivergentError(self._described(number, beyond))
        if not lost:
            return
        if wrong:
            self.counts.add(Kind.FAILOVER_WITH_LOSS)
        client: Any = ItemsClient(self.items)
        with self._environments.one() as environment:
            cache = environment.client
            report = verify(cache, PROJECTION, client, NAME, VerifyOptions(looks=_LOOKS, most_listed=10**6))
            found = sorted(each.key for each in report.drifts)
            if found != sorted(cache_key(key) for key in wrong):
                raise DivergentError(f"round {number}: verify found {len(found)} keys, and {len(wrong)} are wrong")
            targets = [RepairTarget(each.key) for each in report.drifts]
            repaired = [*repair(cache, PROJECTION, client, NAME, targets, apply=True)]
        if not all(each.applied for each in repaired):
            raise DivergentError(f"round {number}: repair left {sum(not each.applied for each in repaired)} keys")
        self.outcome.lost += len(wrong)
        if left := self.checker.divergent():
            raise DivergentError(self._described(number, left))

    def _described(self, number: int, keys: Sequence[int]) -> str:
        lines = [f"round {number} of seed {self._seed}: {len(keys)} keys diverge; primaries {self.servers.primaries()}"]
        for key in keys[:20]:
            value, version = self.checker.found(key)
            wanted = self.items.value(key)
            lines.append(f"  {cache_key(key)}: {_shown(value)}, not {_shown(wanted)}; guard {_shown(version)}")
        return "\n".join(lines)


def _shown(value: bytes | None) -> str:
    return "nothing" if value is None else value[:60].decode(errors="replace")


class _Round:
    """One round of a pipeline."""

    def __init__(self, pipeline: Pipeline, seed: str, plan: Plan) -> None:
        self._pipeline = pipeline
        self._items = pipeline.items
        self._counts = pipeline.counts
        self._seed = seed
        self._plan = plan
        self._clock = JumpingClock()
        self._given_up = Path(tempfile.mkdtemp(prefix="given-up-"))
        self._begun_at = self._items.changes
        self._held_open = 1
        self._stopped = False
        self._lost: list[Lost] = []
        self.filled: Sequence[int] = ()
        self._problems: list[BaseException] = []
        self._stream: GeneratedStream | None = None
        past = pipeline._past
        self._delivery = Delivery(
            pipeline._environments,
            pipeline.servers.primaries,
            self._counts,
            self._clock,
            seed,
            plan.mix,
            plan.bisect,
            _TIMEOUT_SECONDS,
            plan.each,
        )
        if past is not None:
            self._delivery.past = past.past
            self._delivery.newest_arn = past.newest_arn

    def run(self) -> Sequence[Lost]:
        """Run it to its end; what failovers may have taken."""
        plan = self._plan
        with contextlib.ExitStack() as stack:
            racers = [threading.Thread(target=self._guarded, args=(self._server_faults,))]
            if plan.expire_guards:
                keys, old = self._expire_guards()
                racers.append(threading.Thread(target=self._guarded, args=(self._backfill, keys)))
                racers.append(threading.Thread(target=self._guarded, args=(self._redrive_late, old)))
            mappings = [self._open(stack)]
            for racer in racers:
                racer.start()
            if plan.split:
                self._until(0.3)
                self._split()
            if plan.recreate:
                self._until(0.6)
                mappings.append(self._open(stack))
            for racer in racers:
                racer.join()
            self._held_open = 0
            if self._problems:
                raise self._problems[0]
            for mapping in mappings:
                mapping.drain(_DRAIN_SECONDS)
            self._redrive()
            self._count(mappings)
        shutil.rmtree(self._given_up)
        if self._lost:
            self._delivery.past.clear()  # an older record would win where the guard of a newer one was lost
        self._pipeline._past = self._delivery
        return self._lost

    def _count(self, mappings: Sequence[EventSourceMapping]) -> None:
        outcome = self._pipeline.outcome
        outcome.records += self._delivery.records
        for mapping in mappings:
            outcome.invocations += mapping.metrics().invocations
            outcome.failed_invocations += mapping.metrics().failed_invocations

    def _open(self, stack: contextlib.ExitStack) -> EventSourceMapping:
        """Start a stream, the one before having ended, and an event source mapping that reads it."""
        plan, pipeline = self._plan, self._pipeline
        pipeline._streams += 1
        number = pipeline._streams
        stream = self._stream = GeneratedStream(
            self._items,
            number,
            shards=plan.shards,
            seed=f"{self._seed}:{number}",
            wanted=lambda: self._stream is stream and self._is_wanted(),
            page=plan.page,
            poison_share=plan.poison_share,
        )
        stack.callback(lambda: self._counts.add(Kind.SHARD_SPLIT, bool(stream.children_read)))
        properties = EventSourceMappingProperties(
            batch_size=plan.batch_size,
            parallelization_factor=plan.parallelization_factor,
            maximum_retry_attempts=plan.retries,
            bisect_batch_on_function_error=plan.bisect,
            function_timeout_seconds=_TIMEOUT_SECONDS,
        )
        client: Any = stream
        mapping = EventSourceMapping(
            client,
            stream.arn,
            self._delivery,
            properties,
            on_failure=FolderDestination(self._given_up),
            clock=self._clock,
            pace=Pace(poll_interval_seconds=0.005, retry_backoff=Backoff(base_seconds=0.005, cap_seconds=0.05)),
        )
        return stack.enter_context(mapping)

    def _is_wanted(self) -> bool:
        return self._items.changes - self._begun_at < self._plan.records or (self._held_open > 0 and not self._problems)

    def _until(self, share: float) -> None:
        """Wait until so much of the round is over."""
        while self._items.changes - self._begun_at < share * self._plan.records and not self._problems:
            time.sleep(0.002)

    def _split(self) -> None:
        """Split a shard of the stream, and wait until its children are read."""
        stream = self._stream
        assert stream is not None
        stream.split()
        ends = time.monotonic() + _DRAIN_SECONDS
        while not stream.children_read and not self._problems and time.monotonic() < ends:
            time.sleep(0.002)

    def _guarded(self, work: Any, *arguments: Any) -> None:
        try:
            work(*arguments)
        except BaseException as error:  # noqa: BLE001 - raised by the one who waits
            self._problems.append(error)

    def _server_faults(self) -> None:
        kinds = self._plan.servers
        for place, kind in enumerate(kinds, 1):
            self._until(place / (len(kinds) + 1))
            self._pipeline.servers.settle()
            lost = FAULTS[kind](self._pipeline.servers, self._counts, random.Random(f"{self._seed}:{place}"))
            if lost is not None:
                self._lost.append(lost)
        self._until(1)
        ends = time.monotonic() + _DRAIN_SECONDS
        while any(not self._counts[kind] for kind in self._plan.each) and time.monotonic() < ends:
            time.sleep(0.01)

    def _expire_guards(self) -> tuple[Sequence[int], Sequence[bytes]]:
        """Let guards go before anything is under way; the keys, and some of the batches of before."""
        chance = random.Random(f"expire:{self._seed}")
        keys = chance.sample(range(self._items.count), min(self._plan.expire_guards, self._items.count))
        gone = self._pipeline.checker.forget_guards(keys, keys[: len(keys) // 3])
        self._counts.add(Kind.GUARD_EXPIRY, gone)
        # From here on they are older than guards live: only a redrive, which does not trust them, may bring them back.
        old = chance.sample([*self._delivery.past], min(2, len(self._delivery.past)))
        self._delivery.past.clear()
        self._items.busy, self._items.busy_share = keys, 0.1
        self.filled = keys
        return keys, old

    def _backfill(self, keys: Sequence[int]) -> None:
        """Fill in the items whose guards are gone, each page held back until some of them have changed."""
        raced = 0

        def hold(page: Sequence[int], read_at: int) -> None:
            nonlocal raced
            until = time.monotonic() + 5
            while self._items.changes < read_at + 10 * len(page) and self._is_wanted() and time.monotonic() < until:
                time.sleep(0.002)
            raced += sum(self._items.changed_since(key, read_at) for key in page)

        client: Any = ItemsClient(self._items, sorted(keys), page=500, hold=hold)
        with self._pipeline._environments.one() as environment:
            report = prepare_backfill(environment.client, PROJECTION, client, NAME, BackfillOptions(segments=2)).run()
        if report.failed:
            raise DivergentError(f"the backfill failed for {report.failed} items: {report.problems[0]}")
        if report.guarded:
            self._counts.add(Kind.BACKFILL_RACE, raced)

    def _redrive_late(self, old: Sequence[bytes]) -> None:
        """Redrive batches that are older than guards live, while the stream is at work."""
        with tempfile.TemporaryDirectory(prefix="old-") as name:
            folder = Path(name)
            for number, records in enumerate(map(orjson.loads, old)):
                give_up(folder, str(number), records)
            for arn in self._arns(folder):
                report = self._redriven(folder, arn, LATE_SECONDS)
                self._counts.add(Kind.READ_AGAIN, report.read_again)
                if report.applied or report.stale:
                    raise DivergentError("a redrive trusted records that are older than guards live")

    def _redrive(self) -> None:
        """Bring back what was given up; what can't be decoded stays."""
        batches = len(left(self._given_up))
        for arn in self._arns(self._given_up):
            self._redriven(self._given_up, arn)
        kept = left(self._given_up)
        if any(not any("ApproximateCreationDateTime" not in each["dynamodb"] for each in batch) for batch in kept):
            raise DivergentError("a redrive left a batch without a poison record")
        self._counts.add(Kind.GIVEN_UP, batches)

    def _redriven(self, folder: Path, arn: str, late_seconds: float = 0.0) -> RedriveReport:
        pipeline = self._pipeline
        newest = self._stream.arn if self._stream is not None else arn
        with pipeline._environments.one() as environment:
            return redrive(folder, environment.client, self._items, arn, newest_arn=newest, late_seconds=late_seconds)

    @staticmethod
    def _arns(folder: Path) -> Sequence[str]:
        """The streams that the batches are of."""
        return sorted({batch[0]["eventSourceARN"] for batch in left(folder)})
