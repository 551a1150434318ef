"""Fills the cache from a table, with a projection of one's own; goes on where it was stopped.

In one terminal: `ddb-cache-sync demo --keep`. In another, with the variables that it prints:

    python examples/backfill.py users
"""

import os
import sys
from pathlib import Path

import boto3

from ddb_cache_sync import BackfillOptions, KeyTemplate, Projection, connect, exclude, prepare_backfill

if len(sys.argv) != 2:
    sys.exit("usage: python examples/backfill.py TABLE")
[table] = sys.argv[1:]
# The function that applies the stream has to have the same.
projection = Projection(KeyTemplate("names:{id}"), transforms=[exclude("writtenAtMs")])
options = BackfillOptions(segments=2, items_per_second=1000, checkpoint=Path(f"{table}.checkpoint"), job="names")
with connect(os.environ["DDB_CACHE_SYNC_REDIS_URL"]) as cache:
    backfill = prepare_backfill(cache, projection, boto3.client("dynamodb"), table, options)
    report = backfill.run()
print(f"{report.items} items read, {report.written} written, {report.guarded} left to the stream")
for problem in report.problems:
    print(problem, file=sys.stderr)
