"""What the steps of `rebuild` have in common."""

import contextlib
from collections.abc import Iterator
from typing import Annotated, TypeAlias

import typer

from ddb_cache_sync.cli.options import settings
from ddb_cache_sync.cli.reaching import reached_cache
from ddb_cache_sync.settings import Settings
from ddb_cache_sync.sync.rebuild import Rebuild

NewLayout: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--new-layout",
        metavar="FILE",
        help="The new layout's configuration file. Default: DDB_CACHE_SYNC_NEW_LAYOUT, or what the file says.",
        show_default=False,
    ),
]


@contextlib.contextmanager
def rebuilding(
    table: str, region: str | None, endpoint_url: str | None, **options: str | None
) -> Iterator[tuple[Rebuild, Settings]]:
    """Give the rebuild that the settings describe, and the settings, while its cache is connected.

    Raises:
        ConfigurationError: There is no new layout, or one that can't stand beside the old one.
        TableError: The table can't be described.
    """
    from ddb_cache_sync.table.clients import dynamodb_client  # noqa: PLC0415 - loads boto3

    chosen = settings(**options)
    old, new = chosen.layouts()
    client = dynamodb_client(region, endpoint_url)
    with reached_cache(chosen) as cache:
        yield Rebuild(cache, old, new, client, table, guard_ttl_seconds=chosen.guard_ttl_seconds), chosen
