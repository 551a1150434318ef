"""Reading a table's items."""

from __future__ import annotations

import base64
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from ddb_cache_sync.core.attribute_values import Image, decode_bytes, tag_and_wire
from ddb_cache_sync.core.changes import ItemKey, Upsert, new_tuple
from ddb_cache_sync.core.numbers import plain_number
from ddb_cache_sync.core.stream_records import LEGACY_MARK, without_legacy_attributes
from ddb_cache_sync.core.versions import Version
from ddb_cache_sync.errors import ConfigurationError, TableError
from ddb_cache_sync.table.clients import AWS_ERRORS, place_of, translate
from ddb_cache_sync.table.retries import DEFAULT_RETRIES, Retries

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator, Mapping, Sequence

    from mypy_boto3_dynamodb import DynamoDBClient

BEFORE_ANY_CHANGE = Version.of(0, "0")
"""The version of an item that was read from the table, which says nothing of its place in the stream."""

_MOST_KEYS: Final = 100  # in one BatchGetItem
_GET_HINTS: Final = {
    "AccessDeniedException": "Allow dynamodb:GetItem and dynamodb:BatchGetItem on the table.",
    "ValidationException": "The key's attributes, or their types, are not the table's: text for S, a number for N, "
    "bytes for B.",
}
_THROTTLED_HINT: Final = "Read slower, or give the table more read capacity."


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
        raise translate(error, f"scan table {table} {place_of(client)}") from None


def get_items(
    client: DynamoDBClient,
    table: str,
    keys: Sequence[Image],
    *,
    consistent: bool = True,
    retries: Retries = DEFAULT_RETRIES,
) -> list[Upsert | None]:
    """The items with these keys: one by GetItem, more by BatchGetItem, a hundred at a time.

    Args:
        client: A client of the DynamoDB API.
        table: The table's name.
        keys: Primary keys, binary values as bytes or base64 text; the same one may come twice.
        consistent: Whether each item is read as it is now, at twice the cost.
        retries: How often what DynamoDB leaves unprocessed is asked for again, in a row without any progress.

    Returns:
        An upsert that would make the item, or None where there is none, in the order of `keys`.

    Raises:
        ConfigurationError: A malformed key, or credentials that are missing or wrong.
        TableError: The table can't be read.
    """
    places = [_identity(key.wire) for key in keys]
    wanted = {place: key_for_boto3(key.wire) for place, key in zip(places, keys, strict=True)}
    found: dict[Hashable, Upsert] = {}
    waiting = [*wanted.values()]
    while waiting:
        batch, waiting = waiting[:_MOST_KEYS], waiting[_MOST_KEYS:]
        for item in _batch(client, table, batch, consistent=consistent, retries=retries):
            upsert = as_upsert(table, [*batch[0]], item)
            found[_identity(upsert.key.attributes.wire)] = upsert
    return [found.get(place) for place in places]


def _batch(
    client: DynamoDBClient, table: str, keys: list[dict[str, Any]], *, consistent: bool, retries: Retries
) -> Iterator[dict[str, Any]]:
    """The items of one batch, in any order; asked for until DynamoDB has answered for every key."""
    if len(keys) == 1:
        get = partial(client.get_item, TableName=table, Key=keys[0], ConsistentRead=consistent)
        only: Any = retries.call(f"get an item of table {table}", get, _GET_HINTS).get("Item")
        if only is not None:
            yield only
        return
    left, failures = keys, 0
    while left:
        request: Any = {table: {"Keys": left, "ConsistentRead": consistent}}
        answer: Any = retries.call(
            f"get items of table {table}", partial(client.batch_get_item, RequestItems=request), _GET_HINTS
        )
        yield from answer.get("Responses", {}).get(table, [])
        # Left over where the answer would be larger than 16 MB, or the table is throttled.
        unprocessed = answer.get("UnprocessedKeys", {}).get(table, {}).get("Keys", [])
        failures = failures + 1 if len(unprocessed) == len(left) else 0
        if failures >= retries.attempts:
            raise TableError(f"table {table} leaves {len(left)} keys unprocessed", hint=_THROTTLED_HINT)
        if unprocessed:
            retries.wait(max(1, failures))
        left = unprocessed


def key_for_json(key: Mapping[str, Any]) -> dict[str, Any]:
    """A primary key of boto3's in DynamoDB JSON proper: binary values as base64 text."""
    return {
        name: {
            tag: base64.b64encode(content).decode("ascii") if isinstance(content, bytes | bytearray) else content
            for tag, content in value.items()
        }
        for name, value in key.items()
    }


def key_for_boto3(key: Mapping[str, Any]) -> dict[str, Any]:
    """A primary key as boto3 takes it: binary values as bytes, whether they come as that or as base64 text.

    Raises:
        ConfigurationError: Not a primary key in DynamoDB JSON.
    """
    try:
        parts = {name: tag_and_wire(value) for name, value in key.items()}
        return {name: {tag: decode_bytes(wire) if tag == "B" else wire} for name, (tag, wire) in parts.items()}
    except (ValueError, AttributeError):
        raise _no_key() from None


def _identity(key: Mapping[str, Any]) -> Hashable:
    """What two ways to write the same key have in common."""
    try:
        parts = {name: tag_and_wire(value) for name, value in key.items()}
        return frozenset(
            (name, tag, plain_number(wire) if tag == "N" else decode_bytes(wire) if tag == "B" else wire)
            for name, (tag, wire) in parts.items()
        )
    except (ValueError, TypeError):
        raise _no_key() from None


def _no_key() -> ConfigurationError:
    return ConfigurationError("not a primary key in DynamoDB JSON", hint='Give it as in {"id": {"S": "42"}}.')


def as_upsert(table: str, key_names: Sequence[str], item: Mapping[str, Any]) -> Upsert:
    """An item that was read, as the upsert that would make it.

    Args:
        table: The table's name.
        key_names: The names of its primary key's attributes.
        item: The item in DynamoDB JSON, binary values as bytes or base64 text.
    """
    key = new_tuple(ItemKey, (table, Image({name: item[name] for name in key_names})))
    return new_tuple(Upsert, (key, BEFORE_ANY_CHANGE, own_image(item), None))


def own_image(item: Mapping[str, Any]) -> Image:
    """The image that the stream's record of an item would have."""
    return Image(without_legacy_attributes(item) if LEGACY_MARK in item else item)
