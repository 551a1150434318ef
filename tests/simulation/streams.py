"""A table's streams in virtual time: shards that split, roll over and close, records that are trimmed after 24 h."""

from __future__ import annotations

import calendar
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Final

from tests.simulation.world import World

RETENTION_SECONDS: Final = 24 * 3600
TABLE: Final = "users"
ARN: Final = "arn:aws:dynamodb:eu-west-1:111122223333:table/users"


@dataclass(slots=True)
class Shard:
    """A shard of a stream."""

    name: str
    parent: str | None
    low: float
    high: float
    records: list[dict[str, Any]] = field(default_factory=list)
    closed_at: float | None = None


class Stream:
    """A stream of the table, from when it was switched on.

    Attributes:
        label: Its creation time, as in its ARN.
        shards: All of them, parents before their children.
        readers: Called whenever there is something new.
        trimmed: The sequence numbers of records that were trimmed before somebody read them.
    """

    def __init__(self, world: World) -> None:
        self._world = world
        self._created_at = world.now
        created = datetime.fromtimestamp(world.now, UTC)
        self.label = created.strftime("%Y-%m-%dT%H:%M:%S.") + f"{created.microsecond // 1000:03d}"
        self.arn = f"{ARN}/stream/{self.label}"
        # Soon to grow by a digit; and a newer stream's numbers may well be smaller than an older one's.
        self._number = 10 ** world.random.randint(21, 30) - world.random.randint(1, 2000)
        self.shards: list[Shard] = []
        self.readers: list[Callable[[], None]] = []
        self.trimmed: set[str] = set()
        self.enabled = True
        count = world.random.randint(1, 3)
        for part in range(count):
            self._open(None, part / count, (part + 1) / count)

    @property
    def settled(self) -> bool:
        """Whether it can be switched off: each of a table lives a second at least, for a label of its own."""
        return self.enabled and self._world.now >= self._created_at + 1.0

    def add(self, key: Mapping[str, Any], place: float, wire: dict[str, Any] | None, old: dict[str, Any] | None) -> str:
        """Add the record of a change.

        Args:
            key: The item's primary key.
            place: Where its partition lies, 0 to 1.
            wire: What it is now; None: it was removed.
            old: What it was before; None: there was none.

        Returns:
            The change's version.
        """
        self._number += self._world.random.randint(1, 3)
        body: dict[str, Any] = {
            "ApproximateCreationDateTime": float(int(self._world.now)),
            "Keys": key,
            "SequenceNumber": str(self._number),
            "SizeBytes": 100,
            "StreamViewType": "NEW_IMAGE",
        }
        if wire is not None:
            body["NewImage"] = wire
        self._append(place, "REMOVE" if wire is None else "INSERT" if old is None else "MODIFY", body)
        return version_of(self.arn, str(self._number))

    def add_poison(self) -> None:
        """Add a record that can never be applied, of no item that there is."""
        self._number += 1
        body: dict[str, Any] = {
            "ApproximateCreationDateTime": float(int(self._world.now)),
            "Keys": {"tenant": {"S": "poison"}, "id": {"S": str(self._number)}},
            "SequenceNumber": str(self._number),
            "StreamViewType": "NEW_IMAGE",
        }
        if self._world.random.random() < 0.5:
            body["NewImage"] = {**body["Keys"], "n": {"N": "not a number"}}
        self._world.counts["poison record"] += 1
        self._append(self._world.random.random(), "MODIFY", body)

    def split(self) -> None:
        """Close a shard and go on in its children: two, or one where it only rolls over."""
        chance = self._world.random
        parent = chance.choice([shard for shard in self.shards if shard.closed_at is None])
        parent.closed_at = self._world.now
        rolls = chance.random() < 0.4 or parent.high - parent.low < 0.05
        middle = parent.high if rolls else (parent.low + parent.high) / 2
        self._open(parent.name, parent.low, middle)
        if not rolls:
            self._open(parent.name, middle, parent.high)
        self._world.counts["shard rolled over" if rolls else "shard split"] += 1
        self._tell()

    def disable(self) -> None:
        """Switch it off: no more records, those that it has can be read for a day."""
        self.enabled = False
        for shard in self.shards:
            shard.closed_at = shard.closed_at or self._world.now
        self._tell()

    def _open(self, parent: str | None, low: float, high: float) -> None:
        self.shards.append(Shard(f"shardId-{len(self.shards):020d}", parent, low, high))

    def _append(self, place: float, name: str, body: dict[str, Any]) -> None:
        record = {
            "eventID": body["SequenceNumber"],
            "eventName": name,
            "eventVersion": "1.1",
            "eventSource": "aws:dynamodb",
            "awsRegion": "eu-west-1",
            "dynamodb": body,
            "eventSourceARN": self.arn,
        }
        for shard in reversed(self.shards):
            if shard.closed_at is None and shard.low <= place < shard.high:
                shard.records.append(record)
                break
        self._tell()

    def _tell(self) -> None:
        for reader in self.readers:
            reader()


def version_of(arn: str, number: str) -> str:
    """The version of a record, as its guard should hold it."""
    return f"{_label_ms(arn)}:{len(number):02d}:{number}"


@lru_cache(maxsize=1000)
def _label_ms(arn: str) -> str:
    date, _, milliseconds = arn.rpartition("/")[2].partition(".")
    return f"{calendar.timegm(time.strptime(date, '%Y-%m-%dT%H:%M:%S'))}{milliseconds}"
