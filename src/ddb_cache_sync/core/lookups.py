"""Lookup keys: a second cache key by other attributes, such as an e-mail address.

Rules:

1. An item *claims* the lookup key of its new image and *releases* that of its old image where it is another one. A
   removal releases, and so does an item without a value of its own: left out, expired, or without one by its encoding.
   A word has the version of the newest change that has to do with its key, of those that are settled together. So
   whichever of these comes again, with others or alone, says it again, and puts right what was done by half.
2. An item that is stale claims nothing: what it said last was said by a newer change.
3. Versions of two items are not comparable, so a lookup key keeps, for each item that has touched it, that item's last
   word: its version, and whether it claims. An item's newer word replaces its older one and nobody else's.
4. Of several items that claim one lookup key, the one is shown whose claim expires last, never being the latest; then
   the one with the greatest version, then by its cache key. So what is shown depends on the last words alone, and not
   on the order of arrival. Where values are unique at any moment, one item is left claiming once all records have
   arrived: items that have expired count as gone, and whoever takes their value expires later.
5. No lookup key is ever a cache key, nor another template's lookup key: see `check_apart`.
"""

from collections.abc import Iterator, Sequence
from typing import Final, Literal, TypeAlias, get_args

from ddb_cache_sync.core.attribute_values import Image
from ddb_cache_sync.core.changes import Change, Remove, Upsert
from ddb_cache_sync.core.guards import guard_key
from ddb_cache_sync.core.templates import DEFAULT_MAX_KEY_BYTES, Template
from ddb_cache_sync.core.writes import Write
from ddb_cache_sync.errors import ConfigurationError, RecordError

Holds: TypeAlias = Literal["key", "item"]

_NO_KEY: Final = ({"S": ""}, {"B": ""}, {"B": b""})


class LookupKey(Template):
    """A second key by other attributes: `LookupKey("users:by-email:{email}")`.

    An item without one of the attributes, with an empty one, or with one that is not S, N or B, has no such key. The
    rules of escaping are those of `KeyTemplate`.

    Args:
        template: The template; it may name any attributes, the table's name and those of the primary key as well.
        holds: What the lookup key holds: the item's cache key, which a reader then gets, or the encoded item.
        max_bytes: Keys longer than this (bytes of UTF-8) are shortened.

    Raises:
        ConfigurationError: A template that can't keep values apart, or another `holds`.
    """

    __slots__ = ("holds",)

    def __init__(self, template: str, *, holds: Holds = "key", max_bytes: int = DEFAULT_MAX_KEY_BYTES) -> None:
        super().__init__(template, max_bytes=max_bytes)
        if holds not in get_args(Holds):
            raise ConfigurationError(
                f"lookup key {template!r} holds {holds!r}", hint="It can hold the item's 'key', or the 'item'."
            )
        self.holds: Final = holds

    def __str__(self) -> str:
        return f"lookup key {self.template!r}"

    def of(self, table: str, image: Image) -> str | None:
        """The lookup key of an item; None where it has none."""
        wire = image.wire
        for name in self._attributes:
            value = wire.get(name)
            if value in _NO_KEY or not (
                isinstance(value, dict) and len(value) == 1 and value.keys() <= {"S", "N", "B"}
            ):
                return None
        try:
            return self.text(table, wire)
        except RecordError:
            return None  # a malformed value: the item's encoding says what is wrong


def words(
    lookups: Sequence[LookupKey],
    own: Write,
    newest: Change,
    changes: Sequence[Change],
    guard_prefix: str,
    *,
    stale: bool,
) -> Iterator[Write]:
    """What an item says of lookup keys.

    Args:
        lookups: The lookup keys that items have.
        own: The write of the item's own key.
        newest: The change that it was made of.
        changes: All changes of the item that are settled with it, newest first: that one, and older ones.
        guard_prefix: What every guard key begins with.
        stale: Its own key has seen a newer change.

    Returns:
        A write for each lookup key that the changes concern, owned by the item.

    Raises:
        RecordError: A lookup key that can have no guard, or that should hold the item and can't.
    """
    table = newest.key.table
    claimed: dict[str, LookupKey] = {}
    if isinstance(newest, Upsert) and own.value is not None and not stale:
        for lookup in lookups:
            if (key := lookup.of(table, newest.item)) is not None:
                claimed.setdefault(key, lookup)
    versions = dict.fromkeys(claimed, own.version)
    for key, change in _concerned(lookups, changes):
        versions.setdefault(key, own.version if change is newest else change.version)
    for key, version in versions.items():
        word = Write(key, guard_key(key, guard_prefix), version, None, owner=own.key)
        if key not in claimed:
            yield word
        elif claimed[key].holds == "key":
            yield word._replace(value=own.key.encode(), expires_at_ms=own.expires_at_ms)
        elif isinstance(own.value, bytes):
            yield word._replace(value=own.value, expires_at_ms=own.expires_at_ms)
        else:
            raise RecordError("the encoding gave a hash, and a lookup key that holds the item is a string")


def _concerned(lookups: Sequence[LookupKey], changes: Sequence[Change]) -> Iterator[tuple[str, Change]]:
    """The lookup keys that items had before or after these changes, each with the change."""
    for change in changes:
        for image in _images(change):
            for lookup in lookups:
                if (key := lookup.of(change.key.table, image)) is not None:
                    yield key, change


def _images(change: Change) -> Iterator[Image]:
    if isinstance(change, Upsert):
        yield change.item
    if isinstance(change, Upsert | Remove) and change.old is not None:
        yield change.old


def check_apart(one: Template, other: Template) -> None:
    """Make sure that no key of one template is a key of the other.

    Raises:
        ConfigurationError: It can't be told.
    """
    if not one.apart_from(other):
        raise ConfigurationError(
            f"{one} and {other} could give the same key",
            hint="Put a word of its own into one of them, as in users:by-email:{email}.",
        )
