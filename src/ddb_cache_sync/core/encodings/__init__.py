"""Encodings: from an item to what its cache key holds, and back."""

from typing import TYPE_CHECKING

from ddb_cache_sync.core.encodings.contract import Encoding, Kind, StoredValue
from ddb_cache_sync.core.encodings.json_encoding import JsonEncoding
from ddb_cache_sync.deferred import deferred

if TYPE_CHECKING:
    from ddb_cache_sync.core.encodings.attribute import AttributeEncoding
    from ddb_cache_sync.core.encodings.compressed import Compressed
    from ddb_cache_sync.core.encodings.dynamodb_json import DynamoDBJsonEncoding
    from ddb_cache_sync.core.encodings.hash import MAX_HASH_FIELDS, HashEncoding
    from ddb_cache_sync.core.encodings.named import encoding_named
else:
    __getattr__, __dir__ = deferred(
        __name__,
        {
            "attribute": ["AttributeEncoding"],
            "compressed": ["Compressed"],
            "dynamodb_json": ["DynamoDBJsonEncoding"],
            "hash": ["MAX_HASH_FIELDS", "HashEncoding"],
            "named": ["encoding_named"],
        },
    )

__all__ = [
    "MAX_HASH_FIELDS",
    "AttributeEncoding",
    "Compressed",
    "DynamoDBJsonEncoding",
    "Encoding",
    "HashEncoding",
    "JsonEncoding",
    "Kind",
    "StoredValue",
    "encoding_named",
]
