"""Where a backfill takes a table's items from: a parallel scan, or an export to S3. Both in pieces that can be resumed.

A position is what JSON can write, and says that everything of its piece up to there was given out.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol

from ddb_cache_sync.core.changes import Upsert
from ddb_cache_sync.errors import ConfigurationError
from ddb_cache_sync.table.exports import MalformedLine, open_export, read_file
from ddb_cache_sync.table.items import get_items
from ddb_cache_sync.table.scanning import scan_segment

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping, Sequence

    from mypy_boto3_dynamodb import DynamoDBClient

    from ddb_cache_sync.core.changes import Change
    from ddb_cache_sync.errors import RecordError
    from ddb_cache_sync.table.capacity import CapacityLimiter
    from ddb_cache_sync.table.descriptions import TableDescription

_LINES: Final = 100  # of an export in one page: with more, the garbage collector walks them again and again
_EXPORT_SLACK_SECONDS: Final = 60.0
"""The items of an export are those of its time, give or take a minute."""


class Page(NamedTuple):
    """Some items of a piece."""

    changes: Sequence[Change]
    """Each item as the upsert that would make it; of an incremental export also removals."""
    errors: Sequence[RecordError]
    """Why items could not be read."""
    position: Any
    """Where to go on after this page; None: the piece ends with it."""
    as_of: float
    """The items are at least as new as this, epoch seconds."""
    gone: int = 0
    """How many items were found to be gone since, and are not among the changes."""

    @property
    def items(self) -> int:
        """How many items it is about."""
        return len(self.changes) + len(self.errors) + self.gone


class ItemSource(Protocol):
    """A table's items, in pieces that may be read at the same time."""

    @property
    def job(self) -> Mapping[str, Any]:
        """What tells this source from others, for its checkpoint."""
        ...

    @property
    def pieces(self) -> Sequence[str]:
        """The names of the pieces."""
        ...

    @property
    def about(self) -> int:
        """About how many items there are; 0: not known."""
        ...

    def pages(self, piece: str, position: Any) -> Generator[Page, None, None]:
        """The pages of a piece, from the one after this position; None: from its beginning.

        Raises:
            TableError: It can't be read.
        """
        ...


class ScanSource:
    """A parallel scan.

    Args:
        client: A client of the DynamoDB API, which threads may share.
        table: The table.
        segments: How many pieces; each is read by one thread at a time.
        consistent: Whether items are read as they are now, at twice the cost.
        page_limit: The most items of a page; None: as many as are in 1 MB.
        limiter: How fast to read; None: at full speed.

    Raises:
        ConfigurationError: A number of segments that can't be right.
    """

    def __init__(
        self,
        client: DynamoDBClient,
        table: TableDescription,
        *,
        segments: int = 4,
        consistent: bool = True,
        page_limit: int | None = None,
        limiter: CapacityLimiter | None = None,
    ) -> None:
        if not 1 <= segments <= 10_000:
            raise ConfigurationError(f"{segments} segments", hint="Take 1 to 10,000; four read most tables well.")
        self._client = client
        self._table = table
        self._segments = segments
        self._consistent = consistent
        self._page_limit = page_limit
        self._limiter = limiter

    @property
    def job(self) -> Mapping[str, Any]:
        """The table and its segments."""
        return {"source": "scan", "table": self._table.arn, "segments": self._segments}

    @property
    def pieces(self) -> Sequence[str]:
        """The segments' numbers."""
        return [str(number) for number in range(self._segments)]

    @property
    def about(self) -> int:
        """What DescribeTable says, up to six hours old."""
        return self._table.item_count

    def pages(self, piece: str, position: Any) -> Generator[Page, None, None]:
        """See `ItemSource.pages`."""
        for page in scan_segment(
            self._client,
            self._table.name,
            self._table.key_names,
            segment=int(piece),
            segments=self._segments,
            start_key=position,
            consistent=self._consistent,
            page_limit=self._page_limit,
            limiter=self._limiter,
        ):
            yield Page(page.upserts, (), page.last_key, page.read_started)


class ExportSource:
    """An export to S3, from there or from a folder it was copied to.

    Args:
        location: A folder or `s3://bucket/prefix`.
        table: The table that it is of.
        client: A client of the DynamoDB API to read each item again with, since the export is older than guards live.
            None: the items are taken as the export has them.
        limiter: How fast to read, in items; None: at full speed.
        s3_client: boto3's `s3` client. None makes one where it is needed.

    Raises:
        ConfigurationError: No export there, or one of another table.
        TableError: Its manifests can't be right.
    """

    def __init__(
        self,
        location: str,
        table: TableDescription,
        *,
        client: DynamoDBClient | None = None,
        limiter: CapacityLimiter | None = None,
        s3_client: Any = None,
    ) -> None:
        self._export = open_export(location, s3_client=s3_client)
        if self._export.table_arn != table.arn:
            raise ConfigurationError(
                f"the export is of {self._export.table_arn}, not of {table.arn}", hint="Name its table with --table."
            )
        self._table = table
        self._client = client
        self._limiter = limiter
        self._files = {file.key: file for file in self._export.files}

    @property
    def as_of(self) -> float:
        """The export's items are at least as new as this, epoch seconds."""
        time_of_items = self._export.export_time if self._export.kind == "full" else self._export.to_time
        return (time_of_items or 0.0) - _EXPORT_SLACK_SECONDS

    @property
    def job(self) -> Mapping[str, Any]:
        """The table and the export."""
        return {"source": "export", "table": self._table.arn, "export": self._export.export_id}

    @property
    def pieces(self) -> Sequence[str]:
        """The names of the data files."""
        return list(self._files)

    @property
    def about(self) -> int:
        """What the manifest says."""
        return self._export.item_count

    def pages(self, piece: str, position: Any) -> Generator[Page, None, None]:
        """See `ItemSource.pages`."""
        changes: list[Change] = []
        errors: list[RecordError] = []
        number = position or 0
        for line in read_file(self._export, self._files[piece], key_names=self._table.key_names, start=number):
            number = line.number
            if isinstance(line, MalformedLine):
                errors.append(line.error)
            else:
                changes.append(line.change)
            if len(changes) + len(errors) >= _LINES:
                yield self._page(changes, errors, number)
                changes, errors = [], []
        yield self._page(changes, errors, None)  # may be empty: only the file's end says that it was whole

    def _page(self, changes: list[Change], errors: list[RecordError], position: int | None) -> Page:
        if self._limiter is not None:
            count = len(changes) + len(errors)
            self._limiter.settle(self._limiter.reserve(), units=0.0, items=count)
        if self._client is None:
            return Page(changes, errors, position, self.as_of)
        as_of = time.time()
        found = get_items(self._client, self._table.name, [change.key.attributes for change in changes])
        # An item that is gone by now was removed by a change, which the stream has or had: nothing to fill in.
        kept = [
            now or change
            for change, now in zip(changes, found, strict=True)
            if now is not None or not isinstance(change, Upsert)
        ]
        return Page(kept, errors, position, as_of, len(changes) - len(kept))
