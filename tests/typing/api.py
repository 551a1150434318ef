"""The public surface as users write it. Type-checked by mypy, never run."""

import re
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any, Literal, assert_never, assert_type

import redis
from mypy_boto3_dynamodb import DynamoDBClient
from pydantic import BaseModel

from ddb_cache_sync import (
    ApplyReport,
    Backfill,
    BackfillOptions,
    BackfillReport,
    BatchResponse,
    Cache,
    CacheError,
    CacheReader,
    CacheSyncError,
    CacheUnavailable,
    Change,
    ConfigurationError,
    EmfMetrics,
    Encoding,
    EntityRouter,
    Failure,
    Image,
    ItemKey,
    JsonEncoding,
    KeyMapping,
    KeyTemplate,
    OpenTelemetrySpans,
    Outcome,
    Projection,
    ReadableCache,
    RecordError,
    Remove,
    Replicator,
    ReportHook,
    ReportLog,
    Route,
    StoredValue,
    StreamRecord,
    TableError,
    Touch,
    Transform,
    Upsert,
    Version,
    apply_stream_event,
    connect,
    decode_stream_event,
    exclude,
    image_of,
    include,
    prepare_backfill,
    validate_with,
    where,
)

replicator = Replicator(
    connect("rediss://my-cache:6379", socket_timeout=2.0),
    keys=KeyTemplate("users:{id}", max_bytes=512),
    encoding=JsonEncoding(),
    guard_prefix="guard:",
    guard_ttl_seconds=90_000,
    stream_label="2025-04-23T13:37:16.991",
    on_report=lambda report: print(report.lag_seconds),  # noqa: T201
)
Replicator(redis.Redis())
Replicator(
    redis.Redis(),
    EntityRouter(
        [
            Route(
                Projection(KeyTemplate("users:{PK}:{SK}")), table="app", key={"PK": "USER#*", "SK": re.compile("P.*")}
            ),
            Route(Projection(), attribute={"type": "order"}),
        ],
        unmatched="ignore",
    ),
)


def counted(report: ApplyReport) -> int:
    """A hook of one's own; what it returns is not looked at."""
    assert_type(report.duration_seconds, float | None)
    return report.records


hook: ReportHook = counted
metrics = EmfMetrics("Shop", service="users", dimensions={"stage": "prod"}, write=print)
Replicator(redis.Redis(), on_report=[ReportLog(), metrics, OpenTelemetrySpans(), hook])
Replicator(redis.Redis(), on_report=ReportLog())


def reading(client: DynamoDBClient, cache: ReadableCache) -> list[Any]:
    """Keys as mappings, and as values alone."""
    reader = CacheReader(redis.Redis(), "users", table_client=client, key_name="id", mode="invalidate")
    CacheReader(cache, "users", Projection(KeyTemplate("users:{id}")), lease_seconds=1.0, cache_seconds=0.5)
    assert_type(reader.get_many([{"id": "42", "n": 7}, {"id": Decimal(1)}, {"id": b"1"}]), list[Any])
    return [reader.get("42"), reader.get(7), reader.get({"id": "42"})]


class Context:
    """What Lambda hands over."""

    def get_remaining_time_in_millis(self) -> int:
        """Milliseconds until the function's time-out."""
        return 1


def handler(event: dict[str, Any], context: Context) -> BatchResponse:
    """A Lambda function."""
    assert_type(apply_stream_event(event), BatchResponse)
    response = apply_stream_event(event, replicator, context=context)
    assert_type(response["batchItemFailures"][0]["itemIdentifier"], str)
    return response


def reports(records: Sequence[Mapping[str, Any]]) -> ApplyReport:
    """More than the response."""
    report = replicator.apply(records, deadline=1.0)
    assert_type(report, ApplyReport)
    assert_type((report.applied, report.stale, report.filtered, report.failed), tuple[int, int, int, int])
    assert_type(report.failures, Sequence[Failure])
    assert_type(report.failures[0].sequence_number, str)
    assert_type(report.response, BatchResponse)
    return report


def decoded(event: object) -> list[Image | None]:
    """The decoder alone."""
    records = decode_stream_event(event)
    assert_type(records, list[StreamRecord])
    for record in records:
        assert_type(record.version, Version)
        assert_type(record.created_at, float | None)
        change: Change = record.to_change()
        if isinstance(change, Upsert):
            assert_type(change.item, Image)
        elif isinstance(change, Remove | Touch):
            assert_type(change.key, ItemKey)
        else:
            assert_never(change)
    return [record.new_image for record in records]


def by_tenant(change: Change) -> str:
    """A key mapping of one's own."""
    return f"{change.key.table}:{change.key.attributes['id']}"


class Pickled:
    """An encoding of one's own."""

    kind: Literal["string"] = "string"

    def encode(self, item: Image) -> bytes | None:
        """The value to store."""
        return repr(dict(item)).encode() if "id" in item else None

    def decode(self, value: StoredValue) -> str:
        """What a reader makes of it."""
        return value.decode() if isinstance(value, bytes) else ""


class Counted:
    """An encoding of one's own that makes hashes."""

    @property
    def kind(self) -> Literal["hash"]:
        """Read by `HGETALL`."""
        return "hash"

    def encode(self, item: Image) -> Mapping[str, bytes]:
        """The value to store."""
        return {"attributes": str(len(item)).encode()}

    def decode(self, value: StoredValue) -> int:
        """What a reader makes of it."""
        return 0 if isinstance(value, bytes) else int(value["attributes"])


class User(BaseModel):
    """A model of one's own."""

    id: str


def is_adult(item: Image) -> bool:
    """A predicate of one's own."""
    return bool(item["age"] >= 18)


def renamed(item: Image) -> dict[str, Any]:
    """A transform of one's own."""
    return {"userId": item["id"], **exclude("id")(item)}


def active(item: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """One that takes any mapping."""
    return item if item.get("status") == "active" else None


transforms: list[Transform] = [
    active,
    where(is_adult),
    where(lambda item: item["age"] > 18 and item.get("status") == "active"),
    include("id", "name"),
    exclude("password"),
    renamed,
    validate_with(User),
    validate_with(User, mode="python"),
    dict,
]
assert_type(image_of({"id": "a", "n": 1.5, "tags": {"x"}}), Image)
assert_type(where(is_adult)(image_of({})), Image | None)

mapping: KeyMapping = by_tenant
template: KeyMapping = KeyTemplate("{table}:{id}")
encoding: Encoding = Pickled()
counted_attributes: Encoding = Counted()
plain: Encoding = JsonEncoding()
assert_type(JsonEncoding().decode(b"{}"), dict[str, Any])


def onto(cache: Cache) -> Replicator:
    """Any cache that keeps the contract."""
    return Replicator(cache, keys=by_tenant, encoding=Pickled())


def fill(client: redis.Redis, table_client: DynamoDBClient) -> BackfillReport:
    """A projection and a router will do."""
    assert_type(prepare_backfill(client, Projection(), table_client, "users"), Backfill)
    return prepare_backfill(client, EntityRouter([]), table_client, "users", BackfillOptions(segments=8)).run()


def hints(errors: Iterable[CacheSyncError]) -> list[str | None]:
    """Every error has a hint."""
    return [error.hint for error in errors]


unavailable: CacheError = CacheUnavailable("gone")
hints(
    [
        RecordError("bad", sequence_number="1"),
        unavailable,
        TableError("bad"),
        ConfigurationError("bad", hint="Mend it."),
    ]
)
assert_type(Version.parse("1745415436991:01:1").sequence_number, str)
outcomes: list[Outcome] = [Outcome.APPLIED, Outcome.STALE, Outcome.FILTERED, Outcome.FAILED]
