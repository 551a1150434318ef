"""What the cache should hold for an item now: for verify, repair and inspect. Pure: no cache, no table, no clock.

Rules:

1. A value is compared as the projection would write it now, compressed ones by what they expand to.
2. In the modes `invalidate` and `refresh` a key may be missing, and so may one that has a fixed time to live.
3. An item that has expired by now says nothing: either side may have dropped it already.
4. Where what time to live removes from the table is kept, a table that has no such item says nothing either: only the
   cache has what was kept.
5. A cache key is read back into the primary key of its item where the key mapping is a template, or the default. The
   key that is made of what was read must be the same again.
"""

import base64
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from ddb_cache_sync.core.attribute_values import Image
from ddb_cache_sync.core.changes import ItemKey, Remove, Upsert
from ddb_cache_sync.core.comparison import Drift, drift
from ddb_cache_sync.core.encodings.compressed import Compressed
from ddb_cache_sync.core.encodings.contract import StoredValue
from ddb_cache_sync.core.keys import KeyTemplate
from ddb_cache_sync.core.layouts import own_template, projections_of
from ddb_cache_sync.core.projection import Projection, Router
from ddb_cache_sync.core.versions import Version
from ddb_cache_sync.core.writes import Write
from ddb_cache_sync.errors import CacheSyncError

NO_VERSION: Final = Version.of(0, "0")


class Expected(NamedTuple):
    """What one cache key should hold."""

    projection: Projection
    write: Write
    """The write that would bring it there."""
    may_be_missing: bool = False
    expired: bool = False
    """The item has expired by now: whatever the key holds is right."""
    untold: bool = False
    """The table has no such item, and the key may hold what was kept of one (rule 4): it can hold anything."""

    @property
    def key(self) -> str:
        """The cache key."""
        return self.write.key

    def drift(self, found: StoredValue | None) -> Drift | None:
        """How what was found differs; None: it does not."""
        if self.expired or self.untold or (found is None and self.may_be_missing):
            return None
        kind = drift(self.write.value, found)
        same = kind is Drift.STALE and expand_alike(self.projection, self.write.value, found)
        return None if same else kind


class Known(NamedTuple):
    """A table whose cache keys are looked at."""

    table: str
    key_names: Sequence[str]
    key_types: Sequence[str]
    """Of each key attribute: S, N or B."""
    projections: Sequence[Projection]
    router: Router

    @classmethod
    def of(cls, router: Router, table: str, key_names: Sequence[str], key_types: Sequence[str]) -> "Known":
        """All projections that items of the table can go through.

        Raises:
            ConfigurationError: A router of one's own, which can't be asked.
        """
        return cls(table, key_names, key_types, projections_of(router, table), router)

    def template_of(self, projection: Projection) -> KeyTemplate | None:
        """The key mapping as a template; None: it is a callable of one's own, or can't be written as one."""
        return own_template(projection, self.key_names)

    def beginning_of(self, projection: Projection) -> str:
        """What every cache key of a projection begins with; empty: nothing is known of it."""
        template = self.template_of(projection)
        return "" if template is None else template.beginning_for(self.table)

    def can_be(self, projection: Projection, key: str) -> bool:
        """Whether a cache key has the form of this projection's: lookup keys, for one, have not."""
        template = self.template_of(projection)
        return template is not None and template.form_for(self.table).fullmatch(key) is not None

    def lookup_of(self, key: str) -> Projection | None:
        """A projection one of whose lookup keys a key can be, by its form; None: it can be none."""
        for projection in self.projections:
            if any(lookup.form_for(self.table).fullmatch(key) for lookup in projection.lookups):
                return projection
        return None

    def item_key(self, key: str) -> tuple[Projection, ItemKey] | None:
        """The primary key that a cache key was made of; None: it can't be told."""
        for projection in self.projections:
            template = self.template_of(projection)
            values = None if template is None else template.values_of(key)
            if template is None or values is None or values.pop("table", self.table) != self.table:
                continue
            values |= template.fixed
            if values.keys() != {*self.key_names}:
                continue
            types = dict(zip(self.key_names, self.key_types, strict=True))
            try:
                wire = {name: {types[name]: _wire(types[name], text)} for name, text in values.items()}
                item_key = ItemKey(self.table, Image(wire))
                removal = Remove(item_key, NO_VERSION)
                if projection.cache_key(removal) == key and not (
                    template.fixed and self._is_elsewhere(projection, removal)
                ):
                    return projection, item_key
            except (CacheSyncError, ValueError):
                continue
        return None

    def _is_elsewhere(self, projection: Projection, change: Remove) -> bool:
        """Whether an item does not go through a projection: of two that leave out different texts, one has the key.

        Raises:
            RecordError: No route takes such an item.
        """
        return all(each is not projection for each, _ in self.router.routed(change))


def expected_of(router: Router, upsert: Upsert, now: float) -> Iterator[Expected]:
    """What the cache keys of an item should hold: its own its value, those it may have had before nothing.

    Raises:
        RecordError: The item can't be carried.
        ConfigurationError: The configuration can't be right for it.
    """
    for projection, seen in router.routed(upsert):
        key = projection.cache_key(seen)
        write = projection.write(key, seen, now, filling=True)
        held = isinstance(seen, Upsert)
        expired = held and write.value is None and not write.left_out
        yield Expected(projection, write, _may_be_missing(projection), expired)


def nothing_expected(projection: Projection, key: str) -> Expected:
    """What a cache key should hold that no item has."""
    return Expected(projection, Write(key, projection.guard_key(key), NO_VERSION, None))


def expected_at(router: Router, projection: Projection, key: str, item: Upsert | None, now: float) -> Expected:
    """What one cache key should hold, given its item; None: the table has no such item.

    Raises:
        RecordError: The item can't be carried.
    """
    if item is not None:
        for each in expected_of(router, item, now):
            if each.key == key:
                return each
    return nothing_expected(projection, key)._replace(untold=item is None and projection.keeps_ttl_removals)


def _may_be_missing(projection: Projection) -> bool:
    return projection.mode != "replicate" or projection.has_fixed_lifetime


def expand_alike(projection: Projection, expected: StoredValue | None, found: StoredValue | None) -> bool:
    """Whether two compressed values expand to the same."""
    encoding = projection.encoding
    if not isinstance(encoding, Compressed) or expected is None or found is None:
        return False
    try:
        return encoding.expand(expected) == encoding.expand(found)
    except ValueError:
        return False


def _wire(tag: str, text: str) -> str:
    """A key attribute's content, of its text in a cache key. None is empty, or DynamoDB would refuse to look it up.

    Raises:
        ValueError: No such text.
    """
    if not text:
        raise ValueError("an empty key attribute")
    if tag != "B":
        return text
    return base64.b64encode(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))).decode()
