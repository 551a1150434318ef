"""A Lambda function for a schedule: compares a sample of the table with the cache, and writes CloudWatch metrics.

`ddb_cache_sync.aws_lambda.verify_handler` does that without any code; here are a few words in the log besides. Set
DDB_CACHE_SYNC_VERIFY_TABLE and the replicator's DDB_CACHE_SYNC_* variables, and let it run every five minutes.
"""

from typing import Any

from ddb_cache_sync.aws_lambda import LambdaContext, verify_handler


def handler(event: Any, context: LambdaContext) -> dict[str, float]:
    """Compare a sample, write the metrics, and say in words what they mean."""
    found = verify_handler(event, context)
    if found.get("OldestDrift", 0) > 3600:
        print("drift that does not mend itself: run ddb-cache-sync verify, then repair")
    return found
