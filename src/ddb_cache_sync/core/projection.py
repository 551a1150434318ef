"""Projection: from a change to the write that its cache key needs."""

from typing import NamedTuple

from ddb_cache_sync.core.changes import Change, Upsert, new_tuple
from ddb_cache_sync.core.encodings import Encoding, JsonEncoding
from ddb_cache_sync.core.guards import DEFAULT_GUARD_PREFIX, check_guard_prefix, guard_key
from ddb_cache_sync.core.keys import KeyMapping, KeyTemplate, table_keys
from ddb_cache_sync.core.versions import Version
from ddb_cache_sync.errors import CacheSyncError, ConfigurationError, RecordError


class Write(NamedTuple):
    """What one cache key should hold from this version on."""

    key: str
    guard: str
    """The guard's key."""
    version: Version
    value: bytes | None
    """The encoded item; None: the key is deleted."""


class Projection:
    """Gives the write for a change. Pure: no cache, no table, no clock.

    Args:
        keys: The key mapping.
        encoding: The encoding.
        guard_prefix: What every guard key begins with.
    """

    __slots__ = ("_encoding", "_guard_prefix", "_keys")

    def __init__(
        self,
        keys: KeyMapping = table_keys,
        encoding: Encoding | None = None,
        guard_prefix: str = DEFAULT_GUARD_PREFIX,
    ) -> None:
        self._keys = keys
        self._encoding = encoding or JsonEncoding()
        self._guard_prefix = check_guard_prefix(guard_prefix)
        if isinstance(keys, KeyTemplate) and keys.beginning.startswith(guard_prefix):
            raise ConfigurationError(
                f"every key of {keys!r} begins with the guard prefix {guard_prefix!r}", hint="Change one of them."
            )

    def cache_key(self, change: Change) -> str:
        """The cache key of the changed item.

        Raises:
            RecordError: The key mapping failed, or gave no text.
            ConfigurationError: The key mapping can't be right for this table.
        """
        try:
            key: object = self._keys(change)  # the caller's own code: what it gives is looked at
            if isinstance(key, str) and key and (key.isascii() or key.encode()):
                return key
        except CacheSyncError:
            raise
        except Exception as error:  # noqa: BLE001 - the caller's own code; its text may repeat contents
            raise RecordError(f"the key mapping raised {type(error).__name__}") from None
        found = "an empty key" if key == "" else f"a {type(key).__name__}, not a str"
        raise RecordError(f"the key mapping gave {found}")

    def write(self, cache_key: str, change: Change) -> Write:
        """The write that brings this cache key to this change.

        Raises:
            RecordError: The item can't be encoded, or the cache key can have no guard.
        """
        guard = guard_key(cache_key, self._guard_prefix)
        if not isinstance(change, Upsert):
            return Write(cache_key, guard, change.version, None)
        try:
            value: object = self._encoding.encode(change.item)
        except CacheSyncError:
            raise
        except Exception as error:  # noqa: BLE001 - the caller's own code; its text may repeat contents
            raise RecordError(f"the encoding raised {type(error).__name__}") from None
        if not isinstance(value, bytes):
            raise RecordError(f"the encoding gave a {type(value).__name__}, not bytes")
        return new_tuple(Write, (cache_key, guard, change.version, value))
