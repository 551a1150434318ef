"""Drift: how cache and table disagree."""

from ddb_cache_sync.core.comparison import Drift, compare, drift


def test_each_disagreement_has_its_name() -> None:
    """Missing, stale or orphaned; equal, or nothing on either side, is none."""
    assert drift(b"a", None) is Drift.MISSING
    assert drift(b"a", b"b") is Drift.STALE
    assert drift(None, b"a") is Drift.ORPHANED
    assert drift(b"a", b"a") is drift(None, None) is None


def test_only_keys_in_drift_are_named() -> None:
    """From both sides."""
    expected, found = {"same": b"1", "gone": b"1", "old": b"2"}, {"same": b"1", "old": b"1", "left": b"1"}
    assert compare(expected, found) == {"gone": Drift.MISSING, "old": Drift.STALE, "left": Drift.ORPHANED}
