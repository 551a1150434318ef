"""Reading a stream in rounds, and handing its records to lanes by partition key."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import orjson

from ddb_cache_sync.local.batching import PolledRecord
from ddb_cache_sync.local.workers import LaneWorker
from ddb_cache_sync.table.lambda_records import to_lambda_record
from ddb_cache_sync.table.lineage import ShardLineage
from ddb_cache_sync.table.streams import StartingPosition

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mypy_boto3_dynamodbstreams.type_defs import RecordTypeDef

    from ddb_cache_sync.local.workers import Delivery, Shared
    from ddb_cache_sync.table.lineage import Shard
    from ddb_cache_sync.table.streams import ShardReader, StreamDescription, StreamReader


@dataclass(frozen=True, slots=True)
class Round:
    """What one round of reading found.

    Attributes:
        records: How many records were read.
        quiet: True when, in this round, the stream was described and showed no new shard, every shard answered with
            an empty page, and after that every lane was idle: all that was written before the round is finished.
    """

    records: int
    quiet: bool


@dataclass(frozen=True, slots=True)
class _OpenShard:
    reader: ShardReader
    lanes: tuple[LaneWorker, ...]


class Poller:
    """Reads every shard whose turn has come and keeps its lanes fed. Driven round by round, by one thread."""

    def __init__(self, stream: StreamReader, delivery: Delivery, shared: Shared, describe_interval: float) -> None:
        self._stream = stream
        self._delivery = delivery
        self._shared = shared
        self._describe_interval = describe_interval
        self._describe_at = 0.0
        self._partition_key: str | None = None
        self._lineage = ShardLineage()
        self._open: dict[str, _OpenShard] = {}
        self._workers: list[LaneWorker] = []
        properties = delivery.properties
        # Enough for a full batch in each lane and one behind it; beyond that the stream keeps the records for us.
        self._most_waiting = 2 * properties.batch_size * properties.parallelization_factor + 1000

    @property
    def workers(self) -> tuple[LaneWorker, ...]:
        """Every lane's worker since the beginning, those that have ended included."""
        return tuple(self._workers)

    def open_first(self) -> None:
        """Open the stream at the starting position; the iterators are taken now.

        Raises:
            TableError: The stream can't be read.
        """
        position = self._delivery.properties.starting_position
        description = self._describe()
        if position is StartingPosition.LATEST:
            for shard in description.shards:
                if shard.closed:
                    self._lineage.finish(shard.shard_id)
        self._open_ready(position)

    def run_round(self, *, describe: bool) -> Round:
        """Read one page of every open shard.

        Args:
            describe: Look for new shards in any case, not only when it is time to.

        Raises:
            TableError: The stream can't be read.
        """
        finished = self._finish_drained()
        described = describe or finished or self._delivery.clock() >= self._describe_at
        if described:
            self._describe()
        opened = self._open_ready(StartingPosition.TRIM_HORIZON)
        records = 0
        quiet = described and not opened and not self._lineage.waiting
        for shard in self._open.values():
            if self._is_behind(shard):
                quiet = False
                continue
            page = shard.reader.read()
            records += len(page)
            self._offer(shard, page)
            quiet = quiet and not page and not shard.reader.closed
        with self._shared.changed:
            quiet = quiet and all(worker.idle for worker in self._workers)
        return Round(records=records, quiet=quiet)

    def _describe(self) -> StreamDescription:
        description = self._stream.describe()
        self._describe_at = self._delivery.clock() + self._describe_interval
        self._partition_key = description.partition_key
        self._lineage.update(description.shards)
        return description

    def _open_ready(self, position: StartingPosition) -> tuple[Shard, ...]:
        ready = self._lineage.take_ready()
        for shard in ready:
            reader = self._stream.open(shard.shard_id, position)
            lanes = tuple(
                LaneWorker(shard.shard_id, self._delivery, self._shared)
                for _ in range(self._delivery.properties.parallelization_factor)
            )
            self._open[shard.shard_id] = _OpenShard(reader, lanes)
            self._workers += lanes
            for worker in lanes:
                worker.thread.start()
        return ready

    def _finish_drained(self) -> bool:
        """Let go of shards read to their end whose records are all finished; True if there were any."""
        with self._shared.changed:
            drained = [
                shard_id
                for shard_id, shard in self._open.items()
                if shard.reader.closed and all(worker.idle for worker in shard.lanes)
            ]
        for shard_id in drained:
            del self._open[shard_id]
            self._lineage.finish(shard_id)
        return bool(drained)

    def _is_behind(self, shard: _OpenShard) -> bool:
        """True where the shard is read to its end, or its lanes have enough to do."""
        with self._shared.changed:
            return shard.reader.closed or sum(lane.waiting_records for lane in shard.lanes) >= self._most_waiting

    def _offer(self, shard: _OpenShard, page: Sequence[RecordTypeDef]) -> None:
        polled: list[list[PolledRecord]] = [[] for _ in shard.lanes]
        for record in page:
            delivered = to_lambda_record(record, self._delivery.stream_arn)
            lane = self._hash(delivered) % len(polled) if len(polled) > 1 else 0
            polled[lane].append(_polled(delivered))
        with self._shared.changed:
            self._shared.count(polled_event_count=len(page))
            for worker, records in zip(shard.lanes, polled, strict=True):
                worker.offer(records)
                if shard.reader.closed:
                    worker.close()
            if page or shard.reader.closed:
                self._shared.changed.notify_all()

    def _hash(self, delivered: dict[str, Any]) -> int:
        keys = delivered["dynamodb"]["Keys"]
        return zlib.crc32(orjson.dumps(keys.get(self._partition_key, keys), option=orjson.OPT_SORT_KEYS))


def _polled(delivered: dict[str, Any]) -> PolledRecord:
    content = orjson.dumps(delivered)
    return PolledRecord(
        sequence_number=delivered["dynamodb"]["SequenceNumber"],
        created_at=delivered["dynamodb"].get("ApproximateCreationDateTime"),
        text=content.decode(),
        size=len(content),
    )
