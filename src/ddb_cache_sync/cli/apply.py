"""`ddb-cache-sync apply EVENT.json`: apply an event file to a cache, or show what it would do."""

import time
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import orjson
import typer
from rich.text import Text

from ddb_cache_sync.cli.console import print_json, print_line, print_problem, print_rows, results
from ddb_cache_sync.cli.options import (
    EXIT_FAILED,
    AsJson,
    ConfigOption,
    EncodingOption,
    KeyTemplateOption,
    RedisUrl,
    input_name,
    read_json_input,
    settings,
)
from ddb_cache_sync.cli.reaching import reached_cache
from ddb_cache_sync.core.encodings import StoredValue
from ddb_cache_sync.core.outcomes import ApplyReport, Failure, Notice
from ddb_cache_sync.core.stream_records import event_records
from ddb_cache_sync.errors import RecordError
from ddb_cache_sync.sync.preview import Preview, preview


def apply(
    event: Annotated[
        Path, typer.Argument(metavar="EVENT.json", allow_dash=True, help="A Lambda event as JSON; - reads stdin.")
    ],
    config: ConfigOption = None,
    redis_url: RedisUrl = None,
    key_template: KeyTemplateOption = None,
    encoding: EncodingOption = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show record, key and write, and touch nothing.")] = False,
    as_json: AsJson = False,
) -> None:
    """Apply the records of an event file to the cache, as the Lambda function would.

    Exit code 0: all applied or stale, 1: some record failed.
    """
    chosen = settings(config=config, redis_url=redis_url, key_template=key_template, encoding=encoding)
    records = event_records(_read(event))
    if dry_run:
        previews = preview(records, chosen.router(), chosen.stream_label_ms, now=time.time())
        _show_previews(previews, as_json=as_json)
        failed = any(each.action == "refused" for each in previews)
    else:
        with reached_cache(chosen):
            report = chosen.replicator().apply(records)
        _show_report(report, as_json=as_json)
        failed = report.failed > 0
    if failed:
        raise typer.Exit(EXIT_FAILED)


def _read(path: Path) -> Any:
    try:
        return orjson.loads(read_json_input(path))
    except orjson.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise RecordError(f"{input_name(path)} is not JSON ({where})") from None


def _show_report(report: ApplyReport, *, as_json: bool) -> None:
    if as_json:
        print_json(asdict(report) | {"records": report.records, "failed": report.failed} | report.response)
    else:
        filtered = f", {report.filtered} filtered" if report.filtered else ""
        counts = f"{report.applied} applied, {report.stale} stale{filtered}, {report.failed} failed"
        print_line(results(), f"{report.records} {'record' if report.records == 1 else 'records'}: {counts}")
    said: list[Failure | Notice] = [*report.failures, *report.notices]
    for each in said:
        print_problem(f"record {each.sequence_number}", each.reason)


def _show_previews(previews: list[Preview], *, as_json: bool) -> None:
    if as_json:
        print_json({"records": [_plain(each) for each in previews]})
        return
    rows: list[tuple[Text | str, ...]] = [
        tuple(Text(title, "bold") for title in ("record", "action", "key", "value or reason"))
    ]
    for each in previews:
        shown = each.reason or _text(each.value)
        rows.append((each.sequence_number or "?", each.action, each.key or "", shown))
    print_rows(results(), rows)


def _plain(each: Preview) -> dict[str, Any]:
    if each.value is None or isinstance(each.value, bytes):
        return each._asdict() | {"value": None if each.value is None else _text(each.value)}
    return each._asdict() | {"value": {name: _text(content) for name, content in each.value.items()}}


def _text(value: StoredValue | None) -> str:
    """What would be stored, for a person: a hash as JSON."""
    if value is None or isinstance(value, bytes):
        return (value or b"").decode("utf-8", "replace")
    return orjson.dumps({name: _text(content) for name, content in value.items()}).decode()
