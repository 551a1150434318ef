"""Connecting to a cache, with what a short-lived function needs: bounded waits, few connections, verified TLS."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Any, Final, cast
from urllib.parse import SplitResult, parse_qsl, urlencode, urlsplit

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from ddb_cache_sync.cache.bounded import BoundedPool
from ddb_cache_sync.cache.topology import LazyCluster
from ddb_cache_sync.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from redis.credentials import CredentialProvider

_SCHEMES: Final = ("redis", "rediss", "unix")
AWS_HOST: Final = re.compile(r"\.amazonaws\.com(\.cn)?$")
_CLUSTER_LABELS: Final = frozenset({"clustercfg", "serverless"})

# Both shorter where the deadline is nearer: see BoundedPool.
CONNECT_SECONDS: Final = 1.0
SOCKET_SECONDS: Final = 2.0


def connect(
    url: str,
    *,
    credentials: CredentialProvider | None = None,
    allow_plaintext: bool = False,
    **options: Any,
) -> redis.Redis | redis.RedisCluster:
    """A client for the cache at this URL; connects at its first use.

    The client is redis-py's, for one server or a cluster. It is a cluster's where the host is a configuration endpoint
    or a serverless cache of ElastiCache or MemoryDB, or where the URL ends in `?cluster=true`.

    Args:
        url: `rediss://` (TLS), `redis://` or `unix://`, as redis-py has it: `rediss://user:password@host:6379/0`. A
            certificate authority of one's own: `?ssl_ca_certs=/path/ca.pem`.
        credentials: `IamCredentials`, `SecretCredentials`, or another credential provider of redis-py. None: the
            URL's.
        allow_plaintext: Talk to an AWS host without TLS all the same.
        **options: Passed on to redis-py, over the defaults set here.

    Raises:
        ConfigurationError: Not such a URL, one of an AWS host without TLS, one with a user or a password beside
            credentials, or an option that redis-py does not take. The URL is not repeated: it may hold a password.
    """
    try:
        parts = urlsplit(url)
        host = (parts.hostname or "").lower()
        _ = parts.port, url.encode()  # an environment variable may hold what is no UTF-8
    except ValueError:
        raise ConfigurationError("the cache's URL can't be read", hint="Write rediss://host:port.") from None
    if parts.scheme not in _SCHEMES or (parts.scheme != "unix" and not host):
        raise ConfigurationError(
            f"the cache's URL has the scheme {parts.scheme!r}" if host else "the cache's URL names no host",
            hint="Write rediss://host:port, redis://host:port or unix:///path.",
        )
    if parts.scheme == "redis" and AWS_HOST.search(host) and not allow_plaintext:
        raise ConfigurationError(
            "the cache's URL is of an AWS host and does without TLS",
            hint="Write rediss://, or allow_plaintext (DDB_CACHE_SYNC_ALLOW_PLAINTEXT) if it has no TLS.",
        )
    if credentials is not None and (parts.username or parts.password):
        raise ConfigurationError(
            "the cache's URL holds a user or a password, and credentials are given beside it",
            hint="Leave user and password out of the URL.",
        )
    given = url
    parts, clustered = _without_cluster_flag(parts)
    arguments = _defaults(parts) | ({} if credentials is None else {"credential_provider": credentials}) | options
    if parts.scheme != "unix":  # of unix:///path geturl() leaves unix:/path, which redis-py does not take
        url = parts.geturl()
    authority = dict(parse_qsl(parts.query)).get("ssl_ca_certs") or arguments.get("ssl_ca_certs")
    if authority and not os.path.isfile(str(authority)):  # noqa: PTH113 - pathlib takes longer to load than this to ask
        raise ConfigurationError("ssl_ca_certs names no file", hint="Give the path of a file in PEM form.")
    try:
        if clustered or (AWS_HOST.search(host) and _CLUSTER_LABELS & set(host.split("."))):
            # The endpoint's name stays the way in, whatever addresses the nodes have by then.
            arguments = {"dynamic_startup_nodes": not AWS_HOST.search(host)} | arguments
            arguments["connection_pool_class"] = BoundedPool
            address = f"{host}:{parts.port or 6379}"
            return cast(
                "redis.RedisCluster", LazyCluster(lambda: redis.RedisCluster.from_url(url, **arguments), address)
            )
        pool = BoundedPool.from_url(url, **arguments)
        pool.connection_class(**pool.connection_kwargs)  # not connected: an option that it does not take shows here
        return redis.Redis.from_pool(pool)
    except (TypeError, ValueError) as error:
        named = _option_named_by(error, given.partition("?")[2], options)
        what = "the cache's URL or an option" if named is None else f"the option {named} of the cache's URL or client"
        raise ConfigurationError(f"redis-py refuses {what} ({type(error).__name__})") from None


def _option_named_by(error: Exception, query: str, options: Mapping[str, object]) -> str | None:
    """The option that an error of redis-py quotes; None: none, or it can't be told from a piece of a password.

    Where a password holds a `?`, what follows in the URL looks like a query, and has the `@` that ends the password.
    """
    names = [*options, *(() if "@" in query else (name for name, _ in parse_qsl(query.partition("#")[0])))]
    return next((name for name in names if name.isidentifier() and f"'{name}'" in str(error)), None)


def _without_cluster_flag(parts: SplitResult) -> tuple[SplitResult, bool]:
    """The URL without `cluster=true`, and whether it had it."""
    query = parse_qsl(parts.query, keep_blank_values=True)
    flags = [value.lower() for name, value in query if name == "cluster"]
    if any(flag not in ("true", "false") for flag in flags):
        raise ConfigurationError("the cache's URL has a cluster option that is neither true nor false")
    kept = urlencode([(name, value) for name, value in query if name != "cluster"], safe="/")
    return parts._replace(query=kept), "true" in flags


def _defaults(parts: SplitResult) -> dict[str, Any]:
    defaults: dict[str, Any] = {
        "protocol": 2,  # no HELLO: one round trip less before the first command
        "socket_timeout": SOCKET_SECONDS,
        # Trying again is ours, with jitter and a deadline; redis-py would do so ten times in 30 ms.
        "retry": Retry(NoBackoff(), 0),
    }
    if parts.scheme != "unix":
        defaults |= {"socket_connect_timeout": CONNECT_SECONDS, "socket_keepalive": True}
    if parts.scheme == "rediss":
        defaults |= {"ssl_cert_reqs": "required", "ssl_check_hostname": True}
    return defaults
