"""What a repair asks of the cache: bring one key to what the table was found to hold. Pure.

Rules:

1. Guard first, then the item, consistently, then the write, and that only where the guard still holds what it held. A
   change that was applied by the first was in the table by the second, one applied in between has moved the guard, and
   one that comes later wins.
2. A guard that was there is left as its version with a suffix, which sorts just above it and below every newer change.
   So the version that was found, delivered again, is stale. The suffix grows with each repair, so that a repair shows
   to another that reads at the same time. Where there was no guard none is left: every change wins.
"""

from typing import NamedTuple

from ddb_cache_sync.core.versions import Version
from ddb_cache_sync.core.writes import Write


class Repair(NamedTuple):
    """One key to be repaired."""

    write: Write
    """What the key should hold; its version is not used."""
    found: str
    """What the guard held before the item was read; empty: there was none."""
    leaves: Version | None = None
    """What the guard is to hold, where a change was made, or another guard of the same item had it, before the item was
    read. None: what was found, with a suffix (rule 2)."""

    @property
    def key(self) -> str:
        """The cache key."""
        return self.write.key

    @property
    def left(self) -> str:
        """What the guard holds after it; empty: there is none."""
        return repaired(self.found) if self.leaves is None else self.leaves


def repaired(version: str) -> str:
    """The version that a repair leaves where it found this one; empty for empty."""
    if not version:
        return ""
    stem, _, suffix = version.rpartition(":")
    if version.count(":") < 3:
        return f"{version}:1"
    return f"{stem}:{int(suffix) + 1}"
