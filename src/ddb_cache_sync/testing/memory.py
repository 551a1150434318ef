"""A cache in memory: the model that the real ones are held against."""

import math
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any

from ddb_cache_sync.cache.contract import ReadResult, WriteResult
from ddb_cache_sync.cache.scripts import MOST_CLAIMS, MOST_WORDS
from ddb_cache_sync.core.drops import Drop
from ddb_cache_sync.core.fills import Claim, Claimed, ClaimState, Fill
from ddb_cache_sync.core.guards import DEFAULT_GUARD_TTL_SECONDS
from ddb_cache_sync.core.lookup_words import LastWord
from ddb_cache_sync.core.outcomes import APPLIED, STALE
from ddb_cache_sync.core.repairs import Repair
from ddb_cache_sync.core.versions import Version
from ddb_cache_sync.core.writes import Write
from ddb_cache_sync.errors import CacheError, CacheUnavailable


@dataclass(slots=True)
class MemoryCache:
    """A cache in memory that keeps the contracts of `Cache`, `ReadableCache` and `InspectableCache`.

    Nothing expires by itself: delete a guard from `guards` or a lease from `leases` to let it expire, and call `expire`
    for the values.
    """

    values: dict[str, Any] = field(default_factory=dict)
    """Encoded items by cache key: bytes, or a dict where the encoding stores hashes."""
    expires_at_ms: dict[str, int] = field(default_factory=dict)
    """When values expire, epoch milliseconds, by cache key; those that never do are not here."""
    guards: dict[str, Version] = field(default_factory=dict)
    """The version last applied, by guard key."""
    words: dict[str, dict[str, Write]] = field(default_factory=dict)
    """By the guard key of a lookup key: the last word of each item."""
    now: float = 0.0
    """The time, epoch seconds: what `expire` was told last."""
    leases: dict[str, str] = field(default_factory=dict)
    """The tokens of readers that load missing keys, by lease key."""
    break_after: int | None = None
    """Breaks once, half-way through a write: its guard is set, its value is not. How many writes go well before that;
    None: never."""

    def apply(self, writes: Iterable[Write], deadline: float | None = None) -> Sequence[WriteResult]:  # noqa: ARG002
        """See `Cache.apply`.

        Raises:
            CacheUnavailable: Half-way, where `break_after` says so.
        """
        return [self._apply(write) for write in writes]

    def fill(self, writes: Iterable[Write], deadline: float | None = None) -> Sequence[WriteResult]:  # noqa: ARG002
        """See `Cache.fill`."""
        return [self._fill(write) for write in writes]

    def read(self, keys: Sequence[str], kind: str, deadline: float | None = None) -> Sequence[ReadResult]:  # noqa: ARG002
        """See `ReadableCache.read`."""
        return [self.values.get(key) for key in keys]

    def claim(self, claims: Sequence[Claim], deadline: float | None = None) -> Sequence[Claimed | CacheError]:  # noqa: ARG002
        """See `ReadableCache.claim`."""
        return [self._claim_key(claim) for claim in claims]

    def fill_unmoved(self, fills: Sequence[Fill], deadline: float | None = None) -> Sequence[WriteResult]:  # noqa: ARG002
        """See `ReadableCache.fill_unmoved`."""
        return [self._fill_unmoved(fill) for fill in fills]

    def versions(self, guards: Sequence[str], deadline: float | None = None) -> Sequence[str | CacheError]:  # noqa: ARG002
        """See `InspectableCache.versions`."""
        return [str(self.guards.get(guard, "")) for guard in guards]

    def last_words(
        self,
        guards: Sequence[str],
        deadline: float | None = None,  # noqa: ARG002
    ) -> Sequence[Mapping[str, LastWord] | CacheError]:
        """See `InspectableCache.last_words`."""
        return [
            {
                owner: LastWord(word.version, word.value is not None, word.expires_at_ms)
                for owner, word in self.words.get(guard, {}).items()
            }
            for guard in guards
        ]

    def lifetimes_ms(self, keys: Sequence[str], deadline: float | None = None) -> Sequence[int | CacheError | None]:  # noqa: ARG002
        """See `InspectableCache.lifetimes_ms`; a guard has all of its life left, since none of it passes here."""
        now_ms = int(time.time() * 1000)
        guards = dict.fromkeys(self.guards, DEFAULT_GUARD_TTL_SECONDS * 1000)
        return [
            max(0, self.expires_at_ms[key] - now_ms) if key in self.expires_at_ms else guards.get(key) for key in keys
        ]

    def keys_beginning(self, beginning: str) -> Iterator[Sequence[str]]:
        """See `InspectableCache.keys_beginning`."""
        yield [key for key in (*self.values, *self.guards, *self.words) if key.startswith(beginning)]

    def some_keys(self, beginning: str, most: int, chance: Random) -> Sequence[str]:
        """See `InspectableCache.some_keys`."""
        found = [key for page in self.keys_beginning(beginning) for key in page]
        return chance.sample(found, min(most, len(found)))

    def remember(self, key: str, value: bytes, seconds: int, deadline: float | None = None) -> None:  # noqa: ARG002
        """See `InspectableCache.remember`."""
        self.values[key] = value

    def place_of(self, key: str) -> tuple[int | None, str]:  # noqa: ARG002
        """See `InspectableCache.place_of`."""
        return None, "memory"

    def repair(self, repairs: Sequence[Repair], deadline: float | None = None) -> Sequence[WriteResult]:  # noqa: ARG002
        """See `InspectableCache.repair`."""
        return [self._repair(each) for each in repairs]

    def drop(self, drops: Sequence[Drop], deadline: float | None = None) -> Sequence[WriteResult]:  # noqa: ARG002
        """See `InspectableCache.drop`."""
        return [self._drop_key(each) for each in drops]

    def _drop_key(self, drop: Drop) -> WriteResult:
        [left] = self.lifetimes_ms([drop.guard])
        if drop.most_left_ms is not None and isinstance(left, int) and left > drop.most_left_ms:
            return STALE
        self.guards.pop(drop.guard, None)
        self.words.pop(drop.guard, None)
        self.values.pop(drop.key, None)
        self.expires_at_ms.pop(drop.key, None)
        return APPLIED

    def _repair(self, repair: Repair) -> WriteResult:
        guard = repair.write.guard
        if self.guards.get(guard, "") != repair.found:
            return STALE
        if repair.left:
            self.guards[guard] = Version(repair.left)
        self._put(repair.write)
        return APPLIED

    def _claim_key(self, claim: Claim) -> Claimed:
        if claim.key in self.values:
            return Claimed(ClaimState.CACHED, "", "")
        version = self.guards.get(claim.guard, "")
        holder = self.leases.setdefault(claim.lease, claim.token)
        return Claimed(ClaimState.GRANTED if holder == claim.token else ClaimState.BUSY, version, holder)

    def _fill_unmoved(self, fill: Fill) -> WriteResult:
        claim, write = fill.claim, fill.write
        wanted = self.guards.get(claim.guard, "") == fill.version and claim.key not in self.values
        if wanted:
            self._put(write)
        if self.leases.get(claim.lease) == claim.token:
            del self.leases[claim.lease]
        return APPLIED if wanted else STALE

    def _apply(self, write: Write) -> WriteResult:
        if write.owner is not None:
            return self._claim(write, write.owner)
        last = self.guards.get(write.guard)
        if last is not None and last > write.version:
            return STALE
        self.guards[write.guard] = write.version
        self._break()
        self._put(write)
        return APPLIED

    def _claim(self, write: Write, owner: str) -> WriteResult:
        words = self.words.setdefault(write.guard, {})
        others = [word for other, word in words.items() if other != owner]
        claimed = sum(word.value is not None for word in others)
        if len(others) >= MOST_WORDS or (write.value is not None and claimed >= MOST_CLAIMS):
            return CacheError("as many items as can be have a word on this lookup key")
        last = words.get(owner)
        if last is not None and last.version > write.version:
            return STALE
        words[owner] = write
        self._break()
        claims = [word for word in words.values() if word.value is not None]
        shown = max(claims, key=_greatness, default=None)
        gone = shown is None or (shown.expires_at_ms is not None and shown.expires_at_ms <= self.now * 1000)
        self._put(write._replace(value=None) if shown is None or gone else shown)
        return APPLIED

    def _break(self) -> None:
        """Break half-way through a write, if it is time."""
        if self.break_after is not None:
            self.break_after -= 1
            if self.break_after < 0:
                self.break_after = None
                raise CacheUnavailable("the cache in memory broke half-way, as it was told to")

    def _fill(self, write: Write) -> WriteResult:
        if write.owner is not None:
            return self._claim(write, write.owner)
        if write.guard in self.guards:
            return STALE
        self._put(write)
        return APPLIED

    def _put(self, write: Write) -> None:
        if write.only_cached and write.key not in self.values:
            return
        self.values.pop(write.key, None)
        left = self.expires_at_ms.pop(write.key, None)
        if write.only_cached and write.expires_at_ms is None and left is not None:
            self.expires_at_ms[write.key] = left
        if write.value is not None:
            self.values[write.key] = write.value
            if write.expires_at_ms is not None:
                self.expires_at_ms[write.key] = write.expires_at_ms

    def expire(self, now: float) -> None:
        """Let the values go that expire by now (epoch seconds)."""
        self.now = now
        for key in [key for key, at_ms in self.expires_at_ms.items() if at_ms <= now * 1000]:
            del self.values[key], self.expires_at_ms[key]


def _greatness(claim: Write) -> tuple[float, str, str]:
    """What decides between claims: see `lookups.lua`."""
    return (math.inf if claim.expires_at_ms is None else claim.expires_at_ms, claim.version, claim.owner or "")
