"""Waiting between attempts: full jitter, inside a deadline."""

import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from ddb_cache_sync.core.backoff import full_jitter_seconds


@dataclass(frozen=True, slots=True)
class Backoff:
    """How long to wait before each further attempt."""

    first_seconds: float = 0.05
    """The bound of the first wait; it doubles with each attempt."""
    longest_seconds: float = 2.0
    """The bound of every wait."""
    monotonic: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    fraction: Callable[[], float] = field(default=random.random)
    """A random number from 0 to 1."""

    def wait(self, attempt: int, deadline: float) -> bool:
        """Wait before attempt 1, 2, …; False at once where the wait would not end before the deadline (monotonic)."""
        seconds = full_jitter_seconds(
            attempt, self.fraction(), first_seconds=self.first_seconds, longest_seconds=self.longest_seconds
        )
        if self.monotonic() + seconds >= deadline:
            return False
        self.sleep(seconds)
        return True
