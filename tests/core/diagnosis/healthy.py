"""A healthy pipeline, as facts."""

from typing import Any, Final

from ddb_cache_sync.core.diagnosis import Facts
from ddb_cache_sync.core.diagnosis.facts import (
    CacheFacts,
    MappingFacts,
    NodeFacts,
    Rehearsal,
    TableFacts,
    VersionFacts,
)
from ddb_cache_sync.core.speedups import Use

ARN: Final = "arn:aws:dynamodb:eu-west-1:111122223333:table/users/stream/2025-04-23T13:37:16.991"

TABLE: Final = TableFacts("users", {"id": "S"}, ARN, "NEW_IMAGE", None, 0.4)
MAPPING: Final = MappingFacts(
    uuid="u-1",
    function="sync",
    stream_arn=ARN,
    state="Enabled",
    response_types=("ReportBatchItemFailures",),
    batch_size=500,
    bisects=True,
    retries=1000,
    record_age_seconds=43_200,
    parallelization=2,
    starting_position="TRIM_HORIZON",
    last_result="OK",
    filters=(),
    destination="arn:aws:s3:::given-up",
    destination_seconds=None,
    iterator_age_seconds=1.0,
)
NODE: Final = NodeFacts("", "valkey", "8.1.0", "volatile-lru", 10 * 2**20, 100 * 2**20, 0, cluster=False)
CACHE: Final = CacheFacts(
    host="cache.example.com",
    tls=True,
    unchecked=None,
    aws=False,
    cluster_client=False,
    failure=None,
    refused=False,
    rehearsal=Rehearsal(None),
    nodes=(NODE,),
    clock_ahead_seconds=-0.1,
)
VERSIONS: Final = VersionFacts("3.13.1", "0.1.0", "8.1.0", "3.3.0", "1.44.5", Use.USED)
FACTS: Final = Facts("users", TABLE, (MAPPING,), CACHE, VERSIONS, "in eu-west-1")


def with_table(**changes: Any) -> Facts:
    """The pipeline with another table."""
    return FACTS._replace(table=TABLE._replace(**changes))


def with_mapping(**changes: Any) -> Facts:
    """The pipeline with another event source mapping."""
    return FACTS._replace(mappings=(MAPPING._replace(**changes),))


def with_cache(**changes: Any) -> Facts:
    """The pipeline with another cache."""
    return FACTS._replace(cache=CACHE._replace(**changes))


def with_node(**changes: Any) -> Facts:
    """The pipeline with a cache of another node."""
    return with_cache(nodes=(NODE._replace(**changes),))


def with_versions(**changes: Any) -> Facts:
    """The pipeline looked at from another machine."""
    return FACTS._replace(versions=VERSIONS._replace(**changes))
