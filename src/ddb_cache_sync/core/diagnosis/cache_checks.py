"""Checks of the cache: is it there, may we write, will it keep what is written."""

import re
from collections.abc import Callable, Mapping
from typing import Final, TypeAlias

from ddb_cache_sync.core.diagnosis.facts import CacheFacts, NodeFacts, VersionFacts
from ddb_cache_sync.core.diagnosis.findings import Unknown, Verdict, cannot_tell, fine, loses_data, note, warning
from ddb_cache_sync.core.diagnosis.table_checks import clock
from ddb_cache_sync.core.speedups import Use

CacheCheck: TypeAlias = Callable[[CacheFacts], Verdict]
NodeCheck: TypeAlias = Callable[[NodeFacts], Verdict]

_NOT_TOLD: Final = "Look at the metrics of the cache instead."
_TIGHT: Final = 0.8
_OLDEST: Final = {"redis": (6, 2), "valkey": (7, 2)}
_OLDEST_PYTHON: Final = (3, 11)
_REDIS_PY: Final = ((5, 3), (9, 0))
_NUMBERS: Final = re.compile(r"\d+")


def reachable(cache: CacheFacts) -> Verdict:
    """Whether the cache answers."""
    if cache.failure is None:
        return fine("answers")
    if cache.refused:
        return loses_data(
            f"refuses us ({cache.failure}): nothing is applied",
            "Check user, password and permissions, and the certificate authority: docs/how-to/connect.md.",
        )
    return loses_data(
        f"can't be reached from here ({cache.failure})",
        "Check its URL, its security group, its health and whether it expects TLS (rediss://); run this where the "
        "function runs, in its VPC.",
    )


def tls(cache: CacheFacts) -> Verdict:
    """Whether what goes over the network is encrypted, and for nobody but the cache."""
    if cache.tls is None:
        return cannot_tell(Unknown("the connection is not known", "Let the cache be reached first."))
    if cache.unchecked == "certificate":
        return warning(
            "on, but the server's certificate is not checked: whoever is on the way can read and change everything",
            "Set ssl_cert_reqs to required, as it is by default; ssl_ca_certs names an authority of your own.",
        )
    if cache.unchecked == "host name":
        return warning(
            "on, but the host name is not checked: any certificate of a trusted authority passes for the server's",
            "Set ssl_check_hostname to true, as it is by default, and use a name that is in the certificate.",
        )
    if cache.tls or cache.host in (None, "localhost", "::1") or str(cache.host).startswith("127."):
        return fine("on" if cache.tls else "off, on this machine")
    if cache.aws:
        return warning("off: items and passwords cross AWS's network in plain text", "Turn it on, and write rediss://.")
    return note("off: items and passwords cross the network in plain text", "Turn it on, and write rediss://.")


def cluster_client(cache: CacheFacts) -> Verdict:
    """Whether the client is of the server's kind. A scratch key may be written all the same: its slot decides."""
    if cache.cluster_client:
        return fine("a client for a cluster")  # which does not even begin to talk to a server that is none
    if isinstance(cache.nodes, Unknown):
        return cannot_tell(cache.nodes)
    if any(node.cluster for node in cache.nodes):
        return loses_data(
            "the cache is a cluster, and the client is not a cluster client",
            "Connect with ?cluster=true in the URL, or give a redis.RedisCluster.",
        )
    if any(node.cluster is None for node in cache.nodes):
        return cannot_tell(Unknown("the server does not tell whether it is a cluster's", "Ask who runs the cache."))
    return fine("a client for one server, which the cache is")


def guarded_write(cache: CacheFacts) -> Verdict:
    """Whether the applier can do all that it needs to, shown on a scratch key."""
    found = cache.rehearsal
    if isinstance(found, Unknown):
        return cannot_tell(found)
    if found.problem is None:
        return fine("a scratch key was written, guarded and removed")
    missing = [*(["touch the key or its guard"] if found.keys_refused else [])]
    if found.refused:
        missing.append(f"run {', '.join(found.refused)}")
    if missing:
        return loses_data(
            f"{found.problem}: the user may not {', nor '.join(missing)}",
            "Add it to the user's access string: docs/how-to/permissions.md lists the smallest.",
        )
    return loses_data(found.problem, found.hint or "Look at the cache's health and memory: it has to take writes.")


def cache_clock(cache: CacheFacts) -> Verdict:
    """Whether this machine's clock agrees with the cache's."""
    return clock(cache.clock_ahead_seconds, "the cache")


def server_version(node: NodeFacts) -> Verdict:
    """Whether the server knows what the scripts need."""
    oldest = _OLDEST.get(node.server)
    if not node.version or oldest is None:
        return cannot_tell(Unknown("the server does not tell its version", "Allow +info to the cache's user."))
    if _version(node.version) < oldest:
        return loses_data(
            f"{node.server} {node.version}: the scripts need SET with GET", "Upgrade to Redis 6.2, Valkey 7.2 or later."
        )
    return fine(f"{node.server} {node.version}")


def eviction_policy(node: NodeFacts) -> Verdict:
    """What goes when memory is full."""
    if node.policy is None:
        return cannot_tell(Unknown("the server does not tell its policy", "Look at the cache's parameter group."))
    if node.policy.startswith("allkeys"):
        return warning(
            f"{node.policy}: a full cache throws values out, which nobody writes again until their items change",
            "Set maxmemory-policy to volatile-lru or noeviction, and keep memory free.",
        )
    if node.policy == "noeviction":
        return fine("noeviction: a full cache refuses writes, which come again")
    return fine(f"{node.policy}: a full cache throws out what expires, guards first")


def memory(node: NodeFacts) -> Verdict:
    """Whether memory is free."""
    if node.used_bytes is None or node.limit_bytes is None:
        return cannot_tell(Unknown("the server does not tell how full it is", _NOT_TOLD))
    if node.limit_bytes == 0:
        return fine(f"{_megabytes(node.used_bytes)} used, no limit")
    share = node.used_bytes / node.limit_bytes
    found = f"{_megabytes(node.used_bytes)} of {_megabytes(node.limit_bytes)} used ({share:.0%})"
    if share >= _TIGHT:
        return warning(found, "Give the cache more memory: once it is full, writes fail or guards are evicted.")
    return fine(found)


def evicted_keys(node: NodeFacts) -> Verdict:
    """Whether something was thrown out."""
    if node.evicted is None:
        return cannot_tell(Unknown("the server does not tell what it has evicted", _NOT_TOLD))
    if node.evicted:
        return loses_data(
            f"{node.evicted:,} since the server started: values, or guards without which older changes can win",
            "Give the cache more memory, and write the table into it again. The count goes with a restart.",
        )
    return fine("none")


def python(here: VersionFacts) -> Verdict:
    """Whether Python is one that is supported."""
    if _version(here.python) < _OLDEST_PYTHON:
        return warning(f"Python {here.python}", "Use Python 3.11 or later.")
    return fine(f"Python {here.python}, ddb-cache-sync {here.library or 'not installed'}")


def redis_py(here: VersionFacts) -> Verdict:
    """Whether redis-py is one that is supported."""
    oldest, first_unknown = _REDIS_PY
    if not oldest <= _version(here.redis) < first_unknown:
        return warning(f"redis-py {here.redis}", "Use redis-py 5.3 to 8.")
    return fine(f"redis-py {here.redis}")


def hiredis(here: VersionFacts) -> Verdict:
    """Whether commands are packed fast."""
    if not here.hiredis:
        return note("not installed here: packing commands takes longer", "pip install 'ddb-cache-sync[hiredis]'.")
    return fine(f"hiredis {here.hiredis}")


def botocore(here: VersionFacts) -> Verdict:
    """Whether AWS can be talked to."""
    if not here.botocore:
        return warning("not installed here", "pip install boto3.")
    return fine(f"botocore {here.botocore}")


def speedups(here: VersionFacts) -> Verdict:
    """Whether the compiled part is used. Without it all is the same but the time that it takes, so that is no fault."""
    if here.compiled is Use.UNFIT:
        return note(
            "ddb-cache-sync-speedups is installed and not used: it is made for another machine, Python or version",
            "Install the one made for these, or none.",
        )
    return fine(f"ddb-cache-sync-speedups is {here.compiled}")


def _version(text: str) -> tuple[int, ...]:
    return tuple(int(number) for number in _NUMBERS.findall(text)[:2])


def _megabytes(count: int) -> str:
    return f"{count / 2**20:,.1f} MiB"


CACHE_CHECKS: Final[Mapping[str, CacheCheck]] = {
    "tls": tls,
    "cluster-client": cluster_client,
    "guarded-write": guarded_write,
    "cache-clock": cache_clock,
}
"""By name, for a cache that was tried."""
NODE_CHECKS: Final[Mapping[str, NodeCheck]] = {
    "server-version": server_version,
    "eviction-policy": eviction_policy,
    "memory": memory,
    "evicted-keys": evicted_keys,
}
"""By name, for each of its primaries."""
VERSION_CHECKS: Final[Mapping[str, Callable[[VersionFacts], Verdict]]] = {
    "python": python,
    "redis-py": redis_py,
    "hiredis": hiredis,
    "botocore": botocore,
    "speedups": speedups,
}
"""By name, for this machine."""
