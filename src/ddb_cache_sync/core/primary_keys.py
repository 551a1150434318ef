"""Primary keys as callers write them: from Python values to DynamoDB JSON.

Rule: text is S, an integer or Decimal N in its one plain form, bytes B; nothing else can be part of a primary key. So
two ways to write the same key come to the same.
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, Final, TypeAlias

from ddb_cache_sync.core.attribute_values import Image, utf8_text
from ddb_cache_sync.core.numbers import plain_number
from ddb_cache_sync.errors import ConfigurationError, RecordError

KeyValue: TypeAlias = str | int | Decimal | bytes
PrimaryKey: TypeAlias = Mapping[str, KeyValue] | KeyValue
"""The values of the key attributes by name; or the value alone, where the table has one key attribute."""


def primary_key(key: PrimaryKey, key_name: str | None) -> Image:
    """The key in DynamoDB JSON.

    Args:
        key: As the caller wrote it.
        key_name: The name of the one key attribute, for a value alone. None: there must be names.

    Raises:
        RecordError: A value that no key attribute can have, or not one or two of them.
        ConfigurationError: A value alone, and no name for it.
    """
    if not isinstance(key, Mapping):
        if key_name is None:
            raise ConfigurationError(
                "a key that is a value alone, of a table whose key attribute has not been named",
                hint='Write {"id": value}, or give the reader key_name="id".',
            )
        key = {key_name: key}
    if not 1 <= len(key) <= 2:
        raise RecordError(f"a primary key of {len(key)} attributes", hint="A table has one or two.")
    return Image({name: _attribute(name, value) for name, value in key.items()})


_TYPES: Final = {"S": "a string", "N": "a number", "B": "binary"}


def check_primary_key(key: Image, table: str, key_names: Sequence[str], key_types: Sequence[str]) -> None:
    """Make sure that a primary key is one of this table's.

    Args:
        key: The key attributes in DynamoDB JSON.
        table: The table's name.
        key_names: The names of the table's key attributes.
        key_types: Their types, `S`, `N` or `B`, in the same order.

    Raises:
        ConfigurationError: It has other attributes, or attributes of other types.
    """
    schema = dict(zip(key_names, key_types, strict=True))
    theirs = " and ".join(f"{name} ({_TYPES.get(tag, tag)})" for name, tag in schema.items())
    if key.wire.keys() != schema.keys():
        given_names = ", ".join(sorted(key.wire)) or "no attributes"
        raise ConfigurationError(
            f"the item's key has {given_names}, and the primary key of table {table} is {theirs}",
            hint="Give exactly these attributes.",
        )
    for name, tag in schema.items():
        given: object = key.wire[name]
        if not isinstance(given, Mapping) or [*given] != [tag]:
            raise ConfigurationError(
                f"the item's key has {name} of another type: the primary key of table {table} is {theirs}",
                hint='Write a string as "42", a number as 42, binary in DynamoDB JSON: {"B": "base64 text"}.',
            )


def _attribute(name: str, value: object) -> dict[str, Any]:
    if value in ("", b""):
        raise RecordError(f"key attribute {name}: empty")
    try:
        if isinstance(value, str):
            return {"S": utf8_text(value)}
        if isinstance(value, int | Decimal) and not isinstance(value, bool):
            return {"N": plain_number(str(value))}
        if isinstance(value, bytes):
            return {"B": value}
    except ValueError as error:
        raise RecordError(f"key attribute {name}: {error}") from None
    raise RecordError(
        f"key attribute {name}: a {type(value).__name__}", hint="Give text, a whole number, Decimal or bytes."
    )
