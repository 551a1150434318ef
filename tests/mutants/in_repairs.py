"""Broken repairs: of lookup keys, of what was kept, and of the keys that old records name."""

from __future__ import annotations

from typing import Final

from tests.mutants.mutant import Mutant

_LOOKUPS: Final = ("tests/sync/test_redrive_lookups.py", "tests/sync/test_repair_lookups.py")
_KEPT: Final = ("tests/sync/test_kept_values.py",)
_ROUTES: Final = ("tests/sync/test_redrive_routes.py",)

IN_REPAIRS: Final = (
    Mutant(
        "a lookup key is looked at with one of its items alone",
        "sync/lookup_repair.py",
        "[each.item for each in named if each.item is not None]",
        "[each.item for each in named[:1] if each.item is not None]",
        _LOOKUPS,
    ),
    Mutant(
        "a claim that a redrive outdates is not said once more",
        "sync/lookup_repair.py",
        "if not claim.expired and owner in changes and said",
        "if False and said",
        _LOOKUPS,
    ),
    Mutant(
        "a claim below its item's guard is new enough",
        "sync/lookup_repair.py",
        'said < max(sight.guards.get(owner, ""), changes[owner])',
        "said < changes[owner]",
        _LOOKUPS,
    ),
    Mutant(
        "an item that is named tells that nobody has a lookup key",
        "sync/lookup_repair.py",
        "known = sight.leads or sight.words",
        "known = sight.items or sight.words",
        _LOOKUPS,
    ),
    Mutant(
        "an item's guard is moved before it says its claims",
        "sync/repair.py",
        "for word in claims if left]",
        "for word in claims if not left]",
        _LOOKUPS,
    ),
    Mutant(
        "an item's guard is moved though its claims were refused",
        "sync/repair.py",
        "refused = self._refused(wanted, deadline)",
        "refused = self._refused(wanted, deadline) and {}",
        _LOOKUPS,
    ),
    Mutant(
        "a guard is carried though its item's claims were refused",
        "sync/carrying.py",
        "if result is not APPLIED and result is not STALE}",
        "if False}",
        ("tests/sync/test_rebuild.py",),
    ),
    Mutant(
        "what was kept of an expired item is an orphan",
        "core/expectations.py",
        "untold=item is None and projection.keeps_ttl_removals",
        "untold=False",
        _KEPT,
    ),
    Mutant(
        "what was kept of an expired item is right",
        "sync/repair.py",
        "if right.untold:",
        "if False:",
        _KEPT,
    ),
    Mutant(
        "a redrive repairs keys that are other items'",
        "sync/repair.py",
        "[projection for projection, _ in routed(self._sides.router, removal)]",
        "[*known.projections]",
        _ROUTES,
    ),
    Mutant(
        "a redrive holds all items at once",
        "sync/repair.py",
        "yield from self._targets_of(items[start : start + _PAGE])",
        "yield from self._targets_of(items) if not start else ()",
        _ROUTES,
    ),
    Mutant(
        "a range of the stream may be of any size",
        "table/stream_ranges.py",
        "if size > MOST_RANGE_BYTES:",
        "if False:",
        ("tests/table/test_stream_ranges.py",),
    ),
)
