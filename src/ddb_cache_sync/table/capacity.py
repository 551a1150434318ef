"""How fast a table is read: a token bucket that several threads share. It has no clock of its own.

Rules:

1. What a page costs is known only after it was read. So each page first reserves what the last one cost, and settles
   the difference afterwards.
2. A page waits for what others have reserved before it, not for its own cost. So the rate holds over any longer time,
   a page larger than a second's worth can be read, and after a pause no more than a second's worth is free.
"""

from __future__ import annotations

import time
from math import isfinite
from threading import Lock
from typing import TYPE_CHECKING, Literal, Self

from ddb_cache_sync.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable


class CapacityLimiter:
    """Keeps reads below so many capacity units a second, or items a second: see `of_items`.

    Args:
        units_per_second: Read capacity units: an eventually consistent read takes half of one for each 4 KB, a
            consistent one a whole.
        monotonic: A clock, in seconds.
        sleep: Waits so many seconds.

    Raises:
        ConfigurationError: Not a rate above zero.
    """

    def __init__(
        self,
        units_per_second: float,
        *,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        if not (units_per_second > 0 and isfinite(units_per_second)):
            raise ConfigurationError(
                "the rate of reading is not above zero", hint="Leave it out to read at full speed."
            )
        self._rate = units_per_second
        self._counted: Literal["units", "items"] = "units"
        self._monotonic = monotonic
        self._sleep = sleep
        self._lock = Lock()
        self._tokens = units_per_second
        self._as_of = monotonic()
        self._last_cost = units_per_second  # until a page has told: threads then begin a second apart

    @classmethod
    def of_items(
        cls,
        items_per_second: float,
        *,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], object] = time.sleep,
    ) -> Self:
        """A limiter that counts items; arguments and errors as the class's."""
        limiter = cls(items_per_second, monotonic=monotonic, sleep=sleep)
        limiter._counted = "items"
        return limiter

    def reserve(self) -> float:
        """Wait for a page's turn.

        Returns:
            What was reserved for it, to be given to `settle`.
        """
        with self._lock:
            self._refill()
            wait_seconds = max(0.0, -self._tokens / self._rate)
            reserved = self._last_cost
            self._tokens -= reserved
        if wait_seconds > 0:
            self._sleep(wait_seconds)
        return reserved

    def settle(self, reserved: float, *, units: float, items: int) -> None:
        """Say what a page did cost.

        Args:
            reserved: What `reserve` gave for it.
            units: Capacity units that it took.
            items: How many items it had.
        """
        cost = units if self._counted == "units" else items
        with self._lock:
            self._refill()
            self._tokens = min(self._rate, self._tokens + reserved - cost)
            self._last_cost = cost

    def _refill(self) -> None:
        now = self._monotonic()
        self._tokens = min(self._rate, self._tokens + (now - self._as_of) * self._rate)
        self._as_of = now
