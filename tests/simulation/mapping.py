"""An event source mapping in virtual time, made of the real parts: `ShardLineage`, `Lane`, `decide`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from tests.simulation.function import Function
from tests.simulation.streams import RETENTION_SECONDS, Shard, Stream
from tests.simulation.world import World

from ddb_cache_sync.local.batching import Batch, GivenUp, Lane, PolledRecord
from ddb_cache_sync.local.properties import EventSourceMappingProperties
from ddb_cache_sync.local.responses import Result, Verdict
from ddb_cache_sync.table.lineage import Shard as ListedShard
from ddb_cache_sync.table.lineage import ShardLineage

Destination: TypeAlias = Callable[[Sequence[dict[str, Any]]], object]
"""Takes the records of a batch that was given up."""

_LONGEST_RETRY_WAIT_SECONDS: Final = 1800.0


@dataclass(slots=True)
class _Reading:
    """How far a shard was read."""

    shard: Shard
    lanes: list[_Runner]
    position: int = 0
    closed: bool = False


class Mapping:
    """An event source mapping: reads a stream from its beginning and invokes a function.

    Args:
        world: The world.
        stream: The stream.
        function: What to invoke.
        destination: Where batches go that are given up.
    """

    def __init__(self, world: World, stream: Stream, function: Function, destination: Destination) -> None:
        chance = world.random
        self.world = world
        self.function = function
        self.destination = destination
        self.properties = EventSourceMappingProperties(
            batch_size=chance.choice((1, 10, 30, 100, 100, 100, 1000, 1000)),
            maximum_batching_window_seconds=chance.choice((0, 1, 5)),
            parallelization_factor=chance.choice((1, 1, 1, 2, 3)),
            maximum_retry_attempts=chance.choice((0, 2, 5, -1)),
            bisect_batch_on_function_error=chance.random() < 0.5,
            # What is older the stream has not any more, so that it can't be tried again.
            maximum_record_age_seconds=chance.choice((3600, RETENTION_SECONDS, RETENTION_SECONDS)),
        )
        self.stopped = False
        self.disabled_until = 0.0
        self.raw: dict[str, dict[str, Any]] = {}
        self._stream = stream
        self._lineage = ShardLineage()
        self._open: dict[str, _Reading] = {}
        self._opened: set[str] = set()
        self._polls = False
        stream.readers.append(self.wake)
        self.wake()

    def stop(self) -> None:
        """Delete it: what is under way ends, nothing else begins."""
        self.stopped = True
        self._stream.readers.remove(self.wake)

    def wake(self) -> None:
        """Look for something new, soon."""
        if not self._polls:
            self._polls = True
            self.world.after(self.world.random.uniform(0.0, 1.0), self._poll)

    def _poll(self) -> None:
        self._polls = False
        if self.stopped:
            return
        if self.world.now < self.disabled_until:
            self._polls = True
            self.world.after(self.disabled_until - self.world.now + 0.001, self._poll)
            return
        self._finish_drained()
        oldest = self.world.now - RETENTION_SECONDS
        self._lineage.update(
            ListedShard(shard.name, shard.parent, shard.closed_at is not None)
            for shard in self._stream.shards
            if shard.closed_at is None or shard.closed_at > oldest
        )
        for shard in self._stream.shards:
            if shard.closed_at is not None and shard.closed_at <= oldest and shard.name not in self._opened:
                self._opened.add(shard.name)
                self._trim(shard.records)
        for ready in self._lineage.take_ready():
            self._opened.add(ready.shard_id)
            shard = next(each for each in self._stream.shards if each.name == ready.shard_id)
            lanes = [_Runner(self) for _ in range(self.properties.parallelization_factor)]
            self._open[shard.name] = _Reading(shard, lanes)
        for reading in self._open.values():
            self._read(reading, oldest)

    def _finish_drained(self) -> None:
        for name, reading in list(self._open.items()):
            if reading.closed and all(lane.ended for lane in reading.lanes):
                del self._open[name]
                self._lineage.finish(name)
                self.wake()

    def _read(self, reading: _Reading, oldest: float) -> None:
        shard, lanes = reading.shard, reading.lanes
        if reading.closed:
            return
        page = shard.records[reading.position :]
        reading.position += len(page)
        reading.closed = shard.closed_at is not None
        now = self.world.now
        for record in page:
            body = record["dynamodb"]
            number, created = body["SequenceNumber"], body.get("ApproximateCreationDateTime")
            if created is not None and created <= oldest:
                self._trim([record])
                continue
            self.raw[number] = record
            lane = lanes[hash_of(body["Keys"]) % len(lanes)] if len(lanes) > 1 else lanes[0]
            lane.lane.offer(PolledRecord(number, created, "", 200), now)
        for lane in lanes:
            if reading.closed:
                lane.lane.close()
            lane.go()
        if reading.closed:
            self.wake()

    def _trim(self, records: Sequence[dict[str, Any]]) -> None:
        """Note that these can't be read any more."""
        self.world.counts["record trimmed before it was read"] += len(records)
        self._stream.trimmed.update(record["dynamodb"]["SequenceNumber"] for record in records)


class _Runner:
    """Invokes with the batches of one lane, one at a time."""

    def __init__(self, mapping: Mapping) -> None:
        self.lane = Lane(mapping.properties)
        self._mapping = mapping
        self._world = mapping.world
        self._busy = False
        self._waits = False

    @property
    def ended(self) -> bool:
        """Whether it is done, and nothing more can come."""
        return self.lane.ended and not self._busy

    def go(self) -> None:
        """Send what is due."""
        while not self._busy and not self._mapping.stopped:
            step = self.lane.next_step(self._world.now)
            if isinstance(step, GivenUp):
                self._give_up(step)
            elif step is not None:
                self._busy = True
                self._world.after(self._world.random.expovariate(20.0), self._invoke, step)
            else:
                self._wait_until_due()
                return

    def _wait_until_due(self) -> None:
        due_at = self.lane.due_at()
        if due_at is not None and not self._waits:
            self._waits = True
            # Not at the very moment: a rounding could make it come before that again and again.
            self._world.after(max(0.0, due_at - self._world.now) + 0.001, self._due)

    def _due(self) -> None:
        self._waits = False
        self.go()

    def _invoke(self, batch: Batch) -> None:
        raw = self._mapping.raw
        self._mapping.function.invoke([raw[record.sequence_number] for record in batch.records], self._settle)

    def _settle(self, verdict: Verdict) -> None:
        decision = self.lane.settle(verdict)
        for record in decision.finished:
            self._mapping.raw.pop(record.sequence_number, None)
        if decision.given_up is not None:
            self._give_up(decision.given_up)
        wait = 0.0
        if verdict.result is not Result.SUCCESS and decision.again:
            most = min(_LONGEST_RETRY_WAIT_SECONDS, 0.1 * 3.0 ** (decision.again[0].invocations + 1))
            # Hours of trying in vain teach nothing: so it is tried a few times in an outage, however long that is.
            outage = self._mapping.function.outage_seconds
            wait = self._world.random.uniform(most / 2, most) + outage * self._world.random.random()
        self._world.after(wait, self._free)

    def _free(self) -> None:
        self._busy = False
        self.go()
        if self.lane.ended:
            self._mapping.wake()

    def _give_up(self, given_up: GivenUp) -> None:
        self._world.counts["batch given up"] += 1
        raw = self._mapping.raw
        self._mapping.destination([raw.pop(record.sequence_number) for record in given_up.batch.records])


def hash_of(keys: dict[str, Any]) -> int:
    """The same for the same partition key, in every run."""
    return sum(map(ord, keys["tenant"]["S"]))
