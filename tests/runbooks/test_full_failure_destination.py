"""The cache was away for longer than the event source mapping was patient: batches were given up."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from tests.cluster.support import await_that
from tests.faults.proxy import FaultProxy

if TYPE_CHECKING:
    from collections.abc import Callable

    import redis
    from tests.runbooks.conftest import Pipeline
    from tests.runbooks.destinations import Destinations

    from ddb_cache_sync.local.failure_destination import FailureDestination

pytestmark = [pytest.mark.servers, pytest.mark.long]

FOREVER = 10**9


def give_up_batches(
    pipeline_of: Callable[[str], Pipeline], redis_url: str, destination: FailureDestination
) -> Pipeline:
    """A pipeline that has given up what was changed while its cache was away, and goes on since."""
    with FaultProxy(int(redis_url.rpartition(":")[2])) as proxy:
        pipeline = pipeline_of(proxy.url)
        pipeline.aws.on_failure = destination
        pipeline.function.timeout_seconds = 0.2
        pipeline.mapping.told |= {"MaximumRetryAttempts": 1, "BisectBatchOnFunctionError": False}
        for number in range(3):
            pipeline.table.put(number)
        pipeline.aws.start(pipeline.mapping)
        pipeline.drain()
        proxy.refuse = FOREVER
        proxy.cut()
        for number in range(4):
            pipeline.table.put(number, 2)
        pipeline.table.remove(2)
        pipeline.drain()
        assert proxy.refused > 0
    for variables in (pipeline.function.variables, pipeline.shell.environment):
        variables["DDB_CACHE_SYNC_REDIS_URL"] = redis_url
    pipeline.function.variables = {**pipeline.function.variables}
    pipeline.function.timeout_seconds = 30
    # As Lambda would: what was given up is not read again, though a local mapping begins anew.
    pipeline.mapping.told |= {"MaximumRetryAttempts": 1000, "BisectBatchOnFunctionError": True}
    return pipeline


def test_a_bucket_brings_back_its_records(
    pipeline_of: Callable[[str], Pipeline], redis_client: redis.Redis, redis_url: str, destinations: Destinations
) -> None:
    """What changed again since wins over them."""
    bucket = destinations.bucket()
    pipeline = give_up_batches(pipeline_of, redis_url, bucket)
    assert bucket.keys()
    assert redis_client.get("users:0") == b'{"id":"0","value":1}'
    pipeline.shell.environment["FAILED"] = f"s3://{bucket.name}/aws/lambda"
    with pipeline.runbook("full-failure-destination.md") as runbook:
        runbook.follow("doctor")
        runbook.skip("a queue")
        runbook.follow("a bucket")
        assert bucket.keys() == []
        runbook.skip("what is gone")
        runbook.follow("verify")
    assert redis_client.mget("users:0", "users:2") == [b'{"id":"0","value":2}', None]


def test_a_queue_tells_where_they_are_and_what_is_gone_is_repaired(
    pipeline_of: Callable[[str], Pipeline], redis_client: redis.Redis, redis_url: str, destinations: Destinations
) -> None:
    """The emulator never trims its stream, so one message tells of a record before its first one."""
    queue = destinations.queue()
    pipeline = give_up_batches(pipeline_of, redis_url, queue)
    await_that(lambda: queue.messages() > 0, "a message")
    redis_client.delete("users:1", "~v:{users:1}")  # an item of the batch that is gone
    pipeline.shell.environment["FAILED_QUEUE"] = queue.url
    [received] = queue.sqs.receive_message(QueueUrl=queue.url, VisibilityTimeout=0)["Messages"]
    trimmed = json.loads(received["Body"])
    trimmed["DDBStreamBatchInfo"]["startSequenceNumber"] = "1"
    queue.send(trimmed)
    with pipeline.runbook("full-failure-destination.md") as runbook:
        runbook.follow("doctor")
        runbook.follow("a queue", exits=1)
        assert queue.messages() == 1
        runbook.skip("a bucket")
        redis_client.delete("users:1", "~v:{users:1}")
        runbook.follow("what is gone")
        assert queue.messages() == 0
        runbook.follow("verify")
    assert redis_client.mget("users:1", "users:2") == [b'{"id":"1","value":2}', None]
