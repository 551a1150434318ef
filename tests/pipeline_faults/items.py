"""A table of many small items that makes its own changes, cheaply, and knows what the cache should hold.

What an item's JSON is stands here by hand, so that the encoding is checked by something other than itself.
"""

from __future__ import annotations

import random
import threading
from array import array
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from ddb_cache_sync import KeyTemplate, Projection

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

NAME: Final = "users"
ARN: Final = f"arn:aws:dynamodb:eu-west-1:111122223333:table/{NAME}"
PROJECTION: Final = Projection(KeyTemplate("u:{id}"))

# What an item holds beside its id and the number of its change: as boto3 has it, and as JSON. The names sort after
# both of these.
_SHAPES: Final[Sequence[tuple[dict[str, Any], bytes]]] = (
    ({}, b""),
    ({"s": {"S": "plain"}}, b',"s":"plain"'),
    ({"s": {"S": 'Grüße "\\\n🙂'}}, ',"s":"Grüße \\"\\\\\\n🙂"'.encode()),
    ({"p": {"N": "12345678901234567890123456789012345678"}}, b',"p":12345678901234567890123456789012345678'),
    ({"q": {"B": b"\x00\xff\x10"}}, b',"q":"AP8Q"'),
    (
        {"r": {"M": {"l": {"L": [{"BOOL": True}, {"NULL": True}, {"N": "-0.5"}]}}}},
        b',"r":{"l":[true,null,-0.5]}',
    ),
    ({"t": {"SS": ["b", "a"]}}, b',"t":["a","b"]'),
    ({"s": {"S": "x" * 700}}, b',"s":"' + b"x" * 700 + b'"'),
)
_SHAPE_OF: Final = (0, 1, 0, 1, 2, 0, 1, 3, 0, 1, 4, 0, 1, 5, 0, 1, 6, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 7)


def cache_key(key: int) -> str:
    """The cache key of an item."""
    return f"u:{key:07d}"


class Items:
    """The table. A change is a number, one more than the last; an item holds that of the change that made it.

    Args:
        count: How many keys there are. At first each has an item, of which no stream has a record.

    Attributes:
        count: The same.
        changes: The number of the last change.
        lock: Held while changes are made, or read.
        busy: Keys that change more often for a while.
        busy_share: The share of the changes that fall upon them.
        removals: The share of the changes that remove an item.
    """

    def __init__(self, count: int) -> None:
        self.count = count
        self.changes = count
        self.lock = threading.Lock()
        self.busy: Sequence[int] = ()
        self.busy_share = 0.0
        self.removals = 0.2
        self._held = array("q", range(1, count + 1))  # the change that made each item; 0: there is none
        self._changed = array("q", bytes(8 * count))  # the last change of each key that a stream has a record of

    def value(self, key: int) -> bytes | None:
        """What the cache should hold."""
        number = self._held[key]
        if not number:
            return None
        return b'{"id":"%07d","n":%d%b}' % (key, number, _SHAPES[_SHAPE_OF[number % 32]][1])

    def changed_since(self, key: int, change: int) -> bool:
        """Whether a key was changed after this change."""
        return self._changed[key] > change

    def change(self, keys: Sequence[int], chance: random.Random, number_of: Callable[[int], str]) -> list[Any]:
        """Change keys in turn, and give the records as boto3 gives them.

        Args:
            keys: What to change.
            chance: Says which are removed.
            number_of: The sequence number of so many changes after the first.
        """
        held, changed, removals, pick = self._held, self._changed, self.removals, chance.random
        created = datetime.now(UTC)
        records = []
        with self.lock:
            number = self.changes
            for place, key in enumerate(keys):
                number += 1
                body: dict[str, Any] = {
                    "ApproximateCreationDateTime": created,
                    "Keys": {"id": {"S": f"{key:07d}"}},
                    "SequenceNumber": number_of(place),
                    "SizeBytes": 50,
                    "StreamViewType": "NEW_IMAGE",
                }
                before = held[key]
                changed[key] = number
                if before and pick() < removals:
                    held[key] = 0
                    name = "REMOVE"
                else:
                    held[key] = number
                    name = "MODIFY" if before else "INSERT"
                    body["NewImage"] = self._image(key, number)
                records.append(
                    {
                        "eventID": "e",
                        "eventName": name,
                        "eventVersion": "1.1",
                        "eventSource": "aws:dynamodb",
                        "awsRegion": "eu-west-1",
                        "dynamodb": body,
                    }
                )
            self.changes = number
        return records

    def image(self, key: int) -> dict[str, Any] | None:
        """The item as boto3 gives it; hold the lock."""
        number = self._held[key]
        return self._image(key, number) if number else None

    @staticmethod
    def _image(key: int, number: int) -> dict[str, Any]:
        return {"id": {"S": f"{key:07d}"}, "n": {"N": str(number)}, **_SHAPES[_SHAPE_OF[number % 32]][0]}


class ItemsClient:
    """The table behind boto3's operations, as far as backfill, verify and repair call them.

    Args:
        items: The table.
        keys: Those that a scan gives. None: all.
        page: How many of them at a time.
        hold: Called with each page, after it was read and before it is given out.
        stream_arn: That of the table's stream.
    """

    def __init__(
        self,
        items: Items,
        keys: Sequence[int] | None = None,
        page: int = 1000,
        hold: Callable[[Sequence[int], int], object] = lambda *_: None,
        stream_arn: str = f"{ARN}/stream/2025-04-23T13:37:16.991",
    ) -> None:
        self._items = items
        self._keys = range(items.count) if keys is None else keys
        self._page = page
        self._hold = hold
        self._stream_arn = stream_arn

    def describe_table(self, **_: Any) -> Any:
        return {
            "Table": {
                "TableName": NAME,
                "TableArn": ARN,
                "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
                "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
                "ItemCount": len(self._keys),
                "LatestStreamArn": self._stream_arn,
                "StreamSpecification": {"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"},
            }
        }

    def describe_time_to_live(self, **_: Any) -> Any:
        return {}

    def describe_continuous_backups(self, **_: Any) -> Any:
        return {}

    def scan(self, **request: Any) -> Any:
        segment, segments = request["Segment"], request["TotalSegments"]
        keys = self._keys[segment::segments]
        at = 0
        if "ExclusiveStartKey" in request:
            at = keys.index(int(request["ExclusiveStartKey"]["id"]["S"])) + 1
        page = keys[at : at + self._page]
        with self._items.lock:
            read_at = self._items.changes
            found = [self._items.image(key) for key in page]
        self._hold(page, read_at)
        answer: dict[str, Any] = {"Items": [item for item in found if item], "ConsumedCapacity": {"CapacityUnits": 1.0}}
        if at + self._page < len(keys):
            answer["LastEvaluatedKey"] = {"id": {"S": f"{page[-1]:07d}"}}
        return answer

    def get_item(self, **request: Any) -> Any:
        item = self._item(request["Key"])
        return {} if item is None else {"Item": item}

    def batch_get_item(self, **request: Any) -> Any:
        found = [self._item(key) for key in request["RequestItems"][NAME]["Keys"]]
        return {"Responses": {NAME: [item for item in found if item is not None]}, "UnprocessedKeys": {}}

    def _item(self, key: Any) -> Any:
        text = key["id"]["S"]
        if not text.isdigit():  # of a poison record
            return None
        number = int(text)
        with self._items.lock:
            return self._items.image(number)
