"""The straight way from a record to its write, for the configuration that most have: a template, JSON, nothing else.

The same writes as by `change_of` and `Projection.write`, without the objects that only code of one's own would look
at: making those costs as much as a fifth of all the work on a batch.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias

from ddb_cache_sync.core.changes import new_tuple
from ddb_cache_sync.core.encodings.contract import MALFORMED
from ddb_cache_sync.core.encodings.json_encoding import json_of
from ddb_cache_sync.core.guards import guard_key
from ddb_cache_sync.core.speedups import RecordReader
from ddb_cache_sync.core.stream_records import stream_source
from ddb_cache_sync.core.versions import Version
from ddb_cache_sync.core.writes import Write
from ddb_cache_sync.errors import RecordError

KeyOf: TypeAlias = Callable[[str, Mapping[str, Any]], str]
"""Gives the cache key of an item of a table, by its primary key in DynamoDB JSON."""


class StraightWay:
    """From records to writes.

    Args:
        key_of: Gives the cache key of an item of a table, by its primary key in DynamoDB JSON.
        guard_prefix: What every guard key begins with.
        reader: Reads most records at once. None: there is no such.

    Attributes:
        is_compiled: Whether `read` ever reads one.
    """

    __slots__ = ("_guard_prefix", "_key_of", "_reader", "is_compiled")

    def __init__(self, key_of: KeyOf, guard_prefix: str, reader: RecordReader | None = None) -> None:
        self._key_of: Final = key_of
        self.is_compiled: Final = reader is not None
        self._reader: Final = reader
        self._guard_prefix: Final = guard_prefix

    def read(
        self, raw: Any, stream_label_ms: int | None
    ) -> tuple[str, Version, dict[str, Any] | None, float | None] | None:
        """The cache key of a record, its version, its image and when the change was made (epoch seconds).

        None: the record has to be taken apart, malformed or not. An image that is None: the item is gone.

        Args:
            raw: The record, as parsed from JSON.
            stream_label_ms: Put in place of the stream's own creation time (epoch ms). None: the stream's own.
        """
        found = None if self._reader is None else self._reader(raw)
        if found is None:
            return None
        arn, digits, key, image, created = found
        try:
            _, beginning = stream_source(arn, stream_label_ms)
        except ValueError:
            return None
        return None if beginning is None else (key, Version(beginning + digits), image, created)

    def key_of(self, table: str, wire: Mapping[str, Any]) -> str:
        """The cache key of an item of a table, by its primary key in DynamoDB JSON.

        Raises:
            RecordError: The primary key is malformed.
            ConfigurationError: The key mapping can't be right for this table.
        """
        try:
            return self._key_of(table, wire)
        except MALFORMED as error:  # names that are no text, which no JSON has
            raise RecordError(f"the key mapping raised {type(error).__name__}") from None

    def write(self, cache_key: str, version: Version, image: Mapping[str, Any] | None) -> Write:
        """The write that brings this cache key to this image, in DynamoDB JSON; None: the item is gone.

        Raises:
            RecordError: The item can't be encoded, or the cache key can have no guard.
        """
        guard = guard_key(cache_key, self._guard_prefix)
        value = None if image is None else json_of(image)
        return new_tuple(Write, (cache_key, guard, version, value, None, False, None, False, None))
