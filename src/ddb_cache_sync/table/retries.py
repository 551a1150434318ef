"""Which failures of AWS may pass, and how long to wait before the next attempt: full jitter, a limited number of times.

boto3's clients retry too, a few times within seconds. A table that is throttled for a minute needs more patience.
"""

from __future__ import annotations

import random
import time
from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING, Final, TypeVar

from botocore.exceptions import ConnectionError, HTTPClientError, IncompleteReadError  # noqa: A004

from ddb_cache_sync.core.backoff import full_jitter_seconds
from ddb_cache_sync.table.clients import AWS_ERRORS, error_code, translate

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_T = TypeVar("_T")

TRANSIENT_CODES: Final = frozenset(
    {
        "InternalError",  # S3's
        "InternalFailure",
        "InternalServerError",
        "LimitExceededException",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "ServiceUnavailable",
        "SlowDown",  # S3's
        "Throttling",
        "ThrottlingException",
    }
)


def is_transient(error: Exception) -> bool:
    """Can the same request succeed a little later."""
    return (
        isinstance(error, ConnectionError | HTTPClientError | IncompleteReadError)
        or error_code(error) in TRANSIENT_CODES
    )


@dataclass(frozen=True, slots=True)
class Backoff:
    """Exponential backoff with full jitter: a random wait between zero and a limit that doubles each time.

    Attributes:
        base_seconds: The limit of the first wait.
        cap_seconds: What the limit never exceeds.
    """

    base_seconds: float = 0.05
    cap_seconds: float = 5.0

    def seconds(self, attempt: int, fraction: float) -> float:
        """The wait before attempt number `attempt + 1`; `fraction` is the random number, 0 to 1."""
        return full_jitter_seconds(attempt, fraction, first_seconds=self.base_seconds, longest_seconds=self.cap_seconds)


@dataclass(frozen=True, slots=True)
class Retries:
    """How often a request is made, and the waits in between.

    Attributes:
        attempts: How often before its failure is raised, at least 1.
        backoff: How long the waits are.
        sleep: Waits so many seconds.
        jitter: A random number from 0 to 1.
    """

    attempts: int = 10
    backoff: Backoff = field(default_factory=Backoff)
    sleep: Callable[[float], object] = time.sleep
    jitter: Callable[[], float] = random.random

    def wait(self, attempt: int) -> None:
        """Wait after attempt 1, 2, … has failed."""
        self.sleep(self.backoff.seconds(attempt, self.jitter()))

    def call(self, action: str, request: Callable[[], _T], hints: Mapping[str, str] | None = None) -> _T:
        """Make a request, again where trying again can help.

        Args:
            action: What is tried, for the error: `scan table users`.
            request: Makes it.
            hints: What to do next, by error code, as `translate` takes them.

        Raises:
            TableError: It was refused, or kept failing.
            ConfigurationError: Credentials are missing or wrong.
        """
        for attempt in count(1):
            try:
                return request()
            except AWS_ERRORS as error:
                if attempt >= self.attempts or not is_transient(error):
                    raise translate(error, action, hints) from None
            self.wait(attempt)
        raise AssertionError("count() has no end")


DEFAULT_BACKOFF: Final = Backoff()
DEFAULT_RETRIES: Final = Retries()
