"""Exports, reports of verify and checkpoints."""

from __future__ import annotations

import contextlib
import gzip
import io
from typing import TYPE_CHECKING, Any

from tests.fuzz.making import item, json_bytes, key_value, lambda_form, spoilt, spoilt_bytes
from tests.fuzz.scratch import written

from ddb_cache_sync import CacheSyncError, ConfigurationError
from ddb_cache_sync.sync.checkpoint import Checkpoint
from ddb_cache_sync.sync.repair_report import targets_of_report
from ddb_cache_sync.table.export_lines import Shape, read_lines
from ddb_cache_sync.table.export_manifests import parse_files, parse_summary

if TYPE_CHECKING:
    import random


def files(r: random.Random) -> None:
    """Exports, reports of verify and checkpoints are read, or refused with a documented error."""
    tree: Any
    match r.randrange(4):
        case 0:
            lines = [json_bytes(_line(r)) for _ in range(r.randrange(1, 4))]
            packed = gzip.compress(b"\n".join(lines) + b"\n", 1)
            if r.random() < 0.3:
                packed = spoilt_bytes(r, packed)
            shape = Shape(r.choice(("full", "incremental")), "T", r.choice((["id"], None)), len(lines))
            with contextlib.suppress(CacheSyncError):
                for _ in read_lines(io.BytesIO(packed), "file", shape, 0):
                    pass
        case 1:
            arn = "arn:aws:dynamodb:eu-west-1:111122223333:table/T"
            tree = {
                "version": "2023-08-01",
                "exportArn": f"{arn}/export/01234567890123-a1b2c3d4",
                "tableArn": arn,
                "startTime": "2024-01-01T00:00:00.000Z",
                "endTime": "2024-01-01T00:05:00.000Z",
                "exportTime": "2024-01-01T00:00:00.000Z",
                "exportFromTime": None,
                "exportToTime": None,
                "manifestFilesS3Key": "AWSDynamoDB/01234567890123-a1b2c3d4/manifest-files.json",
                "itemCount": 5,
                "outputFormat": "DYNAMODB_JSON",
                "exportType": "FULL_EXPORT",
            }
            content = content_of(r, tree)
            with contextlib.suppress(CacheSyncError):
                summary = parse_summary(content, "summary")
                listed = {
                    "itemCount": 5,
                    "md5Checksum": "sQMSpEILNgoQmarvDFonGQ==",
                    "etag": "x",
                    "dataFileS3Key": "AWSDynamoDB/01234567890123-a1b2c3d4/data/a.json.gz",
                }
                parse_files(content_of(r, listed), "files", summary)
        case 2:
            report = {"table": "T", "keys_hashed": False, "drifts": [{"key": "T:1", "item": {"id": {"S": "1"}}}]}
            with contextlib.suppress(ConfigurationError):
                targets_of_report(content_of(r, report), "T")
        case _:
            position = {"format": 1, "job": {"a": 1}, "positions": {"0": {"id": {"S": "a"}}}, "done": ["1"]}
            with contextlib.suppress(ConfigurationError):
                Checkpoint(written(content_of(r, position)), {"a": 1}).position("0")


def _line(r: random.Random) -> Any:
    whole = lambda_form(item(r) | {"id": key_value(r)})
    tree: Any = {"Item": whole}
    if r.random() < 0.5:
        tree = {
            "Metadata": {"WriteTimestampMicros": {"N": "1680109764000300"}},
            "Keys": {"id": whole["id"]},
            "NewImage": whole,
        }
    return spoilt(r, tree) if r.random() < 0.5 else tree


def content_of(r: random.Random, tree: Any) -> bytes:
    content = json_bytes(spoilt(r, tree) if r.random() < 0.5 else tree)
    return spoilt_bytes(r, content) if r.random() < 0.3 else content
