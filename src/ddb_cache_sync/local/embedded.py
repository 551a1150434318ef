"""Servers for a demo or a test, on free loopback ports, that end with the block that started them."""

from ddb_cache_sync.local.dynamodb import EmbeddedDynamoDB, create_demo_table, dynamodb_local, embedded_dynamodb
from ddb_cache_sync.local.servers import ServerError
from ddb_cache_sync.local.valkey import EmbeddedCluster, EmbeddedValkey, embedded_cluster, embedded_valkey

__all__ = [
    "EmbeddedCluster",
    "EmbeddedDynamoDB",
    "EmbeddedValkey",
    "ServerError",
    "create_demo_table",
    "dynamodb_local",
    "embedded_cluster",
    "embedded_dynamodb",
    "embedded_valkey",
]
