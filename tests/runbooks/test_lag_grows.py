"""A function that is invoked for one record at a time, and too slow for that."""

from __future__ import annotations

import json
import threading
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from tests.cluster.support import await_that

if TYPE_CHECKING:
    import redis
    from tests.runbooks.conftest import Pipeline

pytestmark = [pytest.mark.servers, pytest.mark.long]

CHANGES = 60
CHANGES_AN_INVOCATION = 6
"""How many changes are made while the function is invoked once."""
SECONDS_A_CHANGE = 10


class SlowFunction:
    """Measures the age of each batch's last record, as Lambda does, and takes its time.

    Time is counted in changes: one is made every ten seconds, and an invocation takes a minute. It takes none once the
    settings are better: what is measured is how many invocations there are, not how fast this machine is.

    Attributes:
        made: How many changes there are. The value of each item is how many there were before.
        ages: The iterator age at each invocation, seconds.
    """

    def __init__(self, pipeline: Pipeline) -> None:
        self.made = 0
        self.ages: list[int] = []
        self._pipeline = pipeline
        self._may_go_on = threading.Semaphore(0)
        pipeline.function.before = self._measure

    def change(self, number: int) -> None:
        """Change an item; after some changes an invocation is over."""
        self._pipeline.table.put(number, self.made)
        self.made += 1
        if self.made % CHANGES_AN_INVOCATION == 0:
            self._may_go_on.release()
            await_that(lambda: len(self.ages) == self.made // CHANGES_AN_INVOCATION, "an invocation")

    def _measure(self, event: Any) -> None:
        while not self._may_go_on.acquire(timeout=0.01) and self._pipeline.mapping.properties.batch_size == 1:
            pass
        last = event["Records"][-1]["dynamodb"]["NewImage"]["value"]["N"]
        self.ages.append((self.made - int(last)) * SECONDS_A_CHANGE)


def test_larger_batches_and_more_of_them_end_the_lag(pipeline: Pipeline, redis_client: redis.Redis) -> None:
    """The iterator age grows with each invocation; afterwards ten invocations bring it all."""
    function = SlowFunction(pipeline)
    pipeline.mapping.told |= {"BatchSize": 1, "ParallelizationFactor": 1}
    pipeline.aws.start(pipeline.mapping)
    for number in range(CHANGES):
        function.change(number)
    behind = function.ages[:]
    assert behind == sorted(behind)
    assert (behind[0], behind[-1]) == (60, 510)
    assert pipeline.shell.run('ddb-cache-sync verify --table "$TABLE"').returncode == 3

    tell_cloudwatch(pipeline, behind[-1])
    with pipeline.runbook("lag-grows.md") as runbook:
        said = runbook.follow("doctor")
        for finding in ("1: each invocation costs", "1, and the function is behind", "up to 8.5 min"):
            assert finding in said
        now, then = runbook.follow("estimate").split("First bottleneck")[:2]
        assert "NO: " in now
        assert "yes, up to" in then
        runbook.follow("speed up")
        pipeline.drain()
        assert pipeline.mapping.properties.parallelization_factor == 10
        assert len(function.ages) - len(behind) <= 1 + 10, "the one that was under way, and one for each lane"
        runbook.follow("more memory")
        assert pipeline.function.memory_mb == 1769
        assert json.loads(runbook.follow("watch"))["Datapoints"][0]["Maximum"] == behind[-1] * 1000
        runbook.follow("verify")
    function.made += 1
    pipeline.table.put(0, function.made)
    pipeline.drain()
    assert function.ages[-1] <= 0


def tell_cloudwatch(pipeline: Pipeline, age_seconds: float) -> None:
    """Put the metric, as Lambda does."""
    server = pipeline.table.server
    boto3.session.Session().client(
        "cloudwatch",
        region_name=server.region,
        endpoint_url=server.endpoint_url,
        aws_access_key_id="local",
        aws_secret_access_key="local",
    ).put_metric_data(
        Namespace="AWS/Lambda",
        MetricData=[
            {
                "MetricName": "IteratorAge",
                "Value": age_seconds * 1000,
                "Timestamp": datetime.fromtimestamp(time.time() - 60, UTC),
                "Dimensions": [{"Name": "FunctionName", "Value": pipeline.function.name}],
            }
        ],
    )
