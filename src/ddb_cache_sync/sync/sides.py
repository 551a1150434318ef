"""Both sides of a comparison, read: items from the table, guards and values from the cache."""

from __future__ import annotations

import hashlib
import time
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias

import orjson

from ddb_cache_sync.core.attribute_values import Image
from ddb_cache_sync.core.changes import Upsert
from ddb_cache_sync.core.encodings.dynamodb_json import DynamoDBJsonEncoding
from ddb_cache_sync.core.versions import Version
from ddb_cache_sync.errors import CacheError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from mypy_boto3_dynamodb import DynamoDBClient

    from ddb_cache_sync.cache.contract import InspectableCache
    from ddb_cache_sync.core.changes import ItemKey
    from ddb_cache_sync.core.encodings.contract import StoredValue
    from ddb_cache_sync.core.expectations import Expected, Known
    from ddb_cache_sync.core.lookup_words import LastWord
    from ddb_cache_sync.core.projection import Router
    from ddb_cache_sync.table.capacity import CapacityLimiter
    from ddb_cache_sync.table.scanning import ScanPage

OnProgress: TypeAlias = "Callable[[str, int, int], object]"
"""Told what is being done, how much of it more is done, and about how much there is (0: not known)."""

OnLooks: TypeAlias = "Callable[[int, float], object]"
"""Told, before it waits, how many keys differ, and for how many seconds they are looked at again."""

PATIENCE_SECONDS: Final = 60.0
"""How long a failing cache is tried again."""

UNREADABLE: Final[StoredValue] = {}
"""In the place of what a key of another type holds; no key holds an empty hash."""

UNREADABLE_GUARD: Final = "?"

_WHOLE: Final = DynamoDBJsonEncoding()


class Sides(NamedTuple):
    """A table and its cache."""

    cache: InspectableCache
    router: Router
    client: DynamoDBClient
    known: Known
    clock: Callable[[], float]
    """Epoch seconds."""
    limiter: CapacityLimiter | None = None
    """How fast the table is read."""

    def pages(
        self, segment: int, segments: int, *, consistent: bool, start_key: Mapping[str, Any] | None = None
    ) -> Iterator[ScanPage]:
        """A segment of the table, from its beginning or after the page whose `last_key` is given."""
        from ddb_cache_sync.table.scanning import scan_segment  # noqa: PLC0415 - loads boto3

        return scan_segment(
            self.client,
            self.known.table,
            self.known.key_names,
            segment=segment,
            segments=segments,
            start_key=start_key,
            consistent=consistent,
            limiter=self.limiter,
        )

    def items(self, keys: Sequence[Image]) -> list[Upsert | None]:
        """The items with these primary keys, read consistently; None where there is none."""
        from ddb_cache_sync.table.items import get_items  # noqa: PLC0415 - loads boto3

        if not keys:
            return []
        reserved = 0.0 if self.limiter is None else self.limiter.reserve()
        found = get_items(self.client, self.known.table, keys)
        if self.limiter is not None:
            # At least that: an item of more than 4 KB takes more, which BatchGetItem tells of all together only.
            self.limiter.settle(reserved, units=len(keys), items=len(keys))
        return found

    def values(self, expected: Sequence[Expected]) -> dict[str, StoredValue | None]:
        """What the cache holds, by cache key."""
        values: dict[str, StoredValue | None] = {}
        for kind in {each.projection.kind for each in expected}:
            keys = [each.key for each in expected if each.projection.kind == kind]
            read = self.cache.read(keys, kind, time.monotonic() + PATIENCE_SECONDS)
            for key, value in zip(keys, read, strict=True):
                values[key] = UNREADABLE if isinstance(value, CacheError) else value
        return values

    def strings(self, keys: Sequence[str]) -> dict[str, StoredValue | None]:
        """What these keys hold, as lookup keys do."""
        read = self.cache.read(keys, "string", time.monotonic() + PATIENCE_SECONDS)
        return {
            key: UNREADABLE if isinstance(value, CacheError) else value for key, value in zip(keys, read, strict=True)
        }

    def words(self, guards: Sequence[str]) -> list[Mapping[str, LastWord]]:
        """The last words on the lookup keys beside these guards; none, where a guard is of another kind."""
        read = self.cache.last_words(guards, time.monotonic() + PATIENCE_SECONDS)
        return [{} if isinstance(words, CacheError) else words for words in read]

    def guards(self, guards: Sequence[str]) -> list[str]:
        """What these guards hold; empty: there is none."""
        read = self.cache.versions(guards, time.monotonic() + PATIENCE_SECONDS)
        return [UNREADABLE_GUARD if isinstance(version, CacheError) else version for version in read]

    def changed_at(self, guards: Sequence[str], guard_ttl_seconds: float) -> list[float | None]:
        """When each guard was set, epoch seconds, by what is left of its life; None: there is none."""
        lives = self.cache.lifetimes_ms(guards, time.monotonic() + PATIENCE_SECONDS)
        now = self.clock()
        return [now - guard_ttl_seconds + life / 1000 if isinstance(life, int) else None for life in lives]


def state_of(item: Upsert | None, guard: str, value: StoredValue | None) -> bytes:
    """Stands for all three: another one is another state.

    Raises:
        RecordError: The item is malformed.
    """
    return digest_of([bytes_of(item), guard.encode(), bytes_of(value)])


def bytes_of(held: Upsert | StoredValue | None) -> bytes:
    """An item, or a value, as bytes; empty for none.

    Raises:
        RecordError: The item is malformed.
    """
    if isinstance(held, Upsert):
        return b"i" + _WHOLE.encode(held.item)
    if isinstance(held, bytes):
        return b"s" + held
    return b"" if held is None else b"h" + repr(sorted(held.items())).encode()


def digest_of(parts: Iterable[bytes]) -> bytes:
    """Stands for these parts, in this order."""
    digest = hashlib.blake2b(digest_size=16)
    for part in parts:
        digest.update(b"%d:" % len(part) + part)
    return digest.digest()


def is_version(guard: str) -> bool:
    """Whether what a guard holds is a version; nobody else should have written it."""
    try:
        Version.parse(guard)
    except ValueError:
        return False
    return True


def shown_guard(guard: str) -> str:
    """What a guard holds, for a report: what is no version may be anybody's, and is not repeated."""
    return guard if not guard or is_version(guard) else "(not a version)"


def key_text(key: ItemKey) -> str:
    """A primary key as JSON text."""
    from ddb_cache_sync.table.items import key_for_json  # noqa: PLC0415 - loads boto3

    return orjson.dumps(key_for_json(key.attributes.wire)).decode()


def key_of_text(text: str) -> Image:
    """The primary key that `key_text` wrote."""
    return Image(orjson.loads(text))
