"""Stores active users only, as a model of one's own has them, without what no reader may see.

    python examples/transforms.py

prints what becomes of three items.
"""

import json
from datetime import datetime

from pydantic import BaseModel

from ddb_cache_sync import RecordError, exclude, image_of, validate_with, where


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


def stored(item):
    for transform in transforms:
        if item is None:
            return None
        item = transform(image_of(item))
    return item


if __name__ == "__main__":
    for values in (
        {"id": "42", "status": "active", "name": "Zoë", "surname": "Li", "joined": 1745415436, "password": "x"},
        {"id": "7", "status": "invited", "name": "Wei", "joined": 1745415437},
        {"id": "8", "status": "active", "name": 8, "joined": 1745415438},
    ):
        try:
            print(values["id"], json.dumps(stored(values), ensure_ascii=False))
        except RecordError as error:
            print(values["id"], "poison record:", error)
