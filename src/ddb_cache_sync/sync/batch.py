"""One batch on its way: decoded and grouped by cache key at once, encoded when its writes are asked for.

Rules: the newest change of a cache key is written, the others of the batch are stale; where the newest can't be
encoded the next older one is written, and the newest reported. Pure: no cache, no clock.
"""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from ddb_cache_sync.cache.contract import WriteResult
from ddb_cache_sync.core.changes import Change, new_tuple
from ddb_cache_sync.core.outcomes import APPLIED, STALE, ApplyReport, Failure
from ddb_cache_sync.core.projection import Projection, Write
from ddb_cache_sync.core.stream_records import decode_record, fault_in, sequence_number_of
from ddb_cache_sync.core.versions import Version
from ddb_cache_sync.errors import RecordError


class Delivered(NamedTuple):
    """A decoded change and its place in the batch. Sorts by version, then by place."""

    version: Version
    place: int
    change: Change


class Batch:
    """The records of one batch.

    Args:
        records: As the event has them.
        projection: What makes writes of changes.
        stream_label_ms: Put in place of the stream's own creation time (epoch ms). None: the stream's own.

    Attributes:
        errors: Why a record can't be applied, by place in the batch; complete once all writes were read.
        written: For each write, in order, the deliveries that it settles, the one written first.

    Raises:
        ConfigurationError: The projection can't be right for these records.
    """

    def __init__(self, records: Sequence[Any], projection: Projection, stream_label_ms: int | None = None) -> None:
        self._records = records
        self._projection = projection
        self.errors: dict[int, RecordError] = {}
        self._by_key: dict[str, list[Delivered]] = {}
        self.written: list[Sequence[Delivered]] = []
        self._earliest: float | None = None
        for place, raw in enumerate(records):
            try:
                record = decode_record(raw, stream_label_ms)
                change = record.to_change()
                delivered = new_tuple(Delivered, (record.version, place, change))
                self._by_key.setdefault(projection.cache_key(change), []).append(delivered)
            except RecordError as error:
                self.errors[place] = error
                continue
            created = record.created_at
            if created is not None and (self._earliest is None or created < self._earliest):
                self._earliest = created

    def writes(self) -> Iterator[Write]:
        """The newest write of each cache key; an older one where the newest can't be encoded."""
        for key, delivered in self._by_key.items():
            if len(delivered) > 1:
                delivered.sort(reverse=True)
            for skipped, newest in enumerate(delivered):
                try:
                    write = self._projection.write(key, newest.change)
                except RecordError as error:
                    self.errors[newest.place] = self._explained(newest.place, error)
                    continue
                self.written.append(delivered[skipped:] if skipped else delivered)
                yield write
                break

    def report(self, results: Sequence[WriteResult], now: float) -> ApplyReport:
        """Count what became of the records, given a result for each write.

        Raises:
            RecordError: A poison record without a sequence number.
        """
        applied = stale = 0
        reasons = {place: error.problem for place, error in self.errors.items()}
        for delivered, result in zip(self.written, results, strict=True):
            if result is APPLIED:
                applied += 1
                stale += len(delivered) - 1
            elif result is STALE:
                stale += len(delivered)
            else:
                reasons |= dict.fromkeys((each.place for each in delivered), result.problem)
        return ApplyReport(
            applied=applied,
            stale=stale,
            failures=tuple(self._failure(place, reasons[place]) for place in sorted(reasons)),
            lag_seconds=None if self._earliest is None else max(0.0, now - self._earliest),
        )

    def _explained(self, place: int, error: RecordError) -> RecordError:
        """The error with the field that is wrong, where the record itself is; its old image plays no part."""
        raw = self._records[place]
        body = {name: value for name, value in raw["dynamodb"].items() if name != "OldImage"}
        problem = fault_in({**raw, "dynamodb": body})
        return error if problem is None else RecordError(problem)

    def _failure(self, place: int, reason: str) -> Failure:
        number = sequence_number_of(self._records[place])
        if number is None:
            raise RecordError(
                f"Records[{place}]: {reason}",
                hint="It has no sequence number to report it by, so the whole batch counts as failed; all others in it "
                "were applied.",
            )
        return Failure(number, reason)
