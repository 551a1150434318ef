"""Broken backfills, repairs, redrives and quarantines."""

from __future__ import annotations

from typing import Final

from tests.mutants.mutant import Mutant

_BACKFILL: Final = ("tests/sync/test_backfill.py",)
_REPAIR: Final = ("tests/sync/test_repair.py",)
_REDRIVE: Final = ("tests/sync/test_redrive.py", "tests/convergence/test_redrives.py")
_QUARANTINE: Final = ("tests/sync/test_quarantine.py",)
_SIMULATION: Final = "tests/simulation/test_simulation.py::test_a_million_deliveries_lose_nothing[0]"

IN_SYNC: Final = (
    Mutant(
        "what was read too long ago is written",
        "sync/backfill.py",
        "        if left < 0:",
        "        if False:",
        _BACKFILL,
    ),
    Mutant(
        "a backfill deletes where an item is elsewhere",
        "sync/page_writes.py",
        "                    continue  # rule 1",
        "                    pass",
        (*_BACKFILL, "tests/convergence/test_backfills.py"),
    ),
    Mutant(
        "a repair reads the item before the guard",
        "sync/repair.py",
        "        guards = sides.guards(guard_keys)\n        items = sides.items([each.item_key for each in planned])\n",
        "        items = sides.items([each.item_key for each in planned])\n        guards = sides.guards(guard_keys)\n",
        (*_REPAIR, _SIMULATION),
    ),
    Mutant(
        "a repair takes its time",
        "sync/repair.py",
        "self._monotonic() - started > MOST_SECONDS",
        "False",
        _REPAIR,
    ),
    Mutant(
        "a repair reads what may be old",
        "sync/sides.py",
        "found = get_items(self.client, self.known.table, keys)",
        "found = get_items(self.client, self.known.table, keys, consistent=False)",
        (*_REPAIR, _SIMULATION),
    ),
    Mutant(
        "a repair leaves a guard that is no version",
        "sync/repair.py",
        "elif guard and not is_version(guard):",
        "elif False:",
        _REPAIR,
    ),
    Mutant(
        "a child shard is read before its parent",
        "table/lineage.py",
        "if shard.parent_id not in unread)",
        "if True)",
        ("tests/table/test_lineage.py",),
    ),
    Mutant(
        "a redrive leaves the older guard",
        "sync/repair.py",
        "leaves = Version(repaired(change)) if change is not None and change > guard else None",
        "leaves = None",
        _REDRIVE,
    ),
    Mutant(
        "a redrive of a key that is right leaves the older guard",
        "sync/repair.py",
        "if drift is None and leaves is None:",
        "if drift is None:",
        _REDRIVE,
    ),
    Mutant(
        "a redrive moves a newer guard back",
        "sync/repair.py",
        "change is not None and change > guard else",
        "change is not None else",
        _REDRIVE,
    ),
    Mutant(
        "a repair that stands for a change leaves what it found",
        "core/repairs.py",
        "return repaired(self.found) if self.leaves is None else self.leaves",
        "return repaired(self.found)",
        ("tests/contract/test_inspectable_cache.py", *_REDRIVE, "-k", "valkey or redrive"),
    ),
    Mutant(
        "a redrive leaves the oldest version of its records",
        "sync/redriving.py",
        "max(changes.get(identity, NO_VERSION), record.version)",
        "min(changes.get(identity, record.version), record.version)",
        _REDRIVE,
    ),
    Mutant(
        "a record from the future keeps changes out",
        "sync/redriving.py",
        "self._takes_versions and not _from_the_future(record, now):\n",
        "self._takes_versions:\n",
        _REDRIVE,
    ),
    Mutant(
        "a record from the future is believed",
        "sync/redriving.py",
        " and not _from_the_future(record, now)\n",
        "\n",
        _REDRIVE,
    ),
    Mutant(
        "an old payload is believed",
        "sync/redriving.py",
        "since = max(now - self._trusted_seconds,",
        "since = max(0,",
        _REDRIVE,
    ),
    Mutant(
        "a redrive leaves the record's own version, which wins again",
        "sync/repair.py",
        "Version(repaired(change)) if",
        "change if",
        _REDRIVE,
    ),
    Mutant(
        "a version is taken where no word is to be",
        "sync/redriving.py",
        "origin.outranked and not read_again",
        "origin.outranked",
        _REDRIVE,
    ),
    Mutant(
        "a version is taken of whatever stream",
        "sync/redriving.py",
        "origin.outranked and not read_again",
        "not read_again",
        _REDRIVE,
    ),
    Mutant(
        "another stream's records are given the label that was set",
        "sync/preparing_redrive.py",
        "label_ms=label_ms if applied else None",
        "label_ms=label_ms",
        _REDRIVE,
    ),
    Mutant(
        "a record older than the label that was set is believed",
        "sync/redriving.py",
        ", (self.origin.label_ms or 0) / 1000)",
        ", 0)",
        _REDRIVE,
    ),
    Mutant(
        "a longer life of guards makes records believed",
        "sync/redriving.py",
        "min(guard_ttl_seconds, DEFAULT_GUARD_TTL_SECONDS) - self._margin",
        "guard_ttl_seconds - self._margin",
        _REDRIVE,
    ),
    Mutant(
        "a record of another stream is believed",
        "sync/redriving.py",
        "self._trusts = origin.current and not read_again",
        "self._trusts = not read_again",
        _REDRIVE,
    ),
    Mutant(
        "a record leaves the failures before the quarantine has accepted it",
        "sync/quarantine.py",
        "[NOT_REACHED] * len(poison)",
        "[None] * len(poison)",
        _QUARANTINE,
    ),
    Mutant(
        "a quarantine that fails has accepted",
        "sync/quarantine.py",
        'return f"the quarantine raised {type(error).__name__}"',
        "return None",
        _QUARANTINE,
    ),
    Mutant(
        "a quarantine that refuses has accepted",
        "sync/quarantine.py",
        "        return error.problem\n",
        "        return None\n",
        _QUARANTINE,
    ),
    Mutant(
        "a quarantine that hangs keeps the batch",
        "sync/quarantine.py",
        "thread.join(max(0.0, deadline - time.monotonic()))",
        "thread.join(max(4.0, deadline - time.monotonic()))",
        _QUARANTINE,
    ),
)
