import re
from typing import Any, cast

import pytest

from ddb_cache_sync import ConfigurationError, Image, Upsert
from ddb_cache_sync.errors import TableError
from ddb_cache_sync.local.embedded import EmbeddedDynamoDB, create_demo_table
from ddb_cache_sync.table.items import BEFORE_ANY_CHANGE, as_upsert, get_items, scan
from ddb_cache_sync.table.retries import Retries

pytestmark = pytest.mark.servers


def test_a_scan_gives_every_item_of_every_page(dynamodb: EmbeddedDynamoDB) -> None:
    """A page ends after 1 MB; each item comes as the upsert that would make it."""
    client = dynamodb.client()
    create_demo_table(client, "items-of-many-pages")
    for number in range(12):
        item = {"id": {"S": str(number)}, "bytes": {"B": bytes(200_000)}}
        client.put_item(TableName="items-of-many-pages", Item=item)  # type: ignore[arg-type] # a dict is invariant
    assert "LastEvaluatedKey" in client.scan(TableName="items-of-many-pages")
    found = {str(upsert.key.attributes["id"]): upsert for upsert in scan(client, "items-of-many-pages")}
    assert found.keys() == {str(number) for number in range(12)}
    assert {(upsert.key.table, upsert.version) for upsert in found.values()} == {
        ("items-of-many-pages", BEFORE_ANY_CHANGE)
    }
    assert found["3"].item["bytes"] == bytes(200_000)
    assert set(found["3"].key.attributes) == {"id"}


def test_a_table_that_does_not_exist_is_a_table_error(dynamodb: EmbeddedDynamoDB) -> None:
    """Which names the table, where it was looked for, and what to check."""
    place = re.escape(f"in {dynamodb.region} at {dynamodb.endpoint_url}")
    with pytest.raises(TableError, match=rf"table no-such-table {place}: ResourceNotFoundException\. Check the table"):
        list(scan(dynamodb.client(), "no-such-table"))


def keys_of(*numbers: object) -> list[Image]:
    return [Image({"id": {"N": str(number)}}) for number in numbers]


def test_items_are_got_in_the_order_of_their_keys(dynamodb: EmbeddedDynamoDB) -> None:
    """More than one request can have; None for what is not there."""
    client = dynamodb.client()
    create_demo_table(client, "items-to-get")
    for number in range(0, 240, 2):
        client.put_item(TableName="items-to-get", Item={"id": {"S": str(number)}, "n": {"N": str(number)}})
    found = get_items(client, "items-to-get", [Image({"id": {"S": str(number)}}) for number in range(250)])
    assert [None if upsert is None else upsert.item["n"] for upsert in found] == [
        None if number % 2 or number >= 240 else number for number in range(250)
    ]
    assert found[2] is not None
    assert (found[2].key.table, found[2].version, found[2].key.attributes["id"]) == (
        "items-to-get",
        BEFORE_ANY_CHANGE,
        "2",
    )
    assert get_items(client, "items-to-get", []) == []
    assert get_items(client, "items-to-get", [Image({"id": {"S": "3"}})]) == [None]
    with pytest.raises(TableError, match="get an item of table no-such-table: ResourceNotFoundException"):
        get_items(client, "no-such-table", [Image({"id": {"S": "1"}})])


def test_a_key_that_is_not_the_tables_is_told(dynamodb: EmbeddedDynamoDB) -> None:
    """Neither its names nor its contents are repeated."""
    client = dynamodb.client()
    create_demo_table(client, "items-of-other-keys")
    for keys in ([Image({"nr": {"S": "SECRET"}})], [Image({"nr": {"S": "SECRET"}}), Image({"nr": {"S": "b"}})]):
        with pytest.raises(TableError, match=r"of table items-of-other-keys: ValidationException\. The key's"):
            get_items(client, "items-of-other-keys", keys)


class Busy:
    """A client whose answers hold so many items at the most, and write numbers in their plain form."""

    def __init__(self, *each: int) -> None:
        self.each = list(each)
        self.asked: list[int] = []

    def get_item(self, **request: Any) -> Any:
        self.asked.append(1)
        return {"Item": request["Key"]}

    def batch_get_item(self, RequestItems: Any) -> Any:  # noqa: N803 - boto3's name
        keys, taken = RequestItems["T"]["Keys"], self.each.pop(0)
        self.asked.append(len(keys))
        assert RequestItems["T"]["ConsistentRead"] is False
        items = [{"id": {"N": key["id"]["N"].removesuffix(".0")}} for key in reversed(keys[:taken])]
        unread = {"T": {"Keys": keys[taken:], "ConsistentRead": False}} if keys[taken:] else {}
        return {"Responses": {"T": items}, "UnprocessedKeys": unread}


def get(client: Busy, waits: list[float], keys: list[Image]) -> list[Upsert | None]:
    retries = Retries(attempts=3, sleep=waits.append, jitter=lambda: 1.0)
    return get_items(cast("Any", client), "T", keys, consistent=False, retries=retries)


def test_what_dynamodb_left_unprocessed_is_asked_for_again() -> None:
    """With a wait before each; the waits grow while nothing comes."""
    client, waits = Busy(40, 0, 0, 60, 5), list[float]()
    found = get(client, waits, keys_of(*range(105)))
    assert [upsert and upsert.key.attributes["id"] for upsert in found] == [*range(105)]
    assert client.asked == [100, 60, 60, 60, 5]
    assert waits == [0.05, 0.05, 0.1]


def test_keys_that_nothing_ever_comes_for_are_given_up() -> None:
    """The error says how many there are, and what to do."""
    with pytest.raises(TableError, match=r"table T leaves 2 keys unprocessed\. Read slower"):
        get(Busy(0, 0, 0), [], keys_of(1, 2))


def test_a_key_is_found_however_it_was_written_and_asked_for_once() -> None:
    """BatchGetItem refuses to be asked twice."""
    client = Busy(1)
    first, second = get(client, [], keys_of("1.0", "1"))
    assert first is second is not None
    assert client.asked == [1]


@pytest.mark.parametrize("value", ["SECRET", {"N": "SECRET"}, {"B": "SECRET"}, {"S": ["SECRET"]}, {"N": 1}, {}])
def test_a_malformed_key_is_refused(value: object) -> None:
    """Its content is not repeated."""
    with pytest.raises(ConfigurationError, match="not a primary key in DynamoDB JSON") as caught:
        get_items(cast("Any", None), "T", [Image({"id": value})])
    assert "SECRET" not in str(caught.value)


def test_what_old_global_tables_put_on_items_is_left_out_of_upserts() -> None:
    """As from the stream's records."""
    item = {"id": {"S": "a"}, "aws:rep:updatetime": {"N": "1"}, "aws:rep:region": {"S": "x"}}
    assert as_upsert("T", ["id"], item).item.wire == {"id": {"S": "a"}}
