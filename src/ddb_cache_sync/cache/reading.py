"""Reading what a cache holds, in bounded steps."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, cast

from redis.exceptions import RedisError

from ddb_cache_sync.cache.replies import code_of
from ddb_cache_sync.core.guards import DEFAULT_GUARD_PREFIX
from ddb_cache_sync.errors import CacheUnavailable

if TYPE_CHECKING:
    from collections.abc import Iterator

    import redis

_PAGE = 500  # keys in one SCAN step and one MGET


def values(client: redis.Redis, pattern: str, guard_prefix: str = DEFAULT_GUARD_PREFIX) -> Iterator[tuple[str, bytes]]:
    """Every cache key that matches a glob-style pattern, with its value; guards left out.

    Raises:
        CacheUnavailable: The cache can't be read.
    """
    prefix = guard_prefix.encode()
    try:
        found = (key for key in client.scan_iter(match=pattern, count=_PAGE) if not key.startswith(prefix))
        while page := list(islice(found, _PAGE)):
            # Only GET of a string gives a value; a key of another type, or gone by now, gives None.
            for key, value in zip(page, cast("list[bytes | None]", client.mget(page)), strict=True):
                if value is not None:
                    yield key.decode(), value
    except (RedisError, OSError) as error:
        raise CacheUnavailable(f"the cache can't be read ({code_of(error)})") from None
