"""A Lambda function for one occasion: verifies, or repairs, from within the cache's network, and is deleted again.

It runs with the subnets, the security group and the DDB_CACHE_SYNC_* variables of the function that applies the stream:
docs/how-to/verify-and-repair.md shows how it is made and invoked. Where the command line can reach the cache, use that.
"""

import json
import os
from collections import Counter
from typing import Any

from ddb_cache_sync.core.verify_settings import DEFAULT_LOOKS
from ddb_cache_sync.settings import Settings
from ddb_cache_sync.sync.repair import repair
from ddb_cache_sync.sync.repair_report import targets_of_report
from ddb_cache_sync.sync.verify import VerifyOptions, verify
from ddb_cache_sync.table.clients import dynamodb_client


def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Verify a table: `{"table": "users"}`; with `sample` so many items of it. The answer is the report.

    With a `report` in the event repair its keys, a dry run without `"apply": true`. The answer counts what became of
    them.
    """
    settings = Settings.from_environment(os.environ)
    table, client = event["table"], dynamodb_client()
    with settings.client() as cache:
        if "report" not in event:
            options = VerifyOptions(
                event.get("sample"),
                event.get("looks", DEFAULT_LOOKS),
                guard_ttl_seconds=settings.guard_ttl_seconds,
                stream_label_ms=settings.stream_label_ms,
            )
            return verify(cache, settings.router(), client, table, options).to_json()
        apply = event.get("apply", False)
        targets = targets_of_report(json.dumps(event["report"]).encode(), table)
        guard_ttl_seconds = settings.guard_ttl_seconds
        repaired = repair(
            cache, settings.router(), client, table, targets, apply=apply, guard_ttl_seconds=guard_ttl_seconds
        )
        return {"applied": apply, **Counter(each.action.value for each in repaired)}
