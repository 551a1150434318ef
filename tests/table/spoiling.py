"""Ways to spoil an export that `write_export` made, with or without everything that tells on it."""

import base64
import gzip
import hashlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from ddb_cache_sync.table.exports import Export, ExportLine, MalformedLine, open_export, read_file

Fields = dict[str, Any]


def edit_summary(folder: Path, edit: Callable[[Fields], object]) -> None:
    """Change the fields of the summary, and leave its checksum out."""
    path = folder / "manifest-summary.json"
    fields = json.loads(path.read_text("utf-8"))
    edit(fields)
    path.write_text(json.dumps(fields), "utf-8")
    path.with_suffix(".md5").unlink(missing_ok=True)


def edit_files(folder: Path, edit: Callable[[list[Fields]], object]) -> None:
    """Change the entries of the list of files, and leave its checksum out."""
    path = folder / "manifest-files.json"
    entries = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    edit(entries)
    path.write_text("".join(f"{json.dumps(entry)}\n" for entry in entries), "utf-8")
    path.with_suffix(".md5").unlink(missing_ok=True)


def first_file(folder: Path) -> Path:
    """The first data file of an export."""
    [entry, *_] = (folder / "manifest-files.json").read_text("utf-8").splitlines()
    return folder.parent.parent / str(json.loads(entry)["dataFileS3Key"])


def store(folder: Path, content: bytes, item_count: int) -> Export:
    """Put other content into the first data file, with its right MD5 and this count, and open the export."""
    first_file(folder).write_bytes(content)

    def edit(entries: list[Fields]) -> None:
        entries[0]["md5Checksum"] = base64.b64encode(hashlib.md5(content).digest()).decode()
        entries[0]["itemCount"] = item_count
        edit_summary(folder, lambda fields: fields.update(itemCount=sum(each["itemCount"] for each in entries)))

    edit_files(folder, edit)
    return open_export(folder)


def store_lines(folder: Path, *lines: bytes) -> Export:
    """Put other lines into the first data file, with everything that goes with it, and open the export."""
    return store(folder, gzip.compress(b"".join(line + b"\n" for line in lines), 1), len(lines))


def lines_of(export: Export, **arguments: Any) -> Iterator[ExportLine | MalformedLine]:
    """The lines of every file."""
    for file in export.files:
        yield from read_file(export, file, **arguments)
