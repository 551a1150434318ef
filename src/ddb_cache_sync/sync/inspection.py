"""Inspection of one cache key: what table, cache and guard say of it, side by side.

Rule: the guard is read before the item and again after the value. Where it has moved in between, the two sides were not
seen at one moment, and the inspection says so.
"""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal

from ddb_cache_sync.cache.inspecting import inspectable_cache_of
from ddb_cache_sync.core.changes import ItemKey, Remove
from ddb_cache_sync.core.expectations import NO_VERSION, Known, expected_at
from ddb_cache_sync.core.guards import DEFAULT_GUARD_TTL_SECONDS
from ddb_cache_sync.core.primary_keys import check_primary_key
from ddb_cache_sync.core.versions import Version
from ddb_cache_sync.errors import CacheError, ConfigurationError, RecordError
from ddb_cache_sync.sync.sides import PATIENCE_SECONDS, UNREADABLE, Sides, shown_guard

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from mypy_boto3_dynamodb import DynamoDBClient

    from ddb_cache_sync.cache.filling import Readable
    from ddb_cache_sync.core.attribute_values import Image
    from ddb_cache_sync.core.encodings.contract import StoredValue
    from ddb_cache_sync.core.projection import Projection, Router


@dataclass(frozen=True, slots=True)
class Inspection:
    """What was seen of one cache key."""

    key: str
    """The cache key."""
    verdict: Literal["agree", "missing", "stale", "orphaned", "moving", "failed"]
    """`moving`: a change was applied in between. `failed`: the item can't be carried."""
    item: Mapping[str, Any]
    """The item's primary key in DynamoDB JSON."""
    in_table: bool
    in_cache: bool
    guard_key: str
    guard: str
    """What the guard holds; empty: there is none."""
    stream_created_at_ms: int | None
    """By the guard's version: when the stream was created, epoch milliseconds; None: no version."""
    sequence_number: str | None
    """By the guard's version: of the change that was applied last; None: no version."""
    repaired: bool
    """Whether that change was followed by a repair."""
    applied_at: float | None
    """When a change, or a repair, was applied last, epoch seconds, by what the guard has left of its life."""
    value_expires_in_ms: int | None
    """None: never, or there is none."""
    guard_expires_in_ms: int | None
    slot: int | None
    """None: the cache is no cluster."""
    node: str
    """Which node serves the key."""
    reason: str | None
    """Why the item can't be carried."""
    expected: StoredValue | None
    """What the cache should hold: the item's contents."""
    found: StoredValue | None
    """What it holds."""

    def to_json(self, *, show_values: bool = False) -> dict[str, Any]:
        """As one object of plain values.

        Args:
            show_values: With the contents; else the sizes alone, in bytes.
        """
        plain = asdict(self)
        for name, value in (("expected", self.expected), ("found", self.found)):
            plain[f"{name}_bytes"] = _size(value)
            plain[name] = _text(value) if show_values else None
        return plain


def inspect(
    cache: Readable,
    router: Router,
    client: DynamoDBClient,
    table: str,
    *,
    key: str | None = None,
    item: Image | None = None,
    guard_ttl_seconds: int = DEFAULT_GUARD_TTL_SECONDS,
    clock: Callable[[], float] = time.time,
) -> list[Inspection]:
    """Look at one cache key, or at every cache key that an item may have.

    Args:
        cache: What `connect` returns, or anything that keeps the contract of `InspectableCache`.
        router: How items become cache keys and values, as the replicator has it.
        client: boto3's client of DynamoDB.
        table: The table's name.
        key: The cache key. None: those of `item`.
        item: The item's primary key. None: it is read back from `key`.
        guard_ttl_seconds: The replicator's.
        clock: Epoch seconds.

    Raises:
        ConfigurationError: Not one of key and item, a key that does not tell its item, or an item that has another
            primary key than the table.
        TableError: The table can't be read.
        CacheUnavailable: The cache can't be reached.
        CacheError: The cache refuses us.
    """
    from ddb_cache_sync.table.descriptions import table_description  # noqa: PLC0415 - loads boto3

    if (key is None) == (item is None):
        raise ConfigurationError("not one of a cache key and an item's primary key", hint="Give one of them.")
    described = table_description(client, table)
    if item is not None:
        check_primary_key(item, table, described.key_names, described.key_types)
    known = Known.of(router, table, described.key_names, described.key_types)
    sides = Sides(inspectable_cache_of(cache, guard_ttl_seconds), router, client, known, clock)
    if item is None:
        found = known.item_key(key or "")
        if found is None:
            raise ConfigurationError("the cache key does not tell its item", hint="Give the item's primary key.")
        return [_inspected(sides, found[0], found[1].attributes, key or "", guard_ttl_seconds)]
    keys: dict[str, Projection] = {}
    for projection in known.projections:
        try:
            keys.setdefault(projection.cache_key(Remove(ItemKey(table, item), NO_VERSION)), projection)
        except RecordError:
            continue
    return [_inspected(sides, projection, item, each, guard_ttl_seconds) for each, projection in keys.items()]


def _inspected(sides: Sides, projection: Projection, item_key: Image, key: str, guard_ttl_seconds: int) -> Inspection:
    guard_key = projection.guard_key(key)
    [before] = sides.guards([guard_key])
    [item] = sides.items([item_key])
    reason = None
    expected = None
    try:
        expected = expected_at(sides.router, projection, key, item, sides.clock())
    except RecordError as error:
        reason = error.problem
    [value] = sides.cache.read([key], projection.kind, time.monotonic() + PATIENCE_SECONDS)
    found = UNREADABLE if isinstance(value, CacheError) else value
    [guard] = sides.guards([guard_key])
    lives = sides.cache.lifetimes_ms([key, guard_key], time.monotonic() + PATIENCE_SECONDS)
    value_life, guard_life = (None if isinstance(life, CacheError) else life for life in lives)
    [applied_at] = sides.changed_at([guard_key], guard_ttl_seconds)
    slot, node = sides.cache.place_of(key)
    drift = None if expected is None else expected.drift(found)
    moving = drift is not None and guard != before
    version = _version(guard)
    return Inspection(
        key=key,
        verdict="failed" if expected is None else "moving" if moving else "agree" if drift is None else drift.value,
        item=_plain_key(item_key),
        in_table=item is not None,
        in_cache=found is not None,
        guard_key=guard_key,
        guard=shown_guard(guard),
        stream_created_at_ms=None if version is None else version.stream_label_ms,
        sequence_number=None if version is None else version.sequence_number,
        repaired=version is not None and version.count(":") > 2,
        applied_at=applied_at,
        value_expires_in_ms=value_life,
        guard_expires_in_ms=guard_life,
        slot=slot,
        node=node,
        reason=reason,
        expected=None if expected is None else expected.write.value,
        found=found,
    )


def _version(guard: str) -> Version | None:
    try:
        return Version.parse(guard)
    except ValueError:
        return None


def _plain_key(item_key: Image) -> dict[str, Any]:
    from ddb_cache_sync.table.items import key_for_json  # noqa: PLC0415 - loads boto3

    return key_for_json(item_key.wire)


def _size(value: StoredValue | None) -> int | None:
    if value is None or isinstance(value, bytes):
        return None if value is None else len(value)
    return sum(len(name.encode()) + len(content) for name, content in value.items())


def _text(value: StoredValue | None) -> Any:
    if value is None or isinstance(value, bytes):
        return None if value is None else value.decode(errors="replace")
    return {name: content.decode(errors="replace") for name, content in value.items()}
