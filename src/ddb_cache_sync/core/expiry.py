"""Expiry: when a cache key goes by itself. Pure: the time is passed in.

Rules:

1. A DynamoDB TTL attribute holds epoch seconds in an N
   (https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/time-to-live-ttl-how-to.html). Anything else never
   removes the item from the table, so it never expires the cache key either: it is reported and not obeyed. So is a
   time in milliseconds, which is some 50,000 years ahead, and a time of more than five years ago, which DynamoDB
   passes over for safety.
2. An item that has expired by now is written as a removal, though DynamoDB may take days to remove it.
3. A fixed time to live is counted from the write, a redelivery's included, and shortened by a share that depends on key
   and version alone, so that keys written together do not go together.
4. Of both, the earlier counts.
"""

import zlib
from typing import Final, NamedTuple

from ddb_cache_sync.core.attribute_values import Image
from ddb_cache_sync.core.numbers import plain_number
from ddb_cache_sync.errors import ConfigurationError

_FIVE_YEARS: Final = 5 * 365 * 86_400
FURTHEST_SECONDS: Final = 32_503_680_000  # the year 3000: what is later is no time in seconds


class Expires(NamedTuple):
    """When a cache key expires."""

    at_ms: int | None
    """Epoch milliseconds; None: never. A time that has passed: the item is gone already."""
    notice: str | None = None
    """What is wrong with the TTL attribute; None: nothing, or it is absent."""


class Expiry:
    """When cache keys expire.

    Args:
        attribute: The table's TTL attribute. None: the table's time to live plays no part.
        seconds: The longest time that a value stays after it was last written; a record that comes again writes it
            again. None: as long as the item.
        jitter: The largest share of `seconds` that a key's time is shortened by.

    Raises:
        ConfigurationError: An argument that can't be right.
    """

    __slots__ = ("attribute", "jitter", "seconds")

    def __init__(self, attribute: str | None = None, *, seconds: float | None = None, jitter: float = 0.1) -> None:
        if attribute is None and seconds is None:
            raise ConfigurationError("an expiry with neither a TTL attribute nor seconds")
        if attribute == "":
            raise ConfigurationError("a TTL attribute without a name")
        if not (attribute is None or isinstance(attribute, str)):
            raise ConfigurationError(f"a TTL attribute that is a {type(attribute).__name__}", hint="Give its name.")
        if not (seconds is None or isinstance(seconds, int | float)):
            raise ConfigurationError(f"a time to live that is a {type(seconds).__name__}", hint="Give seconds.")
        if seconds is not None and not 1 <= seconds <= FURTHEST_SECONDS:
            raise ConfigurationError("a time to live below one second, or past every calendar")
        if not 0 <= jitter < 1:
            raise ConfigurationError("a jitter outside 0 to 1", hint="0.1 shortens times to live by up to a tenth.")
        self.attribute: Final = attribute
        self.seconds: Final = seconds
        self.jitter: Final = jitter

    def __repr__(self) -> str:
        return f"Expiry({self.attribute!r}, seconds={self.seconds!r}, jitter={self.jitter!r})"

    def of(self, item: Image, cache_key: str, version: str, now: float) -> Expires:
        """When the value of this item expires.

        Args:
            item: The item as the table has it.
            cache_key: Spreads the jitter.
            version: Spreads the jitter.
            now: Epoch seconds.
        """
        notice = None
        times = []
        if self.seconds is not None:
            share = zlib.crc32(f"{cache_key} {version}".encode()) / 2**32
            times.append(int((now + self.seconds * (1 - self.jitter * share)) * 1000))
        if self.attribute is not None and (value := item.wire.get(self.attribute)) is not None:
            at = _seconds_of(value, now)
            if isinstance(at, str):
                notice = f"{self.attribute}: {at}; it does not expire"
            else:
                times.append(at * 1000)
        return Expires(min(times, default=None), notice)


def _seconds_of(value: object, now: float) -> int | str:
    """The time that a TTL attribute tells, epoch seconds; or what is wrong with it."""
    number = value.get("N") if isinstance(value, dict) and len(value) == 1 else None
    if not isinstance(number, str):
        return "a time to live that is not a number"
    try:
        seconds = int(plain_number(number).partition(".")[0])
    except ValueError:
        return "a time to live that is not a number"
    if seconds >= FURTHEST_SECONDS:
        return "a time to live past the year 3000: in milliseconds, where DynamoDB counts seconds"
    if seconds < now - _FIVE_YEARS:
        return "a time to live more than five years ago, which DynamoDB passes over"
    return seconds
