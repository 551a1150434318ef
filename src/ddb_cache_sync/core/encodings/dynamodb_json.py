"""Items as DynamoDB JSON, from which every type comes back.

Rule: canonical. Names are in order, members of sets too (numbers as numbers), B is the one base64 text of its bytes;
so equal items are equal bytes, whether Lambda or boto3 delivered them. A number's text stays as delivered. Every part
is checked: what `decode_value` refuses is refused here.
"""

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, Final, Literal

import orjson

from ddb_cache_sync.core.attribute_values import (
    MAX_NESTING,
    Image,
    Value,
    decode_bool,
    decode_null,
    decode_text,
    fields,
    members,
    tag_and_wire,
    utf8_text,
)
from ddb_cache_sync.core.encodings.contract import MALFORMED, StoredValue, refused
from ddb_cache_sync.core.encodings.json_encoding import base64_text, number_of
from ddb_cache_sync.core.numbers import json_number


class DynamoDBJsonEncoding:
    """An item as DynamoDB JSON, `{"id":{"S":"1"}}`: nothing is lost, and the tools of AWS read it."""

    __slots__ = ()

    kind: Literal["string"] = "string"

    def encode(self, item: Image) -> bytes:
        """The item's DynamoDB JSON.

        Raises:
            RecordError: A malformed attribute value.
        """
        try:
            written = {utf8_text(name): _canonical(value, 0) for name, value in item.wire.items()}
            return b"%b" % orjson.dumps(written, option=orjson.OPT_SORT_KEYS)  # copied, as in JsonEncoding
        except MALFORMED:
            raise refused(item) from None

    def decode(self, value: StoredValue | str) -> dict[str, Value]:
        """The item as Python values, those of an `Image`: Decimal, bytes, frozenset and so on.

        Raises:
            ValueError: Not an item in DynamoDB JSON.
        """
        if not isinstance(value, bytes | str):
            raise ValueError("not a string")  # noqa: TRY004 - one error type for malformed values
        return dict(Image(fields(orjson.loads(value))))


def _canonical(value: object, depth: int) -> dict[str, Any]:
    """An attribute value, checked, in the one form of all that mean the same.

    Raises:
        ValueError: Malformed, or nested deeper than DynamoDB allows.
    """
    tag, wire = tag_and_wire(value)
    if tag in _SCALARS:
        return {tag: _SCALARS[tag](wire)}
    if depth >= MAX_NESTING:
        raise ValueError(f"nested deeper than {MAX_NESTING} levels")
    if tag == "M":
        return {tag: {utf8_text(name): _canonical(member, depth + 1) for name, member in fields(wire).items()}}
    if tag == "L":
        return {tag: [_canonical(member, depth + 1) for member in members(wire)]}
    raise ValueError("an unknown attribute type")


def _number_text(wire: object) -> str:
    text = decode_text(wire)
    json_number(text)  # for its check
    return text


def _null(wire: object) -> bool:
    decode_null(wire)
    return True


def _by_number(text: str) -> tuple[Decimal, str]:
    return number_of(text), text


_SCALARS: Final[Mapping[str, Callable[[object], Any]]] = {
    "S": utf8_text,
    "N": _number_text,
    "B": base64_text,
    "BOOL": decode_bool,
    "NULL": _null,
    "SS": lambda wire: sorted(map(utf8_text, members(wire))),
    "NS": lambda wire: sorted(map(decode_text, members(wire)), key=_by_number),
    "BS": lambda wire: sorted(map(base64_text, members(wire))),
}
