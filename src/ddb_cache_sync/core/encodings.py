"""Encodings: from an item to the value its cache key holds, and back."""

import binascii
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, Final, Protocol

import orjson

from ddb_cache_sync.core.attribute_values import (
    Image,
    decode_bool,
    decode_bytes,
    decode_null,
    decode_text,
    members,
)
from ddb_cache_sync.core.numbers import MAX_DIGITS, json_number, not_simple_number
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
            # Copied, since what orjson returns keeps a buffer of kilobytes, however short, as long as the batch lasts.
            return b"%b" % orjson.dumps(_members(item.wire), option=orjson.OPT_SORT_KEYS)
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            # Walked again by the strict decoder, which says what is wrong; this walk only sees that something is.
            raise RecordError(f"item: {item.fault() or 'malformed'}") from None

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


def _members(wire: Mapping[str, Any]) -> dict[str, Any]:
    """The attributes of an item or map in the form that orjson writes.

    Raises:
        ValueError, TypeError, KeyError, AttributeError, RecursionError: A malformed attribute value.
    """
    written: dict[str, Any] = {}
    for name, value in wire.items():
        (tag,) = value
        content = value[tag]
        # Most attributes are strings: dealt with here, without a call for each.
        written[name] = content if tag == "S" and type(content) is str else _WRITTEN[tag](content)
    return written


def _list(wire: object) -> list[Any]:
    return [_WRITTEN[tag](member[tag]) for member in members(wire) for (tag,) in (member,)]


def _number(wire: Any) -> orjson.Fragment:
    # A fragment goes into the JSON as it is, so its text is checked first.
    if len(wire) <= MAX_DIGITS and not_simple_number(wire) is None:
        return orjson.Fragment(wire)
    return orjson.Fragment(json_number(decode_text(wire)))


def _texts(wire: Any) -> list[str]:
    "".join(wire)  # refuses anything but strings, faster than a loop could
    return sorted(members(wire))


def _base64(wire: object) -> str:
    # Decoded and encoded again, also where it is base64 already: checked, and one text for the same bytes.
    return binascii.b2a_base64(decode_bytes(wire), newline=False).decode("ascii")


def _numeric(text: str) -> Decimal:
    return Decimal(json_number(text))


_WRITTEN: Final[Mapping[str, Callable[[Any], Any]]] = {
    "S": decode_text,
    "N": _number,
    "B": _base64,
    "BOOL": decode_bool,
    "NULL": decode_null,
    "M": _members,
    "L": _list,
    "SS": _texts,
    "NS": lambda wire: list(map(_number, sorted(map(decode_text, members(wire)), key=_numeric))),
    "BS": lambda wire: sorted(map(_base64, members(wire))),
}
