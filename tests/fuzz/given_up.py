"""What on-failure destinations and quarantines keep, brought back: nothing comes out but a report, or why not."""

from __future__ import annotations

import base64
import gzip
import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import orjson
from tests.fuzz.making import json_bytes, junk, lambda_form, record, spoilt, spoilt_bytes
from tests.fuzz.scratch import PLACE
from tests.pipeline_faults.items import ARN, Items
from tests.pipeline_faults.redriving import redrive

from ddb_cache_sync import CacheSyncError
from ddb_cache_sync.core.given_up import MOST_BYTES, read_given_up
from ddb_cache_sync.core.quarantined import QuarantinedRecord
from ddb_cache_sync.testing import MemoryCache

if TYPE_CHECKING:
    import random

_STREAM: Final = f"{ARN}/stream/2025-04-23T13:37:16.991"
_ITEMS: Final = Items(3)
_BOMB: Final = gzip.compress(b" " * (MOST_BYTES + 5), 9)


class _EmptyStream:
    """A stream of which nothing is left."""

    def describe_stream(self, **_: Any) -> Any:
        return {"StreamDescription": {"StreamArn": _STREAM, "StreamStatus": "ENABLED", "KeySchema": [], "Shards": []}}

    def get_shard_iterator(self, **request: Any) -> Any:
        return {"ShardIterator": request["ShardId"]}

    def get_records(self, **_: Any) -> Any:
        return {"Records": []}


def given_up(r: random.Random) -> None:
    """An object or a message is read, or refused with a `RecordError`; a redrive goes through it in either case."""
    records = [
        lambda_form(record(r, ("id",), 1 + place)) | {"eventSourceARN": _STREAM} for place in range(r.randrange(4))
    ]
    if records and r.random() < 0.4:
        records[0] = spoilt(r, records[0])
    content = _object(r, records)
    found = None
    try:
        found = read_given_up(content)
    except CacheSyncError as error:
        assert str(error)
    if found is None or r.random() < 0.95:
        return
    with tempfile.TemporaryDirectory(prefix="fuzz-", dir=PLACE) as name:
        Path(name, "one").write_bytes(content)
        report = redrive(Path(name), MemoryCache(), _ITEMS, _STREAM, newest_arn=_STREAM, streams=_EmptyStream())
        assert report.entries == 1
        assert Path(name, "one").exists() == bool(report.failed)


def _object(r: random.Random, records: list[Any]) -> bytes:
    event = json_bytes({"Records": records})
    tree: Any
    match r.randrange(6):
        case 0:
            tree = {"DDBStreamBatchInfo": _info(len(records)), "payload": event.decode()}
        case 1:
            tree = {"KinesisBatchInfo": _info(len(records)), "payload": {"Records": records}}
        case 2:
            tree = {"version": "1.0", "DDBStreamBatchInfo": _info(len(records))}
        case 3:
            tree = _quarantined(r, records)
        case 4:
            tree = {"DDBStreamBatchInfo": {}, "payload": "[" * r.choice((5, 99, 101, 5000))}
        case _:
            tree = junk(r)
    content = json_bytes(spoilt(r, tree) if r.random() < 0.4 else tree)
    if r.random() < 0.2:
        content = spoilt_bytes(r, content)
    packing = r.randrange(5)
    if packing == 0:
        content = gzip.compress(content, 1)
    elif packing == 1:
        content = orjson.dumps({"gzip": base64.b64encode(gzip.compress(content, 1)).decode()})
    elif packing == 2 and r.random() < 0.01:
        content = _BOMB
    return spoilt_bytes(r, content) if r.random() < 0.2 else content


def _info(count: int) -> dict[str, Any]:
    return {
        "shardId": "shard-1",
        "startSequenceNumber": "1",
        "endSequenceNumber": str(count + 1),
        "batchSize": count,
        "streamArn": _STREAM,
    }


def _quarantined(r: random.Random, records: list[Any]) -> Any:
    try:
        kept = QuarantinedRecord.of(records[0] if records else junk(r), "why")
    except CacheSyncError:
        return {"quarantine": {"format": 1}, "payload": {"Records": records}}
    assert kept.name.count("/") == 1
    assert ".." not in kept.name.split("/")
    assert kept.document.isascii()
    return json.loads(kept.document)
