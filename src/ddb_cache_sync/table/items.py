"""Reading a table's items."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ddb_cache_sync.core.attribute_values import Image
from ddb_cache_sync.core.changes import ItemKey, Upsert
from ddb_cache_sync.core.versions import Version
from ddb_cache_sync.table.clients import AWS_ERRORS, translate

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from mypy_boto3_dynamodb import DynamoDBClient

BEFORE_ANY_CHANGE = Version.of(0, "0")
"""The version of an item that was read from the table, which says nothing of its place in the stream."""


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


def as_upsert(table: str, key_names: list[str], item: Mapping[str, Any]) -> Upsert:
    """An item that was read, as the upsert that would make it.

    Args:
        table: The table's name.
        key_names: The names of its primary key's attributes.
        item: The item in DynamoDB JSON, binary values as bytes.
    """
    key = ItemKey(table, Image({name: item[name] for name in key_names}))
    return Upsert(key, BEFORE_ANY_CHANGE, Image(item))
