"""Comparison: whether a cache holds what a table holds. Pure; who reads both is somewhere else."""

from collections.abc import Mapping
from enum import StrEnum

from ddb_cache_sync.core.encodings import StoredValue


class Drift(StrEnum):
    """How cache and table disagree about one cache key."""

    MISSING = "missing"
    """The table has the item, the cache does not have the key."""
    STALE = "stale"
    """Both have it, and the values differ."""
    ORPHANED = "orphaned"
    """The cache has the key, the table does not have the item."""


def drift(expected: StoredValue | None, found: StoredValue | None) -> Drift | None:
    """Compare what the table says a key should hold with what it holds; None on either side: nothing. None: equal."""
    if expected == found:
        return None
    if found is None:
        return Drift.MISSING
    return Drift.ORPHANED if expected is None else Drift.STALE


def compare(expected: Mapping[str, StoredValue], found: Mapping[str, StoredValue]) -> dict[str, Drift]:
    """Every cache key about which the two sides disagree."""
    drifts = {key: drift(expected.get(key), found.get(key)) for key in expected.keys() | found.keys()}
    return {key: kind for key, kind in drifts.items() if kind is not None}
