"""The reader: items out of the cache, and out of the table where the cache misses them.

Rule: on a hit and on a miss a reader gets the same: what the encoding makes of the value that is, or would be, stored.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, Unpack

from ddb_cache_sync.cache.filling import Readable, readable_cache_of
from ddb_cache_sync.core.attribute_values import Image
from ddb_cache_sync.core.changes import ItemKey, Remove
from ddb_cache_sync.core.encodings.contract import StoredValue
from ddb_cache_sync.core.primary_keys import PrimaryKey, primary_key
from ddb_cache_sync.core.projection import Projection, ProjectionOptions
from ddb_cache_sync.errors import CacheError, CacheUnavailable, ConfigurationError
from ddb_cache_sync.sync.flights import Flights
from ddb_cache_sync.sync.loading import NO_VERSION, Loader, ReadTable, Wanted

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

DEFAULT_LEASE_SECONDS: Final = 2.0
"""Hundreds of times what reading an item takes."""

DEFAULT_CACHE_SECONDS: Final = 1.0
"""Enough to connect anew and to sit out a moment of trouble."""


class CacheReader:
    """Reads items from a cache that a `Replicator` keeps, and fills it where it misses them.

    Make one per process and keep it: it holds the connection. Safe to share between threads.

    Args:
        cache: What `connect` returns, any `redis.Redis`, or anything that keeps the contract of `ReadableCache`. It
            must lead to primaries, not to read replicas.
        table: The table's name.
        projection: How items become cache keys and values, as the replicator has it. None: what `options` say.
        table_client: boto3's client of DynamoDB, in the Region whose stream feeds the cache. With it a miss is read
            from the table and filled in. None: a miss is None.
        key_name: The name of the one key attribute, to give its value alone as a key. None: keys are mappings.
        lease_seconds: How long other processes wait for one that loads an item that all of them miss.
        cache_seconds: How long a failing cache is tried before the table is read instead.
        clock: Epoch seconds; for the time at which values expire.
        options: Those of `Projection`: `keys`, `encoding`, `mode` and more, as the replicator has them.

    Raises:
        ConfigurationError: An argument that can't be right, or an encoding that can't decode.
    """

    def __init__(
        self,
        cache: Readable,
        table: str,
        projection: Projection | None = None,
        *,
        table_client: "DynamoDBClient | None" = None,
        key_name: str | None = None,
        lease_seconds: float = DEFAULT_LEASE_SECONDS,
        cache_seconds: float = DEFAULT_CACHE_SECONDS,
        clock: Callable[[], float] = time.time,
        **options: Unpack[ProjectionOptions],
    ) -> None:
        if projection is not None and options:
            raise ConfigurationError(
                f"a projection and {', '.join(options)} beside it", hint="Give these to the projection."
            )
        if not 0.001 <= lease_seconds <= 60 or cache_seconds <= 0:
            raise ConfigurationError("a lease outside 1 ms to 60 s, or no time for the cache")
        given: object = table
        if not isinstance(given, str):
            raise ConfigurationError(f"the table is a {type(given).__name__}", hint="Give its name.")
        self._cache = readable_cache_of(cache)
        self._table = table
        self._projection = Projection(**options) if projection is None else projection
        if table_client is None and self._projection.mode != "replicate":
            raise ConfigurationError(
                f"mode {self._projection.mode} without a table client: nobody would fill the cache",
                hint="Give table_client=boto3.client('dynamodb').",
            )
        resource = hasattr(getattr(table_client, "meta", None), "client")
        if table_client is not None and (resource or not hasattr(table_client, "get_item")):
            raise ConfigurationError(
                f"the table client is a {type(table_client).__name__}", hint="Give boto3.client('dynamodb')."
            )
        self._key_name = key_name
        self._cache_seconds = cache_seconds
        self._decode = _decoder(self._projection)
        self._flights: Flights[Wanted, StoredValue | None] = Flights()
        self._loader = None
        if table_client is not None:
            self._loader = Loader(
                self._cache,
                self._projection,
                _table_reader(table_client, table),
                lease_seconds=lease_seconds,
                cache_seconds=cache_seconds,
                clock=clock,
            )

    def get(self, key: PrimaryKey) -> Any:
        """The item with this primary key; see `get_many`."""
        return self.get_many([key])[0]

    def get_many(self, keys: Sequence[PrimaryKey]) -> list[Any]:
        """The items with these primary keys.

        Args:
            keys: Each the values of the key attributes by name, `{"id": "42"}`; or the value alone, where the reader
                knows the attribute's name.

        Returns:
            For each key what the encoding's `decode` gives; None where there is no such item, or the projection leaves
            it out.

        Raises:
            RecordError: A key that can't be one, or an item of the table that can't be encoded.
            TableError: The table can't be read.
            CacheUnavailable: The cache can't be reached, and there is no table client.
            CacheError: The cache refuses us, by its permissions for instance; or, without a table client, a key holds
                no value of this encoding.
            ConfigurationError: The configuration can't be right for these keys.
        """
        wanted = [self._wanted(key) for key in keys]
        items = self._items({each.cache_key: each for each in wanted})
        return [items[each.cache_key] for each in wanted]

    def _wanted(self, key: PrimaryKey) -> Wanted:
        item_key = ItemKey(self._table, primary_key(key, self._key_name))
        cache_key = self._projection.cache_key(Remove(item_key, NO_VERSION))
        return Wanted(cache_key, self._projection.guard_key(cache_key), item_key)

    def _items(self, wanted: Mapping[str, Wanted]) -> dict[str, Any]:
        """What is wanted, decoded, by cache key."""
        loader = self._loader
        if loader is None:
            found, unfit = self._cached(wanted)
            if unfit:
                raise next(iter(unfit.values()))
            return {key: found.get(key) for key in wanted}
        try:
            found, unfit = ({}, {}) if loader.rests else self._cached(wanted)
        except CacheUnavailable as error:
            loader.rest(error)
            found, unfit = {}, {}
        for unread in unfit.values():
            loader.complain(unread)
        missing = {key: each for key, each in wanted.items() if key not in found and key not in unfit}
        for among, load in (
            ({key: wanted[key] for key in unfit}, loader.from_table),
            (missing, loader.from_table if loader.rests else loader.load),
        ):
            if among:
                loaded = self._flights.load(among, load)
                found |= {key: None if value is None else self._decoded(key, value) for key, value in loaded.items()}
        return found

    def _cached(self, wanted: Mapping[str, Wanted]) -> tuple[dict[str, Any], dict[str, CacheError]]:
        """What the cache has, decoded; and why a key's value is not to be had."""
        found: dict[str, Any] = {}
        unfit: dict[str, CacheError] = {}
        deadline = time.monotonic() + self._cache_seconds
        stored = self._cache.read([*wanted], self._projection.kind, deadline)
        for key, value in zip(wanted, stored, strict=True):
            if isinstance(value, CacheError):
                unfit[key] = value
            elif value is not None:
                try:
                    found[key] = self._decoded(key, value)
                except CacheError as error:
                    unfit[key] = error
        return found, unfit

    def _decoded(self, key: str, value: StoredValue) -> Any:
        try:
            return self._decode(value)
        except Exception:  # noqa: BLE001 - the caller's own code, perhaps; its text may repeat contents
            raise CacheError(
                f"key {key!r} holds no value of this encoding",
                hint="Give the reader the replicator's encoding, or delete what others have stored.",
            ) from None


def _decoder(projection: Projection) -> Callable[[StoredValue], Any]:
    decode: Callable[[StoredValue], Any] | None = getattr(projection.encoding, "decode", None)
    if decode is None:
        raise ConfigurationError(
            f"encoding {type(projection.encoding).__name__} has no decode", hint="A reader needs one: write it."
        )
    return decode


def _table_reader(client: "DynamoDBClient", table: str) -> ReadTable:
    from ddb_cache_sync.table import items  # noqa: PLC0415 - loads boto3, which only who reads a table needs

    def read(keys: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any] | None]:
        found = items.get_items(client, table, [Image(key) for key in keys])
        return [None if upsert is None else upsert.item.wire for upsert in found]

    return read
