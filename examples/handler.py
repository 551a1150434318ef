"""The least a Lambda function needs; everything else is in `DDB_CACHE_SYNC_*`."""

from ddb_cache_sync import apply_stream_event


def handler(event, context):
    return apply_stream_event(event, context=context)
