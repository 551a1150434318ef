import re
from typing import Any, cast

import pytest
from botocore.exceptions import ClientError

from ddb_cache_sync import TableError
from ddb_cache_sync.local.embedded import EmbeddedDynamoDB, create_demo_table
from ddb_cache_sync.table.descriptions import table_description


@pytest.mark.servers
def test_a_table_is_described_with_its_stream_and_its_time_to_live(dynamodb: EmbeddedDynamoDB) -> None:
    """And whether it can be exported."""
    client = dynamodb.client()
    stream_arn = create_demo_table(client, "described", view_type="NEW_IMAGE")
    client.put_item(TableName="described", Item={"id": {"S": "a"}})
    plain = table_description(client, "described")
    assert (plain.name, plain.key_names, plain.item_count) == ("described", ("id",), 1)
    assert plain.arn.endswith(":table/described")
    assert (plain.stream_enabled, plain.stream_view_type, plain.stream_arn) == (True, "NEW_IMAGE", stream_arn)
    assert plain.stream_label == stream_arn.rpartition("/")[2]
    assert (plain.ttl_attribute, plain.point_in_time_recovery, plain.unanswered) == (None, False, ())
    ttl: Any = {"Enabled": True, "AttributeName": "expires"}
    client.update_time_to_live(TableName="described", TimeToLiveSpecification=ttl)
    recovery: Any = {"PointInTimeRecoveryEnabled": True}
    client.update_continuous_backups(TableName="described", PointInTimeRecoverySpecification=recovery)
    described = table_description(client, "described")
    assert (described.ttl_attribute, described.point_in_time_recovery) == ("expires", True)


@pytest.mark.servers
def test_the_partition_key_comes_first_and_a_table_may_have_no_stream(dynamodb: EmbeddedDynamoDB) -> None:
    """Both are the table's own business."""
    client = dynamodb.client()
    client.create_table(
        TableName="described-without-stream",
        BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": "user", "KeyType": "HASH"}, {"AttributeName": "at", "KeyType": "RANGE"}],
        AttributeDefinitions=[
            {"AttributeName": "at", "AttributeType": "N"},
            {"AttributeName": "user", "AttributeType": "S"},
        ],
    )
    described = table_description(client, "described-without-stream")
    assert described.key_names == ("user", "at")
    assert (described.stream_enabled, described.stream_view_type, described.stream_arn, described.stream_label) == (
        False,
        None,
        None,
        None,
    )


@pytest.mark.servers
def test_a_table_that_does_not_exist_is_told(dynamodb: EmbeddedDynamoDB) -> None:
    """With where it was looked for, and what to check."""
    place = re.escape(f"in {dynamodb.region} at {dynamodb.endpoint_url}")
    with pytest.raises(TableError, match=rf"table no-such-table {place}: ResourceNotFoundException\. Check the table"):
        table_description(dynamodb.client(), "no-such-table")


class Restricted:
    """A client whose role may do little."""

    def __init__(self, code: str) -> None:
        self.code = code

    def describe_table(self, **_: Any) -> Any:
        keys = [{"AttributeName": "sk", "KeyType": "RANGE"}, {"AttributeName": "pk", "KeyType": "HASH"}]
        stream = {"LatestStreamArn": "arn:x", "LatestStreamLabel": "x"}
        return {"Table": {"TableName": "T", "TableArn": "arn", "KeySchema": keys, **stream}}

    def describe_time_to_live(self, **_: Any) -> Any:
        raise ClientError({"Error": {"Code": self.code}}, "DescribeTimeToLive")

    describe_continuous_backups = describe_time_to_live


@pytest.mark.parametrize("code", ["AccessDeniedException", "UnknownOperationException"])
def test_what_may_not_be_asked_is_left_out_and_said_so(code: str) -> None:
    """A backfill needs no more than the key; a stream that was switched off keeps its name."""
    described = table_description(cast("Any", Restricted(code)), "T")
    assert described.key_names == ("pk", "sk")
    assert described.unanswered == ("DescribeTimeToLive", "DescribeContinuousBackups")
    assert (described.ttl_attribute, described.point_in_time_recovery) == (None, False)
    assert (described.stream_enabled, described.stream_arn, described.stream_label) == (False, "arn:x", "x")
    assert described.stream_label_ms is None


def test_another_failure_of_asking_is_raised() -> None:
    """It may pass, or has another cause."""
    with pytest.raises(TableError, match="call DescribeTimeToLive on table T: InternalServerError"):
        table_description(cast("Any", Restricted("InternalServerError")), "T")
