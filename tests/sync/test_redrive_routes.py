"""Redrive of old records through routes: each item's own keys, and no key that other items have."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.sync.test_redrive import DAY, Table, World

from ddb_cache_sync import EntityRouter, KeyTemplate, LookupKey, Projection, Route
from ddb_cache_sync.sync.sides import Sides
from ddb_cache_sync.testing import MemoryTable
from ddb_cache_sync.testing.events import attributes

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from ddb_cache_sync.core.routing import Unmatched

NAMES = ("PK", "SK")


class OneTable(Table):
    """A table in which users and their orders lie side by side."""

    def describe_table(self, **request: Any) -> Any:
        found = super().describe_table(**request)
        found["Table"] |= {
            "KeySchema": [
                {"AttributeName": name, "KeyType": kind} for name, kind in zip(NAMES, ("HASH", "RANGE"), strict=True)
            ],
            "AttributeDefinitions": [{"AttributeName": name, "AttributeType": "S"} for name in NAMES],
        }
        return found

    def _item(self, key: Any) -> Any:
        item = self.table.items.get(tuple(key[name]["S"] for name in NAMES))
        return None if item is None else attributes(item)


class Users(World):
    """Users and their orders, and what was given up of them."""

    def __init__(self, folder: Path, unmatched: Unmatched = "refuse") -> None:
        profiles = Projection(KeyTemplate("profile:{PK}"), lookups=[LookupKey("by:{email}")])
        orders = Projection(KeyTemplate("orders:{PK}:{SK}"))
        routes = [Route(profiles, key={"SK": "PROFILE"}), Route(orders, key={"SK": "ORDER#*"})]
        super().__init__(folder, EntityRouter(routes, unmatched))
        self.table = OneTable(MemoryTable(name="users", key=NAMES))

    def give(self, *items: dict[str, Any]) -> None:
        """Put items, and give their records up, old."""
        self.give_up(*(self._aged(self.table.table.put(item), 2 * DAY) for item in items))  # type: ignore[arg-type]


def test_an_item_is_brought_back_to_the_keys_of_its_routes_alone(tmp_path: Path) -> None:
    """Those of the others can't be made of it, or would be nobody's."""
    users = Users(tmp_path)
    users.give(
        {"PK": "USER#1", "SK": "PROFILE", "email": "a"},
        {"PK": "USER#1", "SK": "ORDER#7", "email": "not a lookup key here"},
    )
    report = users.redrive()
    assert (report.read_again, report.failed, report.repaired) == (2, 0, 3), report.problems
    assert sorted(users.cache.values) == ["by:a", "orders:USER#1:ORDER#7", "profile:USER#1"]
    assert sorted(users.cache.guards) == ["~v:{orders:USER#1:ORDER#7}", "~v:{profile:USER#1}"]


def test_an_item_that_no_route_takes_is_refused_or_ignored_as_by_the_stream(tmp_path: Path) -> None:
    """By what the router says."""
    for unmatched, failed in (("refuse", 1), ("ignore", 0)):
        users = Users(tmp_path, unmatched)  # type: ignore[arg-type]
        users.entries = 0
        users.give({"PK": "USER#1", "SK": "OTHER"})
        report = users.redrive()
        assert (report.failed, users.cache.values, users.cache.guards) == (failed, {}, {})
        assert all("no route takes this item" in problem for problem in report.problems)


def test_no_more_items_are_held_than_are_looked_at_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many records an object has: an item can have 400 KB."""
    users = Users(tmp_path)
    read: list[int] = []
    items = Sides.items

    def counted(self: Any, keys: Any) -> Any:
        read.append(len(keys))
        return items(self, keys)

    monkeypatch.setattr(Sides, "items", counted)
    users.give(*({"PK": f"USER#{number}", "SK": "PROFILE"} for number in range(250)))
    assert (users.redrive().failed, len(users.cache.values)) == (0, 250)
    assert (max(read), sum(read)) == (100, 500)
