"""Where an item goes: the key mapping."""

import pytest
import redis

from ddb_cache_sync import Change, KeyTemplate, Replicator
from ddb_cache_sync.testing import stream_record

pytestmark = pytest.mark.servers

ORDER = stream_record({"tenant": "acme", "id": 42}, {"tenant": "acme", "id": 42}, table="orders")


def keys_in(client: redis.Redis) -> list[bytes]:
    """The cache keys, without their guards."""
    return sorted(key for key in client.scan_iter() if not key.startswith(b"~v:"))


def test_the_default_is_the_table_and_the_whole_key(redis_client: redis.Redis) -> None:
    """Key attributes in the order of their names."""
    Replicator(redis_client).apply([ORDER])
    assert keys_in(redis_client) == [b"orders:42:acme"]


def test_a_template_names_the_key_attributes(redis_client: redis.Redis) -> None:
    """All of them: two items never share a cache key."""
    Replicator(redis_client, keys=KeyTemplate("order:{tenant}:{id}")).apply([ORDER])
    assert keys_in(redis_client) == [b"order:acme:42"]


def test_doubled_braces_make_a_hash_tag(redis_client: redis.Redis) -> None:
    """On a cluster all orders of a tenant lie on one node."""
    Replicator(redis_client, keys=KeyTemplate("{{{tenant}}}:{id}")).apply([ORDER])
    assert keys_in(redis_client) == [b"{acme}:42"]


def test_any_function_is_a_key_mapping(redis_client: redis.Redis) -> None:
    """It may depend on the key only, for a removal has nothing else."""

    def mapping(change: Change, /) -> str:
        key = change.key.attributes
        return f"v2/{key['tenant']}/{key['id']}"

    Replicator(redis_client, keys=mapping).apply([ORDER])
    assert keys_in(redis_client) == [b"v2/acme/42"]
