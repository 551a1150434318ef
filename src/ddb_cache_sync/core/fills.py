"""What a reader that fills a missing key asks of the cache, and what it is answered.

Rule: what a reader stores is never older than a change that was applied already. It claims the missing key, which
tells what the guard holds; it then reads the item from the table, consistently; and it stores the item only where the
guard still holds the same. A change that was applied before the claim was in the table by then, one that was applied
in between has moved the guard, and one that is applied later wins.
"""

from enum import Enum
from typing import NamedTuple

from ddb_cache_sync.core.writes import Write


class Claim(NamedTuple):
    """A reader's wish to load a missing key."""

    key: str
    guard: str
    """The guard's key."""
    lease: str
    """The lease's key."""
    token: str
    """Names this reader and this load, as nobody else does."""
    lease_ms: int
    """How long others may wait for it, milliseconds."""


class ClaimState(Enum):
    """What a claim came to."""

    GRANTED = "granted"
    """The key is missing, and the lease is this reader's."""
    BUSY = "busy"
    """The key is missing, and another reader is loading it."""
    CACHED = "cached"
    """The key exists."""


class Claimed(NamedTuple):
    """The answer to a claim."""

    state: ClaimState
    version: str
    """What the guard holds, in the same moment; empty: there is none."""
    holder: str
    """The token of the lease's holder; empty: there is none."""


class Fill(NamedTuple):
    """An item that was loaded."""

    claim: Claim
    version: str
    """What the guard held when the key was claimed."""
    write: Write
    """Of the same key. Without a value it ends the lease and stores nothing."""

    @property
    def key(self) -> str:
        """The cache key."""
        return self.claim.key
