"""Exports to S3 as DynamoDB writes them, on this machine, built from Python values."""

import base64
import gzip
import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from io import TextIOWrapper
from pathlib import Path
from typing import Any, Final, Literal

from ddb_cache_sync.testing.events import DEFAULT_CREATED_AT, attributes

_EXPORT_ID: Final = "01745415437000-a1b2c3d4"
_WINDOW_SECONDS: Final = 900


def write_export(
    folder: str | Path,
    items: Iterable[Mapping[str, Any]],
    *,
    kind: Literal["full", "incremental"] = "full",
    removed: Iterable[Mapping[str, Any]] = (),
    key: Sequence[str] = ("id",),
    table: str = "T",
    table_arn: str | None = None,
    files: int = 2,
    exported_at: float = DEFAULT_CREATED_AT,
    export_id: str = _EXPORT_ID,
) -> Path:
    """Write an export of a table below a folder, with its manifests and their checksums.

    Args:
        folder: Where the folder `AWSDynamoDB` is to be; made if it is not there.
        items: The items, Python values. In an incremental export: what became of the items that were changed.
        kind: All items of a table, or those changed within fifteen minutes.
        removed: The primary keys of items that were removed; for an incremental export.
        key: The names of the key attributes; for an incremental export, since a full one does not tell.
        table: The table's name.
        table_arn: The table's ARN; its last part is the table's name. None: that of `table` in some account.
        files: How many data files the items are dealt out to, in turn. Some stay empty where there are fewer items.
        exported_at: The moment that the items are of, or the end of the window; epoch seconds.
        export_id: Another one for a second export in the same folder.

    Returns:
        The folder with the manifests, `AWSDynamoDB/<export id>`.

    Raises:
        ValueError: Removals in a full export.
    """
    written_us = round(exported_at * 1_000_000) - _WINDOW_SECONDS * 1_000_000
    if kind == "full":
        if list(removed):
            raise ValueError("a full export has no removals")
        lines: Iterator[dict[str, Any]] = ({"Item": attributes(item)} for item in items)
    else:
        lines = _changes(items, removed, key, written_us)
    manifests = Path(folder) / "AWSDynamoDB" / export_id
    data = manifests / "data" if kind == "full" else manifests.parent / "data"
    for each in (manifests, data):
        each.mkdir(parents=True, exist_ok=True)
    (manifests / "_started").touch()
    names = [f"{export_id.replace('-', '')}{place:08d}.json.gz" for place in range(files)]
    counts = _write_lines([data / name for name in names], lines)
    below = f"{manifests.parent.name}/{export_id}/data" if kind == "full" else f"{manifests.parent.name}/data"
    entries = []
    for name, count in zip(names, counts, strict=True):
        md5 = _md5(data / name)
        entry = {
            "itemCount": count,
            "md5Checksum": base64.b64encode(md5).decode(),
            "etag": f"{md5.hex()}-1",
            "dataFileS3Key": f"{below}/{name}",
        }
        entries.append(f"{json.dumps(entry, separators=(',', ':'))}\n")
    summary = _summary(
        kind, table_arn or f"arn:aws:dynamodb:eu-west-1:111122223333:table/{table}", export_id, exported_at, sum(counts)
    )
    for name, text in {"manifest-files": "".join(entries), "manifest-summary": json.dumps(summary)}.items():
        (manifests / f"{name}.json").write_text(text, encoding="utf-8")
        checksum = base64.b64encode(_md5(manifests / f"{name}.json")).decode()
        (manifests / f"{name}.md5").write_text(checksum, encoding="utf-8")
    return manifests


def _changes(
    items: Iterable[Mapping[str, Any]], removed: Iterable[Mapping[str, Any]], key: Sequence[str], written_us: int
) -> Iterator[dict[str, Any]]:
    for item in items:
        yield {
            "Metadata": {"WriteTimestampMicros": {"N": str(written_us)}},
            "Keys": attributes({name: item[name] for name in key}),
            "NewImage": attributes(item),
        }
        written_us += 1
    for each in removed:
        yield {"Metadata": {"WriteTimestampMicros": {"N": str(written_us)}}, "Keys": attributes(each)}
        written_us += 1


def _write_lines(paths: Sequence[Path], lines: Iterable[Mapping[str, Any]]) -> list[int]:
    """Deal lines out to files; gives how many each got."""
    counts = [0 for _ in paths]
    with ExitStack() as stack:
        # No time in the gzip header: the same items make the same files.
        packed = [stack.enter_context(gzip.GzipFile(path, "wb", compresslevel=1, mtime=0)) for path in paths]
        texts = [stack.enter_context(TextIOWrapper(file, encoding="utf-8", newline="\n")) for file in packed]
        for number, line in enumerate(lines):
            place = number % len(paths)
            counts[place] += 1
            texts[place].write(f"{json.dumps(line, ensure_ascii=False, separators=(',', ':'))}\n")
    return counts


def _summary(kind: str, table_arn: str, export_id: str, exported_at: float, count: int) -> dict[str, Any]:
    times = (
        {"exportTime": _time(exported_at)}
        if kind == "full"
        else {"exportFromTime": _time(exported_at - _WINDOW_SECONDS), "exportToTime": _time(exported_at)}
    )
    only_incremental = {"outputView": "NEW_IMAGE", "exportType": "INCREMENTAL_EXPORT"}
    return {
        "version": "2020-06-30" if kind == "full" else "2023-08-01",
        "exportArn": f"{table_arn}/export/{export_id}",
        "startTime": _time(exported_at),
        "endTime": _time(exported_at + 300),
        "tableArn": table_arn,
        "tableId": "12345a12-abcd-123a-ab12-1234abc12345",
        **times,
        "s3Bucket": "exports",
        "s3Prefix": None,
        "s3SseAlgorithm": "AES256",
        "s3SseKmsKeyId": None,
        "manifestFilesS3Key": f"AWSDynamoDB/{export_id}/manifest-files.json",
        "billedSizeBytes": 0,
        "itemCount": count,
        "outputFormat": "DYNAMODB_JSON",
        **({} if kind == "full" else only_incremental),
    }


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _md5(path: Path) -> bytes:
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).digest()
