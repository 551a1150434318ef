"""The commands put together; errors become a message on stderr and an exit code."""

import logging
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import version
from typing import Annotated, Final

import typer

from ddb_cache_sync.cli.apply import apply
from ddb_cache_sync.cli.backfill import backfill
from ddb_cache_sync.cli.config_check import check
from ddb_cache_sync.cli.config_schema import schema
from ddb_cache_sync.cli.console import MessageHandler, print_problem
from ddb_cache_sync.cli.decode import decode
from ddb_cache_sync.cli.demo import demo
from ddb_cache_sync.cli.doctor import doctor
from ddb_cache_sync.cli.estimate import estimate
from ddb_cache_sync.cli.inspect import inspect
from ddb_cache_sync.cli.options import EXIT_FAILED, EXIT_USAGE
from ddb_cache_sync.cli.plain_help import PlainCommand, PlainGroup
from ddb_cache_sync.cli.reaching import print_failure
from ddb_cache_sync.cli.rebuild_drop import drop
from ddb_cache_sync.cli.rebuild_fill import fill
from ddb_cache_sync.cli.rebuild_verify import verify as verify_new_layout
from ddb_cache_sync.cli.redrive import redrive
from ddb_cache_sync.cli.repair import repair
from ddb_cache_sync.cli.verify import verify
from ddb_cache_sync.errors import CacheSyncError, ConfigurationError

PROGRAM: Final = "ddb-cache-sync"
"""What the program is called, however it was started."""

app = typer.Typer(
    cls=PlainGroup,
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
config = typer.Typer(cls=PlainGroup, no_args_is_help=True)
rebuild = typer.Typer(cls=PlainGroup, no_args_is_help=True)
_COMMANDS: Final[Mapping[typer.Typer, Sequence[Callable[..., None]]]] = {
    app: (demo, apply, backfill, verify, repair, redrive, inspect, decode, doctor, estimate),
    config: (check, schema),
    rebuild: (fill, verify_new_layout, drop),
}
for _group, _commands in _COMMANDS.items():
    for _command in _commands:
        _group.command(cls=PlainCommand)(_command)
app.add_typer(config, name="config", help="Check a configuration file, or print its JSON schema.")
app.add_typer(rebuild, name="rebuild", help="Move keys to a new layout: fill it, verify it, drop the old one.")


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(version(PROGRAM))
        raise typer.Exit


@app.callback()
def _options(
    _version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Keep a Redis or Valkey cache in step with a DynamoDB table.

    Results go to stdout, messages to stderr. Exit code 0: fine, 1: failed, 2: wrong usage, 3: drift found, 130: Ctrl-C.
    """


def run() -> None:
    """Run the command line and exit; `Stopped` is left to the caller."""
    logging.basicConfig(level=logging.WARNING, format="%(message)s", handlers=[MessageHandler()])
    try:
        app(prog_name=PROGRAM)
    except ConfigurationError as error:
        print_problem("wrong usage", str(error))
        sys.exit(EXIT_USAGE)
    except CacheSyncError as error:
        print_failure(error)
        sys.exit(EXIT_FAILED)
    except BrokenPipeError:
        # Whoever read the results has seen enough; Python must not try to flush what is left.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(EXIT_FAILED)
