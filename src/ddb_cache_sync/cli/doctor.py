"""`ddb-cache-sync doctor`: what breaks a pipeline, and how to mend it."""

from collections import Counter
from typing import Annotated, Final

import typer
from rich.text import Text

from ddb_cache_sync.cli.console import messages, print_json, print_line, print_problem, print_rows, printable, results
from ddb_cache_sync.cli.options import (
    EXIT_FAILED,
    AsJson,
    ConfigOption,
    EncodingOption,
    EndpointUrl,
    KeyTemplateOption,
    RedisUrl,
    Region,
    TableOption,
    settings,
)
from ddb_cache_sync.core.diagnosis import Finding, Level, nothing_looked_at

_STYLES: Final = {
    Level.LOSES_DATA: "bold red",
    Level.WARNING: "yellow",
    Level.CANNOT_TELL: "magenta",
    Level.NOTE: "cyan",
    Level.OK: "green",
}


def doctor(
    table: TableOption,
    config: ConfigOption = None,
    redis_url: RedisUrl = None,
    key_template: KeyTemplateOption = None,
    encoding: EncodingOption = None,
    endpoint_url: EndpointUrl = None,
    region: Region = None,
    function: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help="The function. Default: whichever read the table's stream.", show_default=False
        ),
    ] = None,
    event_source_mapping: Annotated[
        str | None, typer.Option(metavar="UUID", help="The one event source mapping to look at.", show_default=False)
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="Show what is as it should be too.")] = False,
    as_json: AsJson = False,
) -> None:
    """Check a pipeline from its table to its cache: what loses changes, what will, and how to mend it.

    Writes to a scratch key of the cache and removes it; changes nothing else. Exit code 0: no changes are lost, as
    far as can be told; 1: some are, or nothing could be looked at.
    """
    from ddb_cache_sync.sync.doctor import diagnose  # noqa: PLC0415 - loads boto3, which other commands do without
    from ddb_cache_sync.table.examination import aws_clients  # noqa: PLC0415

    chosen = settings(config=config, redis_url=redis_url, key_template=key_template, encoding=encoding)
    with messages().status("asking AWS and the cache ..."):
        found = diagnose(
            table,
            chosen.client(),
            chosen.router(),
            aws_clients(region, endpoint_url),
            guard_ttl_seconds=chosen.guard_ttl_seconds,
            function=function,
            event_source_mapping=event_source_mapping,
        )
    lost = any(finding.level is Level.LOSES_DATA for finding in found)
    if as_json:
        print_json({"loses_data": lost, "findings": [finding._asdict() for finding in found]})
    else:
        _show(found, every=every)
    nothing = nothing_looked_at(found)
    if nothing:
        print_problem("failed", "neither the table nor the cache could be looked at: nothing is known of the pipeline")
    if lost or nothing:
        raise typer.Exit(EXIT_FAILED)


def _show(found: list[Finding], *, every: bool) -> None:
    shown = [finding for finding in found if every or finding.level is not Level.OK]
    rows: list[tuple[Text | str, ...]] = [
        (Text(finding.level, _STYLES[finding.level]), finding.check, finding.about, _said(finding)) for finding in shown
    ]
    if rows:
        print_rows(results(), rows)
    counts = Counter(finding.level for finding in found)
    print_line(results(), ", ".join(f"{counts[level]} {level}" for level in Level if counts[level]))


def _said(finding: Finding) -> Text:
    said = Text(printable(finding.what))
    return said if not finding.mend else said.append(f". {printable(finding.mend)}", "dim")
