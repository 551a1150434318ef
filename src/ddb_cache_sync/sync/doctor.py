"""The doctor: asks AWS and the cache about a pipeline, and tells what breaks it.

Rule: it changes nothing but a scratch key, which it removes; and what it can't learn is a finding, never an error.
"""

import contextlib
import platform
import time
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

from ddb_cache_sync.cache.examination import examine_cache, scratch_mark
from ddb_cache_sync.core.diagnosis import Facts, Finding, findings
from ddb_cache_sync.core.diagnosis.configured import configured_for
from ddb_cache_sync.core.diagnosis.facts import TableFacts, VersionFacts
from ddb_cache_sync.core.diagnosis.findings import Known, Unknown
from ddb_cache_sync.core.diagnosis.scratch import Scratch, scratch_writes, together
from ddb_cache_sync.core.guards import DEFAULT_GUARD_TTL_SECONDS
from ddb_cache_sync.core.projection import Router
from ddb_cache_sync.core.speedups import USE
from ddb_cache_sync.errors import CacheSyncError
from ddb_cache_sync.table.clients import place_of
from ddb_cache_sync.table.examination import AwsClients, examine_mappings, examine_table

if TYPE_CHECKING:
    import redis


def diagnose(
    table: str,
    client: "redis.Redis | redis.RedisCluster",
    router: Router,
    clients: AwsClients,
    *,
    guard_ttl_seconds: int = DEFAULT_GUARD_TTL_SECONDS,
    function: str | None = None,
    event_source_mapping: str | None = None,
    clock: Callable[[], float] = time.time,
) -> list[Finding]:
    """Look at a pipeline from its table to its cache.

    Args:
        table: The table's name.
        client: What `connect` returns.
        router: How the pipeline is configured: a projection, or what chooses among several.
        clients: What `aws_clients` returns.
        guard_ttl_seconds: How the pipeline is configured.
        function: The function to look at. None: whichever read the table's stream.
        event_source_mapping: The UUID of the one to look at. None: as `function` says.
        clock: Epoch seconds.

    Returns:
        A finding for each check and part, the worst first.
    """
    described = examine_table(clients, table, clock)
    stream_arn = described.stream_arn if isinstance(described, TableFacts) else None
    facts = Facts(
        table,
        described,
        examine_mappings(clients, table, stream_arn, function=function, uuid=event_source_mapping, clock=clock),
        examine_cache(client, _scratch(table, described, router, clock()), clock=clock),
        _versions(),
        place_of(clients.dynamodb),
    )
    return findings(facts, router, guard_ttl_seconds)


def _scratch(table: str, described: Known[TableFacts | None], router: Router, now: float) -> Known[Scratch]:
    """What to write to which scratch keys: one for each way that the table's items go, and that has one."""
    configured = configured_for(router, table)
    if isinstance(configured, Unknown):
        return configured
    # Where the table can't be described a key is guessed, which most templates take.
    types = described.key_types if isinstance(described, TableFacts) else {"id": "S"}
    found = []
    for each in configured:
        with contextlib.suppress(CacheSyncError):
            found.append(scratch_writes(each.projection, table, types, scratch_mark(), now))
    if not found:
        return Unknown("the table's primary key has no cache key", "See what the other checks say of the table.")
    return together(found)


def _versions() -> VersionFacts:
    return VersionFacts(
        python=platform.python_version(),
        library=_installed("ddb-cache-sync"),
        redis=_installed("redis"),
        hiredis=_installed("hiredis"),
        botocore=_installed("botocore"),
        compiled=USE,
    )


def _installed(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""
