"""`ddb-cache-sync decode [FILE]`: a record, an event, an item or a stored value, to be read."""

import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import orjson
import typer

from ddb_cache_sync.cli.console import print_json, print_line, print_problem, print_rows, results
from ddb_cache_sync.cli.options import EXIT_FAILED, AsJson, read_input, read_json_input, settings
from ddb_cache_sync.core.encodings import encoding_named
from ddb_cache_sync.core.readable import Readable, ReadableRecord, readable, readable_value


def decode(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", allow_dash=True, help="What to decode; - or nothing reads stdin.")
    ] = Path("-"),
    encoding: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="The input is a value that the cache holds, in this form: json, dynamodb-json, hash or "
            "attribute:NAME; all but hash can end in +zlib or +zstd. Not taken from the environment.",
            show_default=False,
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show a stream record, an event, an item in DynamoDB JSON or a stored value in a form to be read.

    Exit code 0: all decoded, 1: some record could not be.
    """
    if encoding is None:
        decoded = readable(read_json_input(file), time.time(), settings().stream_label_ms)
    else:
        decoded = readable_value(read_input(file), encoding_named(encoding))
    if as_json:
        print_json(_plain(decoded))
    else:
        _show(decoded)
    poison = [record for record in decoded.records or () if record.reason is not None]
    for record in poison:
        print_problem(f"record {record.sequence_number or '?'}", str(record.reason))
    if poison:
        raise typer.Exit(EXIT_FAILED)


def _plain(decoded: Readable) -> dict[str, Any]:
    if decoded.records is None:
        return {"value": decoded.value}
    return {"records": [record._asdict() for record in decoded.records]}


def _show(decoded: Readable) -> None:
    if decoded.records is None:
        print_line(results(), _text(decoded.value, indented=True))
        return
    for place, record in enumerate(each for each in decoded.records if each.reason is None):
        if place:
            print_line(results(), "")
        print_rows(results(), _rows(record))


def _rows(record: ReadableRecord) -> list[tuple[str, str]]:
    rows = [
        ("record", record.sequence_number or "?"),
        ("change", f"{record.event} of {record.table}" + (", by time to live" if record.by_ttl else "")),
        ("version", record.version or ""),
        ("keys", _text(record.keys)),
    ]
    if record.created_at is not None and record.lag_seconds is not None:
        made = datetime.fromtimestamp(record.created_at, UTC).isoformat(sep=" ", timespec="seconds")
        rows.append(("made", f"{made}, {record.lag_seconds:,.0f} s ago"))
    images = (("new image", record.new_image), ("old image", record.old_image))
    return rows + [(name, _text(image)) for name, image in images if image is not None]


def _text(value: Any, *, indented: bool = False) -> str:
    return orjson.dumps(value, option=orjson.OPT_INDENT_2 if indented else 0).decode()
