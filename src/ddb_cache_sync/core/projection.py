"""Projection: from a change to the writes that its cache keys need. Pure: no cache, no table, no clock.

The three modes differ in what an upsert writes; a removal deletes the key in all of them, and the guard is kept in all
of them, so that nothing older can come back:

| mode | an upsert |
|---|---|
| replicate | writes the value |
| invalidate | deletes the key: readers fill it again |
| refresh | writes the value where the key exists |
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, Literal, Protocol, TypeAlias, TypedDict, get_args

from ddb_cache_sync.core.attribute_values import Image
from ddb_cache_sync.core.changes import Change, LeftOut, Remove, Touch, Upsert, new_tuple
from ddb_cache_sync.core.encodings import Encoding, JsonEncoding
from ddb_cache_sync.core.encodings.contract import StoredValue
from ddb_cache_sync.core.expiry import Expires, Expiry
from ddb_cache_sync.core.guards import DEFAULT_GUARD_PREFIX, check_guard_prefix, guard_key, lease_key
from ddb_cache_sync.core.keys import KeyMapping, KeyTemplate, table_key_of, table_keys
from ddb_cache_sync.core.lookups import LookupKey, check_apart, words
from ddb_cache_sync.core.straight import StraightWay
from ddb_cache_sync.core.templates import Template
from ddb_cache_sync.core.transforms import Transform, apply_transforms, check_transforms
from ddb_cache_sync.core.writes import Write
from ddb_cache_sync.errors import CacheSyncError, ConfigurationError, RecordError

Mode: TypeAlias = Literal["replicate", "invalidate", "refresh"]

_NEVER: Final = Expires(None)


class ProjectionOptions(TypedDict, total=False):
    """What a projection can be told; `Projection` says what each means."""

    keys: KeyMapping
    encoding: Encoding | None
    mode: Mode
    transforms: Sequence[Transform]
    expiry: Expiry | None
    lookups: Sequence[LookupKey]
    keep_ttl_removals: bool
    guard_prefix: str


class Projection:
    """How items become cache keys and values.

    Args:
        keys: The key mapping: a `KeyTemplate`, or any callable from a change to its cache key.
        encoding: The form in which items are stored. None: `JsonEncoding()`.
        guard_prefix: What every guard key begins with.
        mode: What an upsert does: `replicate` writes the value, `invalidate` deletes the key, `refresh` writes the
            value where the key exists.
        transforms: What items go through before they are encoded, in order; they filter as well.
        expiry: When values expire. None: never.
        lookups: Second keys by other attributes; in mode `replicate` only. They need a stream with new and old images.
        keep_ttl_removals: Keep what DynamoDB's time to live removes from the table.

    Attributes:
        straight: A shorter way to the same writes. None: there is none.

    Raises:
        ConfigurationError: An argument that can't be right.
    """

    __slots__ = (
        "_encoding",
        "_expiry",
        "_guard_prefix",
        "_keeps_ttl_removals",
        "_keys",
        "_known_tables",
        "_plain",
        "_transforms",
        "_with_fixed",
        "lookups",
        "mode",
        "straight",
    )

    def __init__(
        self,
        keys: KeyMapping = table_keys,
        encoding: Encoding | None = None,
        guard_prefix: str = DEFAULT_GUARD_PREFIX,
        *,
        mode: Mode = "replicate",
        transforms: Sequence[Transform] = (),
        expiry: Expiry | None = None,
        lookups: Sequence[LookupKey] = (),
        keep_ttl_removals: bool = False,
    ) -> None:
        if not callable(keys):
            raise ConfigurationError(
                f"keys is a {type(keys).__name__}", hint="Write KeyTemplate(...), or give a callable."
            )
        given: object = encoding
        if given is not None and (isinstance(given, str | type) or not callable(getattr(given, "encode", None))):
            raise ConfigurationError(
                f"encoding is a {type(given).__name__}", hint="Write JsonEncoding(), or encoding_named('json+zlib')."
            )
        if mode not in get_args(Mode):
            raise ConfigurationError(f"mode {mode!r}", hint=f"There are {', '.join(get_args(Mode))}.")
        self._keys: Final = keys
        self._known_tables: Final[set[tuple[str, int]]] = set()  # whose lookup keys have been checked
        self._with_fixed: Final[dict[tuple[tuple[str, str], ...], Projection]] = {}
        self._encoding: Final = encoding or JsonEncoding()
        self._guard_prefix: Final = check_guard_prefix(guard_prefix)
        if isinstance(keys, KeyTemplate) and keys.beginning.startswith(guard_prefix):
            raise ConfigurationError(
                f"every key of {keys} begins with the guard prefix {guard_prefix!r}", hint="Change one of them."
            )
        self.mode: Final = mode
        self._transforms: Final = check_transforms(transforms)
        if expiry is not None and not isinstance(expiry, Expiry):
            raise ConfigurationError(f"expiry is a {type(expiry).__name__}", hint="Write Expiry(...).")
        self._expiry: Final = expiry
        self._keeps_ttl_removals: Final = keep_ttl_removals
        self.lookups: Final = self._checked_lookups(lookups)
        self._plain: Final = mode == "replicate" and expiry is None and not self._transforms
        self.straight: Final = self._straight_way()

    @property
    def encoding(self) -> Encoding:
        """The form in which items are stored."""
        return self._encoding

    @property
    def kind(self) -> str:
        """What cache keys hold: `string` or `hash`."""
        kind: str = getattr(self._encoding, "kind", "string")
        return kind

    @property
    def has_fixed_lifetime(self) -> bool:
        """Whether values go by themselves some time after the change that wrote them."""
        return self._expiry is not None and self._expiry.seconds is not None

    def lease_key(self, guard: str) -> str:
        """The key of the lease beside a guard of this projection."""
        return lease_key(guard, self._guard_prefix)

    def guard_key(self, cache_key: str) -> str:
        """The key of the guard beside a cache key.

        Raises:
            RecordError: A cache key that can have no guard.
        """
        return guard_key(cache_key, self._guard_prefix)

    @property
    def needs_old_images(self) -> bool:
        """Whether changes must come with their old images."""
        return bool(self.lookups)

    @property
    def expiry(self) -> Expiry | None:
        """When values expire; None: never."""
        return self._expiry

    @property
    def guard_prefix(self) -> str:
        """What every guard key begins with."""
        return self._guard_prefix

    def leaves_out(self, change: Change) -> bool:
        """Whether this change is none of the cache's business: nothing is to be written for it."""
        return self._keeps_ttl_removals and type(change) is Remove and change.by_ttl

    def routed(self, change: Change) -> Iterable[tuple["Projection", Change]]:
        """Itself, whatever the change: a projection is the simplest router."""
        return ((self, change),)

    @property
    def keys(self) -> KeyMapping:
        """The key mapping."""
        return self._keys

    def with_fixed(self, fixed: Mapping[str, str]) -> "Projection":
        """The same for items that have these texts, which its key template leaves out; each time the same object.

        Raises:
            ConfigurationError: Its key mapping is no template, or what is fixed can't be right.
        """
        wanted = tuple(sorted(fixed.items()))
        if wanted not in self._with_fixed:
            if not isinstance(self._keys, KeyTemplate):
                raise ConfigurationError("a key mapping that is no template leaves out nothing", hint="Drop fixed.")
            self._with_fixed[wanted] = Projection(
                self._keys.with_fixed(fixed),
                self._encoding,
                self._guard_prefix,
                mode=self.mode,
                transforms=self._transforms,
                expiry=self._expiry,
                lookups=self.lookups,
                keep_ttl_removals=self._keeps_ttl_removals,
            )
        return self._with_fixed[wanted]

    @property
    def keeps_ttl_removals(self) -> bool:
        """Whether it keeps what DynamoDB's time to live removes from the table."""
        return self._keeps_ttl_removals

    def cache_key(self, change: Change) -> str:
        """The cache key of the changed item.

        Raises:
            RecordError: The key mapping failed, or gave no text.
            ConfigurationError: The key mapping can't be right for this table, or the stream for this mode.
        """
        if type(change) is Touch and self.mode != "invalidate":
            raise ConfigurationError(
                f"the stream of table {change.key.table} has a view type that carries no new image",
                hint="Make a new stream with NEW_IMAGE or NEW_AND_OLD_IMAGES: a stream keeps its view type. Or use "
                "mode invalidate, which needs no image.",
            )
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

    def write(self, cache_key: str, change: Change, now: float = 0.0, *, filling: bool = False) -> Write:
        """The write that brings this cache key to this change.

        Args:
            cache_key: What `cache_key` gave for the change.
            change: The change.
            now: Epoch seconds, for the expiry.
            filling: The item was read to be put where the key is missing: so it is written in every mode.

        Raises:
            RecordError: The item can't be encoded, or the cache key can have no guard.
        """
        guard = guard_key(cache_key, self._guard_prefix)
        if not isinstance(change, Upsert) or (self.mode == "invalidate" and not filling):
            return Write(cache_key, guard, change.version, None, left_out=type(change) is LeftOut)
        if self._plain:
            value = self._encoded(change.item)
            return new_tuple(Write, (cache_key, guard, change.version, value, None, False, None, value is None, None))
        item, expires, left_out = self._kept(cache_key, change, now)
        value = None if item is None else self._encoded(item)
        return Write(
            cache_key,
            guard,
            change.version,
            value,
            expires_at_ms=None if value is None else expires.at_ms,
            only_cached=self.mode == "refresh" and value is not None and not filling,
            left_out=left_out or (item is not None and value is None),
            notice=expires.notice,
        )

    def check_table(self, change: Change) -> None:
        """Make sure that the lookup keys can't be cache keys of the default mapping, now that the table is known.

        Raises:
            ConfigurationError: They could.
        """
        shape = (change.key.table, len(change.key.attributes.wire))
        if self._keys is table_keys and shape not in self._known_tables:
            own = Template(":".join([shape[0], *["{key}"] * shape[1]]))
            for lookup in self.lookups:
                check_apart(lookup, own)
            self._known_tables.add(shape)

    def words(self, own: Write, newest: Change, changes: Sequence[Change], *, stale: bool) -> Iterator[Write]:
        """What an item says of lookup keys, see `lookups.words`."""
        return words(self.lookups, own, newest, changes, self._guard_prefix, stale=stale)

    def _kept(self, cache_key: str, change: Upsert, now: float) -> tuple[Image | None, Expires, bool]:
        """The item as it is encoded, None where it is not to be in the cache; and whether it is left out of it."""
        expires = _NEVER
        if self._expiry is not None:
            expires = self._expiry.of(change.item, cache_key, change.version, now)
            if expires.at_ms is not None and expires.at_ms <= now * 1000:
                return None, expires, False
        item = apply_transforms(self._transforms, change.item) if self._transforms else change.item
        return item, expires, item is None

    def _straight_way(self) -> StraightWay | None:
        """The straight way to its writes, where nobody's own code is on it; a subclass's is."""
        simple = self._plain and not self.lookups and not self._keeps_ttl_removals and type(self) is Projection
        if not simple or type(self._encoding) is not JsonEncoding:
            return None
        if self._keys is table_keys:
            return StraightWay(table_key_of, self._guard_prefix)
        keys = self._keys
        if type(keys) is not KeyTemplate:
            return None
        return StraightWay(keys.key_of, self._guard_prefix, keys.record_reader)

    def _checked_lookups(self, lookups: Sequence[LookupKey]) -> tuple[LookupKey, ...]:
        if not isinstance(lookups, list | tuple):
            raise ConfigurationError(f"lookups is a {type(lookups).__name__}", hint="Give a list of LookupKey.")
        if lookups and self.mode != "replicate":
            raise ConfigurationError(
                f"lookup keys in mode {self.mode}", hint="They are kept in mode replicate only: nobody could fill them."
            )
        if lookups and self._keeps_ttl_removals:
            raise ConfigurationError(
                "lookup keys, and TTL removals kept",
                hint="A value whose item is kept could not be passed on: drop one.",
            )
        for place, lookup in enumerate(lookups):
            if not isinstance(lookup, LookupKey):
                raise ConfigurationError(
                    f"a lookup key is a {type(lookup).__name__}", hint="Write LookupKey('users:by-email:{email}')."
                )
            if lookup.holds == "item" and self.kind != "string":
                raise ConfigurationError(
                    f"{lookup} holds the item, and the encoding stores hashes", hint="Let it hold the item's key."
                )
            if lookup.beginning.startswith(self._guard_prefix):
                raise ConfigurationError(f"{lookup} begins with the guard prefix", hint="Change one of them.")
            for other in (*([self._keys] if isinstance(self._keys, Template) else []), *lookups[:place]):
                check_apart(lookup, other)
        return tuple(lookups)

    def _encoded(self, item: Image) -> StoredValue | None:
        """The item's stored value; None: the encoding has none for it."""
        try:
            value: Any = self._encoding.encode(item)
        except CacheSyncError:
            raise
        except Exception as error:  # noqa: BLE001 - the caller's own code; its text may repeat contents
            raise RecordError(f"the encoding raised {type(error).__name__}") from None
        if type(value) is bytes or value is None:
            return value
        return _checked(value)


class Router(Protocol):
    """Says which projections a change goes through."""

    @property
    def needs_old_images(self) -> bool:
        """Whether changes must come with their old images."""
        ...

    def routed(self, change: Change, /) -> Iterable[tuple[Projection, Change]]:
        """Each projection whose cache keys the change concerns, and what the change is to it.

        Contract: pure. An item that a projection may have held and holds no more is a `Remove` to it, so that its key
        goes (a `LeftOut` where the table still has it); no two of the projections give the change the same cache key.
        None at all: the change is left out.

        Raises:
            RecordError: The change belongs nowhere, which makes its record a poison record.
        """
        ...


def routed(router: Router, change: Change) -> Sequence[tuple[Projection, Change]]:
    """What a router says, all of it before anything is made of it.

    Raises:
        RecordError: The change belongs nowhere, or the router failed.
    """
    try:
        return tuple(router.routed(change))
    except CacheSyncError:
        raise
    except Exception as error:  # noqa: BLE001 - the caller's own code; its text may repeat contents
        raise RecordError(f"the router raised {type(error).__name__}") from None


def _checked(value: object) -> StoredValue:
    """What an encoding gave, if it can be stored."""
    if isinstance(value, bytes):
        return value
    if not isinstance(value, dict):
        raise RecordError(f"the encoding gave a {type(value).__name__}, not bytes")
    if not value:
        raise RecordError("the encoding gave a hash without fields")
    for field, content in value.items():
        if not isinstance(field, str) or not isinstance(content, bytes):
            raise RecordError("the encoding gave a hash whose fields are not text with bytes")
    return value
