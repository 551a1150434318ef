"""Encodings: from an item to what its cache key holds, and back."""

from ddb_cache_sync.core.encodings.contract import Encoding, Kind, StoredValue
from ddb_cache_sync.core.encodings.json_encoding import JsonEncoding

__all__ = ["Encoding", "JsonEncoding", "Kind", "StoredValue"]
