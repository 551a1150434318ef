"""A table in memory whose stream can be delivered."""

from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any, get_args

from ddb_cache_sync.core.primary_keys import primary_key
from ddb_cache_sync.core.stream_records import ViewType
from ddb_cache_sync.core.versions import parse_stream_label
from ddb_cache_sync.errors import RecordError
from ddb_cache_sync.testing.events import DEFAULT_CREATED_AT, DEFAULT_STREAM_LABEL, attributes, stream_record


@dataclass(slots=True)
class MemoryTable:
    """A table in memory with a stream: each change that changes something adds a record to `records`.

    Raises:
        ValueError: A key that is not one or two names, a view type or a stream label that is none.
    """

    key: Sequence[str] = ("id",)
    """The names of the primary key's attributes."""
    name: str = "T"
    stream_label: str = DEFAULT_STREAM_LABEL
    """When the stream was created, as in its ARN."""
    first_sequence_number: int = 99_999_999_999_999_999_999_990
    """The default is about to grow by a digit, as real ones do."""
    items: dict[tuple[Any, ...], dict[str, Any]] = field(default_factory=dict)
    """Items by primary key, Python values."""
    records: list[dict[str, Any]] = field(default_factory=list)
    """What the stream holds, in order, as Lambda delivers it."""
    view_type: ViewType = "NEW_AND_OLD_IMAGES"
    """Which images the stream's records have."""

    def __post_init__(self) -> None:
        if isinstance(self.key, str):
            raise ValueError(f"the key {self.key!r} is a text. Write key=[{self.key!r}].")  # noqa: TRY004 - of all of them
        if not 1 <= len(set(self.key)) == len(self.key) <= 2:
            raise ValueError(f"a key of {len(self.key)} names. Give those of its one or two attributes, each once.")
        if self.view_type not in get_args(ViewType):
            raise ValueError(f"view type {self.view_type!r}. There are {', '.join(get_args(ViewType))}.")
        parse_stream_label(self.stream_label)

    def put(self, item: Mapping[str, Any]) -> dict[str, Any] | None:
        """Put an item; gives the stream's record, None where the item was the same already.

        Raises:
            ValueError: No item that the table could hold; names the attribute.
            TypeError: A value of a type that DynamoDB does not have.
        """
        return self._change({name: item[name] for name in self.key if name in item}, deepcopy(dict(item)))

    def remove(
        self, key: Mapping[str, Any] | None = None, /, *, by_ttl: bool = False, **named: Any
    ) -> dict[str, Any] | None:
        """Remove the item with this primary key; gives the stream's record, None where there was none.

        Args:
            key: The primary key: `remove({"user-id": "42"})`. None: `remove(id="42")` gives it.
            by_ttl: DynamoDB's time to live removes it.
            **named: The primary key, where the attributes' names can be arguments.

        Raises:
            ValueError: Not the attributes of the primary key.
        """
        return self._change({**(key or {}), **named}, None, by_ttl=by_ttl)

    def _change(
        self, key: Mapping[str, Any], new: dict[str, Any] | None, *, by_ttl: bool = False
    ) -> dict[str, Any] | None:
        self._check(key)
        wire = None if new is None else attributes(new)  # first, so that what can't be an item changes nothing
        identity = tuple(key[name] for name in self.key)
        old = self.items.pop(identity, None)
        if new is not None:
            self.items[identity] = new
        # In DynamoDB JSON, since to Python True is 1.
        if wire == (None if old is None else attributes(old)):
            return None
        place = len(self.records)
        record = stream_record(
            key,
            new,
            old,
            sequence_number=self.first_sequence_number + place,
            table=self.name,
            stream_label=self.stream_label,
            created_at=DEFAULT_CREATED_AT + place,
            view_type=self.view_type,
            by_ttl=by_ttl,
        )
        self.records.append(record)
        return record

    def _check(self, key: Mapping[str, Any]) -> None:
        if key.keys() != set(self.key):
            raise ValueError(
                f"table {self.name} has the primary key {', '.join(self.key)}, and "
                f"{', '.join(key) or 'none of it'} was given. Give each of its attributes."
            )
        try:
            primary_key(key, None)
        except RecordError as error:
            raise ValueError(error.problem) from None
