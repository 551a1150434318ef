import json
import time
from typing import TYPE_CHECKING, Any, cast

import pytest
from botocore.exceptions import ClientError

from ddb_cache_sync import ConfigurationError, TableError
from ddb_cache_sync.local.embedded import EmbeddedDynamoDB, create_demo_table
from ddb_cache_sync.table.capacity import CapacityLimiter
from ddb_cache_sync.table.items import BEFORE_ANY_CHANGE
from ddb_cache_sync.table.retries import Retries
from ddb_cache_sync.table.scanning import ScanPage, scan_segment

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

COUNT = 50


@pytest.fixture(scope="module")
def table(dynamodb: EmbeddedDynamoDB) -> str:
    """Give the name of a table of 50 items."""
    client = dynamodb.client()
    create_demo_table(client, "items-to-scan")
    for number in range(COUNT):
        item = {"id": {"S": str(number)}, "b": {"B": b"\x00\xff"}}
        client.put_item(TableName="items-to-scan", Item=item)  # type: ignore[arg-type] # a dict is invariant
    return "items-to-scan"


@pytest.fixture
def client(dynamodb: EmbeddedDynamoDB) -> "DynamoDBClient":
    """Give a client of the server."""
    return dynamodb.client()


def ids(*pages: ScanPage) -> list[Any]:
    return [upsert.key.attributes["id"] for page in pages for upsert in page.upserts]


@pytest.mark.servers
@pytest.mark.parametrize("segments", [1, 3, 80])
def test_the_segments_together_give_every_item_once(client: "DynamoDBClient", table: str, segments: int) -> None:
    """Also where some have none."""
    pages = [
        page
        for number in range(segments)
        for page in scan_segment(client, table, ["id"], segment=number, segments=segments)
    ]
    assert sorted(ids(*pages), key=int) == [str(number) for number in range(COUNT)]
    upsert = next(upsert for page in pages for upsert in page.upserts)
    assert (upsert.key.table, upsert.version, upsert.item["b"]) == (table, BEFORE_ANY_CHANGE, b"\x00\xff")
    assert [*upsert.key.attributes] == ["id"]


@pytest.mark.servers
def test_a_page_says_where_to_go_on_what_it_cost_and_how_old_it_is(client: "DynamoDBClient", table: str) -> None:
    """The last page of a segment has nowhere to go on."""
    before = time.time()
    pages = list(scan_segment(client, table, ["id"], page_limit=20))
    assert [len(page.upserts) for page in pages] == [20, 20, 10]
    assert [page.last_key is None for page in pages] == [False, False, True]
    assert all(page.consumed_capacity_units > 0 for page in pages)
    assert before <= pages[0].read_started <= pages[1].read_started <= pages[2].read_started <= time.time()


@pytest.mark.servers
def test_a_scan_goes_on_after_a_page_whose_place_was_written_down(client: "DynamoDBClient", table: str) -> None:
    """As JSON; no item is left out or comes twice."""
    pages = list(scan_segment(client, table, ["id"], segment=1, segments=2, page_limit=4))
    for number, page in enumerate(pages[:-1], start=1):
        place = json.loads(json.dumps(page.last_key))
        rest = scan_segment(client, table, ["id"], segment=1, segments=2, page_limit=4, start_key=place)
        assert ids(*rest) == ids(*pages[number:])


@pytest.mark.servers
def test_a_table_or_key_that_is_not_there_is_told(client: "DynamoDBClient", table: str) -> None:
    """With what to check."""
    with pytest.raises(TableError, match=r"scan table no-such-table: ResourceNotFoundException\. Check the table"):
        next(scan_segment(client, "no-such-table", ["id"]))
    with pytest.raises(ConfigurationError, match=r"don't have the key attributes given\. Take them from DescribeTable"):
        next(scan_segment(client, table, ["nr"]))


@pytest.mark.parametrize(
    "arguments",
    [
        {"segment": 1},
        {"segment": -1},
        {"segments": 0},
        {"segments": 1_000_001},
        {"page_limit": 0},
        {"start_key": {"id": "SECRET"}},
        {"start_key": {"id": {"B": "SECRET"}}},
        {"start_key": "SECRET"},
    ],
)
def test_arguments_that_cannot_be_right_are_refused_at_once(arguments: dict[str, Any]) -> None:
    """Before anything is asked; contents are not repeated."""
    with pytest.raises(ConfigurationError) as caught:
        scan_segment(cast("Any", None), "T", ["id"], **arguments)
    assert "SECRET" not in str(caught.value)


class Scripted:
    """A client that gives the answers written down for it, and keeps what it was asked."""

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)
        self.asked: list[dict[str, Any]] = []

    def scan(self, **request: Any) -> Any:
        self.asked.append(request)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


def answer(*numbers: str, last: bytes | None = None, units: float = 1.0) -> dict[str, Any]:
    page: dict[str, Any] = {
        "Items": [{"id": {"B": number.encode()}} for number in numbers],
        "ConsumedCapacity": {"CapacityUnits": units},
    }
    return page if last is None else {**page, "LastEvaluatedKey": {"id": {"B": last}}}


def throttled() -> ClientError:
    return ClientError({"Error": {"Code": "ProvisionedThroughputExceededException", "Message": "SECRET"}}, "Scan")


def scan(client: Scripted, **arguments: Any) -> list[ScanPage]:
    return list(scan_segment(cast("Any", client), "T", ["id"], **arguments))


def test_an_empty_page_does_not_end_a_segment() -> None:
    """Only one without a place to go on does."""
    client = Scripted(answer(last=b"\x00"), answer("1", last=b"\x01"), answer())
    pages = scan(client)
    assert [len(page.upserts) for page in pages] == [0, 1, 0]
    assert [each.get("ExclusiveStartKey") for each in client.asked] == [
        None,
        {"id": {"B": b"\x00"}},
        {"id": {"B": b"\x01"}},
    ]


def test_a_binary_key_is_text_in_a_page_and_bytes_in_a_request() -> None:
    """JSON has no bytes, and boto3 takes nothing else."""
    client = Scripted(answer(last=b"\x00\xff"), answer())
    first, _ = scan(client, start_key={"id": {"B": "AP8="}}, consistent=False, page_limit=7, segment=1, segments=4)
    assert first.last_key == {"id": {"B": "AP8="}}
    assert client.asked[0] == {
        "TableName": "T",
        "ConsistentRead": False,
        "Segment": 1,
        "TotalSegments": 4,
        "Limit": 7,
        "ReturnConsumedCapacity": "TOTAL",
        "ExclusiveStartKey": {"id": {"B": b"\x00\xff"}},
    }


def test_a_throttled_scan_waits_and_tries_again() -> None:
    """After growing waits, a limited number of times."""
    waits: list[float] = []
    retries = Retries(attempts=3, sleep=waits.append, jitter=lambda: 1.0)
    assert ids(*scan(Scripted(throttled(), throttled(), answer("1")), retries=retries)) == [b"1"]
    assert waits == [0.05, 0.1]
    with pytest.raises(TableError, match=r"scan table T: Provisioned.*\. Read slower") as caught:
        scan(Scripted(*[throttled() for _ in range(3)]), retries=retries)
    assert "SECRET" not in str(caught.value)


def test_a_limiter_sets_the_pace() -> None:
    """By the units that DynamoDB says a page took, or by its items."""
    now, waits = [0.0], []

    def sleep(seconds: float) -> None:
        waits.append(seconds)
        now[0] += seconds

    def pages() -> Scripted:
        return Scripted(*[answer("1", "2", last=b"x", units=30) for _ in range(3)], answer(units=0))

    scan(pages(), limiter=CapacityLimiter(10, monotonic=lambda: now[0], sleep=sleep))
    assert sum(waits) == pytest.approx(8.0)
    waits.clear()
    scan(pages(), limiter=CapacityLimiter.of_items(1, monotonic=lambda: now[0], sleep=sleep))
    assert sum(waits) == pytest.approx(5.0)


def test_a_server_that_does_not_say_what_a_page_cost_is_read_all_the_same() -> None:
    """The cost is zero then."""
    assert scan(Scripted({"Items": []}))[0].consumed_capacity_units == 0
