"""Records can come twice, late and out of order: the newest change wins."""

import itertools

import pytest
import redis

from ddb_cache_sync import Replicator
from ddb_cache_sync.testing import stream_record

pytestmark = pytest.mark.servers

PUT = stream_record({"id": "a"}, {"id": "a", "n": 1}, sequence_number=9)
UPDATE = stream_record({"id": "a"}, {"id": "a", "n": 2}, {"id": "a", "n": 1}, sequence_number=10)
DELETE = stream_record({"id": "a"}, None, {"id": "a", "n": 2}, sequence_number=11)


def test_the_newest_change_wins_in_any_order(redis_client: redis.Redis) -> None:
    """Each change in a batch of its own, in every order there is."""
    for order in itertools.permutations([PUT, UPDATE]):
        redis_client.flushall()
        for record in order:
            Replicator(redis_client).apply([record])
        assert redis_client.get("T:a") == b'{"id":"a","n":2}'


def test_the_newest_change_of_a_batch_wins_wherever_it_stands(redis_client: redis.Redis) -> None:
    """All changes in one batch, in every order there is."""
    for order in itertools.permutations([PUT, UPDATE, DELETE]):
        redis_client.flushall()
        report = Replicator(redis_client).apply(order)
        assert redis_client.get("T:a") is None
        assert (report.applied, report.stale) == (1, 2)


def test_a_deleted_item_does_not_come_back(redis_client: redis.Redis) -> None:
    """The guard outlives the item: it is the tombstone."""
    replicator = Replicator(redis_client)
    replicator.apply([PUT, UPDATE, DELETE])
    report = replicator.apply([PUT, UPDATE])
    assert redis_client.get("T:a") is None
    assert (report.applied, report.stale) == (0, 2)


def test_a_batch_that_comes_twice_changes_nothing(redis_client: redis.Redis) -> None:
    """Lambda delivers at least once."""
    replicator = Replicator(redis_client)
    for _ in range(2):
        report = replicator.apply([PUT, UPDATE])
        assert (report.applied, report.stale) == (1, 1)
        assert redis_client.get("T:a") == b'{"id":"a","n":2}'
