"""Items as hashes, a field for each attribute, for readers that want some of them (`HMGET`).

Rule: a field holds text. S is itself, without quotes; B its base64 text, without quotes; anything else is its JSON, in
`JsonEncoding`'s form. So a field does not tell its type: `1` may have been S or N.
"""

from collections.abc import Mapping
from typing import Final, Literal, TypeAlias

from ddb_cache_sync.core.attribute_values import Image, tag_and_wire, utf8_text
from ddb_cache_sync.core.encodings.contract import MALFORMED, StoredValue, refused
from ddb_cache_sync.core.encodings.json_encoding import base64_text, json_value
from ddb_cache_sync.errors import RecordError

MAX_HASH_FIELDS: Final = 1900
"""How many attributes an item may have: each takes two of the 3,999 arguments that ElastiCache Serverless allows a
request, and the guard and its version need some too."""

_Read: TypeAlias = StoredValue | Mapping[bytes, bytes] | Mapping[bytes | str, bytes]


class HashEncoding:
    """An item as a hash: a field for each attribute, its value as text.

    S is itself, N its digits, B base64, BOOL true or false, NULL null; M, L and sets are JSON.
    """

    __slots__ = ()

    kind: Literal["hash"] = "hash"

    def encode(self, item: Image) -> dict[str, bytes]:
        """The hash's fields, by name in order: these, and no others.

        Raises:
            RecordError: A malformed attribute value, no attribute at all, or more than `MAX_HASH_FIELDS`.
        """
        if not item.wire:
            raise RecordError("item: no attributes, and there is no empty hash")
        if len(item.wire) > MAX_HASH_FIELDS:
            raise RecordError(
                f"item: {len(item.wire)} attributes, and a hash takes {MAX_HASH_FIELDS}",
                hint="Use JsonEncoding for this table.",
            )
        try:
            return {utf8_text(name): _field(item.wire[name]) for name in sorted(item.wire)}
        except MALFORMED:
            raise refused(item) from None

    def decode(self, value: _Read) -> dict[str, str]:
        """The fields as text, by name; the types that they had are not stored with them.

        Args:
            value: What `HGETALL` gave: names as bytes or text.

        Raises:
            ValueError: Not a hash, one without fields (no such key, to `HGETALL`), or not of text.
        """
        if not isinstance(value, Mapping) or not value:
            raise ValueError("not a hash with fields")
        try:
            return {_text(name): _text(field) for name, field in value.items()}
        except UnicodeDecodeError:
            raise ValueError("a field that is not UTF-8") from None


def _field(value: object) -> bytes:
    tag, wire = tag_and_wire(value)
    if tag == "S":
        return utf8_text(wire).encode()
    return base64_text(wire).encode() if tag == "B" else json_value(value)


def _text(part: object) -> str:
    # Text already: from a client that decodes responses.
    if isinstance(part, str):
        return part
    if not isinstance(part, bytes):
        raise ValueError("a field that is not text")  # noqa: TRY004 - one error type for malformed values
    return part.decode()
