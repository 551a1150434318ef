"""The commands put together; errors become a message on stderr and an exit code."""

import logging
import signal
import sys
from importlib.metadata import version
from typing import Annotated, Any

import typer

from ddb_cache_sync.cli.apply import apply
from ddb_cache_sync.cli.console import messages
from ddb_cache_sync.cli.demo import demo
from ddb_cache_sync.errors import CacheSyncError, ConfigurationError

EXIT_FAILED = 1
EXIT_USAGE = 2
EXIT_INTERRUPTED = 130

app = typer.Typer(
    help="Keep a Redis or Valkey cache in step with a DynamoDB table.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command()(demo)
app.command()(apply)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(version("ddb-cache-sync"))
        raise typer.Exit


@app.callback()
def _options(
    _version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Results go to stdout, messages to stderr. Exit code 0: fine, 1: failed, 2: wrong usage, 3: drift found."""


def run() -> None:
    """Run the command line and exit."""
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    signal.signal(signal.SIGTERM, _stop)
    try:
        app()
    except ConfigurationError as error:
        messages().print(f"[bold red]wrong usage:[/] {_escaped(error)}")
        sys.exit(EXIT_USAGE)
    except CacheSyncError as error:
        messages().print(f"[bold red]failed:[/] {_escaped(error)}")
        sys.exit(EXIT_FAILED)
    except KeyboardInterrupt:
        sys.exit(EXIT_INTERRUPTED)


def _stop(_signal: int, _frame: Any) -> None:
    """SIGTERM unwinds like Ctrl-C, so that what was started is ended."""
    raise KeyboardInterrupt


def _escaped(error: CacheSyncError) -> str:
    return str(error).replace("[", r"\[")
