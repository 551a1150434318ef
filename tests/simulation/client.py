"""DynamoDB's operations on a simulated table, as far as backfill, verify, repair and readers call them."""

from __future__ import annotations

from typing import Any, Final

from tests.simulation.streams import ARN, TABLE
from tests.simulation.table import Item, Table
from tests.simulation.world import World

_MOST_BEHIND_SECONDS: Final = 1.0
_FROZEN: Final = 0.01


class TableClient:
    """A client whose every call takes time, before the table is read and after it.

    Attributes:
        asked_at: When the latest scan was asked for, epoch seconds.
    """

    def __init__(self, world: World, table: Table) -> None:
        self._world = world
        self._table = table
        self.asked_at = 0.0

    def describe_table(self, **_: Any) -> Any:
        latest = self._table.stream
        return {
            "Table": {
                "TableName": TABLE,
                "TableArn": ARN,
                "KeySchema": [
                    {"AttributeName": "tenant", "KeyType": "HASH"},
                    {"AttributeName": "id", "KeyType": "RANGE"},
                ],
                "AttributeDefinitions": [
                    {"AttributeName": "tenant", "AttributeType": "S"},
                    {"AttributeName": "id", "AttributeType": "S"},
                ],
                "StreamSpecification": {"StreamEnabled": latest.enabled, "StreamViewType": "NEW_IMAGE"},
                "LatestStreamArn": latest.arn,
                "LatestStreamLabel": latest.label,
                "ItemCount": len(self._table.items),
            }
        }

    def describe_time_to_live(self, **_: Any) -> Any:
        return {}

    def describe_continuous_backups(self, **_: Any) -> Any:
        return {}

    def scan(self, **request: Any) -> Any:
        """See boto3: segments, limits and where to go on."""
        self.asked_at = self._world.now
        self._freeze(12.0 * 3600.0)
        mine = [
            place for place in range(len(self._table.items)) if place % request["TotalSegments"] == request["Segment"]
        ]
        start = request.get("ExclusiveStartKey")
        if start is not None:
            after = self._table.find(start)
            mine = [place for place in mine if place > next(n for n, it in enumerate(self._table.items) if it is after)]
        seen = mine[: request.get("Limit", len(mine))]
        items = [self._read(self._table.items[place], request["ConsistentRead"]) for place in seen]
        found: dict[str, Any] = {"Items": [item for item in items if item is not None]}
        if len(seen) < len(mine):
            found["LastEvaluatedKey"] = self._table.items[seen[-1]].key
        found["ConsumedCapacity"] = {"CapacityUnits": 1.0}
        self._world.pause()
        return found

    def get_item(self, **request: Any) -> Any:
        self._world.pause()
        item = self._table.find(request["Key"])
        wire = None if item is None else self._read(item, request["ConsistentRead"])
        self._world.pause()
        return {} if wire is None else {"Item": wire}

    def batch_get_item(self, **request: Any) -> Any:
        """Read each item in a moment of its own."""
        self._freeze(60.0)
        [(name, asked)] = request["RequestItems"].items()
        found = []
        for key in asked["Keys"]:
            if self._world.random.random() < 0.3:
                self._world.pause()
            item = self._table.find(key)
            found.append(None if item is None else self._read(item, asked["ConsistentRead"]))
        self._world.pause()
        return {"Responses": {name: [wire for wire in found if wire is not None]}, "UnprocessedKeys": {}}

    def _freeze(self, seconds: float) -> None:
        """Wait; sometimes so long that the process can't go on as if nothing had happened."""
        frozen = self._world.random.random() < _FROZEN
        self._world.pause(self._world.random.uniform(0.9, 1.2) * seconds if frozen else None)

    def _read(self, item: Item, consistent: bool) -> Any:
        """The item; without consistency perhaps as it was a moment ago."""
        fresh = self._world.now - item.changes[-1].at > _MOST_BEHIND_SECONDS
        if consistent or fresh or self._world.random.random() < 0.5:
            return item.wire
        self._world.counts["read behind"] += 1
        return item.before
