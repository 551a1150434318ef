"""The cache of a command, and what is said when it can't be reached."""

import contextlib
from typing import TYPE_CHECKING

from ddb_cache_sync.cache.reaching import check_reachable
from ddb_cache_sync.cache.replies import READING, WRITING
from ddb_cache_sync.cli.console import print_problem
from ddb_cache_sync.errors import CacheSyncError
from ddb_cache_sync.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator

    import redis


@contextlib.contextmanager
def reached_cache(chosen: Settings) -> "Iterator[redis.Redis | redis.RedisCluster]":
    """Give the cache's client, which has been seen to reach it; closed at the end.

    A long run waits an outage out. A cache that can't be reached when it starts is a wrong address rather, and is told
    at once.

    Raises:
        ConfigurationError: No cache URL, or a setting that can't be right.
        CacheUnavailable: The cache can't be reached.
    """
    with chosen.client() as cache:
        check_reachable(cache)
        yield cache


def print_failure(error: CacheSyncError) -> None:
    """Write what ended a command, as a message.

    An error of the cache advises a function or a reader; here there is neither.
    """
    text = str(error)
    for purpose in (WRITING, READING):
        text = text.replace(purpose.when_unavailable, "then run the command again")
    print_problem("failed", text)
