"""What is kept after time to live removed its item: the cache has the only copy, and nothing takes it for an orphan."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import pytest
from tests.sync.test_redrive import DAY, KEYS, World

from ddb_cache_sync import Image, Projection
from ddb_cache_sync.sync.inspection import inspect
from ddb_cache_sync.sync.repair import repair
from ddb_cache_sync.sync.repair_report import RepairAction, Repaired, RepairTarget
from ddb_cache_sync.sync.verify import VerifyOptions, verify

if TYPE_CHECKING:
    from pathlib import Path

KEPT = b'{"id":"1","name":"first"}'


class Keeping(World):
    """A table whose expired items stay in the cache."""

    def __init__(self, folder: Path, *, keeps: bool = True) -> None:
        super().__init__(folder, Projection(KEYS, keep_ttl_removals=keeps))

    def apply(self, *records: Any) -> None:
        """Apply records of the stream."""
        assert self.replicator.apply(records).failed == 0

    def expire(self, identity: str, age: float = 60.0) -> Any:
        """Let time to live remove an item; gives the record."""
        return self._aged(cast("Any", self.table.table.remove(id=identity, by_ttl=True)), age)

    def repair(self, *targets: RepairTarget) -> list[Repaired]:
        """Repair these keys."""
        return [*repair(self.cache, self.router, cast("Any", self.table), "users", targets, apply=True)]


@pytest.fixture
def keeping(tmp_path: Path) -> Keeping:
    keeping = Keeping(tmp_path)
    keeping.apply(keeping.put("1", name="first"))
    keeping.apply(keeping.expire("1"))
    assert keeping.cache.values == {"users:1": KEPT}
    return keeping


def test_a_repair_does_not_delete_what_was_kept(keeping: Keeping) -> None:
    """It says why, also where nothing was; a key whose item is in the table is repaired as ever."""
    keeping.apply(keeping.put("2"))
    keeping.cache.values["users:2"] = b"spoilt"
    guards = {**keeping.cache.guards}
    *refused, written = keeping.repair(*(RepairTarget(f"users:{each}") for each in "132"))
    assert [each.action for each in refused] == [RepairAction.REFUSED] * 2
    assert all("the table can't tell" in (each.reason or "") for each in refused)
    assert written.action is RepairAction.WRITTEN
    assert keeping.cache.values == {"users:1": KEPT, "users:2": b'{"id":"2"}'}
    assert {key: version for key, version in keeping.cache.guards.items() if key != "~v:{users:2}"} == {
        key: version for key, version in guards.items() if key != "~v:{users:2}"
    }


@pytest.mark.parametrize("read_again", [False, True])
def test_a_redrive_that_reads_the_table_does_not_either(keeping: Keeping, read_again: bool) -> None:
    """The record stays for a person to look at: the table can't tell what it would have to bring."""
    keeping.cache.guards.clear()  # they have expired
    keeping.give_up(keeping.put("1", name="second", age=0 if read_again else 2 * DAY))
    keeping.expire("1")
    report = keeping.redrive(read_again=read_again, delete=True)
    assert (report.read_again, report.failed, report.deleted, keeping.left) == (1, 1, 0, ["001"])
    assert "the table can't tell" in report.problems[0]
    assert (keeping.cache.values, keeping.cache.guards) == ({"users:1": KEPT}, {})


@pytest.mark.parametrize("read_again", [False, True])
def test_nor_does_it_say_that_all_is_well_where_the_cache_has_nothing(keeping: Keeping, read_again: bool) -> None:
    """What was lost may be what is to be kept."""
    keeping.give_up(keeping.put("2", age=2 * DAY))
    keeping.expire("2")
    assert keeping.redrive(read_again=read_again).failed == 1
    assert keeping.cache.values == {"users:1": KEPT}


def test_verify_counts_no_drift_there_whenever_the_item_goes(keeping: Keeping) -> None:
    """Nor where it goes between the look that found the key missing, and the next."""
    keeping.put("2", name="never applied")

    def expire(_: float) -> None:
        if ("2",) in keeping.table.table.items:
            keeping.expire("2")
            keeping.cache.values["users:2"] = b"kept"

    options = VerifyOptions(looks=(0.01, 0.02))
    client = cast("Any", keeping.table)
    report = verify(keeping.cache, keeping.router, client, "users", options, sleep=expire)
    assert keeping.cache.values["users:2"] == b"kept"
    assert (report.drifts, report.orphaned, report.consistent) == ((), 0, True)
    assert any("expired items are kept" in note for note in report.notes)


def test_inspect_calls_it_no_orphan(keeping: Keeping) -> None:
    """It says that there is no such item, and what the cache has."""
    [found] = inspect(
        keeping.cache, keeping.router, cast("Any", keeping.table), "users", item=Image({"id": {"S": "1"}})
    )
    assert (found.verdict, found.in_table, found.in_cache) == ("agree", False, True)


def test_where_nothing_is_kept_it_is_an_orphan(tmp_path: Path) -> None:
    """As ever."""
    world = Keeping(tmp_path, keeps=False)
    world.apply(world.put("1", name="first"))
    world.expire("1")
    assert [each.action for each in world.repair(RepairTarget("users:1"))] == [RepairAction.DELETED]
    assert world.cache.values == {}
