"""Puts a redrive together, and refuses it where it can't be right."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from ddb_cache_sync.cache.inspecting import inspectable_cache_of
from ddb_cache_sync.core.expectations import Known
from ddb_cache_sync.core.guards import DEFAULT_GUARD_TTL_SECONDS
from ddb_cache_sync.core.versions import StreamArn
from ddb_cache_sync.errors import ConfigurationError, RecordError, TableError
from ddb_cache_sync.sync.checkpoint import Checkpoint
from ddb_cache_sync.sync.quarantine import check_queue_url, s3_place
from ddb_cache_sync.sync.redrive import Redrive, RedriveOptions
from ddb_cache_sync.sync.redriving import Origin, Redriving
from ddb_cache_sync.sync.repair import Repairs
from ddb_cache_sync.sync.replicator import Replicator, stream_label_ms
from ddb_cache_sync.sync.sides import Sides

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from mypy_boto3_dynamodb import DynamoDBClient

    from ddb_cache_sync.cache.applier import CacheLike
    from ddb_cache_sync.core.given_up import StreamRange
    from ddb_cache_sync.core.projection import Router
    from ddb_cache_sync.table.descriptions import TableDescription
    from ddb_cache_sync.table.given_up_sources import GivenUpSource


class RedriveClients(NamedTuple):
    """boto3's clients; None makes one where it is needed, as the environment says."""

    dynamodb: DynamoDBClient
    streams: Any = None
    """Of DynamoDB Streams, for what tells only where records are."""
    s3: Any = None
    sqs: Any = None


def prepare_redrive(
    source: str,
    cache: CacheLike,
    router: Router,
    clients: RedriveClients,
    table: str,
    *,
    options: RedriveOptions | None = None,
    guard_ttl_seconds: int = DEFAULT_GUARD_TTL_SECONDS,
    stream_label: str | None = None,
    clock: Callable[[], float] = time.time,
) -> Redrive:
    """A redrive to this table's cache, ready to run.

    Args:
        source: A folder, `s3://bucket/prefix`, or the URL of an SQS queue: with on-failure records of an event source
            mapping, or documents of a quarantine.
        cache: What `connect` returns, or anything that keeps the contracts of `Cache` and `InspectableCache`.
        router: The replicator's projection, or its router.
        clients: boto3's clients.
        table: The table's name.
        options: How. None: all of it, and nothing is deleted.
        guard_ttl_seconds: The replicator's.
        stream_label: The replicator's.
        clock: Epoch seconds.

    Raises:
        ConfigurationError: It can't be right, for a reason of the place, of the table, or of the checkpoint.
        TableError: The table can't be described.
    """
    from ddb_cache_sync.table.descriptions import table_description  # noqa: PLC0415 - imports boto3

    chosen = options or RedriveOptions()
    found = _source(source, clients)
    if chosen.checkpoint is not None and not found.ordered:
        raise ConfigurationError(
            "a checkpoint for a queue", hint="Leave it out: what succeeded leaves a queue with --delete."
        )
    described = table_description(clients.dynamodb, table)
    origin = _origin(described, chosen, stream_label_ms(stream_label))
    inspectable = inspectable_cache_of(cache, guard_ttl_seconds)

    def repairs() -> Repairs:
        known = Known.of(router, table, described.key_names, described.key_types)
        return Repairs(Sides(inspectable, router, clients.dynamodb, known, clock), apply=not chosen.dry_run)

    def read_range(wanted: StreamRange) -> tuple[Sequence[Any], bool]:
        from ddb_cache_sync.table.clients import streams_client  # noqa: PLC0415 - imports boto3
        from ddb_cache_sync.table.stream_ranges import read_range as read  # noqa: PLC0415 - imports boto3

        try:
            return read(clients.streams or streams_client(), wanted)
        except TableError as error:  # of this one: its shard may be gone, with others still there
            raise RecordError(error.problem) from None

    if chosen.read_again or not origin.current:
        repairs()  # refuses a router with which nothing can be repaired
    redriving = Redriving(
        origin,
        Replicator(cache, router, guard_ttl_seconds=guard_ttl_seconds, stream_label=stream_label, clock=clock),
        router,
        repairs,
        guard_ttl_seconds=guard_ttl_seconds,
        read_again=chosen.read_again,
        dry_run=chosen.dry_run,
        clock=clock,
    )
    job = {"redrive": source, "table": described.arn, "job": chosen.job}
    return Redrive(found, redriving, read_range, chosen, Checkpoint(chosen.checkpoint, job))


def _source(source: str, clients: RedriveClients) -> GivenUpSource:
    """The place, by how it is written."""
    from ddb_cache_sync.table.clients import s3_client  # noqa: PLC0415 - imports boto3
    from ddb_cache_sync.table.given_up_queue import SqsSource  # noqa: PLC0415 - imports boto3
    from ddb_cache_sync.table.given_up_sources import FolderSource, S3Source  # noqa: PLC0415 - imports boto3
    from ddb_cache_sync.table.quarantines import sqs_client_of  # noqa: PLC0415 - imports boto3

    if "://" not in source:
        return FolderSource(Path(source))
    if source.startswith("s3://"):
        return S3Source(clients.s3 or s3_client(), *s3_place(source))
    check_queue_url(source)
    return SqsSource(clients.sqs or sqs_client_of(source), source)


def _origin(described: TableDescription, options: RedriveOptions, label_ms: int | None) -> Origin:
    """Where records have to come from."""
    account = described.arn.split(":")[4]
    if options.account not in (None, account):
        raise ConfigurationError(
            f"table {described.name} is in account {account}, not in {options.account}",
            hint="Check the credentials, and --account.",
        )
    wanted = options.stream_arn or described.stream_arn
    kinesis = wanted is not None and wanted.split(":")[2:3] == ["kinesis"]
    applied = kinesis or wanted == described.stream_arn
    own, now = (_label_ms(arn) for arn in (wanted, described.stream_arn))
    now = now if label_ms is None else label_ms
    return Origin(
        described.name,
        account,
        wanted,
        # Of a stream that is switched off, the changes since are nowhere, so that nothing of it is known to be newest.
        current=kinesis or (applied and described.stream_enabled),
        label_ms=label_ms if applied else None,
        outranked=applied or (own is not None and now is not None and own < now),
        key_types=dict(zip(described.key_names, described.key_types, strict=True)),
    )


def _label_ms(stream_arn: str | None) -> int | None:
    """When a stream was created, epoch ms; None: its ARN does not tell."""
    try:
        return None if stream_arn is None else StreamArn.parse(stream_arn).label_ms
    except ValueError:
        return None
