"""The straight way from a record to its write, for the configuration that most have: a template, JSON, nothing else.

The same writes as by `change_of` and `Projection.write`, without the objects that only code of one's own would look
at: making those costs as much as a fifth of all the work on a batch.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias

from ddb_cache_sync.core.changes import new_tuple
from ddb_cache_sync.core.encodings.json_encoding import json_of
from ddb_cache_sync.core.guards import guard_key
from ddb_cache_sync.core.versions import Version
from ddb_cache_sync.core.writes import Write

KeyOf: TypeAlias = Callable[[str, Mapping[str, Any]], str]
"""Gives the cache key of an item of a table, by its primary key in DynamoDB JSON."""


class StraightWay:
    """From the fields of records to writes.

    Attributes:
        key_of: Gives the cache key of an item of a table, by its primary key in DynamoDB JSON.
    """

    __slots__ = ("_guard_prefix", "_tag", "key_of")

    def __init__(self, key_of: KeyOf, guard_prefix: str) -> None:
        self.key_of: Final = key_of
        self._guard_prefix: Final = guard_prefix
        self._tag: Final = guard_prefix + "{"

    def write(self, cache_key: str, version: Version, image: Mapping[str, Any] | None) -> Write:
        """The write that brings this cache key to this image, in DynamoDB JSON; None: the item is gone.

        Raises:
            RecordError: The item can't be encoded, or the cache key can have no guard.
        """
        # As guard_key does it, but for the call.
        if "}" in cache_key or cache_key.startswith(self._guard_prefix):
            guard = guard_key(cache_key, self._guard_prefix)
        else:
            guard = self._tag + cache_key + "}"
        value = None if image is None else json_of(image)
        return new_tuple(Write, (cache_key, guard, version, value, None, False, None, False, None))
