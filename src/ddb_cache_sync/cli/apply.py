"""`ddb-cache-sync apply EVENT.json`: apply an event file to a cache, or show what it would do."""

import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import orjson
import typer
from rich.table import Table
from rich.text import Text

from ddb_cache_sync.cli.console import messages, print_json, results
from ddb_cache_sync.cli.options import AsJson, EncodingOption, KeyTemplateOption, RedisUrl, settings
from ddb_cache_sync.core.outcomes import ApplyReport
from ddb_cache_sync.core.stream_records import event_records
from ddb_cache_sync.errors import RecordError
from ddb_cache_sync.sync.preview import Preview, preview

EXIT_FAILED = 1


def apply(
    event: Annotated[
        Path, typer.Argument(metavar="EVENT.json", allow_dash=True, help="A Lambda event as JSON; - reads stdin.")
    ],
    redis_url: RedisUrl = None,
    key_template: KeyTemplateOption = None,
    encoding: EncodingOption = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show record, key and write, and touch nothing.")] = False,
    as_json: AsJson = False,
) -> None:
    """Apply the records of an event file to the cache, as the Lambda function would.

    Exit code 0: all applied or stale, 1: some record failed.
    """
    chosen = settings(redis_url=redis_url, key_template=key_template, encoding=encoding)
    records = event_records(_read(event))
    if dry_run:
        previews = preview(records, chosen.projection(), chosen.stream_label_ms)
        _show_previews(previews, as_json=as_json)
        failed = any(each.action == "refused" for each in previews)
    else:
        report = chosen.replicator().apply(records)
        _show_report(report, as_json=as_json)
        failed = report.failed > 0
    if failed:
        raise typer.Exit(EXIT_FAILED)


def _read(path: Path) -> Any:
    try:
        return orjson.loads(sys.stdin.buffer.read() if str(path) == "-" else path.read_bytes())
    except OSError as error:
        raise typer.BadParameter(f"{path}: {error.strerror}") from None
    except orjson.JSONDecodeError as error:
        raise RecordError(f"{path} is not JSON (line {error.lineno}, column {error.colno})") from None


def _show_report(report: ApplyReport, *, as_json: bool) -> None:
    if as_json:
        print_json(asdict(report) | {"records": report.records, "failed": report.failed} | report.response)
        return
    results().print(f"{report.records} records: {report.applied} applied, {report.stale} stale, {report.failed} failed")
    for failure in report.failures:
        messages().print(Text(f"record {failure.sequence_number}: {failure.reason}"))


def _show_previews(previews: list[Preview], *, as_json: bool) -> None:
    if as_json:
        print_json({"records": [_plain(each) for each in previews]})
        return
    table = Table("record", "action", "key", "value or reason", box=None, pad_edge=False)
    for each in previews:
        shown = each.reason or (each.value or b"").decode("utf-8", "replace")
        table.add_row(*map(Text, (each.sequence_number or "?", each.action, each.key or "", shown)))
    results().print(table)


def _plain(each: Preview) -> dict[str, Any]:
    return each._asdict() | {"value": None if each.value is None else each.value.decode("utf-8", "replace")}
