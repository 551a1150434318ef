"""Redrives of what was given up: on-failure records in a folder, brought back by the library's own redrive."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import orjson
from tests.pipeline_faults.items import NAME, PROJECTION, ItemsClient

from ddb_cache_sync.sync.preparing_redrive import RedriveClients, prepare_redrive
from ddb_cache_sync.sync.redrive import RedriveOptions, RedriveReport

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tests.pipeline_faults.items import Items
LATE_SECONDS = 26 * 3600.0
"""More than guards live."""


def give_up(folder: Path, name: str, records: Sequence[Any]) -> None:
    """Put a batch where Lambda would put what it gives up."""
    payload = orjson.dumps({"Records": records}).decode()
    (folder / name).write_bytes(orjson.dumps({"DDBStreamBatchInfo": {}, "payload": payload}))


def redrive(
    folder: Path,
    client: Any,
    items: Items,
    stream_arn: str,
    *,
    newest_arn: str,
    late_seconds: float = 0.0,
    streams: Any = None,
) -> RedriveReport:
    """Bring back the batches of one stream, and delete those of which every record has succeeded.

    Args:
        folder: Where they are.
        client: The cache's.
        items: The table.
        stream_arn: The stream's.
        newest_arn: That of the stream that the table has now.
        late_seconds: How much later it seems to be.
        streams: A client of DynamoDB Streams, for what tells only where records are.
    """
    table: Any = ItemsClient(items, stream_arn=newest_arn)
    options = RedriveOptions(stream_arn=None if stream_arn == newest_arn else stream_arn, delete=True)
    return prepare_redrive(
        str(folder),
        client,
        PROJECTION,
        RedriveClients(table, streams),
        NAME,
        options=options,
        clock=lambda: time.time() + late_seconds,
    ).run()


def left(folder: Path) -> list[list[Any]]:
    """The records of each batch that is still there."""
    kept = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    return [orjson.loads(orjson.loads(path.read_bytes())["payload"])["Records"] for path in kept]
