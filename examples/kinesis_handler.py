"""A Lambda function for a table that writes its changes to a Kinesis data stream, which keeps them for three days."""

from ddb_cache_sync import KeyTemplate, Replicator, apply_stream_event, connect

replicator = Replicator(
    connect("rediss://my-cache.example.com:6379"),
    keys=KeyTemplate("users:{id}"),
    guard_ttl_seconds=(3 * 24 + 25) * 3600,
)


def handler(event, context):
    return apply_stream_event(event, replicator, context=context)
