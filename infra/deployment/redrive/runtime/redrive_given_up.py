"""Brings back the batches that Lambda has given up, and poison records that were set aside, with the library's redrive.

Run it when the cause is mended. A newer change always wins, so it can be run again; what is older than guards live is
read from the table. An object is deleted only where that is asked for, and all of its records have succeeded.
"""

import os
from typing import Any, Final, Protocol

from ddb_cache_sync.settings import Settings
from ddb_cache_sync.sync.preparing_redrive import RedriveClients, prepare_redrive
from ddb_cache_sync.sync.redrive import RedriveOptions
from ddb_cache_sync.table.clients import dynamodb_client, s3_client

settings = Settings.from_environment(os.environ)
cache = settings.client()
clients = RedriveClients(dynamodb_client(), s3=s3_client())

_MARGIN_MS: Final = 60_000
"""When to stop, before the time-out: the object under way may have to wait for the cache."""


class Context(Protocol):
    """The part of Lambda's context that is used."""

    invoked_function_arn: str

    def get_remaining_time_in_millis(self) -> int:
        """Milliseconds until the time-out."""
        ...


def handler(event: dict[str, Any], context: Context) -> dict[str, Any]:
    """Bring back what is in the bucket.

    Args:
        event: `dry_run` and `delete`, false where they are left out; `limit`, how many objects at the most, of each.
        context: Lambda's.

    Returns:
        The library's reports, `given_up` and `quarantine`: counts, `problems`, and `complete`: false where the time or
        the limit did not suffice, so that it is to be run again, with `delete`, or it begins with the same objects.

    Raises:
        CacheUnavailable: The cache kept failing; run it again.
        CacheError: The cache refuses us.
        TableError: The table or the bucket can't be read.
        ConfigurationError: Options that do not go together, or a table of another account.
    """
    options = RedriveOptions(
        account=context.invoked_function_arn.split(":")[4],
        dry_run=bool(event.get("dry_run")),
        delete=bool(event.get("delete")),
        limit=event.get("limit"),
    )
    return {
        "given_up": _redriven(os.environ["GIVEN_UP"], options, context),
        "quarantine": _redriven(os.environ["QUARANTINE"], options, context),
    }


def _redriven(source: str, options: RedriveOptions, context: Context) -> dict[str, Any]:
    running = prepare_redrive(
        source,
        cache,
        settings.router(),
        clients,
        os.environ["DYNAMODB_TABLE"],
        options=options,
        guard_ttl_seconds=settings.guard_ttl_seconds,
        stream_label=settings.stream_label,
    )

    def stop_in_time(_entries: int) -> None:
        if context.get_remaining_time_in_millis() < _MARGIN_MS:
            running.stop()

    return running.run(stop_in_time).to_json()
