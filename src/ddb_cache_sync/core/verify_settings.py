"""When a verification looks again, and how large its sample is: as both are written, and which can be right. Pure."""

from collections.abc import Sequence
from itertools import pairwise
from math import isfinite
from typing import Final

from ddb_cache_sync.errors import ConfigurationError

DEFAULT_LOOKS: Final = (1.0, 5.0, 30.0)
"""When suspects are looked at again, seconds after the table was read."""

_LOOKS_HINT: Final = "Write seconds, such as 1,5,30."


def looks_of(text: str) -> tuple[float, ...]:
    """The times of looks written as `1,5,30`, seconds.

    Raises:
        ConfigurationError: It is no list of numbers.
    """
    try:
        return tuple(float(each) for each in text.split(","))
    except ValueError:
        raise ConfigurationError("the looks are no list of seconds", hint=_LOOKS_HINT) from None


def check_looks(looks: Sequence[float]) -> None:
    """Make sure that there can be looks at these times.

    Raises:
        ConfigurationError: There are none, one is not above 0 seconds, or each is not later than the one before.
    """
    if not looks or not all(each > 0 and isfinite(each) for each in looks):
        raise ConfigurationError("looks that are not all above 0 seconds", hint=_LOOKS_HINT)
    if not all(one < other for one, other in pairwise(looks)):
        raise ConfigurationError("looks that are not in rising order", hint=_LOOKS_HINT)


def sample_of(text: str | None) -> tuple[int | None, float | None]:
    """The number of items, or else their share, of a sample written as `1000` or `1%`; None: it is none.

    Raises:
        ConfigurationError: It is neither.
    """
    try:
        if text is None:
            return None, None
        return (None, float(text[:-1]) / 100) if text.endswith("%") else (int(text), None)
    except ValueError:
        raise ConfigurationError(
            "the sample is neither a number of items nor a share", hint="Write 1000, or 1%, for instance."
        ) from None


def check_sample(count: int | None, share: float | None) -> None:
    """Make sure that there can be a sample of this size.

    Args:
        count: About how many items it has. None: not told.
        share: Which share of the items it has, 0 to 1. None: not told.

    Raises:
        ConfigurationError: It has no items, or more than there are, or both are told.
    """
    if count is not None and count < 1:
        raise ConfigurationError("a sample of no items", hint="Some thousand items tell most of it.")
    if share is not None and (count is not None or not 0 < share <= 1):
        raise ConfigurationError(
            "a sample that is no share of the items", hint="Give a share above 0 and up to 1 (100%), and no number."
        )
