"""`ddb-cache-sync demo`: the whole pipeline on this machine."""

import contextlib
import logging
import signal
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from ddb_cache_sync.cli.console import messages, print_json, results
from ddb_cache_sync.local.demo import TABLE, Addresses, Demo, DemoOptions, DemoReport, running_demo

EXIT_DRIFT = 3


def demo(
    changes: Annotated[int, typer.Option(min=1, help="How many changes to make.")] = 500,
    seed: Annotated[int, typer.Option(help="The same seed makes the same changes and faults.")] = 1,
    batch_size: Annotated[int, typer.Option(min=1, max=10_000, help="The most records in one invocation.")] = 100,
    parallelization: Annotated[int, typer.Option(min=1, max=10, help="Invocations at a time.")] = 2,
    chaos: Annotated[
        bool, typer.Option("--chaos", help="Deliver twice, out of order and late, fail invocations, forget scripts.")
    ] = False,
    keep: Annotated[bool, typer.Option("--keep", help="Stay up afterwards, and print where to connect to.")] = False,
    dynamodb_local: Annotated[
        Path | None,
        typer.Option(metavar="JAR", exists=True, dir_okay=False, help="Use this DynamoDB Local in place of moto."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as one JSON object.")] = False,
    verbose: Annotated[bool, typer.Option("--verbose", help="Log every failed invocation.")] = False,
) -> None:
    """Change a table at random and watch the cache follow: embedded Valkey, DynamoDB emulator, real pipeline.

    In the end every key is compared with the table. Exit code 0: they agree, 3: they do not.
    """
    options = DemoOptions(changes, seed, batch_size, parallelization, chaos, dynamodb_local)
    if not verbose:
        # Failed invocations are what chaos is for.
        logging.getLogger("ddb_cache_sync").setLevel(logging.CRITICAL)
    with contextlib.ExitStack() as stack:
        with messages().status("starting Valkey and DynamoDB ..."):
            running = stack.enter_context(running_demo(options))
        report = _run_with_progress(running)
        if as_json:
            print_json(report.to_json() | ({"addresses": asdict(running.addresses)} if keep else {}))
        else:
            _show(report, options)
        if keep:
            if not as_json:
                _show_addresses(running.addresses)
            with contextlib.suppress(KeyboardInterrupt):
                signal.pause()
    if not report.consistent:
        raise typer.Exit(EXIT_DRIFT)


def _run_with_progress(running: Demo) -> DemoReport:
    columns = [
        TextColumn("changes"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[rate]:.0f}/s  {task.fields[outcomes]}"),
    ]
    with Progress(*columns, console=messages(), transient=True, disable=not messages().is_terminal) as bar:
        task = bar.add_task("changes", total=running.options.changes, rate=0, outcomes="")

        def show() -> None:
            lag = running.progress.lag_ms
            counts = running.progress.outcomes
            text = f"applied {counts['applied']}  stale {counts['stale']}"
            if lag is not None:
                text += f"  lag p50 {lag.p50:.0f} ms  p99 {lag.p99:.0f} ms"
            done = running.progress.changes
            rate = done / max(bar.tasks[0].elapsed or 0, 0.001)
            bar.update(task, completed=done, outcomes=text, rate=rate)

        return running.run(on_change=show)


def _show(report: DemoReport, options: DemoOptions) -> None:
    table = Table.grid(padding=(0, 2))
    table.add_row("changes", f"{report.changes} to table {TABLE} in {report.seconds:.1f} s (seed {options.seed})")
    table.add_row(
        "records",
        f"{report.records} delivered: {report.applied} applied, {report.stale} stale, {report.failed} failed",
    )
    if report.lag_ms is not None:
        table.add_row("lag", f"p50 {report.lag_ms.p50:.0f} ms, p99 {report.lag_ms.p99:.0f} ms")
    if report.faults:
        faults = ", ".join(f"{name} {count}" for name, count in report.faults.items())
        table.add_row("faults", f"{sum(report.faults.values())}: {faults}")
    results().print(table)
    if report.consistent:
        results().print(f"[bold green]consistent[/]  {report.keys} cache keys, {report.items} items, all equal")
    else:
        kinds = ", ".join(f"{count} {kind}" for kind, count in report.drift.items())
        results().print(f"[bold red]drift[/]  {report.keys} cache keys, {report.items} items: {kinds}")


def _show_addresses(addresses: Addresses) -> None:
    table = Table.grid(padding=(0, 2))
    table.add_row("cache", addresses.redis_url)
    table.add_row("DynamoDB", addresses.dynamodb_endpoint_url)
    table.add_row("table", addresses.table)
    table.add_row("stream", addresses.stream_arn)
    results().print("\nStill running; Ctrl-C ends it all. Connect to:", table)
    results().print("\nFor boto3, the AWS command line and the examples:")
    for name, value in addresses.environment.items():
        results().print(f"export {name}={value}", soft_wrap=True)
    results().print(f"export DDB_CACHE_SYNC_REDIS_URL={addresses.redis_url}", soft_wrap=True)
