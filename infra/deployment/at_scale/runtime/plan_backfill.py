"""First step of a backfill: finds out whether it can be right before anything is written, and where its files are."""

import os
import time
from typing import Any

from ddb_cache_sync.core.guards import DEFAULT_GUARD_TTL_SECONDS
from ddb_cache_sync.errors import ConfigurationError
from ddb_cache_sync.sync.preparing import check_can_be_right
from ddb_cache_sync.table.clients import dynamodb_client
from ddb_cache_sync.table.descriptions import table_description
from ddb_cache_sync.table.exports import open_export

GUARD_TTL_SECONDS = int(os.environ.get("DDB_CACHE_SYNC_GUARD_TTL_SECONDS") or DEFAULT_GUARD_TTL_SECONDS)


def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Check an export.

    Args:
        event: `bucket`, and `manifest`, the key of its manifest-summary.json.
        _context: Lambda's.

    Returns:
        `location` of the export, `bucket` and `files_key` of its list of data files, and how many `files` and `items`.

    Raises:
        ConfigurationError: The backfill could not be right.
    """
    location = f"s3://{event['bucket']}/{event['manifest']}"
    export = open_export(location)
    described = table_description(dynamodb_client(), os.environ["DYNAMODB_TABLE"])
    if export.table_arn != described.arn:
        raise ConfigurationError(f"the export is of {export.table_arn}, not of {described.arn}")
    # Read again where it has grown too old for its own items to be used: see fill_file.
    check_can_be_right(
        described,
        guard_ttl_seconds=GUARD_TTL_SECONDS,
        as_of=export.export_time if export.kind == "full" else export.to_time,
        read_again=True,
        now=time.time(),
    )
    files_key = event["manifest"].replace("manifest-summary.json", "manifest-files.json")
    return {
        "location": location,
        "bucket": event["bucket"],
        "files_key": files_key,
        "files": len(export.files),
        "items": export.item_count,
    }
