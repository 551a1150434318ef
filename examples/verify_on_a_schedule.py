"""A Lambda function for a schedule: samples the table, compares it with the cache, and prints a metric of its own.

Set TABLE and the replicator's DDB_CACHE_SYNC_* variables, and let it run every hour.
"""

import json
import os
from typing import Any

import boto3

from ddb_cache_sync.settings import Settings
from ddb_cache_sync.sync.verify import VerifyOptions, verify

settings = Settings.from_environment(os.environ)
cache = settings.client()
table_client = boto3.client("dynamodb")


def handler(_event: Any, _context: Any) -> dict[str, Any]:
    """Compare about a thousand items; gives what an alarm needs."""
    options = VerifyOptions(sample=1000, looks=(1, 5, 30))
    report = verify(cache, settings.router(), table_client, os.environ["TABLE"], options)
    result = {
        "share_consistent": report.share_consistent,
        "at_least": report.interval[0],
        "drift": report.drift,
        "in_flight": report.in_flight,
    }
    print(json.dumps(result))
    return result
