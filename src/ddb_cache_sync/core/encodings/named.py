"""Encodings by name, as a setting or an option has them."""

from collections.abc import Callable, Mapping
from typing import Final

from ddb_cache_sync.core.encodings.attribute import AttributeEncoding
from ddb_cache_sync.core.encodings.compressed import Compressed
from ddb_cache_sync.core.encodings.contract import Encoding
from ddb_cache_sync.core.encodings.dynamodb_json import DynamoDBJsonEncoding
from ddb_cache_sync.core.encodings.hash import HashEncoding
from ddb_cache_sync.core.encodings.json_encoding import JsonEncoding
from ddb_cache_sync.errors import ConfigurationError

_ATTRIBUTE: Final = "attribute:"
_NAMED: Final[Mapping[str, Callable[[], Encoding]]] = {
    "json": JsonEncoding,
    "dynamodb-json": DynamoDBJsonEncoding,
    "hash": HashEncoding,
}


def encoding_named(text: str) -> Encoding:
    """The encoding that a setting names.

    Args:
        text: `json`, `dynamodb-json`, `hash` or `attribute:NAME`; all but `hash` may end in `+zlib` or `+zstd`.

    Raises:
        ConfigurationError: No such encoding (the text is not repeated), or zstd without its library.
    """
    plain, _, algorithm = text.rpartition("+")
    if algorithm in {"zlib", "zstd"}:
        return Compressed(_plain(plain), "zlib" if algorithm == "zlib" else "zstd")
    return _plain(text)


def _plain(text: str) -> Encoding:
    if text.startswith(_ATTRIBUTE):
        return AttributeEncoding(text.removeprefix(_ATTRIBUTE))
    if text not in _NAMED:
        raise ConfigurationError(
            "not the name of an encoding",
            hint=f"There are {', '.join(_NAMED)} and {_ATTRIBUTE}NAME; all but hash can end in +zlib or +zstd.",
        )
    return _NAMED[text]()
