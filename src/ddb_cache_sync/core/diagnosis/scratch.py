"""Writes to a scratch key, which show that the cache does what the applier asks of it. Pure.

Rule: the scratch key is one that the key mapping gives for an item that no table has, so the permissions for it are
those for any item's; every way of writing that the configuration uses comes up; and the last write removes the key.
"""

import base64
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from ddb_cache_sync.core.attribute_values import Image
from ddb_cache_sync.core.changes import ItemKey, Remove
from ddb_cache_sync.core.encodings.contract import StoredValue
from ddb_cache_sync.core.guards import guard_key
from ddb_cache_sync.core.keys import KeyTemplate
from ddb_cache_sync.core.outcomes import APPLIED, STALE, Outcome
from ddb_cache_sync.core.projection import Projection
from ddb_cache_sync.core.versions import Version
from ddb_cache_sync.core.writes import Write

_NAME: Final = "ddb-cache-sync-doctor"
_EXPIRES_MS: Final = 60_000


class Step(NamedTuple):
    """A write, and what has to come of it."""

    write: Write
    outcome: Outcome


class Scratch(NamedTuple):
    """A scratch key and what is written to it."""

    key: str
    steps: tuple[Step, ...]
    """To be applied one by one."""

    @property
    def keys(self) -> list[tuple[str, str]]:
        """Each cache key that is written to, and its guard."""
        return [*dict.fromkeys((step.write.key, step.write.guard) for step in self.steps)]


def together(scratches: Sequence[Scratch]) -> Scratch:
    """Several scratch keys as one, at least one of them."""
    return Scratch(scratches[0].key, tuple(step for each in scratches for step in each.steps))


class _AnyAttribute(dict[str, Any]):
    """Has every attribute that a template may name."""

    def __init__(self, value: Mapping[str, str]) -> None:
        super().__init__()
        self._value = value

    def __missing__(self, _: str) -> Mapping[str, str]:
        return self._value


def scratch_writes(
    projection: Projection, table: str, key_types: Mapping[str, str], mark: str, now: float = 0.0
) -> Scratch:
    """The scratch key for a table, and what to write to it.

    Args:
        projection: The configuration.
        table: The table's name.
        key_types: The primary key's attributes, each with its type: S, N or B.
        mark: Digits that nobody else uses, at most 38.
        now: Epoch seconds, for the expiry.

    Raises:
        ConfigurationError: The key mapping does not fit the table.
        RecordError: The key mapping failed.
    """
    values = {"S": f"{_NAME}-{mark}", "N": mark, "B": base64.b64encode(f"{_NAME}-{mark}".encode()).decode()}
    wire = {name: {kind: values[kind]} for name, kind in key_types.items()}
    if isinstance(projection.keys, KeyTemplate):
        # Such a scratch key is that of no item all the same: the other attribute of its key tells.
        wire |= {name: {"S": text} for name, text in projection.keys.fixed.items() if key_types.get(name) == "S"}
    key = projection.cache_key(Remove(ItemKey(table, Image(wire)), _version(1)))
    steps = [*_own_key(projection, key, now)]
    for lookup in projection.lookups:
        steps += _lookup_key(projection, lookup.text(table, _AnyAttribute({"S": values["S"]})), key)
    return Scratch(key, tuple(steps))


def _own_key(projection: Projection, key: str, now: float) -> Iterator[Step]:
    removal = Write(key, guard_key(key, projection.guard_prefix), _version(1), None)
    # First, so that nothing is left where values can be written and not be removed.
    yield Step(removal, APPLIED)
    if projection.mode != "invalidate":
        written = removal._replace(version=_version(2), value=_value(projection))
        yield Step(written, APPLIED)
        if projection.expiry is not None or projection.mode == "refresh":
            expires = None if projection.expiry is None else int(now * 1000) + _EXPIRES_MS
            yield Step(written._replace(expires_at_ms=expires, only_cached=projection.mode == "refresh"), APPLIED)
    yield Step(removal._replace(version=_version(3)), APPLIED)
    yield Step(removal, STALE)


def _lookup_key(projection: Projection, lookup_key: str, key: str) -> Iterator[Step]:
    """Two items that pass a lookup key on to each other, and give it up."""
    base = Write(lookup_key, guard_key(lookup_key, projection.guard_prefix), _version(1), None)
    for number, owner, claims in ((1, key, True), (2, f"{key}-2", True), (3, f"{key}-2", False), (4, key, False)):
        value = owner.encode() if claims else None
        yield Step(base._replace(version=_version(number), value=value, owner=owner), APPLIED)


def _value(projection: Projection) -> StoredValue:
    return {_NAME: b"1"} if projection.kind == "hash" else _NAME.encode()


def _version(number: int) -> Version:
    return Version.of(0, str(number))
