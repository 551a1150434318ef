"""What a verification found, and how sure it is of it.

Rules:

1. What is checked is every cache key that should hold a value, and every one that holds a value and should not.
2. A sample is two: of the table's items, and of the cache's keys. The share that is right is that of the keys of these
   items; keys of the cache that no item explains are a share of the others, by themselves.
3. Of a sample a share is an estimate, with Wilson's interval at 95 %; where nothing was wrong, the rule of three: at
   most 3/n of the keys are, as sure. Both take the drift of one item to say nothing of the next one's.
4. Only drift that was seen unmoved by two looks counts as wrong; what kept moving is in flight.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from math import sqrt
from typing import Any, Final

from ddb_cache_sync.core.comparison import Drift

_Z: Final = 1.959964  # of 95 %


@dataclass(frozen=True, slots=True)
class Drifted:
    """A cache key about which cache and table disagree."""

    key: str
    """The cache key."""
    kind: Drift
    """How they disagree."""
    item: Mapping[str, Any] | None
    """The item's primary key in DynamoDB JSON; None: the cache key does not tell it."""
    guard: str
    """What the guard holds; empty: there is none."""
    changed_at: float | None = None
    """When a change was last applied to the key, epoch seconds, by what its guard has left of its life; None:
    not known, or a lookup key."""
    lookup: bool = False
    """It is a lookup key; its item is one that claims it, or did."""


@dataclass(frozen=True, slots=True)
class VerifyReport:
    """What a verification found."""

    table: str
    items: int = 0
    """Items read."""
    keys: int = 0
    """Cache keys that should hold a value, lookup keys left out."""
    lookup_keys: int = 0
    """Lookup keys that should lead to an item."""
    cached_keys: int = 0
    """Keys found in the cache while orphans were looked for, lookup keys among them."""
    missing: int = 0
    stale: int = 0
    orphaned: int = 0
    lookups_missing: int = 0
    lookups_stale: int = 0
    """Lookup keys that lead to another item than one that has the value, or hold what is no item."""
    lookups_orphaned: int = 0
    unexplained: int = 0
    """Those of the orphaned keys, lookup keys among them, that were found in the cache."""
    in_flight: int = 0
    """Keys that differed and kept moving: the stream is at work on them."""
    left_out: int = 0
    """Keys of items that the configuration leaves out."""
    failed: int = 0
    """Items that can't be carried: poison records."""
    sampled: bool = False
    """Whether part of the table was read only."""
    orphans_searched: bool = True
    """Whether the cache was read for keys that no item explains."""
    drifts: tuple[Drifted, ...] = ()
    """The first of them, by key; the counts are of all."""
    places: Mapping[str, int] = field(default_factory=dict)
    """How many keys drifted, by what they begin with, and on a cluster by ranges of slots."""
    notes: tuple[str, ...] = ()
    """What was not checked or not named, and why; what drifting keys have in common."""
    started_at: float = 0.0
    """Epoch seconds."""
    seconds: float = 0.0

    @property
    def drift(self) -> int:
        """How many keys drifted, lookup keys among them."""
        own = self.missing + self.stale + self.orphaned
        return own + self.lookups_missing + self.lookups_stale + self.lookups_orphaned

    @property
    def checked(self) -> int:
        """How many keys were checked (rules 1 and 2)."""
        return self.keys + self.lookup_keys + self.orphaned + self.lookups_orphaned - self._apart()

    @property
    def consistent(self) -> bool:
        """Whether nothing drifted."""
        return self.drift == 0

    @property
    def share_consistent(self) -> float:
        """The share of the keys checked that is right, 0 to 1; 1 where there are none."""
        return 1.0 if not self.checked else 1 - (self.drift - self._apart()) / self.checked

    @property
    def interval(self) -> tuple[float, float]:
        """Where the share of the whole table lies, with 95 % certainty; of a whole table the share itself, twice."""
        if not self.sampled:
            return self.share_consistent, self.share_consistent
        low, high = wilson_interval(self.drift - self._apart(), self.checked)
        return 1 - high, 1 - low

    @property
    def share_orphaned(self) -> float:
        """The share of the keys found in the cache that no item explains, 0 to 1."""
        return self.unexplained / self.cached_keys if self.cached_keys else 0.0

    @property
    def interval_orphaned(self) -> tuple[float, float]:
        """Where that share lies in the whole cache, with 95 % certainty; of a whole table the share itself, twice."""
        if not self.sampled:
            return self.share_orphaned, self.share_orphaned
        return wilson_interval(self.unexplained, self.cached_keys)

    def _apart(self) -> int:
        """The orphans that are a sample by themselves."""
        return self.unexplained if self.sampled else 0

    def to_json(self, *, hash_keys: bool = False) -> dict[str, Any]:
        """As one object of plain values.

        Args:
            hash_keys: Put the first 16 hex digits of its SHA-256 in the place of each cache key, and leave primary keys
                and the places out.
        """
        plain = asdict(self) | {
            "drift": self.drift,
            "checked": self.checked,
            "consistent": self.consistent,
            "share_consistent": self.share_consistent,
            "interval": list(self.interval),
            "share_orphaned": self.share_orphaned,
            "interval_orphaned": list(self.interval_orphaned),
            "keys_hashed": hash_keys,
        }
        if hash_keys:
            plain["drifts"] = [each | {"key": hashed(each["key"]), "item": None} for each in plain["drifts"]]
        return plain


def wilson_interval(wrong: int, count: int) -> tuple[float, float]:
    """Between which shares, with 95 % certainty, that of all lies of which so many of a sample are wrong.

    Where none is, the rule of three; without a sample anything is possible.
    """
    if count == 0:
        return 0.0, 1.0
    if wrong == 0:
        return 0.0, min(1.0, 3 / count)
    share = wrong / count
    middle = share + _Z**2 / (2 * count)
    spread = _Z * sqrt(share * (1 - share) / count + _Z**2 / (4 * count**2))
    scale = 1 + _Z**2 / count
    return max(0.0, (middle - spread) / scale), min(1.0, (middle + spread) / scale)


def hashed(key: str) -> str:
    """What stands for a cache key that is not to be shown."""
    return hashlib.sha256(key.encode()).hexdigest()[:16]
