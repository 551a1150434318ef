"""Loading what a reader misses: from the table into the cache, by one reader at a time.

Rules:

1. Claim, read, fill, in this order (`core.fills` says why nothing stale can be stored).
2. Who finds a key claimed by another waits for that one load, with full jitter, no longer than a lease lasts; then
   loads itself, and stores if it is the first.
3. What took so long that the guard might have come and gone meanwhile is not stored, but read once more.
4. A failing cache never keeps an item from a reader: the table answers, and the cache is left alone for a moment.
"""

import logging
import os
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple, TypeAlias

from ddb_cache_sync.cache.backoff import Backoff
from ddb_cache_sync.cache.contract import ReadableCache
from ddb_cache_sync.core.attribute_values import Image
from ddb_cache_sync.core.changes import ItemKey, Upsert
from ddb_cache_sync.core.encodings.contract import StoredValue
from ddb_cache_sync.core.fills import Claim, ClaimState, Fill
from ddb_cache_sync.core.projection import Projection
from ddb_cache_sync.core.versions import Version
from ddb_cache_sync.core.writes import Write
from ddb_cache_sync.errors import CacheError, CacheUnavailable, RecordError

MOST_SECONDS: Final = 60.0
"""The longest time from a claim to its fill: well inside a guard's time to live, which is 25 h, and longer than a
consistent read ever takes."""

REST_SECONDS: Final = 1.0
"""How long a cache that failed is left alone; so often, at most, the log says that it fails."""

NO_VERSION: Final = Version.of(0, "0")
"""Of what was read from the table, which does not say its place in the stream."""

ReadTable: TypeAlias = Callable[[Sequence[Mapping[str, Any]]], Sequence[Mapping[str, Any] | None]]
"""The items with these primary keys, in order, all in DynamoDB JSON, read consistently."""

_LOG: Final = logging.getLogger("ddb_cache_sync")


class Wanted(NamedTuple):
    """An item that somebody wants to read."""

    cache_key: str
    guard: str
    """The guard's key."""
    item_key: ItemKey


Values: TypeAlias = dict[str, StoredValue | None]
"""What is, or could be, stored, by cache key; None: the table has no such item, or the projection leaves it out."""


class Loader:
    """Loads what is missing.

    Args:
        cache: The cache.
        projection: How items become values.
        read_table: Reads the table.
        lease_seconds: How long others wait for a load.
        cache_seconds: How long a failing cache is tried.
        clock: Epoch seconds. For the longest time too: it goes on where a process is frozen, other clocks may not.
        waits: The waits for others' loads.
    """

    def __init__(
        self,
        cache: ReadableCache,
        projection: Projection,
        read_table: ReadTable,
        *,
        lease_seconds: float,
        cache_seconds: float,
        clock: Callable[[], float] = time.time,
        waits: Backoff | None = None,
    ) -> None:
        self._cache = cache
        self._projection = projection
        self._read_table = read_table
        self._lease_seconds = lease_seconds
        self._cache_seconds = cache_seconds
        self._clock = clock
        self._waits = waits or Backoff(first_seconds=0.01, longest_seconds=0.1)
        self._rests_until = self._complains_again = 0.0

    @property
    def rests(self) -> bool:
        """Whether the cache failed just now and is left alone."""
        return self._waits.monotonic() < self._rests_until

    def rest(self, error: CacheError) -> None:
        """Leave the cache alone for a moment."""
        self.complain(error)
        self._rests_until = self._waits.monotonic() + REST_SECONDS

    def complain(self, error: CacheError) -> None:
        """Say what is wrong with a key, no more often than that the cache fails."""
        now = self._waits.monotonic()
        if now >= self._complains_again:
            self._complains_again = now + REST_SECONDS
            _LOG.warning("the table is read instead of the cache: %s", error.problem)

    def from_table(self, wanted: Mapping[str, Wanted]) -> Values:
        """Read the table and store nothing.

        Raises:
            TableError: It can't be read.
            RecordError: An item that can't be encoded.
        """
        return {key: write.value for key, write in self._writes(list(wanted.values())).items()}

    def load(self, wanted: Mapping[str, Wanted]) -> Values:
        """Read the table, or wait for those who do, and store what is missing still.

        Raises:
            TableError: The table can't be read.
            RecordError: An item that can't be encoded.
            CacheError: The cache refuses us.
        """
        load = _Load(wanted, os.urandom(16).hex(), self._waits.monotonic() + self._lease_seconds)
        try:
            while load.pending:
                self._round(load)
                if load.pending:
                    load.waits += 1
                    load.impatient = load.impatient or not self._waits.wait(load.waits, load.limit)
        except CacheUnavailable as error:
            self.rest(error)
            load.done |= self.from_table(load.pending)
        return load.done

    @property
    def _deadline(self) -> float:
        return self._waits.monotonic() + self._cache_seconds

    def _round(self, load: "_Load") -> None:
        """Claim what is pending; read what is there by now; load what is ours to load."""
        asked_at = self._clock()
        claims = {key: self._claim(wanted, load.token) for key, wanted in load.pending.items()}
        ours: list[tuple[Claim, str]] = []
        cached: list[str] = []
        unfit: list[str] = []
        for (key, claim), answer in zip(
            claims.items(), self._cache.claim([*claims.values()], self._deadline), strict=True
        ):
            if isinstance(answer, CacheError):
                self.complain(answer)
                unfit.append(key)
            elif answer.state is ClaimState.CACHED:
                cached.append(key)
            elif answer.state is ClaimState.GRANTED or load.waited_for(key, answer.holder):
                ours.append((claim, answer.version))
        unfit += self._take_cached(load, cached)
        if unfit:
            load.settle(self.from_table({key: load.pending[key] for key in unfit}))
        if ours:
            self._fill(load, ours, asked_at)

    def _take_cached(self, load: "_Load", keys: list[str]) -> list[str]:
        """Read keys that exist; gives those that can't be read. What has gone again stays pending, for some time."""
        unfit = []
        found = self._cache.read(keys, self._projection.kind, self._deadline) if keys else []
        for key, value in zip(keys, found, strict=True):
            if isinstance(value, CacheError) or (value is None and load.impatient):
                unfit.append(key)
            elif value is not None:
                load.settle({key: value})
        return unfit

    def _fill(self, load: "_Load", ours: list[tuple[Claim, str]], asked_at: float) -> None:
        """Load these, and store them."""
        wanted = [load.pending[claim.key] for claim, _ in ours]
        writes, fault = self._writes_of(wanted)
        if self._clock() - asked_at > MOST_SECONDS:
            if not load.slow:
                load.slow = True
                return
        else:
            fills = [Fill(claim, version, writes[claim.key]) for claim, version in ours]
            try:
                for result in self._cache.fill_unmoved(fills, self._deadline):
                    if isinstance(result, CacheError):
                        self.complain(result)
            except CacheUnavailable as error:
                self.rest(error)
        if fault is not None:
            raise fault
        load.settle({key: write.value for key, write in writes.items()})

    def _claim(self, wanted: Wanted, token: str) -> Claim:
        lease = self._projection.lease_key(wanted.guard)
        return Claim(wanted.cache_key, wanted.guard, lease, token, int(self._lease_seconds * 1000))

    def _writes(self, wanted: Sequence[Wanted]) -> dict[str, Write]:
        writes, fault = self._writes_of(wanted)
        if fault is not None:
            raise fault
        return writes

    def _writes_of(self, wanted: Sequence[Wanted]) -> tuple[dict[str, Write], RecordError | None]:
        """The writes that would store these items as the table has them now; and what is wrong with one of them."""
        items = self._read_table([each.item_key.attributes.wire for each in wanted])
        now = self._clock()
        writes, fault = {}, None
        for each, item in zip(wanted, items, strict=True):
            writes[each.cache_key] = Write(each.cache_key, each.guard, NO_VERSION, None)
            if item is not None:
                upsert = Upsert(each.item_key, NO_VERSION, Image(item))
                try:
                    writes[each.cache_key] = self._projection.write(each.cache_key, upsert, now, filling=True)
                except RecordError as error:
                    fault = error
        return writes, fault


class _Load:
    """How far a load has come."""

    def __init__(self, wanted: Mapping[str, Wanted], token: str, limit: float) -> None:
        self.token = token
        self.limit = limit
        """When waiting for others ends, monotonic."""
        self.pending = dict(wanted)
        self.done: Values = {}
        self.waits = 0
        self.impatient = False
        self.slow = False
        self._holders: dict[str, str] = {}

    def settle(self, values: Values) -> None:
        """These are done."""
        self.done |= values
        for key in values:
            del self.pending[key]

    def waited_for(self, key: str, holder: str) -> bool:
        """Whether there was waiting enough for this key: the load that was waited for is over, or the time is."""
        return self.impatient or self._holders.setdefault(key, holder) != holder
