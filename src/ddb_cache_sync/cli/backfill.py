"""`ddb-cache-sync backfill --table NAME`: fill the cache from the table, by a scan or from an export."""

from functools import partial
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
    settings,
)
from ddb_cache_sync.cli.reaching import print_failure, reached_cache
from ddb_cache_sync.cli.stopping import Stopped
from ddb_cache_sync.cli.working import Told, ended_by
from ddb_cache_sync.errors import CacheSyncError
from ddb_cache_sync.sync.backfill import Backfill, BackfillReport
from ddb_cache_sync.sync.preparing import BackfillOptions, prepare_backfill


def backfill(
    table: TableOption,
    config: ConfigOption = None,
    redis_url: RedisUrl = None,
    key_template: KeyTemplateOption = None,
    encoding: EncodingOption = None,
    endpoint_url: EndpointUrl = None,
    region: Region = None,
    segments: Annotated[
        int | None,
        typer.Option(
            help="Segments of the scan, or files of the export, read at once. Default: 4.", show_default=False
        ),
    ] = None,
    eventually_consistent: Annotated[
        bool, typer.Option("--eventually-consistent", help="Scan at half the cost; items may be a moment old.")
    ] = False,
    read_capacity: Annotated[
        float | None,
        typer.Option(metavar="UNITS", help="The most read capacity units a second that the scan uses."),
    ] = None,
    items_per_second: Annotated[float | None, typer.Option(metavar="N", help="The most items a second.")] = None,
    from_export: Annotated[
        str | None,
        typer.Option(metavar="LOCATION", help="Take the items from an export: a folder or s3://bucket/prefix."),
    ] = None,
    read_again: Annotated[
        bool, typer.Option("--read-again", help="Read each item of the export from the table again.")
    ] = False,
    checkpoint: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Note how far it has come, and go on from there. Removed at the end."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Fill the cache from the table, while its stream goes on; a change always wins.

    Start the function that applies the stream first. Exit code 0: all is done, 1: something failed.
    """
    # These import boto3, which the other commands do without.
    from ddb_cache_sync.table.clients import dynamodb_client, s3_client  # noqa: PLC0415

    chosen = settings(config=config, redis_url=redis_url, key_template=key_template, encoding=encoding)
    options = BackfillOptions(
        segments,
        not eventually_consistent,
        read_capacity,
        items_per_second,
        from_export,
        read_again,
        checkpoint,
        chosen.fingerprint,
    )
    with reached_cache(chosen) as cache:
        running = prepare_backfill(
            cache,
            chosen.router(),
            dynamodb_client(region, endpoint_url),
            table,
            options,
            guard_ttl_seconds=chosen.guard_ttl_seconds,
            s3_client=s3_client(region) if (from_export or "").startswith("s3://") else None,
        )
        if running.goes_on:
            print_line(messages(), f"going on from checkpoint {checkpoint}")
        error = ended_by(partial(_run, running))
    report = running.report
    _show(report, error, checkpoint, as_json=as_json)
    if isinstance(error, Stopped):
        raise error
    if error is not None or report.failed or not report.complete:
        raise typer.Exit(EXIT_FAILED)


def _run(running: Backfill, told: Told) -> None:
    told("items", 0, running.about or 0)
    running.run(lambda items: told("items", items, 0))


def _show(report: BackfillReport, error: BaseException | None, checkpoint: Path | None, *, as_json: bool) -> None:
    if as_json:
        print_json(report.to_json())
    elif error is None or report.items:
        removed = f", {report.removed} keys removed" if report.removed else ""
        print_line(
            results(),
            f"{report.items} items in {report.seconds:.1f} s: {report.written} values written{removed}, "
            f"{report.guarded} left to the stream, {report.left_out} left out, {report.failed} failed",
        )
    for reason in report.problems:
        print_problem("failed", reason)
    if isinstance(error, CacheSyncError):
        print_failure(error)
    if not report.complete:
        again = "begins anew; --checkpoint FILE would let it go on" if checkpoint is None else "goes on from there"
        print_problem("stopped", f"not all is done: the same command {again}")
