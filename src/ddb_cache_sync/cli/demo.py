"""`ddb-cache-sync demo`: the whole pipeline on this machine."""

import contextlib
import logging
import signal
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import rich.progress as bars
import typer
from rich.text import Text

from ddb_cache_sync.cli.console import messages, print_json, print_line, print_rows, results
from ddb_cache_sync.cli.options import EXIT_DRIFT, AsJson
from ddb_cache_sync.cli.stopping import Stopped
from ddb_cache_sync.local.demo import TABLE, Addresses, Demo, DemoOptions, DemoReport, Progress, running_demo


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
    as_json: AsJson = False,
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
        with contextlib.suppress(Stopped) if keep else contextlib.nullcontext():
            if as_json:
                print_json(report.to_json() | ({"addresses": asdict(running.addresses)} if keep else {}))
            else:
                _show(report, options)
            if keep:
                if not as_json:
                    _show_addresses(running.addresses)
                if not chaos:
                    # From here on it is the user's own changes that may fail.
                    logging.getLogger("ddb_cache_sync").setLevel(logging.WARNING)
                signal.pause()
    if not report.consistent:
        raise typer.Exit(EXIT_DRIFT)


class _Outcomes(bars.ProgressColumn):
    """Rate, outcomes and lag, as they are whenever the bar is drawn."""

    def __init__(self, progress: Progress) -> None:
        super().__init__()
        self._progress = progress

    def render(self, task: bars.Task) -> Text:
        """What the demo has come to."""
        outcomes, lag = self._progress.outcomes, self._progress.lag_ms
        text = f"{task.completed / max(task.elapsed or 0, 0.001):.0f}/s  applied {outcomes['applied']}"
        text += f"  stale {outcomes['stale']}"
        if lag is not None:
            text += f"  lag p50 {lag.p50:.0f} ms  p99 {lag.p99:.0f} ms"
        return Text(text)


class _Phase(bars.ProgressColumn):
    """What the demo is doing."""

    def __init__(self, progress: Progress) -> None:
        super().__init__()
        self._progress = progress

    def render(self, task: bars.Task) -> Text:  # noqa: ARG002 - rich's signature
        """The phase, of one width."""
        return Text(f"{self._progress.phase:9}")


def _run_with_progress(running: Demo) -> DemoReport:
    columns = [
        _Phase(running.progress),
        bars.BarColumn(bar_width=20),
        bars.MofNCompleteColumn(),
        _Outcomes(running.progress),
    ]
    with bars.Progress(*columns, console=messages(), transient=True, disable=not messages().is_terminal) as bar:
        task = bar.add_task("", total=running.options.changes)
        return running.run(on_change=lambda: bar.advance(task))


def _show(report: DemoReport, options: DemoOptions) -> None:
    rate = report.changes / max(report.seconds, 0.001)
    rows: list[tuple[Text | str, str]] = [
        ("changes", f"{report.changes} to table {TABLE} in {report.seconds:.1f} s, {rate:.0f}/s (seed {options.seed})"),
        (
            "records",
            f"{report.records} delivered: {report.applied} applied, {report.stale} stale, {report.failed} failed",
        ),
    ]
    if report.lag_ms is not None:
        lag = report.lag_ms
        rows.append(("lag", f"p50 {lag.p50:.0f} ms, p99 {lag.p99:.0f} ms, from the write to the table to the cache"))
    if report.faults:
        faults = ", ".join(f"{name} {count}" for name, count in report.faults.items())
        rows.append(("faults", f"{sum(report.faults.values())}: {faults}"))
    compared = f"{report.keys} cache keys, {report.items} items"
    if report.consistent:
        rows.append((Text("consistent", "bold green"), f"{compared}, all equal"))
    else:
        kinds = ", ".join(f"{count} {kind}" for kind, count in report.drift.items())
        rows.append((Text("drift", "bold red"), f"{compared}: {kinds}"))
    print_rows(results(), rows)


def _show_addresses(addresses: Addresses) -> None:
    out = results()
    print_line(out, "\nStill running: what you write to the table goes on to the cache. Ctrl-C ends it all.\n")
    print_rows(
        out,
        [
            ("cache", addresses.redis_url),
            ("DynamoDB", addresses.dynamodb_endpoint_url),
            ("table", addresses.table),
            ("stream", addresses.stream_arn),
        ],
        wrap=False,
    )
    print_line(out, "\nFor boto3, the AWS command line and the examples:\n")
    for name, value in addresses.environment.items():
        print_line(out, f"export {name}={value}")
    print_line(out, f"export DDB_CACHE_SYNC_REDIS_URL={addresses.redis_url}")
