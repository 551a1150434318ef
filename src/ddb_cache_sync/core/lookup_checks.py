"""What a lookup key should show, by the items of the table that claim it: for verify and repair. Pure.

Rules:

1. An item claims the lookup keys that its image gives, as long as it has a value of its own.
2. Where several items of the table claim one key, any of theirs is right: which one the key shows depends on versions,
   and the table tells none.
3. An item that has expired by now still may be shown, and need not be. So may what has a fixed time to live.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from ddb_cache_sync.core.changes import Upsert
from ddb_cache_sync.core.comparison import Drift
from ddb_cache_sync.core.encodings.contract import StoredValue
from ddb_cache_sync.core.expectations import Expected, expand_alike, expected_of
from ddb_cache_sync.core.projection import Projection, Router
from ddb_cache_sync.core.writes import Write


class Claim(NamedTuple):
    """An item's claim on a lookup key, by what the table holds."""

    projection: Projection
    word: Write
    """What the item would say; its owner is the item's own cache key."""
    expired: bool
    """Whether the item has expired by now."""

    @property
    def binding(self) -> bool:
        """Whether the key has to show something for it (rule 3)."""
        return not self.expired and not self.projection.has_fixed_lifetime

    @property
    def key(self) -> str:
        """The lookup key."""
        return self.word.key

    def shown_by(self, found: StoredValue) -> bool:
        """Whether a lookup key that holds this shows the item."""
        return self.word.value == found or expand_alike(self.projection, self.word.value, found)


def claims_of(router: Router, upsert: Upsert, now: float) -> Iterator[Claim]:
    """The lookup keys that an item claims.

    Raises:
        RecordError: The item can't be carried.
    """
    for each in expected_of(router, upsert, now):
        yield from claims_beside(each, upsert)


def claims_beside(own: Expected, upsert: Upsert) -> Iterator[Claim]:
    """The lookup keys that an item claims, given what one of its own keys should hold."""
    projection, write = own.projection, own.write
    if not projection.lookups:
        return
    if own.expired:
        write = projection.write(own.key, upsert, 0.0, filling=True)  # as if it had not
    for word in projection.words(write, upsert, [upsert], stale=False):
        if word.value is not None:
            yield Claim(projection, word, own.expired)


def lookup_drift(claims: Sequence[Claim], found: StoredValue | None) -> Drift | None:
    """How a lookup key differs from what these claims, all that there are on it, say; None: it does not."""
    if found is None:
        return Drift.MISSING if any(claim.binding for claim in claims) else None
    if any(claim.shown_by(found) for claim in claims):
        return None
    return Drift.ORPHANED if all(claim.expired for claim in claims) else Drift.STALE
