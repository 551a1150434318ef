"""A Lambda function that keeps a cache in step with the table whose stream invokes it."""

from ddb_cache_sync import KeyTemplate, Replicator, apply_stream_event, connect

replicator = Replicator(connect("rediss://my-cache.example.com:6379"), keys=KeyTemplate("users:{id}"))


def handler(event, context):
    return apply_stream_event(event, replicator, context=context)
