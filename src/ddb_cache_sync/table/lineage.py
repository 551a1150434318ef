"""Which shards of a stream may be read now. Pure: it does no I/O, and is told what the stream lists.

Rule: a child shard is read only after its parent was read to its end and the parent's records are finished with. A
parent that the description no longer lists has been trimmed away and counts as finished.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


@dataclass(frozen=True, slots=True)
class Shard:
    """One shard as the stream's description lists it.

    Attributes:
        shard_id: Unique in the stream.
        parent_id: The shard it continues; None for a first shard. It may be listed no longer.
        closed: True when no record will be added any more.
    """

    shard_id: str
    parent_id: str | None
    closed: bool


class ShardLineage:
    """Gives out each shard once, when the rule of this module allows it."""

    def __init__(self) -> None:
        self._waiting: dict[str, Shard] = {}
        self._taken: set[str] = set()
        self._finished: set[str] = set()

    @property
    def waiting(self) -> bool:
        """True while a listed shard waits for its parent, or was not taken yet."""
        return bool(self._waiting)

    def update(self, listed: Iterable[Shard]) -> None:
        """Take note of a description: shards seen for the first time wait for their turn."""
        known = self._taken | self._finished
        self._waiting = {shard.shard_id: shard for shard in listed if shard.shard_id not in known}

    def take_ready(self) -> tuple[Shard, ...]:
        """Take the shards whose parent is finished, or listed no longer; each is given out once."""
        unread = self._waiting.keys() | self._taken
        ready = tuple(shard for shard in self._waiting.values() if shard.parent_id not in unread)
        for shard in ready:
            del self._waiting[shard.shard_id]
            self._taken.add(shard.shard_id)
        return ready

    def finish(self, shard_id: str) -> None:
        """Note that a shard was read to its end and that everything read from it is finished with."""
        self._waiting.pop(shard_id, None)
        self._taken.discard(shard_id)
        self._finished.add(shard_id)
