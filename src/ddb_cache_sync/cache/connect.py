"""Connecting to a cache, with what a short-lived function needs: bounded waits, few connections."""

from typing import Any
from urllib.parse import urlsplit

import redis

from ddb_cache_sync.errors import ConfigurationError

_SCHEMES = ("redis", "rediss", "unix")


def connect(url: str, **options: Any) -> redis.Redis:
    """A client for the cache at this URL; connects at its first command.

    Args:
        url: `redis://`, `rediss://` (TLS) or `unix://`, as redis-py has it:
            `rediss://user:password@host:6379/0`.
        **options: Passed on to `redis.Redis.from_url`, over the defaults set here.

    Raises:
        ConfigurationError: Not such a URL, or an option that redis-py does not take.
    """
    scheme = urlsplit(url).scheme
    if scheme not in _SCHEMES:
        # The URL is not repeated: it may hold a password.
        raise ConfigurationError(
            f"a cache URL with the scheme {scheme!r}",
            hint="Write redis://host:port, rediss://host:port or unix:///path.",
        )
    defaults: dict[str, Any] = {"socket_timeout": 5.0}
    if scheme != "unix":
        defaults |= {"socket_connect_timeout": 3.0, "socket_keepalive": True}
    try:
        return redis.Redis.from_url(url, **(defaults | options))
    except (TypeError, ValueError) as error:
        raise ConfigurationError(f"redis-py refuses the cache URL or an option ({type(error).__name__})") from None
