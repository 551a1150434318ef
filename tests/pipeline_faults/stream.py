"""A stream in memory behind boto3's operations: its records are made as they are read, so that nothing piles up."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from tests.pipeline_faults.items import ARN

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.pipeline_faults.items import Items

_FIRST_LABEL: Final = datetime(2025, 4, 23, 13, 37, 16, 991_000, UTC)
_FIRST_NUMBERS: Final = (10**23 - 40_000, 10**21 + 7, 2 * 10**22, 10**24 - 40_000)  # some about to grow by a digit


@dataclass(slots=True)
class _Shard:
    name: str
    parent: str | None
    modulus: int
    """It has the keys that leave this remainder."""
    remainder: int
    closed: bool = False
    records: int = 0


class GeneratedStream:
    """A stream that makes records as it is read, each one a change of the table at that moment.

    Args:
        items: The table.
        number: Which of the table's streams it is: each is newer than the last.
        shards: How many shards it begins with.
        seed: Draws the same changes.
        wanted: Whether more records are wanted; asked before each page.
        page: The most records of a page.
        poison_share: The share of pages that get a poison record besides.

    Attributes:
        arn: The stream's.
        made: How many records were made.
        children_read: How many records were read of shards that others were split into.
    """

    def __init__(
        self,
        items: Items,
        number: int,
        *,
        shards: int,
        seed: str,
        wanted: Callable[[], bool],
        page: int = 1000,
        poison_share: float = 0.0,
    ) -> None:
        label = (_FIRST_LABEL + timedelta(minutes=number)).isoformat(timespec="milliseconds")
        self.arn = f"{ARN}/stream/{label.removesuffix('+00:00')}"
        self.made = 0
        self.poisoned = 0
        self.children_read = 0
        self._items = items
        self._first = _FIRST_NUMBERS[number % len(_FIRST_NUMBERS)]
        self._chance = random.Random(seed)
        self._wanted = wanted
        self._page = page
        self._poison_share = poison_share
        self._shards = {f"shard-{n}": _Shard(f"shard-{n}", None, shards, n) for n in range(shards)}
        self._splits = 0

    def split(self) -> None:
        """End a shard at its next page; two others go on with its keys."""
        self._splits += 1

    def describe_stream(self, **_: Any) -> Any:
        listed: list[dict[str, Any]] = []
        for shard in [*self._shards.values()]:
            span = {"StartingSequenceNumber": "1"} | ({"EndingSequenceNumber": "2"} if shard.closed else {})
            parent = {} if shard.parent is None else {"ParentShardId": shard.parent}
            listed.append({"ShardId": shard.name, "SequenceNumberRange": span, **parent})
        return {
            "StreamDescription": {
                "StreamArn": self.arn,
                "StreamStatus": "ENABLED",
                "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
                "Shards": listed,
            }
        }

    def get_shard_iterator(self, **request: Any) -> Any:
        return {"ShardIterator": request["ShardId"]}

    def get_records(self, **request: Any) -> Any:
        shard = self._shards[request["ShardIterator"]]
        if shard.closed:
            return {"Records": []}
        if not self._wanted():
            return {"Records": [], "NextShardIterator": shard.name}
        if self._splits:
            self._splits -= 1
            self._split(shard)
            return {"Records": []}
        records = self._items.change(self._keys(shard), self._chance, self._number)
        if self._chance.random() < self._poison_share:
            records.append(self._poison(len(records)))
        self.made += len(records)
        shard.records += len(records)
        if shard.parent is not None:
            self.children_read += len(records)
        return {"Records": records, "NextShardIterator": shard.name}

    def _number(self, place: int) -> str:
        return str(self._first + self.made + place)

    def _keys(self, shard: _Shard) -> list[int]:
        modulus, remainder, busy = shard.modulus, shard.remainder, self._items.busy
        count = (self._items.count - remainder + modulus - 1) // modulus
        keys = [remainder + modulus * int(count * self._chance.random()) for _ in range(self._page)]
        mine = [key for key in busy if key % modulus == remainder]
        if mine:
            for place in range(int(self._page * self._items.busy_share)):
                keys[int(self._page * self._chance.random())] = mine[place % len(mine)]
        return keys

    def _poison(self, place: int) -> Any:
        self.poisoned += 1
        body = {
            "Keys": {"id": {"S": f"poison-{self.poisoned}"}},
            "NewImage": {"id": {"S": f"poison-{self.poisoned}"}, "n": {"N": "no number"}},
            "SequenceNumber": self._number(place),
            "StreamViewType": "NEW_IMAGE",
        }
        return {"eventID": "e", "eventName": "INSERT", "eventSource": "aws:dynamodb", "dynamodb": body}

    def _split(self, shard: _Shard) -> None:
        shard.closed = True
        for nth in range(2):
            name = f"{shard.name}.{nth}"
            child = _Shard(name, shard.name, 2 * shard.modulus, shard.remainder + nth * shard.modulus)
            self._shards[name] = child
