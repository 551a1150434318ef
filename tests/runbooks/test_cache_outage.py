"""The cache refuses every connection for a while."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.cluster.support import await_that
from tests.faults.proxy import FaultProxy

if TYPE_CHECKING:
    from collections.abc import Callable

    import redis
    from tests.runbooks.conftest import Pipeline
    from tests.runbooks.destinations import Destinations

pytestmark = [pytest.mark.servers, pytest.mark.long]

FOREVER = 10**9


def test_an_outage_is_sat_out_and_what_was_given_up_comes_back(
    pipeline_of: Callable[[str], Pipeline], redis_client: redis.Redis, redis_url: str, destinations: Destinations
) -> None:
    """The mapping had two retries: its first batches are given up, and none after it was given more time."""
    bucket = destinations.bucket()
    with FaultProxy(int(redis_url.rpartition(":")[2])) as proxy:
        pipeline = pipeline_of(proxy.url)
        pipeline.aws.on_failure = bucket
        pipeline.function.timeout_seconds = 0.2
        pipeline.mapping.told |= {"MaximumRetryAttempts": 2, "MaximumRecordAgeInSeconds": 3600}
        pipeline.aws.start(pipeline.mapping)
        for number in range(5):
            pipeline.table.put(number)
        pipeline.drain()
        proxy.refuse = FOREVER
        proxy.cut()
        for number in range(3):
            pipeline.table.put(number, 2)
        await_that(lambda: bool(bucket.keys()), "batches are given up")
        pipeline.drain()
        given_up = len(bucket.keys())
        pipeline.shell.environment["FAILED"] = f"s3://{bucket.name}/aws/lambda"
        with pipeline.runbook("cache-outage.md") as runbook:
            assert "loses-data  cache " in runbook.follow("doctor", exits=1)
            assert runbook.follow("how long") == "2\t3600\n"
            runbook.follow("more time")
            properties = pipeline.mapping.properties
            assert (properties.maximum_retry_attempts, properties.maximum_record_age_seconds) == (-1, 82_800)
            refused = proxy.refused
            pipeline.table.put(3, 2)
            pipeline.table.remove(4)
            await_that(lambda: proxy.refused > refused + 10, "the function tries again and again")
            assert len(bucket.keys()) == given_up
            proxy.refuse = 0  # it is mended
            pipeline.drain()
            assert redis_client.mget("users:3", "users:4") == [b'{"id":"3","value":2}', None]
            runbook.follow("bring it back")
            assert bucket.keys() == []
            runbook.follow("verify")
    assert redis_client.get("users:0") == b'{"id":"0","value":2}'
