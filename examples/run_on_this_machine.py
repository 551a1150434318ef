"""Runs `handler.py` on this machine as Lambda would, on the stream of a real or emulated table.

In one terminal: `ddb-cache-sync demo --keep`. In another, with the variables that it prints:

    DDB_CACHE_SYNC_KEY_TEMPLATE='copy:{id}' python examples/run_on_this_machine.py users

Every item of the demo's table is then also under `copy:<id>` in the demo's cache.
"""

import sys

from handler import handler

from ddb_cache_sync.local.event_source_mapping import EventSourceMapping
from ddb_cache_sync.table.clients import dynamodb_client, streams_client

if len(sys.argv) != 2:
    sys.exit("usage: python examples/run_on_this_machine.py TABLE")
table = sys.argv[1]
stream_arn = dynamodb_client().describe_table(TableName=table)["Table"]["LatestStreamArn"]
with EventSourceMapping(streams_client(), stream_arn, handler) as mapping:
    mapping.drain()
    print(f"{mapping.metrics().polled_event_count} records of table {table} applied")
