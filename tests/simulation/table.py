"""A table in virtual time.

What is right is known here without the code under test: expected cache keys are written by hand, expected values by
`json`, and versions are ordered as pairs of numbers.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from tests.simulation.streams import Stream
from tests.simulation.world import World

TEMPLATE: Final = "users:{tenant}:{id}"

# Keys that are the same text where anything is escaped wrongly: (tenant, id) and the cache key of that item.
AWKWARD: Final = (
    (("a", "b"), "users:a:b"),
    (("a:b", "c"), "users:a%3Ab:c"),
    (("a", "b:c"), "users:a:b%3Ac"),
    (("a%3Ab", "c"), "users:a%253Ab:c"),
    (("{a}", "c"), "users:%7Ba%7D:c"),
    (("%7Ba%7D", "c"), "users:%257Ba%257D:c"),
    (("é\n", "c"), "users:é%0A:c"),
)


class Change(NamedTuple):
    """A change of an item."""

    at: float
    number: int
    """Of all changes of the table; the item carries it."""
    value: bytes | None
    """What the cache should hold after it."""
    version: str
    """As the guard should hold it; empty: there was no stream, so it has no record."""


@dataclass(slots=True)
class Item:
    """An item, whether it exists just now or not."""

    key: Mapping[str, Any]
    """Its primary key in DynamoDB JSON."""
    cache_key: str
    place: float
    """Where its partition lies, 0 to 1."""
    json: tuple[str, str]
    """Its expected value before and after the number."""
    wire: dict[str, Any] | None = None
    """What it is now, in DynamoDB JSON; None: there is none."""
    before: dict[str, Any] | None = None
    """What it was before its latest change: what an eventually consistent read may give."""
    changes: list[Change] = field(default_factory=list)
    """All since the world began, the first being what it was then."""

    @property
    def guard(self) -> str:
        """The key of its guard."""
        return f"~v:{{{self.cache_key}}}"


class Table:
    """The table.

    Args:
        world: The world.
        size: How many items it may have.
        newest: Where to note, by cache key, the version of each item's newest change and its value.

    Attributes:
        items: All that it may have.
        streams: All that it has had, the latest last.
        changes: How many changes were made.
    """

    def __init__(self, world: World, size: int, newest: dict[str, tuple[str, bytes | None]]) -> None:
        self._world = world
        self._newest = newest
        self._kept = world.random.choice((0.5, 0.8, 0.95))
        self.changes = 0
        keys = [((f"t{place % 3}", f"u{place}"), f"users:t{place % 3}:u{place}") for place in range(size)]
        self.items = [
            Item(
                {"tenant": {"S": tenant}, "id": {"S": identity}},
                cache_key,
                world.random.random(),
                _json(tenant, identity),
            )
            for (tenant, identity), cache_key in [*keys, *AWKWARD][-size:]
        ]
        self._by_key = {(item.key["tenant"]["S"], item.key["id"]["S"]): item for item in self.items}
        for item in self.items:
            self._set(item, exists=world.random.random() < 0.5, version="")
        self.streams = [Stream(world)]

    @property
    def stream(self) -> Stream:
        """The latest stream."""
        return self.streams[-1]

    def find(self, key: Mapping[str, Any]) -> Item | None:
        """The item with this primary key; None: there could never be one."""
        return self._by_key.get((key["tenant"]["S"], key["id"]["S"]))

    def change(self) -> Item | None:
        """Put or remove an item; None: there was nothing to remove."""
        chance = self._world.random
        # A few items are changed much more often than others.
        item = self.items[int(len(self.items) * chance.random() ** 2)]
        exists = chance.random() < self._kept
        if item.wire is None and not exists:
            return None
        self.changes += 1
        self._set(item, exists=exists, version=None if self.stream.enabled else "")
        return item

    def stream_split(self) -> None:
        """Let a shard of the stream close, if it is on."""
        if self.stream.enabled:
            self.stream.split()

    def stream_poison(self) -> None:
        """Have a poison record in the stream, if it is on."""
        if self.stream.enabled:
            self.stream.add_poison()

    def new_stream(self) -> None:
        """Switch the stream on again."""
        self.streams.append(Stream(self._world))

    def _set(self, item: Item, *, exists: bool, version: str | None) -> None:
        old, now = item.wire, self._world.now
        wire, value = None, None
        if exists:
            wire = {**item.key, "n": {"N": str(self.changes)}}
            tags = ""
            if self.changes % 5 == 0:
                wire["tags"], tags = {"L": [{"S": "é"}, {"BOOL": True}, {"M": {}}]}, ',"tags":["é",true,{}]'
            before, after = item.json
            value = f"{before}{self.changes}{tags}{after}".encode()
        item.before, item.wire = old, wire
        version = self.stream.add(item.key, item.place, wire, old) if version is None else version
        item.changes.append(Change(now, self.changes, value, version))
        self._newest[item.cache_key] = (version, value)


def _json(tenant: str, identity: str) -> tuple[str, str]:
    """The JSON of an item before and after its number, attributes in alphabetical order."""
    found, other = (json.dumps(text, ensure_ascii=False) for text in (identity, tenant))
    return f'{{"id":{found},"n":', f',"tenant":{other}}}'
