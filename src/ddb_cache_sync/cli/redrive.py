"""`ddb-cache-sync redrive SOURCE --table NAME`: bring back what was given up or set aside."""

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
from ddb_cache_sync.sync.preparing_redrive import RedriveClients, prepare_redrive
from ddb_cache_sync.sync.redrive import Redrive, RedriveOptions, RedriveReport


def redrive(
    source: Annotated[
        str,
        typer.Argument(
            metavar="SOURCE", help="A folder, s3://bucket/prefix, or the URL of an SQS queue.", show_default=False
        ),
    ],
    table: TableOption,
    config: ConfigOption = None,
    redis_url: RedisUrl = None,
    key_template: KeyTemplateOption = None,
    encoding: EncodingOption = None,
    endpoint_url: EndpointUrl = None,
    region: Region = None,
    account: Annotated[
        str | None, typer.Option(metavar="ID", help="Refuse unless the table is in this account.", show_default=False)
    ] = None,
    stream_arn: Annotated[
        str | None,
        typer.Option(
            metavar="ARN",
            help="Take the records of this stream: an older one of the table, or a Kinesis data stream.",
            show_default=False,
        ),
    ] = None,
    read_again: Annotated[
        bool, typer.Option("--read-again", help="Trust no record, however young: read its item from the table.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Tell what would be done; write and delete nothing.")
    ] = False,
    delete: Annotated[bool, typer.Option("--delete", help="Delete what succeeded.")] = False,
    limit: Annotated[
        int | None, typer.Option(metavar="N", help="Take N objects or messages at the most.", show_default=False)
    ] = None,
    checkpoint: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Note how far it has come, and go on from there. Removed at the end."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Bring back what Lambda gave up, or a quarantine keeps, while the stream goes on; a newer change always wins.

    What is too old to be trusted is read from the table. Exit code 0: all succeeded, 1: something failed.
    """
    from ddb_cache_sync.table.clients import dynamodb_client, streams_client  # noqa: PLC0415 - loads boto3

    chosen = settings(config=config, redis_url=redis_url, key_template=key_template, encoding=encoding)
    options = RedriveOptions(
        account=account,
        stream_arn=stream_arn,
        read_again=read_again,
        dry_run=dry_run,
        delete=delete,
        limit=limit,
        checkpoint=checkpoint,
        job=chosen.fingerprint,
    )
    clients = RedriveClients(dynamodb_client(region, endpoint_url), streams_client(region, endpoint_url))
    with chosen.client() if dry_run else reached_cache(chosen) as cache:
        running = prepare_redrive(
            source,
            cache,
            chosen.router(),
            clients,
            table,
            options=options,
            guard_ttl_seconds=chosen.guard_ttl_seconds,
            stream_label=chosen.stream_label,
        )
        if running.goes_on:
            print_line(messages(), f"going on from checkpoint {checkpoint}")
        error = ended_by(partial(_run, running))
    report = running.report
    _show(report, as_json=as_json, begun=error is None or report.entries > 0)
    if isinstance(error, CacheSyncError):
        print_failure(error)
    if error is not None:
        again = "begins anew; what succeeded changes nothing" if checkpoint is None else "goes on from there"
        print_problem("stopped", f"not all is done: the same command {again}")
    elif not report.complete:
        print_line(messages(), f"the limit of {limit} is reached; there may be more")
    if isinstance(error, Stopped):
        raise error
    if error is not None or report.failed:
        raise typer.Exit(EXIT_FAILED)


def _run(running: Redrive, told: Told) -> None:
    about = running.about()
    running.run(lambda entries: told("entries", entries, about))


def _show(report: RedriveReport, *, as_json: bool, begun: bool) -> None:
    if as_json:
        print_json(report.to_json())
    elif begun:
        would = "dry run, nothing was written: " if report.dry_run else ""
        deleted = f", {report.deleted} deleted" if report.deleted else ""
        print_line(
            results(),
            f"{would}{report.records} records of {report.entries} objects or messages in {report.seconds:.1f} s: "
            f"{report.applied} applied, {report.stale} stale, {report.filtered} filtered, {report.read_again} "
            f"read again ({report.repaired} keys repaired); {report.failed} objects or messages failed{deleted}",
        )
    for problem in report.problems:
        print_problem("failed", problem)
