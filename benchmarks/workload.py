"""The work: events of user records in the form that Lambda delivers, about 600 bytes of JSON an item.

Every event has items and keys of its own, so that applying several of them again and again is applying versions that
are as new as what the cache holds: the path of a change that wins, with the same commands as the first time.
"""

import json
import random
from collections.abc import Mapping, Sequence
from decimal import Decimal
from functools import cache
from typing import Any, NamedTuple

from ddb_cache_sync import JsonEncoding, KeyTemplate, Upsert
from ddb_cache_sync.core.stream_records import decode_record
from ddb_cache_sync.testing import stream_event, stream_record

KEYS = KeyTemplate("users:{id}")
FIRST_SEQUENCE_NUMBER = 202328600001712385967261751  # as long as those of 2025
_WORDS = ("harbour", "quiet", "lantern", "seven", "maple", "border", "copper", "gentle", "orbit", "saffron", "violet")


class Workload(NamedTuple):
    """An event, and what a cache should hold after it."""

    event: dict[str, Any]
    """As `json.loads` gives it; nobody changes it."""
    values: Mapping[str, bytes]
    """The newest value of each cache key, encoded."""

    @property
    def records(self) -> Sequence[Any]:
        """The event's records."""
        records: Sequence[Any] = self.event["Records"]
        return records


def user(number: int) -> dict[str, Any]:
    """A user record of mixed types, the same each time for the same number.

    About 600 bytes of JSON and 15 attribute values: 7 strings, 4 numbers, a bool, a string set, a map and a list.
    """
    pick = random.Random(number)  # a workload, not a secret
    first, last = pick.sample(_WORDS, 2)
    return {
        "id": f"{number:08d}",
        "name": f"{first.title()} {last.title()}",
        "email": f"{first}.{last}.{number}@example.com",
        "active": number % 7 != 0,
        "age": pick.randrange(18, 99),
        "balance": Decimal(pick.randrange(10_000_000)) / 100,
        "address": {
            "street": f"{pick.randrange(1, 200)} {pick.choice(_WORDS).title()} Street",
            "city": pick.choice(_WORDS).title(),
            "zip": f"{pick.randrange(10_000, 99_999)}",
        },
        "recent_orders": [pick.randrange(10**9) for _ in range(2)],
        "tags": set(pick.sample(_WORDS, 3)),
        "about": " ".join(pick.choices(_WORDS, k=47)),
    }


def workload(items: Sequence[Mapping[str, Any]], *, first_sequence_number: int = FIRST_SEQUENCE_NUMBER) -> Workload:
    """An event with an upsert of each of these items, in order, from a stream with new images."""
    records = []
    for place, item in enumerate(items):
        record = stream_record(
            {"id": item["id"]}, item, item, sequence_number=first_sequence_number + place, table="users"
        )
        del record["dynamodb"]["OldImage"]
        record["dynamodb"]["StreamViewType"] = "NEW_IMAGE"
        records.append(record)
    event = json.loads(json.dumps(stream_event(records)))
    changes = [decode_record(record).to_change() for record in event["Records"]]
    encode = JsonEncoding().encode
    return Workload(event, {KEYS(change): encode(change.item) for change in changes if isinstance(change, Upsert)})


@cache
def users(count: int, *, start: int = 0) -> Workload:
    """An event with this many users, each changed once; made once, since many benchmarks use the same."""
    return workload([user(number) for number in range(start, start + count)], first_sequence_number=_number(start))


def hot_users(count: int, keys: int, *, start: int = 0) -> Workload:
    """An event with this many changes of a few users, in turn."""
    items = [user(start + number % keys) for number in range(count)]
    return workload(items, first_sequence_number=_number(start))


def sized_users(count: int, size: int, *, start: int = 0) -> Workload:
    """An event with users whose JSON has about this many bytes: orders of 105 bytes each, more or fewer of them."""
    items = [_sized(number, size) for number in range(start, start + count)]
    return workload(items, first_sequence_number=_number(start))


def small_users(count: int, *, start: int = 0) -> Workload:
    """An event with users of a few bytes, where only the number of keys matters."""
    items = [{"id": f"{number:08d}"} for number in range(start, start + count)]
    return workload(items, first_sequence_number=_number(start))


def long_text_users(count: int, size: int, *, start: int = 0) -> Workload:
    """An event with users whose JSON has about this many bytes, nearly all of them one string."""
    items = [{"id": f"{number:08d}", "text": "x" * max(0, size - 29)} for number in range(start, start + count)]
    return workload(items, first_sequence_number=_number(start))


def attribute_users(count: int, attributes: int, *, size: int = 600) -> Workload:
    """An event with users of this many attributes, every third a number, in about this many bytes of JSON."""
    items = []
    for number in range(count):
        item: dict[str, Any] = {"id": f"{number:08d}"}
        for place in range(1, attributes):
            item[f"a{place:02d}"] = number + place if place % 3 == 0 else ""
        texts = [name for name, value in item.items() if value == ""]
        spare = size - len(json.dumps(item, separators=(",", ":")))
        for name in texts:
            item[name] = "x" * max(0, spare // len(texts))
        items.append(item)
    return workload(items)


def _number(start: int) -> int:
    return FIRST_SEQUENCE_NUMBER + 100_000 * start  # each user's numbers grow with the user's


def _sized(number: int, size: int) -> dict[str, Any]:
    if size <= 100:  # too small for a list
        return {"id": f"{number:08d}", "name": "Quiet Lantern", "age": number % 90, "active": True, "note": "x" * 25}
    order = {
        "order": number,
        "price": Decimal("19.90"),
        "state": "delivered",
        "at": "2024-05-06T09:30:00Z",
        "to": "x" * 23,
    }
    return {"id": f"{number:08d}", "orders": [order] * max(1, round((size - 30) / 105))}
