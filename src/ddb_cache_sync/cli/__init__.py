"""The command line `ddb-cache-sync`: one command a file, no logic in it."""

import sys

from ddb_cache_sync.cli.stopping import Stopped, stop_on_signals


def main() -> None:
    """Run the command line; the console script's entry point."""
    stop_on_signals()
    try:
        try:
            import rich  # noqa: F401, PLC0415
            import typer  # noqa: F401, PLC0415
        except ImportError:
            sys.exit("ddb-cache-sync: the command line needs its extra: pip install 'ddb-cache-sync[cli]'")
        from ddb_cache_sync.cli.app import run  # noqa: PLC0415 - only now do we know that typer is there

        run()
    except Stopped as stopped:
        sys.exit(stopped.exit_code)
