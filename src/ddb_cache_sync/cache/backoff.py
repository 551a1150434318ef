"""Waiting between attempts: full jitter, inside a deadline.

Full jitter (a random wait between zero and a growing bound) keeps hundreds of functions that lost the same cache from
coming back at the same moment: https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
"""

import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field


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
        bound = min(self.longest_seconds, self.first_seconds * 2 ** min(attempt - 1, 16))
        seconds = bound * self.fraction()
        if self.monotonic() + seconds >= deadline:
            return False
        self.sleep(seconds)
        return True
