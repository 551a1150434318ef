import pytest

from ddb_cache_sync.errors import TableError
from ddb_cache_sync.local.embedded import EmbeddedDynamoDB, create_demo_table
from ddb_cache_sync.table.items import BEFORE_ANY_CHANGE, scan

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
    """Which names the table and says what to check."""
    with pytest.raises(TableError, match=r"scan table no-such-table: ResourceNotFoundException\. Check the table"):
        list(scan(dynamodb.client(), "no-such-table"))
