"""Exports of a table to S3: opened, checked, and read file by file, from S3 or from a folder they were copied to.

Rules:

1. An export is foreign input. What its manifests say is checked when it is opened (`export_manifests`), a data file
   before a byte of it is given out (`export_storage`), each line when it is read (`export_lines`).
2. Memory does not grow with the size of a file, nor with its number of lines.
3. A data file and a line number are a place to go on from: the same export gives the same lines in the same order.
4. Files may be read in any order, and several at once in several threads.

A full export holds every item as of one moment, give or take a minute; an incremental one the newest state of each
item that was changed within its window.
"""

from __future__ import annotations

import hashlib
import os
import posixpath
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal, NoReturn

from ddb_cache_sync.errors import ConfigurationError, TableError
from ddb_cache_sync.table.clients import s3_client as default_s3_client
from ddb_cache_sync.table.export_lines import ExportLine, Line, MalformedLine, Shape, read_lines
from ddb_cache_sync.table.export_manifests import (
    FILES,
    MOST_FILES_BYTES,
    MOST_SUMMARY_BYTES,
    SUMMARY,
    DataFile,
    Kind,
    file_name,
    md5_bytes,
    parse_files,
    parse_summary,
)
from ddb_cache_sync.table.export_s3 import S3Storage
from ddb_cache_sync.table.export_storage import LocalStorage, check, missing

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ddb_cache_sync.table.export_storage import Storage

__all__ = ["DataFile", "Export", "ExportLine", "MalformedLine", "open_export", "read_file"]

_PARENT: Final = "AWSDynamoDB"
_S3: Final = re.compile(r"s3://(?P<bucket>[a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(?:/(?P<prefix>[^\n]*))?").fullmatch
_CHECKSUMS: Final = ("md5", "checksum")  # as S3 has them, and as AWS's page calls them
_CHECKSUM_BYTES: Final = 1024


@dataclass(frozen=True, slots=True)
class Export:
    """An export of a table, its manifests checked.

    Attributes:
        location: Where its manifests are: a folder or `s3://bucket/…/AWSDynamoDB/<export id>`.
        kind: `full` or `incremental`.
        export_time: Full: the moment that the items are of, epoch seconds. None for an incremental one.
        from_time: Incremental: where its window begins, inclusive, epoch seconds. None for a full one.
        to_time: Incremental: where its window ends, exclusive, epoch seconds. None for a full one.
        output_format: `DYNAMODB_JSON`; no other can be opened.
        table_arn: The table's.
        table: The table's name.
        export_id: The last part of the export's ARN.
        item_count: How many lines all files have together.
        files: In the manifest's order; some may be empty.
    """

    location: str
    kind: Kind
    export_time: float | None
    from_time: float | None
    to_time: float | None
    output_format: Literal["DYNAMODB_JSON"]
    table_arn: str
    table: str
    export_id: str
    item_count: int
    files: tuple[DataFile, ...] = field(repr=False)
    _folder: str = field(repr=False)
    _storage: Storage = field(repr=False, compare=False)


def open_export(location: str | os.PathLike[str], *, s3_client: Any = None) -> Export:
    """Find an export and check its manifests; no data file is touched.

    Args:
        location: A folder or `s3://bucket/prefix`: that of `manifest-summary.json`, or one above `AWSDynamoDB` with
            exactly one finished export in it.
        s3_client: boto3's `s3` client. None makes one where the location is in S3.

    Raises:
        ConfigurationError: No export there, or more than one, or one that is not in DynamoDB JSON.
        TableError: It can't be read, or its manifests can't be right: names the file and the field.
    """
    storage, place = _place(os.fspath(location), s3_client)
    folder, content = _found(storage, place)
    _check_manifest(storage, posixpath.join(folder, SUMMARY), content)
    summary = parse_summary(content, storage.name(posixpath.join(folder, SUMMARY)))
    path = posixpath.join(folder, FILES)
    listed = storage.read(path, MOST_FILES_BYTES)
    if listed is None:
        missing(storage.name(path))
    _check_manifest(storage, path, listed)
    return Export(
        storage.name(folder),
        summary.kind,
        summary.export_time,
        summary.from_time,
        summary.to_time,
        "DYNAMODB_JSON",
        summary.table_arn,
        summary.table,
        summary.export_id,
        summary.item_count,
        parse_files(listed, storage.name(path), summary),
        folder,
        storage,
    )


def read_file(
    export: Export, file: DataFile, *, key_names: Sequence[str] | None = None, start: int = 0
) -> Iterator[Line]:
    """Read a data file; its MD5 is checked at the first step, before anything is given out.

    Args:
        export: The export.
        file: One of its files.
        key_names: The names of the table's key attributes, which a full export does not tell. None, for an
            incremental one: whatever a line has as its key.
        start: How many lines to leave out: the number of the last line that is done with.

    Returns:
        An `ExportLine`, or a `MalformedLine` where it can't be read, for each line after `start`.

    Raises:
        ConfigurationError: No key names for a full export, or not a number of lines; at once.
        TableError: Not a file of this export (at once); it can't be read, or is not what the manifest says.
    """
    if key_names is None and export.kind == "full":
        raise ConfigurationError(
            "a full export does not tell the table's key", hint="Give the names of its key attributes as key_names."
        )
    if isinstance(key_names, str) or (key_names is not None and not 1 <= len({*key_names}) == len(key_names) <= 2):
        raise ConfigurationError("key_names is not one or two names", hint='Give them as in ("userId", "createdAt").')
    if not 0 <= start <= file.item_count:
        raise ConfigurationError(
            f"start is not a number of lines of {file.key}", hint="Give the number of the last line that is done with."
        )
    try:
        name = file_name(file, export.kind, export.export_id)
        md5 = md5_bytes(file.md5)
    except ValueError as error:
        raise TableError(f"not a file of the export {export.location}: {error}") from None
    beside = export._folder if export.kind == "full" else posixpath.dirname(export._folder)  # noqa: SLF001 - this module's own
    shape = Shape(export.kind, export.table, None if key_names is None else tuple(key_names), file.item_count)
    return _read(export._storage, posixpath.join(beside, "data", name), md5, shape, start)  # noqa: SLF001 - same


def _read(storage: Storage, path: str, md5: bytes, shape: Shape, start: int) -> Iterator[Line]:
    with storage.verified(path, md5) as content:
        yield from read_lines(content, storage.name(path), shape, start)


def _place(location: str, s3_client: Any) -> tuple[Storage, str]:
    """The storage, and where in it to look."""
    if "://" not in location and "\0" not in location:
        # Absolute, because an incremental export has its data files in a folder beside its own.
        return LocalStorage(), os.path.abspath(location).removesuffix(f"/{SUMMARY}")  # noqa: PTH100 - no link followed
    match = _S3(location)
    if match is None:
        raise ConfigurationError("the location of an export is not a folder or S3 URL", hint="Give s3://bucket/prefix.")
    prefix = (match["prefix"] or "").rstrip("/")
    place = posixpath.dirname(prefix) if posixpath.basename(prefix) == SUMMARY else prefix
    return S3Storage(s3_client or default_s3_client(), match["bucket"]), place


def _found(storage: Storage, place: str) -> tuple[str, bytes]:
    """The folder of the one export at a place, and what its summary holds."""
    content = storage.read(posixpath.join(place, SUMMARY), MOST_SUMMARY_BYTES)
    if content is not None:
        return place, content
    above = place if posixpath.basename(place) == _PARENT else posixpath.join(place, _PARENT)
    found = None
    for name in storage.folders(above):
        folder = posixpath.join(above, name)
        content = storage.read(posixpath.join(folder, SUMMARY), MOST_SUMMARY_BYTES)
        if content is not None and found is not None:
            _several(storage, place, found[0])
        found = found if content is None else (folder, content)
    if found is None:
        raise ConfigurationError(
            f"{storage.name(place)}: no finished export there",
            hint=f"Give the folder that has {SUMMARY}, which AWS writes last.",
        )
    return found


def _several(storage: Storage, place: str, first: str) -> NoReturn:
    raise ConfigurationError(
        f"{storage.name(place)}: more than one export there", hint=f"Give one of them, such as {storage.name(first)}."
    )


def _check_manifest(storage: Storage, path: str, content: bytes) -> None:
    """Compare a manifest with its checksum, a file beside it; copies may have left that out."""
    for ending in _CHECKSUMS:
        listed = storage.read(f"{path.removesuffix('.json')}.{ending}", _CHECKSUM_BYTES)
        if listed is None:
            continue
        try:
            md5 = md5_bytes(listed.decode("ascii").strip())
        except ValueError:
            raise TableError(f"{storage.name(path)}: its checksum is not an MD5 in base64") from None
        check(storage.name(path), hashlib.md5(content, usedforsecurity=False).digest(), md5)
        return
