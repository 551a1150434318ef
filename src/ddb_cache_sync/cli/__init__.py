"""The command line `ddb-cache-sync`: one command a file, no logic in it."""

import sys


def main() -> None:
    """Run the command line; the console script's entry point."""
    try:
        import rich  # noqa: F401, PLC0415
        import typer  # noqa: F401, PLC0415
    except ImportError:
        sys.exit("ddb-cache-sync: the command line needs its extra: pip install 'ddb-cache-sync[cli]'")
    from ddb_cache_sync.cli.app import run  # noqa: PLC0415 - only now do we know that typer is there

    run()
