"""Encodings: from an item to the value its cache key holds, and back."""

import binascii
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, Final, Protocol

import orjson

from ddb_cache_sync.core.attribute_values import (
    MAX_NESTING,
    Image,
    decode_bool,
    decode_bytes,
    decode_null,
    decode_text,
    fields,
    members,
    tag_and_wire,
)
from ddb_cache_sync.core.numbers import json_number
from ddb_cache_sync.errors import RecordError


class Encoding(Protocol):
    """Gives the value that a cache key holds for an item.

    Contract: pure; the same item gives the same bytes, in whatever order its attributes come.
    """

    def encode(self, item: Image, /) -> bytes:
        """The value to store.

        Raises:
            RecordError: The item can't be carried, which makes its record a poison record. Any other exception does
                so too; only its type is told, since its text may repeat the item's contents.
        """
        ...


class JsonEncoding:
    """An item as plain JSON: what a reader in any language expects of `GET`.

    S is a string, N a number with the same digits (all 38, never through a float), B a base64 string, NULL null,
    M an object, L an array, SS, NS and BS sorted arrays. UTF-8, no spaces, names in order, so that equal items are
    equal bytes.
    """

    __slots__ = ()

    def encode(self, item: Image) -> bytes:
        """The item's JSON.

        Raises:
            RecordError: A malformed attribute value.
        """
        try:
            return orjson.dumps(json_members(item.wire), option=orjson.OPT_SORT_KEYS)
        except orjson.JSONEncodeError:
            # Its text is not passed on: nothing promises that it stays free of contents.
            raise RecordError("item: a text or an attribute name is not valid Unicode: half a surrogate pair") from None
        except ValueError as error:
            raise RecordError(f"item: {error}") from None

    def decode(self, value: bytes | str) -> dict[str, Any]:
        """The JSON as Python values: numbers as Decimal, all digits kept.

        Raises:
            ValueError: Not a JSON object.
        """
        import json  # noqa: PLC0415 - not needed to write; orjson would read numbers as floats

        try:
            decoded = json.loads(value, parse_float=Decimal, parse_int=Decimal)
        except RecursionError:
            raise ValueError("nested too deep") from None
        if not isinstance(decoded, dict):
            raise ValueError("not a JSON object")  # noqa: TRY004 - one error type for malformed values
        return decoded


def json_members(wire: Mapping[str, Any], depth: int = 0) -> dict[str, Any]:
    """The attributes of an item or map in the form that orjson writes.

    Raises:
        ValueError: A malformed attribute value.
    """
    members_by_name: dict[str, Any] = {}
    for name, value in wire.items():
        # Most attributes are strings and short numbers: looked at here, in the loop, without a call for each.
        if type(value) is dict and len(value) == 1:
            [(tag, content)] = value.items()
            if tag == "S" and type(content) is str:
                members_by_name[name] = content
                continue
        members_by_name[name] = _json_value(value, depth)
    return members_by_name


def _json_value(value: object, depth: int) -> Any:
    tag, wire = tag_and_wire(value)
    scalar = _JSON_SCALARS.get(tag)
    if scalar is not None:
        return scalar(wire)
    if depth >= MAX_NESTING:
        raise ValueError(f"nested deeper than {MAX_NESTING} levels")
    if tag == "M":
        return json_members(fields(wire), depth + 1)
    if tag == "L":
        return [_json_value(member, depth + 1) for member in members(wire)]
    raise ValueError("an unknown attribute type")


def _json_number(wire: object) -> orjson.Fragment:
    # A fragment goes into the JSON as it is, so its text is checked first.
    return orjson.Fragment(json_number(decode_text(wire)))


def _base64(wire: object) -> str:
    # Decoded and encoded again, also where it is base64 already: checked, and one text for the same bytes.
    return binascii.b2a_base64(decode_bytes(wire), newline=False).decode("ascii")


_JSON_SCALARS: Final[Mapping[str, Callable[[object], Any]]] = {
    "S": decode_text,
    "N": _json_number,
    "B": _base64,
    "BOOL": decode_bool,
    "NULL": decode_null,
    "SS": lambda wire: sorted(map(decode_text, members(wire))),
    "NS": lambda wire: list(map(_json_number, sorted(map(decode_text, members(wire)), key=_numeric))),
    "BS": lambda wire: sorted(map(_base64, members(wire))),
}


def _numeric(text: str) -> Decimal:
    return Decimal(json_number(text))
