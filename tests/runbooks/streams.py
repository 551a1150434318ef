"""A table's stream as the pipeline reads it, with what happens to streams in a day: records are trimmed."""

from __future__ import annotations

from typing import Any


class Streams:
    """boto3's client of DynamoDB Streams, before the records that were trimmed are gone.

    Attributes:
        trimmed: How many records were never given out, since they were trimmed.
    """

    def __init__(self, client: Any) -> None:
        self.trimmed = 0
        self._client = client
        self._horizon = -1

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    def trim(self, stream_arn: str) -> list[dict[str, Any]]:
        """Trim all records that there are; gives them."""
        [shard] = self._client.describe_stream(StreamArn=stream_arn)["StreamDescription"]["Shards"]
        first = self._client.get_shard_iterator(
            StreamArn=stream_arn, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
        )
        records: list[dict[str, Any]] = self._client.get_records(ShardIterator=first["ShardIterator"])["Records"]
        self._horizon = int(records[-1]["dynamodb"]["SequenceNumber"])
        return records

    def get_records(self, **request: Any) -> Any:
        """What is left of a page."""
        page = self._client.get_records(**request)
        kept = [each for each in page["Records"] if int(each["dynamodb"]["SequenceNumber"]) > self._horizon]
        self.trimmed += len(page["Records"]) - len(kept)
        return {**page, "Records": kept}
