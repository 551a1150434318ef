"""Reads items by their keys: from the cache where it has them, else from the table, and fills them in.

In one terminal: `ddb-cache-sync demo --keep`. In another, with the variables that it prints:

    python examples/reader.py users 1 2 3
"""

import os
import sys

import boto3

from ddb_cache_sync import CacheReader, connect

if len(sys.argv) < 3:
    sys.exit("usage: python examples/reader.py TABLE ID...")
table, *ids = sys.argv[1:]
reader = CacheReader(
    connect(os.environ["DDB_CACHE_SYNC_REDIS_URL"]),
    table,
    table_client=boto3.client("dynamodb"),
    key_name="id",
)
for item in reader.get_many(ids):
    print(item)
