from __future__ import annotations

import itertools
import uuid
from collections import Counter
from dataclasses import FrozenInstanceError
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, NoCredentialsError

from ddb_cache_sync import simulator
from ddb_cache_sync.errors import ConfigurationError
from ddb_cache_sync.local.embedded import EmbeddedDynamoDB, create_demo_table
from ddb_cache_sync.simulator import Change, PutChange, RemoveChange, random_changes, simulate

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

EVERY_TYPE = {"S", "N", "B", "BOOL", "NULL", "M", "L", "SS", "NS", "BS"}


class RecordingTable:
    """Keeps the calls it gets, and raises the errors it was given, one a call."""

    def __init__(self, errors: Sequence[Exception | None] = ()) -> None:
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self._errors = iter(errors)

    def put_item(self, *, TableName: str, Item: Mapping[str, Any]) -> object:  # noqa: N803 - AWS's names
        """Keep the item."""
        return self._answer("put", {"table": TableName, **Item})

    def delete_item(self, *, TableName: str, Key: Mapping[str, Any]) -> object:  # noqa: N803 - AWS's names
        """Keep the key."""
        return self._answer("delete", {"table": TableName, **Key})

    def _answer(self, call: str, arguments: dict[str, Any]) -> object:
        self.calls.append((call, arguments))
        error = next(self._errors, None)
        if error is not None:
            raise error
        return {}


class ManualClock:
    """A clock that moves only by waiting."""

    def __init__(self, now: float = 1_745_415_436.991) -> None:
        self.now = now
        self.waits: list[float] = []

    def __call__(self) -> float:
        """Give the time in epoch seconds."""
        return self.now

    def wait(self, seconds: float) -> None:
        """Move on by so many seconds."""
        self.waits.append(seconds)
        self.now += seconds


def refusal(code: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": "secret contents"}}, "PutItem")


def stored_size(value: Mapping[str, Any]) -> int:
    """Size of an attribute's value by the rules of AWS's documentation, written apart from the code under test."""
    ((kind, content),) = value.items()
    if kind in {"BOOL", "NULL"}:
        return 1
    if kind == "M":
        return 3 + sum(len(name.encode()) + stored_size(one) + 1 for name, one in content.items())
    if kind == "L":
        return 3 + sum(stored_size(one) + 1 for one in content)
    if kind in {"SS", "NS", "BS"}:
        return sum(stored_size({kind[0]: one}) for one in content)
    return -(-len(content) // 2) + 1 if kind == "N" else len(content if kind == "B" else content.encode())


def types_in(value: Any) -> Iterator[str]:
    ((kind, content),) = value.items()
    yield kind
    for one in content.values() if kind == "M" else content if kind == "L" else ():
        yield from types_in(one)


@pytest.mark.parametrize("item_bytes", [None, 0, 2_000])
def test_a_seed_replays_exactly(item_bytes: int | None) -> None:
    """The same seed and options give the same changes, contents included; another seed gives others."""
    first = list(random_changes(7, 200, item_bytes=item_bytes))

    assert first == list(random_changes(7, 200, item_bytes=item_bytes))
    assert first != list(random_changes(8, 200, item_bytes=item_bytes))


def test_a_seed_means_the_same_on_every_python() -> None:
    """The sequence is fixed for good, so that a seed in a bug report still finds the bug."""
    changes = [(type(change).__name__, change.id) for change in random_changes(42, 5)]

    assert changes == [
        ("PutChange", "64"),
        ("RemoveChange", "23"),
        ("PutChange", "90"),
        ("PutChange", "3"),
        ("PutChange", "3"),
    ]


def test_a_larger_item_leaves_the_order_alone() -> None:
    """Ids, upserts and deletes depend on the seed alone, whatever the items hold."""
    plain, large = (
        [(type(change), change.id) for change in random_changes(3, 300, item_bytes=size)] for size in (None, 5_000)
    )

    assert plain == large


def test_two_upserts_come_for_each_delete() -> None:
    """Of many changes, two in three are upserts, within five standard deviations."""
    kinds = Counter(type(change) for change in random_changes(1, 9_000))

    assert abs(kinds[PutChange] - 6_000) < 5 * (9_000 * 2 / 9) ** 0.5


@pytest.mark.parametrize("ids", [1, 100])
def test_ids_cover_their_range_and_stay_in_it(ids: int) -> None:
    """Every id from 1 to the number asked for is drawn, and none outside."""
    assert {change.id for change in random_changes(5, 4_000, ids=ids)} == {str(n + 1) for n in range(ids)}


def test_changes_go_on_for_ever_without_a_count() -> None:
    """Without a count the sequence has no end, and begins as the counted one."""
    assert list(itertools.islice(random_changes(9), 50)) == list(random_changes(9, 50))


@pytest.mark.parametrize("options", [{"count": -1}, {"ids": 0}, {"item_bytes": -1}, {"item_bytes": 409_601}])
def test_options_out_of_range_are_refused_at_once(options: dict[str, int]) -> None:
    """A wrong option is an error at the call, not at the first change."""
    with pytest.raises(ConfigurationError):
        random_changes(1, **options)


def test_changes_are_frozen() -> None:
    """A change can't be altered once made."""
    change = RemoveChange("1")

    with pytest.raises(FrozenInstanceError):
        change.id = "2"  # type: ignore[misc]


@pytest.mark.parametrize("item_bytes", [600, 1_000, 20_000, 400 * 1024])
def test_items_have_about_the_size_asked_for(item_bytes: int) -> None:
    """The stored size of every item is within five bytes of what was asked for, and never above it."""
    table = RecordingTable()
    simulate(table, "users", random_changes(2, 40, item_bytes=item_bytes))

    items = [{k: v for k, v in item.items() if k != "table"} for call, item in table.calls if call == "put"]
    sizes = {sum(len(name.encode()) + stored_size(value) for name, value in item.items()) for item in items}

    assert item_bytes - 5 <= min(sizes) <= max(sizes) <= item_bytes


def test_a_sized_item_holds_every_attribute_type() -> None:
    """With a size given, even 0, an item has each of DynamoDB's ten types, and a number of all 38 digits."""
    change = next(change for change in random_changes(1, item_bytes=0) if isinstance(change, PutChange))

    assert set(types_in({"M": change.attributes})) == EVERY_TYPE
    assert sum(digit.isdigit() for digit in change.attributes["balance"]["N"]) == 38


def test_items_carry_the_time_they_were_written() -> None:
    """An item holds its write time twice: ISO 8601 for people, epoch milliseconds to compute a lag with."""
    table = RecordingTable()
    simulate(table, "users", [PutChange("4", {"name": {"S": "Uma"}})], partition_key="pk", clock=ManualClock())

    assert table.calls == [
        (
            "put",
            {
                "table": "users",
                "pk": {"S": "4"},
                "name": {"S": "Uma"},
                "timestamp": {"S": "2025-04-23T13:37:16.991+00:00"},
                "writtenAtMs": {"N": "1745415436991"},
            },
        )
    ]


def test_errors_are_counted_and_do_not_stop_the_run() -> None:
    """Each refusal is counted under its code, and the changes after it are still made."""
    table = RecordingTable([refusal("ThrottlingException"), None, EndpointConnectionError(endpoint_url="x")])
    changes: list[Change] = [PutChange("1", {}), PutChange("2", {}), RemoveChange("3"), RemoveChange("4")]
    seen: list[tuple[Change, str | None]] = []

    report = simulate(table, "users", changes, on_change=lambda change, code: seen.append((change, code)))

    assert report.as_dict() == {
        "succeeded": 2,
        "failed": 2,
        "upserts": 1,
        "deletes": 1,
        "errors": {"ThrottlingException": 1, "EndpointConnectionError": 1},
    }
    assert seen == list(zip(changes, ["ThrottlingException", None, "EndpointConnectionError", None], strict=True))


def test_missing_credentials_stop_the_run() -> None:
    """Without credentials no change can succeed, so the first one ends the run and says what to set."""
    table = RecordingTable([NoCredentialsError()])

    with pytest.raises(ConfigurationError, match="AWS_PROFILE"):
        simulate(table, "users", random_changes(1, 10))
    assert len(table.calls) == 1


def test_a_rate_spaces_the_changes() -> None:
    """At four changes a second, each change after the first waits for its quarter."""
    clock = ManualClock(1_000.0)

    simulate(RecordingTable(), "users", random_changes(1, 5), rate=4, clock=clock, wait=clock.wait)

    assert clock.waits == [0.25] * 4


def test_a_clock_set_back_does_not_stall_the_run() -> None:
    """No pause is longer than one interval, even if the clock jumps an hour back."""
    clock = ManualClock(10_000.0)

    def jump(change: Change, code: str | None) -> None:
        clock.now -= 3_600

    simulate(RecordingTable(), "users", random_changes(1, 3), rate=4, clock=clock, wait=clock.wait, on_change=jump)

    assert clock.waits == [0.25, 0.25]


def test_a_rate_must_be_positive() -> None:
    """A rate of zero is refused before anything is written."""
    table = RecordingTable()

    with pytest.raises(ConfigurationError, match="rate"):
        simulate(table, "users", random_changes(1, 3), rate=0)
    assert not table.calls


@pytest.mark.servers
def test_a_real_table_ends_as_the_changes_say(dynamodb: EmbeddedDynamoDB) -> None:
    """Applied to DynamoDB, the table holds exactly the ids whose last change was an upsert, with every type."""
    client, name = dynamodb.client(), f"simulated-{uuid.uuid4()}"
    create_demo_table(client, name)
    changes = list(random_changes(11, 60, ids=15, item_bytes=0))

    report = simulate(client, name, changes)

    last = {change.id: change for change in changes}
    found = {item["id"]["S"]: item for item in client.scan(TableName=name, ConsistentRead=True)["Items"]}
    assert report.succeeded == 60
    assert set(found) == {key for key, change in last.items() if isinstance(change, PutChange)}
    assert all(set(types_in({"M": item})) == EVERY_TYPE for item in found.values())


@pytest.fixture
def lambda_table(monkeypatch: pytest.MonkeyPatch) -> RecordingTable:
    table = RecordingTable()
    monkeypatch.setattr(simulator, "_lambda_client", lambda: table)
    monkeypatch.setenv("DYNAMODB_TABLE", "users")
    monkeypatch.delenv("CHANGES_COUNT", raising=False)
    monkeypatch.delenv("SEED", raising=False)
    monkeypatch.delenv("PARTITION_KEY", raising=False)
    return table


def test_the_lambda_handler_makes_ten_changes_by_default(lambda_table: RecordingTable) -> None:
    """With only the table's name set, the handler makes ten changes and returns a report in JSON's types."""
    report = simulator.handler({}, None)

    assert (len(lambda_table.calls), report["succeeded"], report["failed"]) == (10, 10, 0)
    assert {arguments["table"] for _, arguments in lambda_table.calls} == {"users"}


def test_the_lambda_handler_writes_the_partition_key_it_is_told(
    lambda_table: RecordingTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without it the key is `id`, which a table with another key refuses."""
    simulator.handler({}, None)
    assert all("id" in arguments for _, arguments in lambda_table.calls)
    lambda_table.calls.clear()
    monkeypatch.setenv("PARTITION_KEY", "userId")
    simulator.handler({}, None)
    assert all("userId" in arguments and "id" not in arguments for _, arguments in lambda_table.calls)


def test_the_lambda_handler_reports_the_seed_that_repeats_it(
    lambda_table: RecordingTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run without a seed names the one it drew, and that seed makes the same changes again."""
    monkeypatch.setenv("CHANGES_COUNT", "25")
    seed = simulator.handler({}, None)["seed"]
    monkeypatch.setenv("SEED", str(seed))
    assert simulator.handler({}, None)["seed"] == seed

    keys = [(call, arguments["id"]) for call, arguments in lambda_table.calls]
    assert keys[:25] == keys[25:]


@pytest.mark.parametrize(
    ("variable", "value"),
    [("DYNAMODB_TABLE", ""), ("CHANGES_COUNT", "ten"), ("CHANGES_COUNT", "-1"), ("SEED", "0x1f")],
)
def test_the_lambda_handler_refuses_a_wrong_environment(
    lambda_table: RecordingTable, monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    """A variable that is missing or can't be read is an error that says so, before anything is written."""
    monkeypatch.setenv(variable, value)

    with pytest.raises(ConfigurationError, match=variable):
        simulator.handler({}, None)
    assert not lambda_table.calls
