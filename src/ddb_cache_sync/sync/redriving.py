"""What is done with the records of one object or message: they are applied, or their items are read from the table.

Rules:

1. Where the records come from is checked before anything is applied: one of another table, account or stream, and all
   that came with it is refused.
2. A record's payload is applied only while every guard that a newer change of its item has set must still be there,
   and must rank above it: then the guard decides, as always. That is so while the record is younger than guards live,
   less a margin, is of the stream that the table writes to now, and was made since a stream label that was set. How
   long guards live is 25 h at the most for this: a longer life may have been set only lately. The payload of any
   other is not believed: its item is read from the table, consistently, and its cache keys are repaired (`repair`
   says why nothing stale can be left), lookup keys that it names among them.
3. Such a repair stands for the record, so the guard is left above its version: an older change that is still to come
   would win for good otherwise. But a version that is wrong keeps real changes out. So none is taken from a record
   whose time is in the future or missing, nor from another stream unless all that the table's stream brings ranks
   above it, nor where nobody's word is to be taken (`read_again`).
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from itertools import chain
from typing import TYPE_CHECKING, Any, Final

import orjson

from ddb_cache_sync.core.expectations import NO_VERSION
from ddb_cache_sync.core.guards import DEFAULT_GUARD_TTL_SECONDS
from ddb_cache_sync.core.outcomes import APPLIED, ApplyReport
from ddb_cache_sync.core.stream_records import decode_record, malformed
from ddb_cache_sync.core.versions import StreamArn
from ddb_cache_sync.errors import ConfigurationError, RecordError
from ddb_cache_sync.sync.batch import Batch
from ddb_cache_sync.sync.repair_report import RepairAction

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from ddb_cache_sync.cache.contract import WriteResult
    from ddb_cache_sync.core.attribute_values import Image
    from ddb_cache_sync.core.projection import Router
    from ddb_cache_sync.core.stream_records import StreamRecord
    from ddb_cache_sync.core.versions import Version
    from ddb_cache_sync.sync.repair import Repairs
    from ddb_cache_sync.sync.repair_report import RepairTarget
    from ddb_cache_sync.sync.replicator import Replicator

PATIENCE_SECONDS: Final = 60.0
"""How long a failing cache is tried again, unless the margin is shorter."""
MOST_MARGIN_SECONDS: Final = 3600.0
"""How long before the end of guards a record is too old, at the most; else a tenth of their life. It makes up for a
clock that is wrong, times cut to the minute, and the time that applying takes."""

_MOST_AHEAD_SECONDS: Final = 300.0
_MOST_KEY_BYTES: Final = (2048, 1024)  # of a partition key, of a sort key
_CHUNK: Final = 5000
_GOOD: Final = (RepairAction.WRITTEN, RepairAction.DELETED, RepairAction.AGREES)
_MOVED: Final = "its key kept moving: the stream is at work on it"


@dataclass(frozen=True, slots=True)
class Origin:
    """Where records have to come from."""

    table: str
    account: str
    """Its AWS account."""
    stream_arn: str | None
    """The one stream whose records are taken: the table's, or a Kinesis data stream; None: there is none."""
    current: bool
    """Whether that stream has all changes of the table since: those of an older stream do not."""
    key_types: Mapping[str, str]
    """The types of the key attributes, by name; the partition key first."""
    label_ms: int | None
    """The stream label that the replicator gives its records, epoch ms; None: their own."""
    outranked: bool
    """Whether whatever the table's stream is yet to bring ranks above the versions of its records."""

    def check(self, stream_arn: object) -> None:
        """Make sure that something comes from this stream.

        Raises:
            RecordError: It does not, or does not tell.
        """
        if not isinstance(stream_arn, str):
            raise RecordError("a record that does not tell its stream")
        if stream_arn == self.stream_arn:
            return
        try:
            found = StreamArn.parse(stream_arn)
        except ValueError:
            what = "stream"
        else:
            what = "table" if found.table != self.table else "account" if found.account != self.account else "stream"
        raise RecordError(
            f"a record of another {what}",
            hint="Give --stream-arn, if it is meant: that of an older stream of the table, for instance."
            if what == "stream"
            else f"It has to be of table {self.table} in account {self.account}.",
        )

    def decoded(self, raw: Any) -> StreamRecord:
        """A record, its table and primary key checked.

        Raises:
            RecordError: It is malformed, or its primary key is not one of the table.
        """
        record = decode_record(raw, self.label_ms)
        if record.table != self.table:  # of Kinesis, whose stream may carry several
            raise RecordError("a record of another table", sequence_number=record.sequence_number)
        if record.keys.fault() is not None:
            raise malformed(raw)
        types = {name: next(iter(value)) for name, value in record.keys.wire.items()}
        if types != self.key_types:
            raise RecordError("dynamodb.Keys: not the table's key attributes", sequence_number=record.sequence_number)
        for name, most in zip(self.key_types, _MOST_KEY_BYTES, strict=False):
            if not 0 < _size(record.keys[name]) <= most:  # which DynamoDB would refuse to read
                raise RecordError(
                    "dynamodb.Keys: empty, or longer than a key can be", sequence_number=record.sequence_number
                )
        return record


@dataclass(slots=True)
class Done:
    """What became of the records of one object or message."""

    records: int = 0
    applied: int = 0
    stale: int = 0
    filtered: int = 0
    read_again: int = 0
    """Records whose items were read from the table."""
    repaired: int = 0
    """Cache keys that were written or deleted on the way."""
    failures: list[str] = field(default_factory=list)
    """Why records failed; no contents."""

    def add(self, report: ApplyReport) -> None:
        """Count a batch."""
        self.applied += report.applied
        self.stale += report.stale
        self.filtered += report.filtered
        self.failures += [f"record {each.sequence_number}: {each.reason}" for each in report.failures]


class Redriving:
    """Brings records back.

    Attributes:
        origin: Where they have to come from.

    Args:
        origin: See above.
        replicator: Applies those that can be trusted.
        router: The replicator's projection, or its router; for a dry run.
        repairs: Repairs the keys of the others; made when the first comes.
        guard_ttl_seconds: The replicator's.
        read_again: Trust none.
        dry_run: Tell what would be done, and write nothing.
        clock: Epoch seconds.
    """

    def __init__(
        self,
        origin: Origin,
        replicator: Replicator,
        router: Router,
        repairs: Callable[[], Repairs],
        *,
        guard_ttl_seconds: int,
        read_again: bool,
        dry_run: bool,
        clock: Callable[[], float],
    ) -> None:
        self.origin = origin
        self._replicator = replicator
        self._router = router
        self._make_repairs = repairs
        self._repairs: Repairs | None = None
        self._margin = min(MOST_MARGIN_SECONDS, guard_ttl_seconds / 10)
        self._trusted_seconds = min(guard_ttl_seconds, DEFAULT_GUARD_TTL_SECONDS) - self._margin
        self._trusts = origin.current and not read_again
        self._takes_versions = origin.outranked and not read_again
        self._dry_run = dry_run
        self._clock = clock

    def bring_back(self, records: Sequence[Any]) -> Done:
        """Apply records, or repair the keys of their items.

        Raises:
            RecordError: They come from elsewhere; nothing was applied.
            CacheUnavailable: The cache kept failing.
            CacheError: The cache refuses us.
            TableError: The table can't be read.
            ConfigurationError: The configuration can't be right for them.
        """
        for raw in records:
            self.origin.check(raw.get("eventSourceARN") if isinstance(raw, dict) else None)
        done = Done(records=len(records))
        for start in range(0, len(records), _CHUNK):
            self._chunk(records[start : start + _CHUNK], done)
        return done

    def _chunk(self, records: Sequence[Any], done: Done) -> None:
        trusted: list[Any] = []
        old: list[StreamRecord] = []
        now = self._clock()
        for raw in records:
            try:
                record = self.origin.decoded(raw)
            except RecordError as error:
                done.failures.append(str(error))
                continue
            if self._can_be_trusted(record, now):
                trusted.append(raw)
            else:
                old.append(record)
        if trusted:
            done.add(self._applied(trusted))
        if old:
            done.read_again += len(old)
            self._repair(old, done)

    def _can_be_trusted(self, record: StreamRecord, now: float) -> bool:
        created = record.created_at
        if not self._trusts or created is None:
            return False
        since = max(now - self._trusted_seconds, (self.origin.label_ms or 0) / 1000)
        return created > since and not _from_the_future(record, now)

    def _applied(self, records: list[Any]) -> ApplyReport:
        if not self._dry_run:
            return self._replicator.apply(records, deadline=time.monotonic() + min(PATIENCE_SECONDS, self._margin))
        # What the batch would come to where no guard is newer.
        batch, now = Batch(records, self._router, self.origin.label_ms), self._clock()
        results: list[WriteResult] = [APPLIED for _ in batch.writes(now)]
        said: list[WriteResult] = [APPLIED for _ in batch.words(results)]
        return batch.report(results, now, said)

    def _repair(self, records: Sequence[StreamRecord], done: Done) -> None:
        """Repair every cache key of the items of these records."""
        if self._repairs is None:
            try:
                self._repairs = self._make_repairs()
            except ConfigurationError as error:  # of the router: others are applied all the same
                done.failures.append(error.problem)
                return
        now = self._clock()
        items: dict[bytes, tuple[Image, list[Image]]] = {}
        changes: dict[bytes, Version] = {}
        for record in records:
            identity = _identity(record.keys)
            _, images = items.setdefault(identity, (record.keys, []))
            images += [image for image in (record.new_image, record.old_image) if image is not None]
            if self._takes_versions and not _from_the_future(record, now):
                changes[identity] = max(changes.get(identity, NO_VERSION), record.version)
        targets: dict[str, list[RepairTarget]] = {}  # of a lookup key, each item that a record passes it from or to
        for target in self._repairs.targets_of([*items.values()]):
            if isinstance(target, RecordError):
                done.failures.append(target.problem)
            else:
                change = None if target.item is None else changes.get(_identity(target.item))
                targets.setdefault(target.key, []).append(target._replace(change=change))
        for repaired in self._repairs.run(chain.from_iterable(targets.values())):
            if repaired.action in _GOOD:
                done.repaired += repaired.action is not RepairAction.AGREES
            else:
                done.failures.append(_MOVED if repaired.reason is None else repaired.reason)


def _from_the_future(record: StreamRecord, now: float) -> bool:
    """Whether nothing it tells of its time, or that follows from it as a Kinesis version does, can be believed."""
    return record.created_at is None or record.created_at >= now + _MOST_AHEAD_SECONDS


def _size(content: object) -> int:
    """The bytes of a key attribute; 1 for a number, which can't be too long."""
    return len(content.encode()) if isinstance(content, str) else len(content) if isinstance(content, bytes) else 1


def _identity(key: Image) -> bytes:
    return orjson.dumps(key.wire, option=orjson.OPT_SORT_KEYS)
