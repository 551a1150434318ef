"""Facts about one node of a cache: how it is reached, and what INFO says there."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING, Any, cast

import redis

from ddb_cache_sync.cache.connect import AWS_HOST
from ddb_cache_sync.core.diagnosis.facts import NodeFacts

if TYPE_CHECKING:
    from collections.abc import Mapping


def connection_facts(node: redis.Redis) -> dict[str, Any]:
    """What is known of how a node is reached, without asking it: fields of `CacheFacts`."""
    pool = node.connection_pool
    host = pool.connection_kwargs.get("host")
    tls = issubclass(pool.connection_class, redis.SSLConnection)
    return {
        "host": host,
        "tls": tls,
        "unchecked": _unchecked(pool) if tls else None,
        "aws": bool(AWS_HOST.search(str(host or "").lower())),
    }


def _unchecked(pool: redis.ConnectionPool) -> str | None:
    """What its connections do not check, as one that is never connected tells: it knows redis-py's defaults."""
    connection: Any = pool.connection_class(**pool.connection_kwargs)
    if connection.cert_reqs == ssl.CERT_NONE:
        return "certificate"
    return None if connection.check_hostname else "host name"


def node_facts(name: str, node: redis.Redis) -> NodeFacts:
    """What a node says of itself.

    Raises:
        RedisError: It does not answer, or the user may not ask.
    """
    info: Mapping[str, Any] = cast("Mapping[str, Any]", node.info())
    valkey = "valkey_version" in info

    def count(field: str) -> int | None:
        found = info.get(field)
        return found if isinstance(found, int) else None

    return NodeFacts(
        name=name,
        server="valkey" if valkey else "redis",
        version=str(info.get("valkey_version" if valkey else "redis_version", "")),
        policy=info.get("maxmemory_policy"),
        used_bytes=count("used_memory"),
        limit_bytes=count("maxmemory"),
        evicted=count("evicted_keys"),
        cluster=_is_of_cluster(info),
    )


def _is_of_cluster(info: Mapping[str, Any]) -> bool | None:
    enabled, mode = info.get("cluster_enabled"), info.get("redis_mode")
    return None if enabled is None and mode is None else enabled == 1 or mode == "cluster"
