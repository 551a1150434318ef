"""`ddb-cache-sync rebuild fill`: fill the new layout, beside the old one."""

from pathlib import Path
from typing import Annotated

import typer

from ddb_cache_sync.cli.console import messages, print_json, print_line, print_problem, results
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
)
from ddb_cache_sync.cli.reaching import print_failure
from ddb_cache_sync.cli.rebuild_options import NewLayout, rebuilding
from ddb_cache_sync.cli.stopping import Stopped
from ddb_cache_sync.cli.working import ended_by
from ddb_cache_sync.errors import CacheSyncError
from ddb_cache_sync.sync.preparing import BackfillOptions
from ddb_cache_sync.sync.rebuild import FillReport


def fill(
    table: TableOption,
    config: ConfigOption = None,
    new_layout: NewLayout = None,
    redis_url: RedisUrl = None,
    key_template: KeyTemplateOption = None,
    encoding: EncodingOption = None,
    endpoint_url: EndpointUrl = None,
    region: Region = None,
    segments: Annotated[
        int | None, typer.Option(help="Segments of the scan read at once. Default: 4.", show_default=False)
    ] = None,
    read_capacity: Annotated[
        float | None, typer.Option(metavar="UNITS", help="The most read capacity units a second.")
    ] = None,
    items_per_second: Annotated[float | None, typer.Option(metavar="N", help="The most items a second.")] = None,
    checkpoint: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Note how far it has come, and go on from there. Removed at the end."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Fill the new layout from the table, while the stream is applied to both.

    Let the function that applies the stream have both layouts first. Exit code 0: all is done, 1: something failed.
    """
    given = {"config": config, "new_layout": new_layout, "redis_url": redis_url}
    with rebuilding(table, region, endpoint_url, **given, key_template=key_template, encoding=encoding) as (it, chosen):
        options = BackfillOptions(
            segments,
            read_capacity=read_capacity,
            items_per_second=items_per_second,
            checkpoint=checkpoint,
            job=f"rebuild {chosen.fingerprint}",
        )
        running = it.prepare_fill(options)
        if running.goes_on:
            print_line(messages(), f"going on from checkpoint {checkpoint}")
        error = ended_by(running.run)
    report = running.report
    _show(report, error, as_json=as_json)
    if isinstance(error, Stopped):
        raise error
    if error is not None or report.backfill.failed or not report.complete:
        raise typer.Exit(EXIT_FAILED)
    print_line(messages(), "next: ddb-cache-sync rebuild verify")


def _show(report: FillReport, error: BaseException | None, *, as_json: bool) -> None:
    filled, (guards, carried, left) = report.backfill, report.carried
    if as_json:
        print_json(report.to_json())
    elif error is None or guards or filled.items:
        print_line(
            results(),
            f"{guards} guards: {carried} carried over, {left} left; {filled.items} items: {filled.written} values "
            f"written, {filled.guarded} left to the stream, {filled.left_out} left out, {filled.failed} failed",
        )
    for reason in filled.problems:
        print_problem("failed", reason)
    if left:
        print_problem("note", f"{left} guards were left: what rebuild verify finds there, repair puts right")
    if isinstance(error, CacheSyncError):
        print_failure(error)
    if not report.complete:
        print_problem("stopped", "not all is done: the same command goes on; with --checkpoint FILE where it stopped")
