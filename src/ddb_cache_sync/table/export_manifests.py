"""The two manifests of an export to S3, checked field by field. Pure: it parses what it is given.

A full export and an incremental one differ:

| | full | incremental |
|---|---|---|
| `exportType` | absent | `INCREMENTAL_EXPORT` |
| time | `exportTime` | `exportFromTime` (inclusive) and `exportToTime` (exclusive) |
| data files | `AWSDynamoDB/<export id>/data/` | `AWSDynamoDB/data/`, which all exports of a prefix share |

Rules:

1. A manifest is foreign input: the first field that can't be right is named, and nothing is read from such an export.
2. Of a data file's key only the end counts, looked up beside the manifest that was opened. So an export can be read
   wherever it was copied to, and no key leads out of it.

Source: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/S3DataExport.Output.html, held against exports
made by AWS.
"""

from __future__ import annotations

import base64
import binascii
import re
from datetime import datetime
from typing import Any, Final, Literal, NamedTuple, NoReturn, TypeAlias

import orjson

from ddb_cache_sync.errors import ConfigurationError, TableError

Kind: TypeAlias = Literal["full", "incremental"]

SUMMARY: Final = "manifest-summary.json"
FILES: Final = "manifest-files.json"
MOST_SUMMARY_BYTES: Final = 2**20
MOST_FILES_BYTES: Final = 64 * 2**20
"""About 300,000 data files; a table has at least one for each partition, of up to 10 GB."""

_MD5_BYTES: Final = 16
_MOST_ITEMS: Final = 10**15
_LONGEST_KEY: Final = 1024  # S3's limit
_TABLE_ARN: Final = re.compile(r"arn:[a-z-]+:dynamodb:[a-z0-9-]*:[0-9]*:table/([A-Za-z0-9_.-]{1,255})").fullmatch
_EXPORT_ID: Final = re.compile(r"[A-Za-z0-9-]{1,64}").fullmatch
_KEY: Final = re.compile(
    r"(?:[^\n]*/)?AWSDynamoDB/(?:(?P<id>[A-Za-z0-9-]{1,64})/)?data/(?P<name>[A-Za-z0-9_-]{1,200}\.json\.gz)"
).fullmatch
_KINDS: Final[dict[Any, Kind]] = {None: "full", "FULL_EXPORT": "full", "INCREMENTAL_EXPORT": "incremental"}
_HINT: Final = "Copy the export anew, with all of its files, or make another one."


class DataFile(NamedTuple):
    """One data file, as the manifest lists it."""

    key: str
    """Its key in the bucket that the export was written to."""
    item_count: int
    """How many lines it has."""
    md5: str
    """Of the file as it is stored, compressed; base64."""
    etag: str
    """What S3 called its content there; another after it was copied, so nothing compares it."""


class Summary(NamedTuple):
    """What an export says of itself."""

    kind: Kind
    export_id: str
    table_arn: str
    table: str
    item_count: int
    export_time: float | None
    """Full: the moment that the items are of, epoch seconds. None for an incremental one."""
    from_time: float | None
    """Incremental: where the window begins, inclusive, epoch seconds. None for a full one."""
    to_time: float | None
    """Incremental: where the window ends, exclusive, epoch seconds. None for a full one."""


def parse_summary(content: bytes, where: str) -> Summary:
    """Read `manifest-summary.json`.

    Args:
        content: The file's.
        where: How errors name the file.

    Raises:
        TableError: A field that can't be right.
        ConfigurationError: The export is not in DynamoDB JSON.
    """
    fields = _object(content, where)
    output_format = _text(fields, "outputFormat", where)
    if output_format == "ION":
        raise ConfigurationError(
            f"{where}: the export is in Ion, which can't be read here",
            hint="Export the table with --export-format DYNAMODB_JSON, the default.",
        )
    if output_format != "DYNAMODB_JSON":
        _refuse(where, "outputFormat", "not DYNAMODB_JSON")
    export_type = fields.get("exportType")
    if not isinstance(export_type, str | None) or export_type not in _KINDS:
        _refuse(where, "exportType", "neither FULL_EXPORT nor INCREMENTAL_EXPORT")
    kind = _KINDS[export_type]
    table_arn = _text(fields, "tableArn", where)
    table = _TABLE_ARN(table_arn)
    if table is None:
        _refuse(where, "tableArn", "not the ARN of a table")
    arn, _, export_id = _text(fields, "exportArn", where).partition("/export/")
    if arn != table_arn or not _EXPORT_ID(export_id):
        _refuse(where, "exportArn", "not an export of the table in tableArn")
    if not f"/{_text(fields, 'manifestFilesS3Key', where)}".endswith(f"/AWSDynamoDB/{export_id}/{FILES}"):
        _refuse(where, "manifestFilesS3Key", "not that of the export in exportArn")
    whole = kind == "full"
    from_time = None if whole else _time(fields, "exportFromTime", where)
    to_time = None if whole else _time(fields, "exportToTime", where)
    if from_time is not None and to_time is not None and from_time >= to_time:
        _refuse(where, "exportToTime", "not later than exportFromTime")
    return Summary(
        kind,
        export_id,
        table_arn,
        table[1],
        _count(fields, "itemCount", where),
        _time(fields, "exportTime", where) if whole else None,
        from_time,
        to_time,
    )


def parse_files(content: bytes, where: str, summary: Summary) -> tuple[DataFile, ...]:
    """Read `manifest-files.json`: a JSON object on each line.

    Args:
        content: The file's.
        where: How errors name the file.
        summary: That of the same export.

    Raises:
        TableError: A field that can't be right, two entries of one file, or counts that don't add up.
    """
    files: list[DataFile] = []
    names: set[str] = set()
    for number, line in enumerate(content.splitlines(), start=1):
        entry = f"{where} line {number}"
        fields = _object(line, entry)
        file = DataFile(
            _text(fields, "dataFileS3Key", entry),
            _count(fields, "itemCount", entry),
            _text(fields, "md5Checksum", entry),
            _text(fields, "etag", entry),
        )
        try:
            names.add(file_name(file, summary.kind, summary.export_id))
        except ValueError as error:
            _refuse(entry, "dataFileS3Key", str(error))
        try:
            md5_bytes(file.md5)
        except ValueError as error:
            _refuse(entry, "md5Checksum", str(error))
        if len(names) == len(files):
            _refuse(entry, "dataFileS3Key", "listed twice")
        files.append(file)
    if sum(file.item_count for file in files) != summary.item_count:
        raise TableError(f"{where}: its counts of items don't add up to itemCount in {SUMMARY}", hint=_HINT)
    return tuple(files)


def file_name(file: DataFile, kind: Kind, export_id: str) -> str:
    """The name of a data file in the folder where this export has them: letters, digits, `-`, `_`, then `.json.gz`.

    Raises:
        ValueError: Not the key of a data file of this export.
    """
    match = _KEY(file.key) if len(file.key) <= _LONGEST_KEY else None
    if match is None:
        raise ValueError("not the key of a data file: …/AWSDynamoDB/…/data/<name>.json.gz")
    if match["id"] != (export_id if kind == "full" else None):
        raise ValueError(f"not the key of a data file of this {kind} export")
    return match["name"]


def md5_bytes(text: str) -> bytes:
    """The 16 bytes of an MD5 in base64.

    Raises:
        ValueError: Not that.
    """
    try:
        digest = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        digest = b""
    if len(digest) != _MD5_BYTES:
        raise ValueError("not an MD5 in base64")
    return digest


def _object(content: bytes, where: str) -> dict[str, Any]:
    try:
        found = orjson.loads(content)
    except orjson.JSONDecodeError:
        raise TableError(f"{where}: not JSON", hint=_HINT) from None
    if not isinstance(found, dict):
        raise TableError(f"{where}: not a JSON object", hint=_HINT)
    return found


def _text(fields: dict[str, Any], field: str, where: str) -> str:
    found = fields.get(field)
    if not isinstance(found, str):
        _refuse(where, field, "missing, or not text")
    return found


def _count(fields: dict[str, Any], field: str, where: str) -> int:
    found = fields.get(field)
    if type(found) is not int or not 0 <= found <= _MOST_ITEMS:
        _refuse(where, field, "missing, or not a count")
    return found


def _time(fields: dict[str, Any], field: str, where: str) -> float:
    try:
        moment = datetime.fromisoformat(_text(fields, field, where))
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        _refuse(where, field, "not a time such as 2025-04-23T13:37:16.991Z")
    return moment.timestamp()


def _refuse(where: str, field: str, problem: str) -> NoReturn:
    raise TableError(f"{where}: {field}: {problem}", hint=_HINT)
