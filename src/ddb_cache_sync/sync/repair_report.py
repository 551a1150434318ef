"""What is to be repaired, and what became of it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

import orjson

from ddb_cache_sync.core.attribute_values import Image
from ddb_cache_sync.core.comparison import Drift
from ddb_cache_sync.errors import ConfigurationError

if TYPE_CHECKING:
    from ddb_cache_sync.core.versions import Version


class RepairAction(StrEnum):
    """What became of one key."""

    WRITTEN = "written"
    """The item's value was written, or would be."""
    DELETED = "deleted"
    """The key was deleted, or would be: no item has it."""
    AGREES = "agrees"
    """There was nothing to repair."""
    MOVED = "moved"
    """Changes kept being applied: the stream is at work on it."""
    REFUSED = "refused"
    """It can't be repaired."""


class RepairTarget(NamedTuple):
    """A key to be repaired."""

    key: str
    """The cache key."""
    item: Image | None = None
    """The item's primary key; None: it is read back from the cache key."""
    kind: Drift | None = None
    """How it drifted, by a verification of the whole table; None: nobody has compared that."""
    change: Version | None = None
    """A change of the item that was made before the repair, and is not applied otherwise: the guard is to hold
    more than its version, so that neither it nor anything older wins. None: there is none."""


@dataclass(frozen=True, slots=True)
class Repaired:
    """What became of one key; an audit line."""

    key: str
    action: RepairAction
    drift: Drift | None = None
    """How cache and table disagreed; None: they did not, or it is not known."""
    guard_before: str | None = None
    """What the guard held; empty: there was none; None: it was not looked at."""
    guard_after: str | None = None
    """What it holds, or would hold."""
    applied: bool = False
    """Whether anything was written or deleted: not in a dry run."""
    reason: str | None = None
    """Why it was refused; no contents."""


def targets_of_report(report: bytes, table: str) -> list[RepairTarget]:
    """The keys that a report of verify lists, as `verify --json` prints it.

    Raises:
        ConfigurationError: No such report, one of another table, or one whose keys are hashed.
    """
    try:
        read = orjson.loads(report)
        targets = [
            RepairTarget(
                each["key"],
                None if each["item"] is None else Image(each["item"]),
                None if read["sampled"] else Drift(each["kind"]),
            )
            for each in read["drifts"]
        ]
        of, hashed = read["table"], read["keys_hashed"]
    except (ValueError, TypeError, KeyError):
        raise ConfigurationError("not a report of verify", hint="Give what verify --json printed.") from None
    if of != table or hashed:
        problem = "its keys are hashed" if hashed else "it is of another table"
        raise ConfigurationError(f"the report can't be used: {problem}", hint="Verify this table without --hash-keys.")
    return targets
