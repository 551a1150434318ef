"""`ddb-cache-sync rebuild drop`: delete the keys of the old layout, and their guards."""

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
    Looks,
    RedisUrl,
    Region,
    TableOption,
)
from ddb_cache_sync.cli.rebuild_options import NewLayout, rebuilding
from ddb_cache_sync.cli.stopping import Stopped
from ddb_cache_sync.cli.working import ended_by
from ddb_cache_sync.core.verify_settings import looks_of
from ddb_cache_sync.errors import CacheSyncError
from ddb_cache_sync.sync.dropping import DEFAULT_QUIET_SECONDS, DropOptions, DropReport


def drop(
    table: TableOption,
    config: ConfigOption = None,
    new_layout: NewLayout = None,
    redis_url: RedisUrl = None,
    key_template: KeyTemplateOption = None,
    encoding: EncodingOption = None,
    endpoint_url: EndpointUrl = None,
    region: Region = None,
    keys_per_second: Annotated[float, typer.Option(metavar="N", help="The most keys to delete, a second.")] = 1000.0,
    quiet_seconds: Annotated[
        float,
        typer.Option(metavar="SECONDS", help="How long ago the stream must have been applied to the old layout last."),
    ] = DEFAULT_QUIET_SECONDS,
    sample: Annotated[
        int, typer.Option(metavar="N", help="Compare about N items with the new layout before anything is deleted.")
    ] = 1000,
    looks: Looks = "1,5,30",
    apply: Annotated[bool, typer.Option("--apply", help="Delete. Default: tell only what would be deleted.")] = False,
    as_json: AsJson = False,
) -> None:
    """Delete the keys of the old layout, and their guards. A dry run, unless told to apply.

    Every reader, and the function that applies the stream, must have the new layout alone by now. Exit code 0: all is
    done, or would be; 1: it was refused, or something failed.
    """
    options = DropOptions(apply, keys_per_second, quiet_seconds, sample, looks_of(looks))
    given = {"config": config, "new_layout": new_layout, "redis_url": redis_url}
    with rebuilding(table, region, endpoint_url, **given, key_template=key_template, encoding=encoding) as (it, _):
        running = it.prepare_drop(options)
        error = ended_by(running.run)
    report = running.report
    _show(report, error, apply=apply, as_json=as_json)
    if isinstance(error, Stopped):
        raise error
    if error is not None or not report.complete or report.young or report.failed:
        raise typer.Exit(EXIT_FAILED)


def _show(report: DropReport, error: BaseException | None, *, apply: bool, as_json: bool) -> None:
    if as_json:
        print_json(report.to_json())
    elif error is None or report.checked or report.guards or report.keys:
        what = f"{report.keys:,} keys of the old layout, and {report.guards:,} guards"
        print_line(results(), f"{what}: {report.dropped:,} deleted" if report.applied else what)
    if report.refused is not None:
        print_problem("refused", report.refused)
    elif report.young:
        print_problem("refused", f"{report.young:,} keys were changed meanwhile: is the stream still applied to them?")
    if report.failed:
        print_problem("failed", f"{report.failed:,} keys: the cache did not delete them")
    if isinstance(error, CacheSyncError):
        print_problem("failed", str(error))
    elif not report.complete and report.refused is None:
        print_problem("stopped", "not all is done: the same command goes on with what is left")
    if not apply and error is None:
        print_line(messages(), "dry run: nothing was deleted; repeat with --apply")
