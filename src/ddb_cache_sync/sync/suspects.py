"""What a verification keeps on disk, so that its memory stays the same whatever the table's size: an SQLite file.

Rule: a cache key is noted when it is seen, and struck out when an item explains it. The keys themselves are kept, not
digests, since those that are left over have to be looked at again, and named.
"""

from __future__ import annotations

import sqlite3
import tempfile
import threading
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Self

from ddb_cache_sync.core.comparison import Drift

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

_PAGE: Final = 100  # as many as one BatchGetItem takes
_TABLES: Final = """
PRAGMA journal_mode = OFF;
PRAGMA synchronous = OFF;
CREATE TABLE seen (key TEXT PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE suspects (
    key TEXT PRIMARY KEY, item TEXT, projection INTEGER, kind TEXT, guard TEXT, state BLOB,
    lookup INTEGER, cached INTEGER
) WITHOUT ROWID;
"""


class Suspect(NamedTuple):
    """A cache key about which the two sides seemed to disagree."""

    key: str
    item: str | None
    """The item's primary key in DynamoDB JSON, as JSON text; None: the cache key does not tell it."""
    projection: int
    """Which of the table's projections it is of."""
    kind: Drift
    """How they disagreed when it was looked at last."""
    guard: str = ""
    """What the guard held then; empty: nothing, or it has not been looked at again."""
    state: bytes = b""
    """Stands for item, guard and value as they were then; empty: it has not been looked at again."""
    lookup: bool = False
    """It is a lookup key."""
    cached: bool = False
    """It was found in the cache, and not by an item."""


class SuspectStore:
    """The keys seen in the cache and the suspects, in a temporary file. Safe to share between threads."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="ddb-cache-sync-")
        self._lock = threading.Lock()
        self._sql = sqlite3.connect(f"{self._folder.name}/suspects", check_same_thread=False, isolation_level=None)
        self._sql.executescript(_TABLES)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._sql.close()
        self._folder.cleanup()

    def see(self, keys: Iterable[str]) -> None:
        """Note keys that the cache has."""
        self._write("INSERT OR IGNORE INTO seen VALUES (?)", [(key,) for key in keys])

    def explain(self, keys: Iterable[str]) -> None:
        """Strike out keys that an item explains."""
        self._write("DELETE FROM seen WHERE key = ?", [(key,) for key in keys])

    def unexplained(self) -> Iterator[Sequence[str]]:
        """The keys that are left over, page by page."""
        last = ""
        while page := self._read("SELECT key FROM seen WHERE key > ? ORDER BY key LIMIT ?", last, _PAGE):
            yield [key for (key,) in page]
            last = page[-1][0]

    @property
    def seen(self) -> int:
        """How many keys are noted and not struck out."""
        return int(self._read("SELECT count(*) FROM seen")[0][0])

    def suspect(self, suspects: Iterable[Suspect]) -> None:
        """Add suspects, or put them in the place of those of the same key."""
        self._write(
            "INSERT OR REPLACE INTO suspects VALUES (?, ?, ?, ?, ?, ?, ?, ?)", [tuple(each) for each in suspects]
        )

    def give_item(self, found: Iterable[tuple[str, str, int]]) -> None:
        """Note the items of suspects: cache key, the item's key as JSON text, projection."""
        rows = [(item, projection, key) for key, item, projection in found]
        self._write("UPDATE suspects SET item = ?, projection = ? WHERE key = ?", rows)

    def clear(self, keys: Iterable[str]) -> None:
        """Suspect these keys no more."""
        self._write("DELETE FROM suspects WHERE key = ?", [(key,) for key in keys])

    def suspects(self) -> Iterator[Sequence[Suspect]]:
        """The suspects, page by page; those that have been given may be changed meanwhile."""
        last = ""
        while page := self._read("SELECT * FROM suspects WHERE key > ? ORDER BY key LIMIT ?", last, _PAGE):
            yield [
                Suspect(key, item, projection, Drift(kind), guard, state, bool(lookup), bool(cached))
                for key, item, projection, kind, guard, state, lookup, cached in page
            ]
            last = page[-1][0]

    def without_item(self, keys: Sequence[str]) -> set[str]:
        """Those of these keys that are suspected and whose item is not known."""
        marks = ", ".join("?" * len(keys))
        rows = self._read(f"SELECT key FROM suspects WHERE item IS NULL AND key IN ({marks})", *keys)  # noqa: S608 - marks
        return {key for (key,) in rows}

    @property
    def any_without_item(self) -> bool:
        """Whether there are suspects whose item is not known."""
        return bool(self._read("SELECT 1 FROM suspects WHERE item IS NULL LIMIT 1"))

    @property
    def count(self) -> int:
        """How many suspects there are."""
        return int(self._read("SELECT count(*) FROM suspects")[0][0])

    def _write(self, statement: str, rows: Sequence[tuple[object, ...]]) -> None:
        with self._lock:
            self._sql.execute("BEGIN")
            self._sql.executemany(statement, rows)
            self._sql.execute("COMMIT")

    def _read(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        with self._lock:
            return self._sql.execute(statement, values).fetchall()
