"""Choices by context that the tests look at."""

from __future__ import annotations

STREAM = "arn:aws:dynamodb:eu-west-1:111122223333:table/orders/stream/2026-01-01T00:00:00.000"
TABLE = {"table_name": "orders", "table_stream_arn": STREAM, "key_template": "orders:{id}"}
NETWORK = {"vpc_id": "vpc-0123456789abcdef0", "subnet_ids": "subnet-0123456789abcdef0,subnet-0123456789abcdef1"}
EXISTING = {"cache": "existing", "cache_url": "rediss://my-cache-vcxyz2.serverless.euw1.cache.amazonaws.com:6379"}
VARIANTS: dict[str, dict[str, str]] = {
    "defaults": {},
    "existing table, network and cache with IAM": {
        **TABLE,
        "table_key_arn": "arn:aws:kms:eu-west-1:111122223333:key/12345678-1234-1234-1234-123456789012",
        **NETWORK,
        **EXISTING,
        "cache_iam_user": "sync",
        "cache_name": "my-cache",
        "cache_security_group_id": "sg-0123456789abcdef0",
    },
    "existing cache with a secret": {
        **NETWORK,
        **EXISTING,
        "cache_secret_arn": "arn:aws:secretsmanager:eu-west-1:111122223333:secret:cache-AbCdEf",
    },
    "nodes, two shards": {"cache": "nodes", "cache_shards": "2", "cache_replicas": "2", "encoding": "hash"},
    "a key of another name, other zones": {
        "partition_key": "userId",
        "key_template": "people:{userId}",
        "availability_zones": "eu-west-1b,eu-west-1c",
    },
    "nothing beside the replication": {
        "simulator": "false",
        "verify_minutes": "0",
        "backfill": "false",
        "flow_logs": "false",
        "removable": "true",
        "stack_name": "Small",
    },
    "everything on": {
        "xray": "true",
        "alarm_email": "someone@example.com",
        "ttl_attribute": "expiresAt",
        "value_ttl_seconds": "86400",
        "reserved_concurrency": "20",
        "mode": "refresh",
        "encoding": "hash",
        "stream_view_type": "NEW_AND_OLD_IMAGES",
    },
}
