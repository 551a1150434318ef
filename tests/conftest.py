"""Servers the tests share: one of each for every xdist worker, started by the first test that asks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import redis

from ddb_cache_sync.local.embedded import EmbeddedDynamoDB, embedded_dynamodb, embedded_valkey

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def redis_url() -> Iterator[str]:
    """Give the URL of a Valkey server. It may hold another test's keys; `redis_client` empties it."""
    with embedded_valkey() as server:
        yield server.url


@pytest.fixture
def redis_client(redis_url: str) -> Iterator[redis.Redis]:
    """Give a client of an empty Valkey server; replies are bytes."""
    with redis.Redis.from_url(redis_url, decode_responses=False) as client:
        client.flushall()
        yield client


@pytest.fixture(scope="session")
def dynamodb() -> Iterator[EmbeddedDynamoDB]:
    """Give a DynamoDB server. Tables of other tests stay in it: name each test's table differently."""
    with embedded_dynamodb() as server:
        yield server
