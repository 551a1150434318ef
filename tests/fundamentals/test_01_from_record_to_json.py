"""What this library does: a change of an item in DynamoDB comes in, the item's JSON goes to the cache."""

from typing import Any

import pytest
import redis

from ddb_cache_sync import JsonEncoding, Replicator, apply_stream_event

pytestmark = pytest.mark.servers

EVENT: dict[str, Any] = {
    "Records": [
        {
            "eventName": "INSERT",
            "eventSourceARN": "arn:aws:dynamodb:eu-west-1:111122223333:table/users/stream/2025-04-23T13:37:16.991",
            "dynamodb": {
                "Keys": {"id": {"S": "42"}},
                "NewImage": {"id": {"S": "42"}, "name": {"S": "Zoë"}, "score": {"N": "1.50"}},
                "SequenceNumber": "202328600001712385967261751",
                "StreamViewType": "NEW_IMAGE",
            },
        }
    ]
}


def test_an_item_arrives_as_plain_json(redis_client: redis.Redis) -> None:
    """Any reader, in any language, needs nothing but GET and a JSON parser."""
    answer = apply_stream_event(EVENT, Replicator(redis_client))
    assert redis_client.get("users:42") == '{"id":"42","name":"Zoë","score":1.50}'.encode()
    assert answer == {"batchItemFailures": []}


def test_a_guard_beside_it_remembers_the_version(redis_client: redis.Redis) -> None:
    """And expires by itself, an hour after the stream can't deliver the change again."""
    apply_stream_event(EVENT, Replicator(redis_client))
    assert redis_client.get("~v:{users:42}") == b"1745415436991:27:202328600001712385967261751"
    assert redis_client.ttl("~v:{users:42}") > 24 * 3600
    assert redis_client.ttl("users:42") == -1


def test_numbers_keep_their_digits(redis_client: redis.Redis) -> None:
    """Read them as Decimal where that matters."""
    apply_stream_event(EVENT, Replicator(redis_client))
    value = redis_client.get("users:42")
    assert isinstance(value, bytes)
    assert str(JsonEncoding().decode(value)["score"]) == "1.50"
