"""Stores active users only, as a model of one's own has them, without what no reader may see.

    python examples/transforms.py

prints what becomes of three items.
"""

from datetime import datetime

from pydantic import BaseModel

from ddb_cache_sync import KeyTemplate, Replicator, exclude, validate_with, where
from ddb_cache_sync.testing import MemoryCache, MemoryTable


class User(BaseModel):
    """What a reader finds."""

    id: str
    name: str
    joined: datetime
    full_name: str | None = None


def is_active(item):
    return item.get("status") == "active"


def with_full_name(item):
    return {**item, "full_name": f"{item['name']} {item['surname']}" if "surname" in item else None}


transforms = [where(is_active), exclude("password"), with_full_name, validate_with(User)]

cache = MemoryCache()
replicator = Replicator(cache, keys=KeyTemplate("users:{id}"), transforms=transforms)

if __name__ == "__main__":
    table = MemoryTable(name="users")
    for values in (
        {"id": "42", "status": "active", "name": "Zoë", "surname": "Li", "joined": 1745415436, "password": "x"},
        {"id": "7", "status": "invited", "name": "Wei", "joined": 1745415437},
        {"id": "8", "status": "active", "name": 8, "joined": 1745415438},
    ):
        report = replicator.apply([table.put(values)])
        for failure in report.failures:
            print(values["id"], "poison record:", failure.reason)
        if report.applied or report.filtered:
            print(values["id"], cache.values.get(f"users:{values['id']}", b"left out").decode())
