"""What a table is like, as far as it matters here: its key, its stream, its time to live, its size."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeVar

from ddb_cache_sync.core.versions import parse_stream_label
from ddb_cache_sync.table.clients import AWS_ERRORS, error_code, place_of, translate

if TYPE_CHECKING:
    from collections.abc import Callable

    from mypy_boto3_dynamodb import DynamoDBClient

_T = TypeVar("_T")

_UNANSWERED: Final = frozenset({"AccessDeniedException", "UnknownOperationException"})
_HINTS: Final = {"AccessDeniedException": "Allow dynamodb:DescribeTable on the table."}


@dataclass(frozen=True, slots=True)
class TableDescription:
    """A table, as of one moment.

    Attributes:
        name: The table's name.
        arn: The table's ARN.
        key_names: The names of its key attributes: the partition key's, then the sort key's where it has one.
        stream_enabled: Whether changes go to a stream now.
        stream_view_type: What that stream carries, such as `NEW_AND_OLD_IMAGES`; None where there is no stream.
        stream_arn: The latest stream's, which may be disabled by now; None where there never was one.
        stream_label: That stream's creation time, as in its ARN; None where there never was one.
        item_count: How many items it has, up to six hours old.
        size_bytes: How large they are, up to six hours old.
        ttl_attribute: The attribute by which items expire; None where none does.
        point_in_time_recovery: Whether it is on, which an export needs.
        unanswered: Of `DescribeTimeToLive` and `DescribeContinuousBackups` those that the role may not call, or the
            server does not know; what they tell is None and False then.
        key_types: The types of the key attributes, `S`, `N` or `B`, in the order of `key_names`.
    """

    name: str
    arn: str
    key_names: tuple[str, ...]
    stream_enabled: bool
    stream_view_type: str | None
    stream_arn: str | None
    stream_label: str | None
    item_count: int
    size_bytes: int
    ttl_attribute: str | None
    point_in_time_recovery: bool
    unanswered: tuple[str, ...] = ()
    key_types: tuple[str, ...] = ()

    @property
    def stream_label_ms(self) -> int | None:
        """When the latest stream was created, epoch milliseconds; None: there never was one, or it can't be told."""
        try:
            return None if self.stream_label is None else parse_stream_label(self.stream_label)
        except ValueError:
            return None


def table_description(client: DynamoDBClient, table: str) -> TableDescription:
    """Ask DynamoDB what a table is like.

    Raises:
        TableError: There is no such table, or it can't be described.
        ConfigurationError: Credentials are missing or wrong.
    """
    try:
        found: Any = client.describe_table(TableName=table)["Table"]
    except AWS_ERRORS as error:
        raise translate(error, f"describe table {table} {place_of(client)}", _HINTS) from None
    unanswered: list[str] = []

    def optional(operation: str, request: Callable[[], _T]) -> _T | None:
        try:
            return request()
        except AWS_ERRORS as error:
            if error_code(error) not in _UNANSWERED:
                raise translate(error, f"call {operation} on table {table}") from None
            unanswered.append(operation)
            return None

    ttl: Any = optional("DescribeTimeToLive", lambda: client.describe_time_to_live(TableName=table))
    backups: Any = optional("DescribeContinuousBackups", lambda: client.describe_continuous_backups(TableName=table))
    stream = found.get("StreamSpecification") or {}
    # DynamoDB lists the partition key first, but does not promise to.
    keys = sorted(found["KeySchema"], key=lambda element: str(element["KeyType"]))
    types = {each["AttributeName"]: each["AttributeType"] for each in found.get("AttributeDefinitions", [])}
    return TableDescription(
        found["TableName"],
        found["TableArn"],
        tuple(element["AttributeName"] for element in keys),
        bool(stream.get("StreamEnabled")),
        stream.get("StreamViewType") if stream.get("StreamEnabled") else None,
        found.get("LatestStreamArn"),
        found.get("LatestStreamLabel"),
        found.get("ItemCount", 0),
        found.get("TableSizeBytes", 0),
        _ttl_attribute(ttl),
        _recoverable(backups),
        tuple(unanswered),
        tuple(types.get(element["AttributeName"], "S") for element in keys),
    )


def _ttl_attribute(answer: Any) -> str | None:
    described = {} if answer is None else answer.get("TimeToLiveDescription") or {}
    enabled = described.get("TimeToLiveStatus") in ("ENABLED", "ENABLING")
    return described.get("AttributeName") if enabled else None


def _recoverable(answer: Any) -> bool:
    described = {} if answer is None else answer.get("ContinuousBackupsDescription") or {}
    recovery = described.get("PointInTimeRecoveryDescription") or {}
    return recovery.get("PointInTimeRecoveryStatus") == "ENABLED"
