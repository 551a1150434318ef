"""A round: the whole pipeline over a real cluster, with faults drawn from a seed, until all that came is applied.

The schedule is drawn from the seed and the round's number alone: settings, changes, which event meets which fault,
which servers fail, when, and how. Not replayed: how threads and servers interleave, what the network is doing at that
moment, hence where batches end when a shard's lanes run dry and how long a server's fault lasts.
"""

from __future__ import annotations

import contextlib
import random
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from tests.pipeline_faults.delivery import Delivery, JumpingClock
from tests.pipeline_faults.jobs import backfill, expire_guards, redrive_given_up, redrive_late
from tests.pipeline_faults.kinds import Kind
from tests.pipeline_faults.server_faults import FAULTS
from tests.pipeline_faults.stream import GeneratedStream

from ddb_cache_sync.local.event_source_mapping import EventSourceMapping, EventSourceMappingProperties, Pace
from ddb_cache_sync.local.failure_destination import FolderDestination
from ddb_cache_sync.table.retries import Backoff

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tests.pipeline_faults.plans import Plan
    from tests.pipeline_faults.rig import Rig

_TIMEOUT_SECONDS: Final = 60.0
_DRAIN_SECONDS: Final = 300.0
_PACE: Final = Pace(poll_interval_seconds=0.005, retry_backoff=Backoff(base_seconds=0.005, cap_seconds=0.05))


class Round:
    """One round of a pipeline; it runs once.

    Args:
        rig: The pipeline.
        seed: Draws what the plan leaves open.
        plan: What to do.
        stream_number: Gives the number of the next stream.
        before: The delivery of the round before; it remembers batches. None: there was none.

    Attributes:
        delivery: What the streams' records went through.
        mappings: The event source mappings.
        begun_at: The table's last change before it; all up to there had been applied, and compared.
        lost: The slots in which failovers may have taken writes, each with the table's last change when that was over.
        filled: The keys that a backfill wrote.
    """

    def __init__(
        self, rig: Rig, seed: str, plan: Plan, stream_number: Callable[[], int], before: Delivery | None
    ) -> None:
        self.mappings: list[EventSourceMapping] = []
        self.lost: dict[int, int] = {}
        self.filled: Sequence[int] = ()
        self._rig = rig
        self._seed = seed
        self._plan = plan
        self._stream_number = stream_number
        self._clock = JumpingClock()
        self.begun_at = rig.items.changes
        self._held_open = True
        self._problems: list[BaseException] = []
        self._stream: GeneratedStream | None = None
        self.delivery = Delivery(
            rig.environments,
            rig.servers.primaries,
            rig.counts,
            self._clock,
            seed,
            plan.mix,
            plan.bisect,
            _TIMEOUT_SECONDS,
            plan.each,
        )
        if before is not None:
            self.delivery.past = before.past
            self.delivery.newest_arn = before.newest_arn

    def run(self) -> None:
        """Run it to its end, when all that came is applied or was given up and brought back.

        Raises:
            DivergentError: A backfill or a redrive did what it must not.
            NotSettledError: The cluster did not become whole again.
            DrainTimeout: The pipeline is stuck.
        """
        plan = self._plan
        with contextlib.ExitStack() as stack:
            given_up = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="given-up-")))
            beside = [self._beside(self._server_faults)]
            old = self._expired() if plan.expire_guards else ()
            stream = self._open(stack, given_up)
            if plan.expire_guards:
                beside.append(self._beside(lambda: backfill(self._rig, self.filled, self._is_wanted)))
                beside.append(self._beside(lambda: redrive_late(self._rig, old, stream.arn)))
            for thread in beside:
                thread.start()
            if plan.split:
                self._until(0.3)
                self._split(stream)
            if plan.recreate:
                self._until(0.6)
                stream = self._open(stack, given_up)
            for thread in beside:
                thread.join()
            self._held_open = False
            if self._problems:
                raise self._problems[0]
            for mapping in self.mappings:
                mapping.drain(_DRAIN_SECONDS)
            redrive_given_up(self._rig, given_up, stream.arn)
        if self.lost:
            self.delivery.past.clear()  # an older record would win where the guard of a newer one was lost

    def _open(self, stack: contextlib.ExitStack, given_up: Path) -> GeneratedStream:
        """Start a stream, the one before having ended, and an event source mapping that reads it."""
        plan, number = self._plan, self._stream_number()
        stream = self._stream = GeneratedStream(
            self._rig.items,
            number,
            shards=plan.shards,
            seed=f"{self._seed}:{number}",
            wanted=lambda: self._stream is stream and self._is_wanted(),
            page=plan.page,
            poison_share=plan.poison_share,
        )
        stack.callback(lambda: self._rig.counts.add(Kind.SHARD_SPLIT, bool(stream.children_read)))
        properties = EventSourceMappingProperties(
            batch_size=plan.batch_size,
            parallelization_factor=plan.parallelization_factor,
            maximum_retry_attempts=plan.retries,
            bisect_batch_on_function_error=plan.bisect,
            function_timeout_seconds=_TIMEOUT_SECONDS,
        )
        client: Any = stream
        destination = FolderDestination(given_up)
        mapping = EventSourceMapping(
            client, stream.arn, self.delivery, properties, on_failure=destination, clock=self._clock, pace=_PACE
        )
        self.mappings.append(stack.enter_context(mapping))
        return stream

    def _is_wanted(self) -> bool:
        """Whether more changes are wanted: as many as planned, and more while something goes on beside them."""
        made = self._rig.items.changes - self.begun_at
        return made < self._plan.records or (self._held_open and not self._problems)

    def _until(self, share: float) -> None:
        """Wait until so much of the round is over."""
        self._wait(lambda: self._rig.items.changes - self.begun_at >= share * self._plan.records)

    def _wait(self, condition: Callable[[], bool]) -> None:
        ends = time.monotonic() + _DRAIN_SECONDS
        while not condition() and not self._problems and time.monotonic() < ends:
            time.sleep(0.002)

    def _split(self, stream: GeneratedStream) -> None:
        """Split a shard of the stream, and wait until its children are read."""
        stream.split()
        self._wait(lambda: stream.children_read > 0)

    def _beside(self, work: Callable[[], object]) -> threading.Thread:
        """A thread for it; what it raises ends the round."""

        def guarded() -> None:
            try:
                work()
            except BaseException as error:  # noqa: BLE001 - raised by the one who waits
                self._problems.append(error)

        return threading.Thread(target=guarded)

    def _server_faults(self) -> None:
        rig, kinds = self._rig, self._plan.servers
        for place, kind in enumerate(kinds, 1):
            self._until(place / (len(kinds) + 1))
            rig.servers.settle()
            slots = FAULTS[kind](rig.servers, rig.counts, random.Random(f"{self._seed}:{place}"))
            self.lost |= dict.fromkeys(slots or (), rig.items.changes)
        self._until(1)
        self._wait(lambda: all(rig.counts[kind] for kind in self._plan.each))

    def _expired(self) -> Sequence[bytes]:
        """Let guards expire before anything is under way; some of the batches of before."""
        chance = random.Random(f"expire:{self._seed}")
        keys = range(self._rig.items.count)
        self.filled = chance.sample(keys, min(self._plan.expire_guards, len(keys)))
        expire_guards(self._rig, self.filled)
        # From here on they are older than guards live: only a redrive, which does not trust them, may bring them back.
        past = [*self.delivery.past]
        self.delivery.past.clear()
        return chance.sample(past, min(2, len(past)))
