"""Python values, written as DynamoDB JSON: the way back from `attribute_values`.

Rule: what is written decodes to an equal value, digit for digit; what DynamoDB could not hold is refused, by its type
and the name of its top-level attribute, never by its content.

| Python value | type |
|---|---|
| str | S |
| int, Decimal, float (finite; the shortest digits that give the same float) | N |
| bytes, bytearray | B, as base64 text |
| bool, None | BOOL, NULL |
| Mapping, an `Image` included | M |
| list, tuple | L |
| set, frozenset (not empty; of str, numbers or bytes) | SS, NS, BS |
"""

import base64
from collections.abc import Iterable, Mapping
from decimal import Decimal
from math import isfinite
from typing import Any, Final

from ddb_cache_sync.core.attribute_values import MAX_NESTING, Image, utf8_text
from ddb_cache_sync.core.numbers import json_number, plain_number
from ddb_cache_sync.errors import RecordError

_MOST_BITS: Final = 419
"""Of 10**126, the first integer that is no DynamoDB number: Python takes long to write integers of thousands of digits,
and refuses some."""
_LONGEST_NAME: Final = 255
"""How much of an attribute's name an error repeats."""


def image_of(item: Mapping[str, Any]) -> Image:
    """The image of an item of Python values; an `Image` is given back as it is.

    Raises:
        RecordError: A name that is not text, or a value that DynamoDB could not hold. Names the top-level attribute
            and the type, no content.
    """
    if isinstance(item, Image):
        return item
    wire = {}
    where = "item"
    try:
        for name, value in _drained(item):
            where = "item"
            text = _name(name)
            where = f"item.{text[:_LONGEST_NAME]}"
            wire[text] = attribute_value(value)
    except (TypeError, ValueError) as error:
        raise RecordError(f"{where}: {error}") from None
    return Image(wire)


def attribute_value(value: object, *, floats: bool = True, depth: int = 0) -> dict[str, Any]:
    """One Python value in DynamoDB JSON.

    Args:
        value: The value.
        floats: Whether a float is taken for a number.
        depth: How many lists and maps it is in.

    Raises:
        TypeError: A type that DynamoDB does not have.
        ValueError: A value of such a type that DynamoDB could not hold. The content is not repeated in either error.
    """
    found = _scalar(value, floats=floats)
    if found is not None:
        tag, wire = found
        return {tag: wire}
    if isinstance(value, set | frozenset):
        return _set(value, floats=floats)
    if not isinstance(value, Mapping | list | tuple):
        raise TypeError(f"a {type(value).__name__} has no DynamoDB type")
    if depth >= MAX_NESTING:
        raise ValueError(f"nested deeper than {MAX_NESTING} levels")
    members = _drained(value)
    if isinstance(value, Mapping):
        return {"M": {_name(name): attribute_value(member, floats=floats, depth=depth + 1) for name, member in members}}
    return {"L": [attribute_value(member, floats=floats, depth=depth + 1) for member in members]}


def _scalar(value: object, *, floats: bool) -> tuple[str, Any] | None:
    """Type and content of what is neither a set nor nested; None for all else."""
    if isinstance(value, str):
        return "S", _text(value)
    if isinstance(value, bool):
        return "BOOL", value
    if value is None:
        return "NULL", True
    if isinstance(value, int | Decimal) or (floats and isinstance(value, float)):
        return "N", _number(value)
    return ("B", base64.b64encode(value).decode("ascii")) if isinstance(value, bytes | bytearray) else None


def _set(value: Iterable[Any], *, floats: bool) -> dict[str, Any]:
    """A set, its members in the order of their texts."""
    members = [_scalar(member, floats=floats) for member in _drained(value)]
    kinds = {"" if member is None else member[0] for member in members}
    if not members:
        raise ValueError("an empty set, which DynamoDB does not have")
    if len(kinds) > 1 or not kinds <= {"S", "N", "B"}:
        raise TypeError("a set that is not of strings only, numbers only or bytes only")
    (kind,) = kinds
    texts = sorted({member[1] for member in members if member is not None})
    if kind == "N":  # 0.1 and Decimal("0.1") are two members in Python, and one number
        texts = list({plain_number(text): text for text in texts}.values())
    return {f"{kind}S": texts}


def _text(value: str) -> str:
    # What a subclass makes of itself, such as an enumeration's member, is not its content.
    return utf8_text(str.__str__(value))


def _number(value: float | Decimal) -> str:
    """The digits of a number, as its own class would write them."""
    if isinstance(value, Decimal):
        return json_number(Decimal.__str__(value))
    if isinstance(value, int):
        if value.bit_length() > _MOST_BITS:
            raise ValueError("a number outside 1E-130 to 9.99E+125")
        return json_number(int.__repr__(value))
    if not isfinite(value):
        raise ValueError("a float that is not finite")
    return json_number(float.__repr__(value)) if value else "0"


def _name(name: object) -> str:
    if not isinstance(name, str):
        raise TypeError(f"an attribute name that is a {type(name).__name__}, not a str")
    return _text(name)


def _drained(container: Iterable[Any]) -> list[Any]:
    """What a container holds, a mapping's as pairs; read at once, since it may be of any class, with errors of its own.

    Raises:
        ValueError: It can't be read.
    """
    try:
        if isinstance(container, Mapping):
            return [(name, value) for name, value in container.items()]
        return list(container)
    except Exception as error:  # noqa: BLE001 - whatever its class raises; the text may repeat contents
        raise ValueError(f"a {type(container).__name__} that raised {type(error).__name__} when read") from None
