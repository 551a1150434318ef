"""Redrive: what is applied, what is read again, what is refused, and what is left for the next time."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING, Any, cast

import pytest
from tests.sync.tables import TableClient

from ddb_cache_sync import (
    CacheUnavailable,
    ConfigurationError,
    EntityRouter,
    KeyTemplate,
    LookupKey,
    Projection,
    QuarantinedRecord,
    Replicator,
    Route,
)
from ddb_cache_sync.core.guards import DEFAULT_GUARD_TTL_SECONDS, guard_key
from ddb_cache_sync.core.stream_records import decode_record
from ddb_cache_sync.sync.preparing_redrive import RedriveClients, prepare_redrive
from ddb_cache_sync.sync.redrive import RedriveOptions, RedriveReport
from ddb_cache_sync.testing import MemoryCache, MemoryTable, kinesis_event, stream_event, stream_record

if TYPE_CHECKING:
    from pathlib import Path

    from ddb_cache_sync import Router

LABEL = "2025-04-23T13:37:16.991"
ARN = f"arn:aws:dynamodb:eu-west-1:111122223333:table/users/stream/{LABEL}"
NOW = 1_745_500_000.0
DAY = 86_400.0
KEYS = KeyTemplate("users:{id}")


class Table(TableClient):
    """A table whose description tells its stream."""

    enabled = True
    stream_arn = ARN

    def describe_table(self, **request: Any) -> Any:
        found = super().describe_table(**request)
        found["Table"] |= {"LatestStreamArn": self.stream_arn, "StreamSpecification": {"StreamEnabled": self.enabled}}
        return found


class World:
    """A table, a cache, and a folder with what was given up."""

    def __init__(self, folder: Path, router: Router | None = None) -> None:
        self.folder = folder
        self.router: Any = router or Projection(KEYS)
        self.table = Table(MemoryTable(name="users"))
        self.cache = MemoryCache()
        self.replicator = Replicator(self.cache, self.router)
        self.now = NOW
        self.entries = 0
        self.stream_label: str | None = None
        self.guard_ttl_seconds = DEFAULT_GUARD_TTL_SECONDS

    def put(self, identity: str, *, age: float = 60.0, **others: Any) -> dict[str, Any]:
        """Put an item; gives the stream's record, so old."""
        return self._aged(self.table.put(identity, **others), age)

    def remove(self, identity: str, *, age: float = 60.0) -> dict[str, Any]:
        """Remove an item; gives the stream's record, so old."""
        return self._aged(self.table.remove(identity), age)

    def _aged(self, record: dict[str, Any], age: float) -> dict[str, Any]:
        record["dynamodb"]["ApproximateCreationDateTime"] = self.now - age
        return record

    def give_up(self, *records: Any, name: str | None = None, **metadata: Any) -> str:
        """Keep a batch as an S3 destination does; gives its name."""
        self.entries += 1
        name = name or f"{self.entries:03d}"
        found = {"DDBStreamBatchInfo": {}, "payload": json.dumps(stream_event(records)), **metadata}
        (self.folder / name).write_text(json.dumps(found), encoding="utf-8")
        return name

    def redrive(self, clients: RedriveClients | None = None, **options: Any) -> RedriveReport:
        """Run it."""
        report: RedriveReport = self.prepared(clients, **options).run()
        return report

    def prepared(self, clients: RedriveClients | None = None, **options: Any) -> Any:
        """It, ready to be run."""
        return prepare_redrive(
            str(self.folder),
            self.cache,
            self.router,
            clients or RedriveClients(cast("Any", self.table)),
            "users",
            options=RedriveOptions(**options),
            guard_ttl_seconds=self.guard_ttl_seconds,
            stream_label=self.stream_label,
            clock=lambda: self.now,
        )

    @property
    def left(self) -> list[str]:
        return sorted(path.name for path in self.folder.iterdir())


@pytest.fixture
def world(tmp_path: Path) -> World:
    folder = tmp_path / "given-up"
    folder.mkdir()
    return World(folder)


def test_young_records_are_applied_behind_the_guard(world: World) -> None:
    """A newer change that the stream has brought meanwhile wins."""
    old, new = world.put("1", name="old"), world.put("1", name="new")
    other, removal = world.put("2", name="x"), world.remove("2")
    world.give_up(old, other)
    world.give_up(removal)
    world.replicator.apply([new])
    report = world.redrive()
    assert (report.entries, report.records, report.applied, report.stale, report.failed) == (2, 3, 2, 1, 0)
    assert world.cache.values == {"users:1": b'{"id":"1","name":"new"}'}
    assert (report.read_again, report.complete) == (0, True)


def test_progress_is_told_by_entries(world: World) -> None:
    """One by one."""
    for identity in "123":
        world.give_up(world.put(identity), world.put(identity, more=1))
    told: list[int] = []
    world.prepared().run(told.append)
    assert told == [1, 1, 1]


def test_running_it_twice_changes_nothing(world: World) -> None:
    """Neither values nor guards: of young records, and of old ones."""
    world.give_up(world.put("1", name="young"), world.put("2", age=30 * DAY))
    world.give_up(world.put("3", age=2 * DAY), world.remove("3", age=DAY + 3600))
    first = world.redrive()
    values, guards = {**world.cache.values}, {**world.cache.guards}
    second = world.redrive()
    assert (world.cache.values, world.cache.guards) == (values, guards)
    assert (first.repaired, second.repaired) == (1, 0)
    assert (first.read_again, second.read_again, second.failed) == (3, 3, 0)


def test_an_old_record_is_not_believed(world: World) -> None:
    """Its guard is gone, so its payload would win: the item is read from the table instead."""
    stale = world.put("1", age=2 * DAY, name="long ago")
    world.replicator.apply([world.put("1", age=DAY + 7200, name="now")])
    gone = world.put("2", age=2 * DAY, name="long ago")
    world.replicator.apply([world.remove("2", age=DAY + 7200)])
    missing = world.put("3", age=2 * DAY, name="never applied")
    world.cache.guards.clear()  # they have expired
    world.give_up(stale, gone, missing)
    versions = [decode_record(record).version for record in (stale, gone, missing)]
    report = world.redrive()
    assert world.cache.values == {
        "users:1": b'{"id":"1","name":"now"}',
        "users:3": b'{"id":"3","name":"never applied"}',
    }
    assert (report.read_again, report.repaired, report.applied, report.failed) == (3, 1, 0, 0)
    assert [world.cache.guards[guard_key(f"users:{identity}")] for identity in "123"] == [
        f"{version}:1"
        for version in versions  # so neither that change nor an older one can come late and win
    ]


def test_what_is_older_than_a_record_that_was_read_again_loses(world: World) -> None:
    """The table was read in the record's stead; else an older change, still to come, would stay for good."""
    world.replicator.apply([world.put("1", name="first")])
    older, last = world.put("1", name="second"), world.put("1", age=2 * DAY, name="third")
    world.put("1", name="of which no record is left")
    world.give_up(last)
    assert (world.redrive().repaired, world.replicator.apply([older, last]).stale) == (1, 2)
    assert world.cache.values == {"users:1": b'{"id":"1","name":"of which no record is left"}'}


def test_it_does_so_where_the_key_agreed_already(world: World) -> None:
    """As after a repair, which leaves the guard to the changes that are still to come."""
    first, older, last = (world.put("1", age=2 * DAY, name=name) for name in ("first", "second", "third"))
    world.replicator.apply([first])
    world.cache.values["users:1"] = b'{"id":"1","name":"third"}'
    world.give_up(last)
    assert (world.redrive().repaired, world.replicator.apply([older]).stale) == (0, 1)
    assert world.cache.values == {"users:1": b'{"id":"1","name":"third"}'}


@pytest.mark.parametrize(("stream_label", "number"), [("2025-04-24T12:00:00.000", "1"), (None, "2")])
def test_another_stream_keeps_no_change_of_the_tables_out(world: World, stream_label: str | None, number: str) -> None:
    """Neither by its own label, which may be newer, nor by one that the replicator gives to the table's stream."""
    other = (
        f"arn:aws:dynamodb:eu-west-1:111122223333:table/users/stream/2025-04-{22 + 2 * (number == '2')}T00:00:00.000"
    )
    world.stream_label = stream_label
    world.replicator = Replicator(world.cache, world.router, stream_label=stream_label)
    given_up = world.put("1", name="old")
    late = world.put("1", name="new")
    given_up["eventSourceARN"] = other
    given_up["dynamodb"]["SequenceNumber"] = "9" * 39
    world.give_up(given_up)
    assert world.redrive(stream_arn=other).read_again == 1
    assert world.replicator.apply([late]).applied == 1


def test_where_no_word_is_taken_a_made_up_sequence_number_keeps_no_change_out(world: World) -> None:
    """`read_again` takes nothing but keys."""
    made_up, real = world.put("1", age=2 * DAY, name="old"), world.put("1", name="new")
    made_up["dynamodb"]["SequenceNumber"] = "9" * 40
    world.give_up(made_up)
    assert world.redrive(read_again=True).read_again == 1
    assert world.replicator.apply([real]).applied == 1


def test_what_is_older_than_the_label_that_was_set_is_not_believed(world: World) -> None:
    """It would outrank what another Region's stream has brought since."""
    world.stream_label = "2025-04-24T12:00:00.000"
    set_at = 1_745_496_000.0
    before = world.put("1", age=NOW - set_at + 60, name="before")
    after = world.put("2", age=NOW - set_at - 60, name="after")
    world.give_up(before, after)
    report = world.redrive()
    assert (report.applied, report.read_again) == (1, 1)


def test_a_longer_life_of_guards_makes_no_record_believed(world: World) -> None:
    """It may have been set for this redrive only, when newer guards were gone already; a shorter one counts."""
    for life, age, believed in [(96 * 3600, 30 * 3600, 0), (96 * 3600, 23 * 3600, 1), (10 * 3600, 9.5 * 3600, 0)]:
        world.guard_ttl_seconds = life
        world.give_up(world.put(f"{life}-{age}", age=age), name="000")
        assert world.redrive().applied == believed


@pytest.mark.parametrize("identity", ["", "x" * 2049])
def test_a_key_that_no_item_can_have_fails_by_itself(world: World, identity: str) -> None:
    """DynamoDB would refuse to read all others with it."""
    forged, good = world.put("1", age=2 * DAY), world.put("2", age=2 * DAY)
    forged["dynamodb"]["Keys"]["id"]["S"] = identity
    world.give_up(forged, good)
    report = world.redrive()
    assert (report.failed, report.read_again, [*world.cache.values]) == (1, 1, ["users:2"])
    assert "empty, or longer than a key can be" in report.problems[0]


def test_a_router_that_can_read_nothing_again_is_refused_before_anything_is_applied(tmp_path: Path) -> None:
    """Or fails what would have to be read, where that is only found on the way."""

    class Own:
        """A router of one's own, which does not tell where else an item may be."""

        needs_old_images = False

        def routed(self, change: Any) -> Any:
            return ((Projection(KEYS), change),)

    world = World(tmp_path, Own())
    with pytest.raises(ConfigurationError):
        world.redrive(read_again=True)
    world.give_up(world.put("1"), world.put("2", age=2 * DAY))
    report = world.redrive()
    assert (report.applied, [*world.cache.values]) == (1, ["users:1"])
    assert report.failed == 1


def test_a_guard_that_is_newer_than_the_record_stays(world: World) -> None:
    """Else what lies between the two would win when it is delivered again."""
    oldest, between, newest = (world.put("1", age=2 * DAY, name=name) for name in ("first", "second", "third"))
    world.replicator.apply([newest])
    world.give_up(oldest)
    assert (world.redrive().failed, world.replicator.apply([between]).stale) == (0, 1)
    assert world.cache.values == {"users:1": b'{"id":"1","name":"third"}'}


def test_of_several_records_of_an_item_the_newest_is_stood_for(world: World) -> None:
    """In whatever order they were given up."""
    oldest, between, newest = (world.put("1", age=2 * DAY, name=name) for name in ("first", "second", "third"))
    world.give_up(newest, oldest)
    assert (world.redrive().repaired, world.replicator.apply([between]).stale) == (1, 1)
    assert world.cache.values == {"users:1": b'{"id":"1","name":"third"}'}


def test_a_record_from_the_future_keeps_no_change_out(world: World) -> None:
    """The item is read, and its version counts for nothing."""
    world.give_up(world.put("1", name="first", age=-7200))
    assert world.redrive().read_again == 1
    assert (world.cache.values, world.cache.guards) == ({"users:1": b'{"id":"1","name":"first"}'}, {})


@pytest.mark.parametrize(
    ("age", "believed"),
    [
        (0.0, True),
        (23.9 * 3600, True),
        (24.1 * 3600, False),
        (10 * DAY, False),
        (-200.0, True),
        (-3600.0, False),
    ],
)
def test_a_record_is_believed_while_guards_live_less_a_margin(world: World, age: float, believed: bool) -> None:
    """And not where it says that it is from the future."""
    world.give_up(world.put("1", age=age))
    assert DEFAULT_GUARD_TTL_SECONDS == 25 * 3600
    report = world.redrive()
    assert (report.applied, report.read_again) == ((1, 0) if believed else (0, 1))


def test_a_record_without_a_time_is_not_believed(world: World) -> None:
    """Nor is any, where that is asked for."""
    record = world.put("1")
    del record["dynamodb"]["ApproximateCreationDateTime"]
    world.give_up(record)
    world.give_up(world.put("2"))
    assert (world.redrive().read_again, world.redrive(read_again=True).read_again) == (1, 2)


def test_the_payload_of_an_old_record_may_be_anything(world: World) -> None:
    """Only its key is used."""
    record = world.put("1", age=2 * DAY, name="right")
    record["dynamodb"]["NewImage"] = {"id": {"S": "1"}, "name": {"S": "forged"}}
    world.give_up(record)
    world.redrive()
    assert world.cache.values == {"users:1": b'{"id":"1","name":"right"}'}


def test_of_a_stream_that_is_not_the_tables_nothing_is_believed(world: World) -> None:
    """It is refused; where it is named, or the table's own is switched off, items are read from the table."""
    older = ARN.replace("2025-04-23", "2024-04-23")
    record = world.put("1", name="now") | {"eventSourceARN": older}
    record["dynamodb"]["NewImage"]["name"] = {"S": "of another time"}
    world.give_up(record)
    refused = world.redrive()
    assert (refused.failed, refused.applied, world.cache.values) == (1, 0, {})
    assert refused.problems[0].startswith("001: a record of another stream. Give --stream-arn, if it is meant")
    assert world.redrive(stream_arn=older).read_again == 1
    assert world.cache.values == {"users:1": b'{"id":"1","name":"now"}'}
    world.give_up(world.put("2"), name="001")
    world.table.enabled = False
    assert world.redrive().read_again == 1


@pytest.mark.parametrize(
    ("arn", "what"),
    [
        (ARN.replace("table/users", "table/orders"), "another table"),
        (ARN.replace("111122223333", "444455556666"), "another account"),
        (ARN.replace("eu-west-1", "us-east-1"), "another stream"),
        ("SECRET", "another stream"),
        (None, "does not tell its stream"),
        ({}, "does not tell its stream"),
    ],
)
def test_what_comes_from_elsewhere_is_refused_with_all_that_came_with_it(world: World, arn: Any, what: str) -> None:
    """Nothing of that object is applied; the others are."""
    world.give_up(world.put("1"), world.put("2") | {"eventSourceARN": arn})
    world.give_up(world.put("3"))
    report = world.redrive(delete=True)
    assert [*world.cache.values] == ["users:3"]
    assert (report.failed, report.deleted, world.left) == (1, 1, ["001"])
    assert what in report.problems[0]
    assert "SECRET" not in report.problems[0]


@pytest.mark.parametrize(
    ("keys", "what"),
    [
        ({"other": {"S": "1"}}, "not the table's key attributes"),
        ({"id": {"N": "1"}}, "not the table's key attributes"),
        ({"id": {"S": "1"}, "more": {"S": "1"}}, "not the table's key attributes"),
        ({"id": {"S": 1}}, "dynamodb.Keys"),
        ({}, "dynamodb.Keys"),
    ],
)
@pytest.mark.parametrize("age", [60.0, 2 * DAY], ids=["young", "old"])
def test_a_key_that_is_none_of_the_table_is_refused(world: World, keys: Any, what: str, age: float) -> None:
    """The others of its object are applied; it stays for a person to look at."""
    wrong, right = world.put("1", age=age), world.put("2", age=age)
    wrong["dynamodb"]["Keys"] = keys
    world.give_up(wrong, right)
    report = world.redrive(delete=True)
    assert [*world.cache.values] == ["users:2"]
    assert (report.failed, report.deleted, what in report.problems[0]) == (1, 0, True), report.problems


def test_a_record_that_is_still_poison_stays(world: World) -> None:
    """And does not end up in a quarantine of its own again, from which it would be deleted as done."""
    poison = world.put("1")
    poison["dynamodb"]["NewImage"]["n"] = {"N": "SECRET"}
    for record in (poison, world.put("2")):
        document = QuarantinedRecord.of(record, "because")
        (world.folder / document.name.replace("/", "-")).write_text(document.document)
    report = world.redrive(delete=True)
    assert (report.entries, report.applied, report.failed, report.deleted) == (2, 1, 1, 1)
    assert "dynamodb.NewImage.n: not a decimal number" in report.problems[0]
    assert "SECRET" not in str(report.to_json())
    assert len(world.left) == 1
    poison["dynamodb"]["NewImage"]["n"] = {"N": "1"}  # as if the bug were mended
    world.give_up(poison, name=world.left[0])
    assert world.redrive(delete=True).failed == 0
    assert (world.left, sorted(world.cache.values)) == ([], ["users:1", "users:2"])


def test_nothing_is_deleted_unless_it_is_asked_for(world: World) -> None:
    """And never by a dry run, which writes nothing either but tells what would come of it."""
    world.give_up(world.put("1"), world.put("1", more=1), world.put("2", age=2 * DAY))
    poison = world.put("3")
    poison["dynamodb"]["NewImage"]["n"] = {"N": "x"}
    world.give_up(poison)
    dry = world.redrive(dry_run=True)
    assert (dry.applied, dry.stale, dry.read_again, dry.repaired, dry.failed, dry.dry_run) == (1, 1, 1, 1, 1, True)
    assert (world.cache.values, world.cache.guards, world.left) == ({}, {}, ["001", "002"])
    done = world.redrive()
    assert (done.applied, done.stale, done.read_again, done.repaired, done.failed) == (1, 1, 1, 1, 1)
    assert (done.deleted, world.left) == (0, ["001", "002"])
    assert world.redrive(delete=True).deleted == 1
    assert world.left == ["002"]


def test_routes_modes_and_lookup_keys_hold(tmp_path: Path) -> None:
    """A redrive goes through the same replicator. Of an old record every key is repaired that it or the table names."""
    router = EntityRouter(
        [
            Route(
                Projection(KeyTemplate("as:{id}"), lookups=[LookupKey("as:by-email:{email}")]), attribute={"kind": "a"}
            ),
            Route(Projection(KeyTemplate("bs:{id}")), attribute={"kind": "b"}),
        ]
    )
    world = World(tmp_path, router)
    world.give_up(world.put("1", kind="a", email="x"), world.put("2", kind="b"))
    world.redrive()
    assert sorted(world.cache.values) == ["as:1", "as:by-email:x", "bs:2"]
    moved = world.put("1", kind="b", age=2 * DAY)
    world.put("3", kind="a", email="y", age=2 * DAY)
    world.cache.guards.clear()
    world.give_up(moved, world.table.table.records[-1], name="001")
    world.table.table.records[-1]["dynamodb"]["ApproximateCreationDateTime"] = 0
    assert world.redrive(read_again=True).failed == 0
    assert world.cache.values == {
        "as:3": b'{"email":"y","id":"3","kind":"a"}',
        "as:by-email:y": b"as:3",
        "bs:1": b'{"id":"1","kind":"b"}',
        "bs:2": b'{"id":"2","kind":"b"}',
    }


def test_in_mode_invalidate_a_young_record_deletes_and_an_old_one_mends_what_is_stale(tmp_path: Path) -> None:
    """As the replicator and a repair do."""
    world = World(tmp_path, Projection(KEYS, mode="invalidate"))
    young, old, absent = world.put("1"), world.put("2", age=2 * DAY), world.put("3", age=2 * DAY)
    world.cache.values |= {"users:1": b"stale", "users:2": b"stale"}
    world.give_up(young, old, absent)
    world.redrive()
    assert world.cache.values == {"users:2": b'{"id":"2"}'}


def test_records_of_a_kinesis_data_stream_are_taken_where_it_is_named(world: World) -> None:
    """Those of other tables in it are refused."""
    kinesis = "arn:aws:kinesis:eu-west-1:111122223333:stream/changes"
    records = kinesis_event([world.put("1", age=60), world.put("2", age=60 * DAY)])["Records"]
    world.give_up(*records, KinesisBatchInfo={}, DDBStreamBatchInfo=None)
    assert "another stream" in world.redrive().problems[0]
    report = world.redrive(stream_arn=kinesis)
    assert (report.applied, report.read_again, report.failed) == (1, 1, 0)
    assert {*world.cache.guards} == {guard_key("users:1"), guard_key("users:2")}
    [other] = kinesis_event([stream_record({"id": "3"}, {"id": "3"}, table="orders", created_at=NOW)])["Records"]
    world.give_up(other, KinesisBatchInfo={}, name="001")
    assert "another table" in world.redrive(stream_arn=kinesis).problems[0]


@pytest.mark.parametrize("content", [b"", b"SECRET", b'{"Records":[]}', b"\x1f\x8b", b"[" * 10_000])
def test_what_is_none_of_all_this_is_told_and_left(world: World, content: bytes) -> None:
    """By name, without contents; it stops nothing."""
    (world.folder / "000").write_bytes(content)
    world.give_up(world.put("1"))
    report = world.redrive(delete=True)
    assert (report.entries, report.failed, report.deleted, world.left) == (2, 1, 1, ["000"])
    assert report.problems[0].startswith("000: ")
    assert "SECRET" not in report.problems[0]


class Failing(MemoryCache):
    """A cache that fails at the third batch."""

    batches = 0

    def apply(self, writes: Any, deadline: float | None = None) -> Any:
        self.batches += 1
        if self.batches == 3:
            raise CacheUnavailable("gone")
        return super().apply(writes, deadline)


def test_a_cache_that_fails_stops_it_and_it_goes_on_from_its_checkpoint(world: World, tmp_path: Path) -> None:
    """From the last page that was done; the checkpoint of another cache or table is refused."""
    for number in range(20):
        world.give_up(world.put(str(number)))
    path = tmp_path / "checkpoint"
    stopped = world.prepared(checkpoint=path)
    seen: list[int] = []

    def stop_at_ten(_: int) -> None:
        seen.append(1)
        if len(seen) == 10:
            stopped.stop()

    stopped.run(stop_at_ten)
    assert (stopped.report.entries, stopped.report.complete) == (10, False)
    world.cache = Failing(values=world.cache.values, guards=world.cache.guards)
    with pytest.raises(CacheUnavailable):
        world.redrive(checkpoint=path)
    going_on = world.prepared(checkpoint=path)
    assert going_on.goes_on
    report = going_on.run()
    assert (report.entries, report.complete, len(world.cache.values)) == (10, True, 20)
    assert not path.exists()
    world.redrive(checkpoint=path, limit=1)
    with pytest.raises(ConfigurationError, match="is of another job"):
        world.prepared(checkpoint=path, job="another cache")


def test_a_limit_takes_so_many_and_no_more(world: World, tmp_path: Path) -> None:
    """With a checkpoint the next ones follow."""
    for number in range(12):
        world.give_up(world.put(str(number)))
    path = tmp_path / "checkpoint"
    counts = []
    for _ in range(3):
        report = world.redrive(limit=5, checkpoint=path, delete=True)
        counts.append((report.entries, report.deleted, report.complete))
    assert counts == [(5, 5, False), (5, 5, False), (2, 2, True)]


def test_what_is_gone_meanwhile_is_no_failure(world: World) -> None:
    """Another redrive was faster."""
    name = world.give_up(world.put("1"))
    world.give_up(world.put("2"))
    running = world.prepared(delete=True)
    read = running._source.read

    def gone(entry: str, limit: int) -> Any:
        if entry == name:
            (world.folder / name).unlink(missing_ok=True)
        return read(entry, limit)

    running._source.read = gone
    report = running.run()
    assert (report.entries, report.failed, report.deleted, world.left) == (1, 0, 1, [])


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"limit": 0}, "a limit of 0"),
        ({"dry_run": True, "delete": True}, "a dry run"),
        ({"account": "444455556666"}, "is in account 111122223333, not in 444455556666"),
    ],
)
def test_what_can_not_be_right_is_refused(world: World, options: Any, problem: str) -> None:
    """Before anything is read."""
    with pytest.raises(ConfigurationError, match=problem):
        world.redrive(**options)


def test_the_right_account_is_accepted(world: World) -> None:
    """The table's own."""
    assert world.redrive(account="111122223333").complete


def test_no_contents_are_logged(world: World, caplog: pytest.LogCaptureFixture) -> None:
    """Of records that fail, whichever way."""
    for age in (0.0, 2 * DAY):
        record = world.put("SECRET", age=age, name=f"SECRET {age}")
        record["dynamodb"]["Keys"] = {"SECRET": {"S": "SECRET"}}
        world.give_up(record)
    with caplog.at_level(logging.DEBUG, "ddb_cache_sync"):
        report = world.redrive()
    assert report.failed == 2
    assert "SECRET" not in caplog.text + json.dumps(report.to_json())
