"""Reading a table's items."""

from __future__ import annotations

import random
import time
from typing import TYPE_CHECKING, Any, Final

from ddb_cache_sync.core.attribute_values import Image
from ddb_cache_sync.core.backoff import full_jitter_seconds
from ddb_cache_sync.core.changes import ItemKey, Upsert
from ddb_cache_sync.core.numbers import plain_number
from ddb_cache_sync.core.versions import Version
from ddb_cache_sync.errors import TableError
from ddb_cache_sync.table.clients import AWS_ERRORS, translate

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from mypy_boto3_dynamodb import DynamoDBClient

BEFORE_ANY_CHANGE = Version.of(0, "0")
"""The version of an item that was read from the table, which says nothing of its place in the stream."""


_MOST_KEYS: Final = 100  # that BatchGetItem takes
_ATTEMPTS: Final = 10
_KEY_HINTS: Final = {
    "ValidationException": "The key's attributes, or their types, are not the table's: text for S, a number for N, "
    "bytes for B.",
}


def scan(client: DynamoDBClient, table: str) -> Iterator[Upsert]:
    """Every item of a table, consistently read page by page, as the upsert that would make it.

    Raises:
        TableError: The table can't be described or read.
    """
    try:
        description = client.describe_table(TableName=table)["Table"]
        # Every table has a key, though the service model doesn't say so.
        names = [element["AttributeName"] for element in description.get("KeySchema", [])]
        for page in client.get_paginator("scan").paginate(TableName=table, ConsistentRead=True):
            for item in page["Items"]:
                yield as_upsert(table, names, item)
    except AWS_ERRORS as error:
        raise translate(error, f"scan table {table}") from None


def get(client: DynamoDBClient, table: str, keys: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any] | None]:
    """The items with these primary keys, each read consistently; None for each that the table does not have.

    Args:
        client: A client of the DynamoDB API.
        table: The table's name.
        keys: Primary keys in DynamoDB JSON, no two the same.

    Raises:
        TableError: The table can't be read, or goes on giving less than it was asked for.
    """
    try:
        if len(keys) == 1:
            only = client.get_item(TableName=table, Key=dict(keys[0]), ConsistentRead=True).get("Item")
            return [None if only is None else _own_attributes(only)]
        found: dict[Any, Mapping[str, Any]] = {}
        for start in range(0, len(keys), _MOST_KEYS):
            for item in _batch(client, table, keys[start : start + _MOST_KEYS]):
                found[_identity(keys[0], item)] = _own_attributes(item)
        return [found.get(_identity(key, key)) for key in keys]
    except AWS_ERRORS as error:
        raise translate(error, f"read items of table {table}", _KEY_HINTS) from None


def _batch(client: DynamoDBClient, table: str, keys: Sequence[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
    """The items with so many keys as one request can have."""
    left: Sequence[Mapping[str, Any]] = keys
    for attempt in range(1, _ATTEMPTS + 1):
        request: Any = {table: {"Keys": left, "ConsistentRead": True}}
        answer = client.batch_get_item(RequestItems=request)
        yield from answer["Responses"].get(table, [])
        unread = answer["UnprocessedKeys"].get(table)
        if unread is None:
            return
        left = unread["Keys"]
        # The answer holds 16 MB at most, or the table is throttled.
        time.sleep(full_jitter_seconds(attempt, random.random(), first_seconds=0.05, longest_seconds=2.0))  # noqa: S311 - jitter
    raise TableError(f"table {table} left {len(left)} keys unread", hint="It is throttled: look at its read capacity.")


def _own_attributes(item: Mapping[str, Any]) -> Mapping[str, Any]:
    """The item without what global tables of version 2017.11.29 put on it, as a stream's record comes too."""
    if "aws:rep:updatetime" not in item:
        return item
    return {name: value for name, value in item.items() if not name.startswith("aws:rep:")}


def _identity(names: Iterable[str], item: Mapping[str, Any]) -> tuple[Any, ...]:
    """The primary key of an item, as something to find it by: numbers in their one plain form."""
    return tuple(
        (name, tag, plain_number(content) if tag == "N" else content)
        for name in sorted(names)
        for tag, content in item[name].items()
    )


def as_upsert(table: str, key_names: list[str], item: Mapping[str, Any]) -> Upsert:
    """An item that was read, as the upsert that would make it.

    Args:
        table: The table's name.
        key_names: The names of its primary key's attributes.
        item: The item in DynamoDB JSON, binary values as bytes.
    """
    key = ItemKey(table, Image({name: item[name] for name in key_names}))
    return Upsert(key, BEFORE_ANY_CHANGE, Image(item))
