"""One batch on its way: decoded and grouped by cache key at once, encoded when its writes are asked for.

Rules: the newest change of a cache key is written, the others of the batch are stale; where the newest can't be
encoded the next older one is written, and the newest reported. Pure: no cache, no clock.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from operator import itemgetter
from typing import Any, Final, NamedTuple, TypeAlias

from ddb_cache_sync.cache.contract import WriteResult
from ddb_cache_sync.core.changes import Change, new_tuple
from ddb_cache_sync.core.outcomes import APPLIED, STALE, ApplyReport, Failure, Notice
from ddb_cache_sync.core.projection import Projection, Router, routed
from ddb_cache_sync.core.straight import StraightWay
from ddb_cache_sync.core.stream_records import change_of, fault_in, is_ttl, sequence_number_of, taken_apart
from ddb_cache_sync.core.versions import Version
from ddb_cache_sync.core.writes import Write
from ddb_cache_sync.errors import CacheError, RecordError


class Routed(NamedTuple):
    """A change and its place in the batch, for one of the cache keys that it concerns."""

    version: Version
    place: int
    change: Change
    projection: Projection

    def write(self, key: str, now: float) -> Write:
        """The write that brings this cache key to the change."""
        return self.projection.write(key, self.change, now)


class Straight(NamedTuple):
    """The same on the straight way, where no change is made of the record."""

    version: Version
    place: int
    image: Mapping[str, Any] | None
    """The item in DynamoDB JSON; None: it is gone."""
    way: StraightWay

    def write(self, key: str, _: float) -> Write:
        """The write that brings this cache key to the image."""
        return self.way.write(key, self.version, self.image)


Delivered: TypeAlias = Routed | Straight


class Said(NamedTuple):
    """What an item says of a lookup key."""

    place: int
    """That of the record that it comes from, in the batch."""
    word: Write


SetAside: TypeAlias = Callable[[Sequence[tuple[Any, str]]], Sequence[str | None]]
"""Sets records aside, given with the reasons why they failed: for each None where that was done, or why it was not."""

_BETWEEN_LOOKS: Final = 16  # records: key mapping, transforms and encoding may be anybody's code, and slow

_NEWEST_FIRST: Final = itemgetter(0, 1)  # by version, then by place

# What became of a record, the least first: one that concerns several cache keys counts as the greatest of theirs.
_FILTERED: Final = 0
_STALE: Final = 1
_APPLIED: Final = 2


class Batch:
    """The records of one batch.

    Args:
        records: As the event has them.
        router: Says which projection makes the writes of a change; a projection by itself does so for all of them.
        stream_label_ms: Put in place of the stream's own creation time (epoch ms). None: the stream's own.
        look: Called now and then while records are decoded and encoded; raises where the time is over. None: nothing.

    Attributes:
        errors: Why a record can't be applied, by place in the batch; complete once all writes were read.
        said: What was said of lookup keys, in order; complete once all words were read.

    Raises:
        ConfigurationError: The projection can't be right for these records.
    """

    def __init__(
        self,
        records: Sequence[Any],
        router: Router,
        stream_label_ms: int | None = None,
        *,
        look: Callable[[], object] | None = None,
    ) -> None:
        self._records = records
        self._look = look
        self.errors: dict[int, RecordError] = {}
        # Few objects for each record, and none longer than it is needed: the more there are at once, the more often the
        # garbage collector looks through the whole event.
        self._writes: list[Write] = []
        self._places: list[int] = []  # of the records that the writes were made of
        self._older: dict[int, Sequence[Delivered]] = {}  # what else a write settles, by its place in `_writes`
        self._speaking: dict[int, Routed] = {}  # what those were made of that concern lookup keys, too
        self._by_key: dict[str, Delivered] = {}  # the first of each cache key, until its write is made
        self._several: dict[str, list[Delivered]] = {}  # all of those cache keys that have more
        self.said: list[Said] = []
        self._earliest: float | None = None
        self._ttl_removals = 0
        self._router = router
        self._stream_label_ms = stream_label_ms
        straight = self._straight = router.straight if isinstance(router, Projection) else None
        read = None if straight is None or not straight.is_compiled else straight.read
        for place, raw in enumerate(records):
            if look is not None and place % _BETWEEN_LOOKS == _BETWEEN_LOOKS - 1:
                look()
            try:
                known = None if read is None else read(raw, stream_label_ms)
                if known is not None and straight is not None:
                    key, version, image, created = known
                    self._put(key, new_tuple(Straight, (version, place, image, straight)))
                else:
                    created = self._take(place, raw)
            except RecordError as error:
                self.errors[place] = error
                continue
            if created is not None and (self._earliest is None or created < self._earliest):
                self._earliest = created

    def _take(self, place: int, raw: Any) -> float | None:
        """Take a record apart and put it with the others of its cache keys; gives when its change was made."""
        fields = taken_apart(raw, self._stream_label_ms)
        event_name, table, keys, _, version, new, _, _, created, user = fields
        removed = event_name == "REMOVE"
        if removed and user is not None and is_ttl(user):
            self._ttl_removals += 1
        straight = self._straight
        if straight is not None and (removed or new is not None):
            image = None if removed else new
            self._put(straight.key_of(table, keys), new_tuple(Straight, (version, place, image, straight)))
            return created
        change = change_of(fields, old_images=self._router.needs_old_images)
        for projection, seen in routed(self._router, change):
            self._add(place, seen, projection)
        return created

    def _add(self, place: int, change: Change, projection: Projection) -> None:
        """Put a change with the others of its cache key, unless it is none of the cache's business."""
        if projection.leaves_out(change):
            return
        key = projection.cache_key(change)
        self._put(key, Routed(change.version, place, change, projection))
        if projection.lookups:
            projection.check_table(change)

    def _put(self, key: str, delivered: Delivered) -> None:
        """Put a delivery with the others of its cache key."""
        first = self._by_key.setdefault(key, delivered)
        if first is not delivered:
            self._several.setdefault(key, [first]).append(delivered)

    def writes(self, now: float = 0.0) -> Iterator[Write]:
        """The newest write of each cache key; an older one where the newest can't be encoded.

        Args:
            now: Epoch seconds, for the expiry.
        """
        look, several = self._look, self._several
        for together in several.values():
            together.sort(key=_NEWEST_FIRST, reverse=True)
        for done, key in enumerate(list(self._by_key)):
            if look is not None and done % _BETWEEN_LOOKS == _BETWEEN_LOOKS - 1:
                look()
            first = self._by_key.pop(key)
            delivered: Sequence[Delivered] = several.get(key, (first,))
            for skipped, newest in enumerate(delivered):
                try:
                    write = newest.write(key, now)
                except RecordError as error:
                    self.errors[newest.place] = self._explained(newest.place, error)
                    continue
                if len(delivered) > skipped + 1:
                    self._older[len(self._writes)] = delivered[skipped + 1 :]
                if type(newest) is Routed and newest.projection.lookups:
                    self._speaking[len(self._writes)] = newest
                self._writes.append(write)
                self._places.append(newest.place)
                yield write
                break

    def written(self) -> Iterator[tuple[Write, int, Sequence[Delivered]]]:
        """Each write, the place of its record, and what else it settles; complete once all writes were read."""
        for at, (write, place) in enumerate(zip(self._writes, self._places, strict=True)):
            yield write, place, self._older.get(at, ())

    def words(self, results: Sequence[WriteResult]) -> Iterator[Write]:
        """What the items say of lookup keys, once their own keys are written.

        Args:
            results: A result for each of `writes`.
        """
        look = self._look
        for done, (write, result) in enumerate(zip(self._writes, results, strict=True)):
            if look is not None and done % _BETWEEN_LOOKS == _BETWEEN_LOOKS - 1:
                look()
            newest = self._speaking.get(done)
            if newest is None or (result is not APPLIED and result is not STALE):
                continue
            older = self._older.get(done, ())
            changes = [each.change for each in (newest, *older) if isinstance(each, Routed)]
            try:
                for word in newest.projection.words(write, newest.change, changes, stale=result is STALE):
                    self.said.append(Said(newest.place, word))
                    yield word
            except RecordError as error:
                self.errors.setdefault(newest.place, error)

    def report(
        self,
        results: Sequence[WriteResult],
        now: float,
        said: Sequence[WriteResult] = (),
        set_aside: SetAside | None = None,
    ) -> ApplyReport:
        """Count what became of the records.

        Args:
            results: A result for each of `writes`.
            now: Epoch seconds.
            said: A result for each of `words`.
            set_aside: Sets the poison records aside. None: they are reported.

        Raises:
            RecordError: A poison record without a sequence number, that was not set aside.
        """
        became = bytearray(len(self._records))
        reasons = {place: error.problem for place, error in self.errors.items()}
        notices: dict[int, str] = {}
        for (write, place, older), result in zip(self.written(), results, strict=True):
            if result is not APPLIED and result is not STALE:
                reasons |= dict.fromkeys([place, *(each.place for each in older)], result.problem)
                continue
            became[place] = max(became[place], _STALE if result is STALE else not write.left_out and _APPLIED)
            for each in older:
                became[each.place] = max(became[each.place], _STALE)
            if write.notice is not None:
                notices[place] = write.notice
        for (speaking, _), result in zip(self.said, said, strict=True):
            if isinstance(result, CacheError):
                reasons.setdefault(speaking, result.problem)
        aside = self._set_aside(reasons, set_aside) if reasons and set_aside is not None else ()
        return self._report(became, reasons, aside, notices, now)

    def _set_aside(self, reasons: dict[int, str], set_aside: SetAside) -> Sequence[int]:
        """The places of the records that were set aside; the others' reasons say why they were not."""
        places = sorted(reasons)
        refusals = set_aside([(self._records[place], reasons[place]) for place in places])
        for place, refusal in zip(places, refusals, strict=True):
            if refusal is not None:
                reasons[place] = f"{reasons[place]}; not quarantined: {refusal}"
        return [place for place, refusal in zip(places, refusals, strict=True) if refusal is None]

    def _report(
        self,
        became: bytearray,
        reasons: dict[int, str],
        aside: Sequence[int],
        notices: dict[int, str],
        now: float,
    ) -> ApplyReport:
        for place in reasons:
            became[place] = 255
        failed = sorted(reasons.keys() - {*aside})
        return ApplyReport(
            applied=became.count(_APPLIED),
            stale=became.count(_STALE),
            filtered=became.count(_FILTERED),
            failures=tuple(self._failure(place, reasons[place]) for place in failed),
            lag_seconds=None if self._earliest is None else max(0.0, now - self._earliest),
            notices=tuple(
                Notice(sequence_number_of(self._records[place]) or "", notices[place]) for place in sorted(notices)
            ),
            ttl_removals=self._ttl_removals,
            quarantined=tuple(
                Failure(sequence_number_of(self._records[place]) or "", reasons[place]) for place in aside
            ),
        )

    def _explained(self, place: int, error: RecordError) -> RecordError:
        """The error with the field that is wrong, where the record itself is; its old image plays no part."""
        problem = fault_in(self._records[place], old_image=False)
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
