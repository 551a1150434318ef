"""What breaks a pipeline, found in facts about it. Pure: whoever asks AWS and the cache is somewhere else."""

from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

from ddb_cache_sync.core.diagnosis.cache_checks import CACHE_CHECKS, NODE_CHECKS, VERSION_CHECKS, reachable
from ddb_cache_sync.core.diagnosis.configured import Configured, configured_for
from ddb_cache_sync.core.diagnosis.facts import CacheFacts, MappingFacts, TableFacts, VersionFacts
from ddb_cache_sync.core.diagnosis.findings import (
    Finding,
    Known,
    Level,
    Unknown,
    Verdict,
    cannot_tell,
    loses_data,
    worst_first,
)
from ddb_cache_sync.core.diagnosis.mapping_checks import MAPPING_CHECKS, Around, guard_ttl, mappings_exist
from ddb_cache_sync.core.diagnosis.table_checks import TABLE_CHECKS, table_exists
from ddb_cache_sync.core.projection import Router

__all__ = ["CHECKS", "Facts", "Finding", "Level", "findings", "nothing_looked_at"]

CHECKS: Final = (
    "table",
    *TABLE_CHECKS,
    "mapping",
    *MAPPING_CHECKS,
    "guard-ttl",
    "cache",
    *CACHE_CHECKS,
    *NODE_CHECKS,
    *VERSION_CHECKS,
)
"""The name of every check."""


class Facts(NamedTuple):
    """All that is known of a pipeline."""

    table_name: str
    table: Known[TableFacts | None]
    """None: there is no such table."""
    mappings: Known[tuple[MappingFacts, ...]]
    cache: CacheFacts
    versions: VersionFacts
    place: str
    """Where the table was looked for, such as `in eu-west-1`."""


def findings(facts: Facts, router: Router, guard_ttl_seconds: int) -> list[Finding]:
    """What every check says of a pipeline, the worst first.

    A check whose part can't be looked at is left out: that it can't is a finding of its own.

    Args:
        facts: About the pipeline as it is.
        router: How it is configured: a projection, or what chooses among several.
        guard_ttl_seconds: The same.
    """
    return worst_first(_findings(facts, configured_for(router, facts.table_name), guard_ttl_seconds))


def nothing_looked_at(found: Iterable[Finding]) -> bool:
    """Whether neither table nor cache could be looked at, so that the findings say nothing of the pipeline."""
    levels = {finding.check: finding.level for finding in found}
    looked_at = levels.keys() & {*TABLE_CHECKS, *MAPPING_CHECKS, *CACHE_CHECKS, *NODE_CHECKS}
    return not looked_at and levels.get("table") is Level.CANNOT_TELL


def _findings(facts: Facts, configured: Known[tuple[Configured, ...]], guard_ttl_seconds: int) -> Iterator[Finding]:
    table, name = facts.table, f"table {facts.table_name}"
    stream_arn = None
    yield _finding("table", name, table_exists(table, facts.place))
    if isinstance(table, TableFacts):
        stream_arn = table.stream_arn
        yield from _of_table(table, configured)
    yield _finding("mapping", name, mappings_exist(facts.mappings))
    if not isinstance(facts.mappings, Unknown):
        around = Around(stream_arn, guard_ttl_seconds)
        for mapping in facts.mappings:
            for check, of_mapping in MAPPING_CHECKS.items():
                yield _finding(check, f"function {mapping.function}", of_mapping(mapping, around))
    yield _finding("guard-ttl", "configuration", guard_ttl(guard_ttl_seconds))
    yield from _of_cache(facts.cache)
    for check, of_versions in VERSION_CHECKS.items():
        yield _finding(check, "this machine", of_versions(facts.versions))


def _of_table(table: TableFacts, configured: Known[tuple[Configured, ...]]) -> Iterator[Finding]:
    name = f"table {table.name}"
    if isinstance(configured, Unknown):
        yield _finding("key-template", name, cannot_tell(configured))
        return
    if not configured:
        yield _finding("key-template", name, loses_data("no route takes its items", "Add a route that does."))
        return
    for check, of_table in TABLE_CHECKS.items():
        verdicts = [of_table(table, each.projection) for each in configured]
        if len(set(verdicts)) == 1:
            yield _finding(check, name, verdicts[0])
            continue
        for verdict, each in zip(verdicts, configured, strict=True):
            yield _finding(check, f"{name}, {each.name}", verdict)


def _of_cache(cache: CacheFacts) -> Iterator[Finding]:
    yield _finding("cache", "cache", reachable(cache))
    if cache.failure is not None:
        return
    for check, of_cache in CACHE_CHECKS.items():
        yield _finding(check, "cache", of_cache(cache))
    if isinstance(cache.nodes, Unknown):
        for check in NODE_CHECKS:
            yield _finding(check, "cache", cannot_tell(cache.nodes))
        return
    for node in cache.nodes:
        for check, of_node in NODE_CHECKS.items():
            yield _finding(check, f"node {node.name}" if len(cache.nodes) > 1 else "cache", of_node(node))


def _finding(check: str, about: str, verdict: Verdict) -> Finding:
    return Finding(check, verdict.level, about, verdict.what, verdict.mend)
