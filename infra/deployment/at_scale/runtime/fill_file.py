"""Fills the cache from one data file of an export, as far as the time goes.

Rules:

1. The library's backfill does it: a value is written only where the stream has not spoken.
2. Shortly before its time is over it stops after a page, and answers the line that it has come to. Called again with
   its own answer it goes on from there.
3. What the export says is used while it is young. Once it is older than half of a guard's life, less an hour for what
   is under way, each item is read from the table again.
"""

import os
import time
from collections.abc import Generator, Mapping, Sequence
from typing import Any, Final, Protocol

from ddb_cache_sync.cache.applier import cache_of
from ddb_cache_sync.settings import Settings
from ddb_cache_sync.sync.backfill import Backfill
from ddb_cache_sync.sync.checkpoint import Checkpoint
from ddb_cache_sync.sync.item_sources import ExportSource, Page
from ddb_cache_sync.sync.preparing import check_can_be_right
from ddb_cache_sync.table.clients import dynamodb_client
from ddb_cache_sync.table.descriptions import table_description

settings = Settings.from_environment(os.environ)
cache = settings.client()
table_client = dynamodb_client()

MARGIN_MS: Final = int(os.environ.get("MARGIN_MS", "90000"))
"""When to stop, before the time-out: the page under way may have to wait for the cache."""
_PATIENCE_SECONDS: Final = 45.0
_SLACK_SECONDS: Final = 3600
_COUNTS: Final = ("items", "written", "removed", "guarded", "left_out", "failed")
_MOST_PROBLEMS: Final = 5


class Context(Protocol):
    """The part of Lambda's context that is used."""

    def get_remaining_time_in_millis(self) -> int:
        """Milliseconds until the time-out."""
        ...


class OneFile:
    """One data file of an export, as a source of items.

    Args:
        export: The export.
        file: The file's key.
    """

    def __init__(self, export: ExportSource, file: str) -> None:
        self._export = export
        self.pieces: Sequence[str] = (file,)
        self.job: Mapping[str, Any] = export.job
        self.about = 0

    def pages(self, piece: str, position: Any) -> Generator[Page, None, None]:
        """The pages of the file after this line."""
        return self._export.pages(piece, position)


def handler(event: dict[str, Any], context: Context) -> dict[str, Any]:
    """Fill from one file.

    Args:
        event: `location` of the export, `file`; of an answer that was not complete also what else it has.
        context: Lambda's.

    Returns:
        The event, with the counts added up, `complete`, and if it is not, the `position` to go on from.

    Raises:
        CacheUnavailable: The cache kept failing; again from the last answer.
        TableError: The table or the export can't be read now.
        ConfigurationError: It can't be right.
    """
    described = table_description(table_client, os.environ["DYNAMODB_TABLE"])
    source = ExportSource(event["location"], described)
    read_again = time.time() - source.as_of > settings.guard_ttl_seconds / 2 - _SLACK_SECONDS
    if read_again:
        source = ExportSource(event["location"], described, client=table_client)
    check_can_be_right(
        described,
        guard_ttl_seconds=settings.guard_ttl_seconds,
        as_of=source.as_of,
        read_again=read_again,
        now=time.time(),
    )
    file = event["file"]
    checkpoint = Checkpoint(None, {})
    if event.get("position"):
        checkpoint.reached(file, event["position"])
    running = Backfill(
        cache_of(cache, settings.guard_ttl_seconds),
        settings.router(),
        OneFile(source, file),
        checkpoint,
        guard_ttl_seconds=settings.guard_ttl_seconds,
        patience_seconds=_PATIENCE_SECONDS,
        threads=1,
    )

    def stop_in_time(_items: int) -> None:
        if context.get_remaining_time_in_millis() < MARGIN_MS:
            running.stop()

    report = running.run(stop_in_time)
    answer = dict(event)
    for count in _COUNTS:
        answer[count] = event.get(count, 0) + getattr(report, count)
    answer["invocations"] = event.get("invocations", 0) + 1
    answer["problems"] = [*dict.fromkeys([*event.get("problems", ()), *report.problems])][:_MOST_PROBLEMS]
    answer["complete"] = report.complete
    answer["position"] = None if report.complete else checkpoint.position(file)
    return answer
