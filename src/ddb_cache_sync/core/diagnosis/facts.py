"""Facts about a pipeline, as the services tell them. Whoever gathers them is in `table` and in `cache`."""

from collections.abc import Mapping
from typing import Literal, NamedTuple

from ddb_cache_sync.core.diagnosis.findings import Known
from ddb_cache_sync.core.speedups import Use


class TableFacts(NamedTuple):
    """A table that exists."""

    name: str
    key_types: Mapping[str, str]
    """The primary key's attributes, the partition key first, each with its type: S, N or B."""
    stream_arn: str | None
    """Its newest stream, enabled or not; None: it never had one."""
    view_type: str | None
    """Of the stream that is enabled; None: none is."""
    ttl_attribute: Known[str | None]
    """Where DynamoDB's time to live is on; None: it is off."""
    clock_ahead_seconds: Known[float]
    """How far the service's clock is ahead of this machine's."""


class MappingFacts(NamedTuple):
    """An event source mapping: the settings that Lambda reads the stream with."""

    uuid: str
    function: str
    """The function's name, with its alias or version where there is one."""
    stream_arn: str
    state: str
    """`Enabled`, `Disabled` and so on."""
    response_types: tuple[str, ...]
    batch_size: int
    bisects: bool
    retries: int
    """-1: without end."""
    record_age_seconds: int
    """-1: without end."""
    parallelization: int
    starting_position: str
    last_result: str
    """Empty: Lambda says nothing."""
    filters: tuple[str, ...]
    """Patterns, as JSON."""
    destination: str | None
    """The ARN that batches go to when they are given up; None: they go nowhere."""
    destination_seconds: Known[int | None]
    """How long the destination keeps a message, where it is a queue; 0: there is no such queue. None: it is none."""
    iterator_age_seconds: Known[float | None]
    """The greatest of the last hour; None: no invocation was measured."""


class NodeFacts(NamedTuple):
    """What one node of the cache says of itself."""

    name: str
    server: str
    """`redis` or `valkey`."""
    version: str
    """Empty: not told."""
    policy: str | None
    """What is evicted when memory is full; None: not told."""
    used_bytes: int | None
    """None: not told."""
    limit_bytes: int | None
    """0: no limit. None: not told."""
    evicted: int | None
    """Keys evicted since the node started; None: not told."""
    cluster: bool | None
    """Whether it speaks the cluster protocol; None: not told."""


class Rehearsal(NamedTuple):
    """What came of the writes to a scratch key."""

    problem: str | None
    """Why they did not do what they should; None: they did."""
    refused: tuple[str, ...] = ()
    """The commands that the user may not run."""
    keys_refused: bool = False
    """Whether the user may not touch the key, or its guard."""
    hint: str | None = None
    """What to do about the problem, where the error that told it knows."""


class CacheFacts(NamedTuple):
    """A cache that was tried."""

    host: str | None
    """None: a socket of this machine, or not known."""
    tls: bool | None
    """None: not known."""
    unchecked: Literal["certificate", "host name"] | None
    """What TLS does not check of the server: its certificate, and so the name in it, or the name alone. None: nothing
    that it could."""
    aws: bool
    """Whether the host is one of AWS's."""
    cluster_client: bool
    """Whether the client knows what a cluster is; otherwise it is one for a single server."""
    failure: str | None
    """The code of what kept us from talking to it, and where that was; None: nothing did."""
    refused: bool
    """Whether that was the cache's own no: a wrong password, or a certificate that is not trusted."""
    rehearsal: Known[Rehearsal]
    nodes: Known[tuple[NodeFacts, ...]]
    """Its primaries."""
    clock_ahead_seconds: Known[float]
    """How far the server's clock is ahead of this machine's."""


class VersionFacts(NamedTuple):
    """What this machine runs; empty: not installed."""

    python: str
    library: str
    redis: str
    hiredis: str
    botocore: str
    compiled: Use
    """Whether the compiled part is used, in this process."""
