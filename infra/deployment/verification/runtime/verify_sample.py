"""Compares a sample of the table with the cache, and says in CloudWatch's embedded metric format what it found."""

import json
import os
import time
from typing import Any, Final

from ddb_cache_sync.settings import Settings
from ddb_cache_sync.sync.verify import DEFAULT_LOOKS, VerifyOptions, verify
from ddb_cache_sync.table.clients import dynamodb_client

settings = Settings.from_environment(os.environ)
cache = settings.client()
table_client = dynamodb_client()

_METRICS: Final = (
    {"Name": "Drift", "Unit": "Count"},
    {"Name": "ShareConsistent", "Unit": "Percent"},
    {"Name": "InFlight", "Unit": "Count"},
)


def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Compare about `SAMPLE` items.

    Args:
        event: `looks`, when what differs is looked at again, seconds; the schedule's has none: as the library does it.
        _context: Lambda's.

    Returns:
        What is in the metrics: `Drift` and `InFlight`, keys; `ShareConsistent`, percent. No keys, no contents.
    """
    options = VerifyOptions(
        sample=int(os.environ["SAMPLE"]),
        looks=event.get("looks") or DEFAULT_LOOKS,
        guard_ttl_seconds=settings.guard_ttl_seconds,
        most_listed=0,
    )
    report = verify(cache, settings.router(), table_client, os.environ["DYNAMODB_TABLE"], options)
    found = {
        "Drift": report.drift,
        "ShareConsistent": 100 * report.share_consistent,
        "InFlight": report.in_flight,
    }
    service = os.environ["AWS_LAMBDA_FUNCTION_NAME"]
    directive = {"Namespace": "DdbCacheSync", "Dimensions": [["service"]], "Metrics": _METRICS}
    print(  # noqa: T201 - CloudWatch makes metrics of it
        json.dumps(
            {
                "_aws": {"Timestamp": int(time.time() * 1000), "CloudWatchMetrics": [directive]},
                "service": service,
                **found,
            }
        )
    )
    return found
