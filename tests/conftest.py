"""Servers the tests share: one of each for every xdist worker, started by the first test that asks."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import botocore.session
import pytest
import redis

from ddb_cache_sync.local import valkey
from ddb_cache_sync.local.embedded import (
    EmbeddedCluster,
    EmbeddedDynamoDB,
    embedded_cluster,
    embedded_dynamodb,
    embedded_valkey,
)

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Make `xdist_group` group: pytest-xdist 3.8 names the group in an attribute that pytest 9.2 no longer reads.

    Without it each worker starts a cluster of its own, and what a file's tests share is made once a worker.
    """
    for item in items:
        grouped = getattr(item, "_nodeid", item.nodeid)
        if grouped != item.nodeid:
            item._id = type(item.id).parse(grouped)


@pytest.fixture(scope="session", autouse=True)
def _descriptions_read_once() -> Iterator[None]:
    """Let botocore read its descriptions of the services once, and not for each client: 50 ms of 60."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(botocore.session, "create_loader", cache(botocore.session.create_loader))
        yield


@pytest.fixture(scope="session", autouse=True)
def _server_program() -> Iterator[None]:
    """Test with the server program that `TEST_SERVER` names (another engine or version), not the embedded one."""
    with pytest.MonkeyPatch.context() as patch:
        if program := os.environ.get("TEST_SERVER"):
            patch.setattr(valkey, "_program", lambda: Path(program))
        yield


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
def cluster() -> Iterator[EmbeddedCluster]:
    """Give three masters with a replica each. Mark what asks for it `xdist_group("cluster")`, so that there is one."""
    with embedded_cluster(3, 3, config={"cluster-node-timeout": 2000}) as running:
        yield running


@pytest.fixture
def cluster_client(cluster: EmbeddedCluster) -> Iterator[redis.RedisCluster]:
    """Give a client of an empty cluster; replies are bytes."""
    with redis.RedisCluster.from_url(cluster.url) as client:
        client.flushall(target_nodes=redis.RedisCluster.PRIMARIES)
        yield client


@pytest.fixture(scope="session")
def dynamodb() -> Iterator[EmbeddedDynamoDB]:
    """Give a DynamoDB server. Tables of other tests stay in it: name each test's table differently."""
    with embedded_dynamodb() as server:
        yield server
