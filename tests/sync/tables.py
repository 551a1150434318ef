"""A table in memory behind boto3's operations, as far as verify, repair and inspect call them."""

from __future__ import annotations

import threading
from typing import Any

from ddb_cache_sync.testing import MemoryTable
from ddb_cache_sync.testing.events import attributes


class TableClient:
    """A client of DynamoDB with one table of a partition key, S, which threads change and read; reads are consistent.

    Attributes:
        table: The table, its stream included.
        lock: Held while it is changed or read.
        scans: The segments that were read.
        stream_label: That of the table's stream; None: it is not told.
    """

    def __init__(self, table: MemoryTable | None = None) -> None:
        self.table = table or MemoryTable(name="users")
        self.lock = threading.Lock()
        self.scans: list[tuple[int, int]] = []
        self.stream_label: str | None = None

    def put(self, identity: str, **others: Any) -> Any:
        """Put an item; gives the stream's record."""
        with self.lock:
            return self.table.put({"id": identity, **others})

    def remove(self, identity: str) -> Any:
        """Remove an item; gives the stream's record."""
        with self.lock:
            return self.table.remove(id=identity)

    def describe_table(self, **_: Any) -> Any:
        return {
            "Table": {
                "TableName": self.table.name,
                "TableArn": f"arn:aws:dynamodb:eu-west-1:111122223333:table/{self.table.name}",
                "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
                "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
                "ItemCount": len(self.table.items),
                "LatestStreamLabel": self.stream_label,
            }
        }

    def describe_time_to_live(self, **_: Any) -> Any:
        return {}

    def describe_continuous_backups(self, **_: Any) -> Any:
        return {}

    def scan(self, **request: Any) -> Any:
        segment, segments = request["Segment"], request["TotalSegments"]
        with self.lock:
            self.scans.append((segment, segments))
            found = [
                attributes(item)
                for (identity,), item in self.table.items.items()
                if hash(identity) % segments == segment
            ]
        return {"Items": found, "ConsumedCapacity": {"CapacityUnits": 1.0}}

    def get_item(self, **request: Any) -> Any:
        item = self._item(request["Key"])
        return {} if item is None else {"Item": item}

    def batch_get_item(self, **request: Any) -> Any:
        [(name, asked)] = request["RequestItems"].items()
        found = [self._item(key) for key in asked["Keys"]]
        return {"Responses": {name: [item for item in found if item is not None]}, "UnprocessedKeys": {}}

    def _item(self, key: Any) -> Any:
        with self.lock:
            item = self.table.items.get((key["id"]["S"],))
            return None if item is None else attributes(item)
