"""Items as plain JSON, what a reader in any language expects.

Rule: the walk over an item checks only what orjson does not, without a call that could be spared: every record passes
here.
"""

import binascii
from collections.abc import Callable, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any, Final, Literal

import orjson

from ddb_cache_sync.core.attribute_values import (
    Image,
    decode_bool,
    decode_bytes,
    decode_null,
    decode_text,
    members,
    tag_and_wire,
)
from ddb_cache_sync.core.encodings.contract import MALFORMED, StoredValue, refused
from ddb_cache_sync.core.numbers import MAX_DIGITS, json_number, not_simple_number
from ddb_cache_sync.core.speedups import item_json


class JsonEncoding:
    """An item as plain JSON: what a reader in any language expects of `GET`.

    S is a string, N a number with the same digits (all 38, never through a float), B a base64 string, NULL null,
    M an object, L an array, SS, NS and BS sorted arrays. UTF-8, no spaces, names in order, so that equal items are
    equal bytes.
    """

    __slots__ = ()

    kind: Literal["string"] = "string"

    def encode(self, item: Image) -> bytes:
        """The item's JSON.

        Raises:
            RecordError: A malformed attribute value.
        """
        return json_of(item.wire)

    def decode(self, value: StoredValue | str) -> dict[str, Any]:
        """The JSON as Python values: numbers as Decimal, all digits kept.

        Raises:
            ValueError: Not a JSON object.
        """
        import json  # noqa: PLC0415 - not needed to write; orjson would read numbers as floats

        if not isinstance(value, bytes | str):
            raise ValueError("not a string")  # noqa: TRY004 - one error type for malformed values
        try:
            decoded = json.loads(value, parse_float=Decimal, parse_int=Decimal, parse_constant=_not_json)
        except RecursionError:
            raise ValueError("nested too deep") from None
        except InvalidOperation:
            raise ValueError("a number that is too large") from None
        if not isinstance(decoded, dict):
            raise ValueError("not a JSON object")  # noqa: TRY004 - one error type for malformed values
        return decoded


def json_of(wire: Mapping[str, Any]) -> bytes:
    """The JSON of an item.

    Raises:
        RecordError: A malformed attribute value.
    """
    if item_json is not None and (written := item_json(wire)) is not None:
        return written
    try:
        # Copied, since what orjson returns keeps a buffer of kilobytes, however short, as long as the batch lasts.
        return b"%b" % orjson.dumps(_members(wire), option=orjson.OPT_SORT_KEYS)
    except MALFORMED:
        raise refused(Image(wire)) from None


def json_value(value: object) -> bytes:
    """The JSON of one attribute value, in the form that it has within an item.

    Raises:
        ValueError, TypeError, LookupError, AttributeError, RecursionError: A malformed attribute value.
    """
    tag, wire = tag_and_wire(value)
    return b"%b" % orjson.dumps(_WRITTEN[tag](wire), option=orjson.OPT_SORT_KEYS)


def base64_text(wire: object) -> str:
    """The one base64 text of a B value.

    Raises:
        ValueError: Neither base64 text nor bytes.
    """
    # Decoded and encoded again, also where it is base64 already: checked, and one text for the same bytes.
    return binascii.b2a_base64(decode_bytes(wire), newline=False).decode("ascii")


def number_of(text: str) -> Decimal:
    """The number that a text writes, to sort by.

    Raises:
        ValueError: Not a DynamoDB number.
    """
    return Decimal(json_number(text))


def _not_json(_: str) -> None:
    raise ValueError("NaN and Infinity are no JSON")


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


_WRITTEN: Final[Mapping[str, Callable[[Any], Any]]] = {
    "S": decode_text,
    "N": _number,
    "B": base64_text,
    "BOOL": decode_bool,
    "NULL": decode_null,
    "M": _members,
    "L": _list,
    "SS": _texts,
    "NS": lambda wire: list(map(_number, sorted(map(decode_text, members(wire)), key=number_of))),
    "BS": lambda wire: sorted(map(base64_text, members(wire))),
}
