"""The contenders: ours, and what people write without it. Each applies events to a cache, unguarded unless it is ours.

The others are given every advantage that keeps them what they are: keys and client made beforehand, no look at
anything but what is needed, no error handling.
"""

import json
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any, TypeAlias

from benchmarks.measuring import Run
from benchmarks.workbench import Unmeasurable
from benchmarks.workload import KEYS, Workload
from ddb_cache_sync import Replicator, apply_stream_event

if TYPE_CHECKING:
    import redis
    from redis.cluster import RedisCluster

Client: TypeAlias = "redis.Redis | RedisCluster"
Apply: TypeAlias = Callable[[Workload], object]


def ours(client: Client) -> Apply:
    """The whole path: decoded, projected, guarded, every reply looked at."""
    replicator = Replicator(client, keys=KEYS)

    def apply(work: Workload) -> None:
        response = apply_stream_event(work.event, replicator)
        if response["batchItemFailures"]:
            raise AssertionError(f"not applied: {response}")

    return apply


def plain_set(client: Client) -> Apply:
    """A pipeline of `SET`, as the client has it: values encoded beforehand, nothing decoded, no guard."""

    def apply(work: Workload) -> None:
        pipeline = client.pipeline(transaction=False)
        for key, value in work.values.items():
            pipeline.set(key, value)
        pipeline.execute()

    return apply


def powertools(client: Client) -> Apply:
    """Powertools for AWS Lambda to decode, json to encode, a pipeline of `SET`."""
    try:
        from aws_lambda_powertools.utilities.data_classes import DynamoDBStreamEvent  # noqa: PLC0415 - may be missing
    except ImportError:
        raise Unmeasurable("aws-lambda-powertools is not installed: benchmarks/README.md says how") from None

    def apply(work: Workload) -> None:
        pipeline = client.pipeline(transaction=False)
        for record in DynamoDBStreamEvent(work.event).records:
            if (change := record.dynamodb) is None:
                continue
            pipeline.set(f"users:{change.keys['id']}", json.dumps(change.new_image, default=plain))
        pipeline.execute()

    return apply


def one_by_one(client: Client) -> Apply:
    """The way of the AWS sample that this library began from: one `SET` a record, each awaited, the image as it is."""

    def apply(work: Workload) -> None:
        for record in work.records:
            change = record["dynamodb"]
            client.set(f"users:{change['Keys']['id']['S']}", json.dumps(change["NewImage"]))

    return apply


def plain(value: Any) -> Any:
    """What json can write for what it can't: the `default` that people pass. The cheapest, not the most exact."""
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, set):
        return sorted(value)
    return bytes(value).decode("latin-1")


def applying(apply: Apply, works: Sequence[Workload]) -> Run:
    """A run that applies these events."""

    def run() -> None:
        for work in works:
            apply(work)

    return run


def check(client: Client, work: Workload, *, exact: bool = False) -> None:
    """Make sure that the cache holds the event's keys: a contender that does nothing is no contender.

    Args:
        client: Of the cache.
        work: What was applied.
        exact: The values must be those of the workload, byte for byte.
    """
    for key, value in work.values.items():
        found = client.get(key)
        if found is None or (exact and found != value):
            raise AssertionError(f"the cache does not hold what the event says of {key}")
