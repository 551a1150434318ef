"""A parallel scan in pieces: each page says where it ended, so that whoever wrote that down goes on after it.

Rules:

1. A page is one Scan request. It may be empty and not the last: only a page without `last_key` ends a segment.
2. A place to go on from holds for the same segment of the same number of segments, and no other.
3. `read_started` is taken before the request: the items are at least as new as that.

Source: https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_Scan.html
"""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from ddb_cache_sync.errors import ConfigurationError
from ddb_cache_sync.table.items import as_upsert, key_for_boto3, key_for_json
from ddb_cache_sync.table.retries import DEFAULT_RETRIES, Retries

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from mypy_boto3_dynamodb import DynamoDBClient

    from ddb_cache_sync.core.changes import Upsert
    from ddb_cache_sync.table.capacity import CapacityLimiter

MOST_SEGMENTS: Final = 1_000_000
_HINTS: Final = {
    "AccessDeniedException": "Allow dynamodb:Scan on the table.",
    "ValidationException": "A place to go on from belongs to one table, segment and number of segments.",
    "ProvisionedThroughputExceededException": "Read slower, or give the table more read capacity.",
    "ThrottlingException": "Read slower, or give the table more read capacity.",
}


class ScanPage(NamedTuple):
    """What one Scan request gave."""

    upserts: tuple[Upsert, ...]
    """Its items, each as the upsert that would make it; none, where the next page may have some again."""
    last_key: Mapping[str, Any] | None
    """Where to go on: a primary key in DynamoDB JSON, binary values as base64 text, so that it can be written down as
    JSON. None: this was the segment's last page."""
    consumed_capacity_units: float
    """Read capacity units; 0 where the server does not say."""
    read_started: float
    """When the request was made, epoch seconds."""


def scan_segment(
    client: DynamoDBClient,
    table: str,
    key_names: Sequence[str],
    *,
    segment: int = 0,
    segments: int = 1,
    start_key: Mapping[str, Any] | None = None,
    consistent: bool = True,
    page_limit: int | None = None,
    limiter: CapacityLimiter | None = None,
    retries: Retries = DEFAULT_RETRIES,
) -> Iterator[ScanPage]:
    """Read one segment of a table page by page.

    Args:
        client: A client of the DynamoDB API; threads may share it.
        table: The table's name.
        key_names: The names of its key attributes.
        segment: Which, from 0.
        segments: How many there are; at most a million.
        start_key: The `last_key` of the page to go on after; None begins at the beginning.
        consistent: Whether each item is read as it is now, at twice the cost; else it may be a moment old.
        page_limit: The most items of a page; None: as many as are in 1 MB.
        limiter: How fast to read; segments may share it. None: at full speed.
        retries: How often a throttled request is made again.

    Raises:
        ConfigurationError: Arguments that can't be right (at once), key names that the items don't have, or
            credentials that are missing or wrong.
        TableError: The table can't be read.
    """
    if not 0 <= segment < segments <= MOST_SEGMENTS:
        raise ConfigurationError(f"segment {segment} of {segments}", hint="Number the segments from 0.")
    if page_limit is not None and page_limit < 1:
        raise ConfigurationError("page_limit is less than 1", hint="Leave it out for pages of 1 MB.")
    request: dict[str, Any] = {
        "TableName": table,
        "ConsistentRead": consistent,
        "Segment": segment,
        "TotalSegments": segments,
        "ReturnConsumedCapacity": "TOTAL",
    }
    if page_limit is not None:
        request["Limit"] = page_limit
    if start_key is not None:
        request["ExclusiveStartKey"] = key_for_boto3(start_key)
    return _pages(client, request, list(key_names), limiter, retries)


def _pages(
    client: DynamoDBClient,
    request: dict[str, Any],
    key_names: list[str],
    limiter: CapacityLimiter | None,
    retries: Retries,
) -> Iterator[ScanPage]:
    table = request["TableName"]
    while True:
        reserved = limiter.reserve() if limiter is not None else 0.0
        read_started = time.time()
        page = retries.call(f"scan table {table}", partial(client.scan, **request), _HINTS)
        units = page.get("ConsumedCapacity", {}).get("CapacityUnits", 0.0)
        if limiter is not None:
            limiter.settle(reserved, units=units, items=len(page["Items"]))
        try:
            upserts = tuple(as_upsert(table, key_names, item) for item in page["Items"])
        except KeyError:
            raise ConfigurationError(
                f"items of table {table} don't have the key attributes given", hint="Take them from DescribeTable."
            ) from None
        last = page.get("LastEvaluatedKey")
        yield ScanPage(upserts, key_for_json(last) if last else None, units, read_started)
        if not last:
            return
        request["ExclusiveStartKey"] = last
