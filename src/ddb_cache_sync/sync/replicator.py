"""The replicator: a batch of stream records in, a right cache and a report out.

Rule: a record counts as done only when the cache has answered for it. A poison record stops no other; a failing cache
is no record's fault and is raised.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

from ddb_cache_sync.cache.applier import CacheLike, cache_of
from ddb_cache_sync.cache.contract import WriteResult
from ddb_cache_sync.core.changes import Change
from ddb_cache_sync.core.encodings import Encoding
from ddb_cache_sync.core.guards import DEFAULT_GUARD_PREFIX, DEFAULT_GUARD_TTL_SECONDS
from ddb_cache_sync.core.keys import KeyMapping, table_keys
from ddb_cache_sync.core.outcomes import ApplyReport, Failure, Outcome
from ddb_cache_sync.core.projection import Projection, Write
from ddb_cache_sync.core.stream_records import decode_record, fault_in, sequence_number_of
from ddb_cache_sync.core.versions import Version, parse_stream_label
from ddb_cache_sync.errors import ConfigurationError, RecordError


class _Delivered(NamedTuple):
    """A decoded change and its place in the batch. Sorts by version, then by place."""

    version: Version
    place: int
    change: Change


class Replicator:
    """Applies stream records to a cache.

    Make one per process and keep it: it holds the connection. Safe to share between threads.

    Args:
        cache: What `connect` returns, any `redis.Redis`, or anything that keeps the contract of `Cache`.
        keys: The key mapping: a `KeyTemplate`, or any callable from a change to its cache key.
        encoding: The form in which items are stored. None: `JsonEncoding()`.
        guard_prefix: What every guard key begins with.
        guard_ttl_seconds: How long a guard outlives the change that set it. The default, 25 h, outlives what a stream
            can deliver again.
        stream_label: Creation time to put in place of that of the records' own stream, as in a stream's ARN
            (`2025-04-23T13:37:16.991`): needed where a table in another Region takes over. None: the records' own.
        on_report: Called with each report, for metrics; an exception it raises is raised.
        clock: Epoch seconds; for the lag only.

    Raises:
        ConfigurationError: An argument that can't be right.
    """

    def __init__(
        self,
        cache: CacheLike,
        *,
        keys: KeyMapping = table_keys,
        encoding: Encoding | None = None,
        guard_prefix: str = DEFAULT_GUARD_PREFIX,
        guard_ttl_seconds: int = DEFAULT_GUARD_TTL_SECONDS,
        stream_label: str | None = None,
        on_report: Callable[[ApplyReport], None] | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._cache = cache_of(cache, guard_ttl_seconds)
        self._projection = Projection(keys, encoding, guard_prefix)
        try:
            self._label_ms = None if stream_label is None else parse_stream_label(stream_label)
        except ValueError as error:
            raise ConfigurationError(f"stream_label: {error}") from None
        self._on_report = on_report
        self._clock = clock

    def apply(self, records: Sequence[Any], *, deadline: float | None = None) -> ApplyReport:
        """Apply a batch of stream records, in whatever order they come, however often.

        Args:
            records: The records, as `Records` of a Lambda event has them.
            deadline: When to stop trying a failing cache again, on the clock of `time.monotonic()`. None: after ten
                seconds.

        Returns:
            What became of each record.

        Raises:
            CacheUnavailable: Not all could be applied by the deadline; some may be. Deliver the batch again.
            CacheError: The cache refuses us, by its permissions for instance.
            ConfigurationError: The configuration can't be right for these records; nothing was applied.
            RecordError: A poison record has no sequence number that it could be reported by; all others were applied.
        """
        batch = _Batch(records, self._projection, self._label_ms)
        results = self._cache.apply(batch.writes(), deadline)
        report = batch.report(results, self._clock())
        if self._on_report is not None:
            self._on_report(report)
        return report


class _Batch:
    """One batch on its way: decoded and grouped by cache key at once, encoded when its writes are asked for."""

    def __init__(self, records: Sequence[Any], projection: Projection, label_ms: int | None) -> None:
        self._records = records
        self._projection = projection
        self._errors: dict[int, RecordError] = {}
        self._by_key: dict[str, list[_Delivered]] = {}
        self._written: list[Sequence[_Delivered]] = []
        self._earliest: float | None = None
        for place, raw in enumerate(records):
            try:
                record = decode_record(raw, label_ms)
                change = record.to_change()
                delivered = _Delivered(record.version, place, change)
                self._by_key.setdefault(projection.cache_key(change), []).append(delivered)
            except RecordError as error:
                self._errors[place] = error
                continue
            created = record.created_at
            if created is not None and (self._earliest is None or created < self._earliest):
                self._earliest = created

    def writes(self) -> Iterator[Write]:
        """The newest write of each cache key; an older one where the newest can't be encoded."""
        for key, delivered in self._by_key.items():
            if len(delivered) > 1:
                delivered.sort(reverse=True)
            for older, newest in enumerate(delivered, start=1):
                try:
                    write = self._projection.write(key, newest.change)
                except RecordError as error:
                    self._errors[newest.place] = self._explained(newest.place, error)
                    continue
                self._written.append(delivered[older - 1 :])
                yield write
                break

    def report(self, results: Sequence[WriteResult], now: float) -> ApplyReport:
        """Count what became of the records, given a result for each write.

        Raises:
            RecordError: A poison record without a sequence number.
        """
        applied = stale = 0
        reasons = {place: error.problem for place, error in self._errors.items()}
        for delivered, result in zip(self._written, results, strict=True):
            if isinstance(result, Outcome):
                applied += result is Outcome.APPLIED
                stale += len(delivered) - (result is Outcome.APPLIED)
            else:
                reasons |= dict.fromkeys((each.place for each in delivered), result.problem)
        return ApplyReport(
            applied=applied,
            stale=stale,
            failures=tuple(self._failure(place, reasons[place]) for place in sorted(reasons)),
            lag_seconds=None if self._earliest is None else max(0.0, now - self._earliest),
        )

    def _explained(self, place: int, error: RecordError) -> RecordError:
        """The error with the field that is wrong, where the record itself is."""
        problem = fault_in(self._records[place])
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
