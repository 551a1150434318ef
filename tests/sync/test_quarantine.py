"""Poison records set aside: only what was accepted is out of Lambda's hands, and none of it past the deadline."""

from __future__ import annotations

import errno
import json
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest
import redis

from ddb_cache_sync import (
    ConfigurationError,
    FolderQuarantine,
    KeyTemplate,
    QuarantinedRecord,
    RecordError,
    Replicator,
    apply_stream_event,
    quarantine_at,
)
from ddb_cache_sync.core.given_up import read_given_up
from ddb_cache_sync.sync.quarantine import NOT_REACHED
from ddb_cache_sync.testing import MemoryCache, kinesis_event, stream_record

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

ARN = "arn:aws:dynamodb:eu-west-1:111122223333:table/T/stream/2025-04-23T13:37:16.991"
WHY = "dynamodb.NewImage.n: not a decimal number"


def poison(number: int, text: str = "SECRET") -> dict[str, Any]:
    """A record whose item holds what DynamoDB can't hold."""
    record = stream_record({"id": f"poison {number}"}, {"id": "x"}, sequence_number=number)
    record["dynamodb"]["NewImage"]["n"] = {"N": text}
    return record


def good(number: int) -> dict[str, Any]:
    return stream_record({"id": str(number)}, {"id": str(number)}, sequence_number=number)


class Sink:
    """A quarantine that keeps what it is given, unless it is told otherwise."""

    def __init__(self, on_put: Callable[[QuarantinedRecord], object] = lambda _: None) -> None:
        self.kept: list[QuarantinedRecord] = []
        self.asked = 0
        self._on_put = on_put
        self._lock = threading.Lock()

    def put(self, record: QuarantinedRecord, /) -> None:
        with self._lock:
            self.asked += 1
        self._on_put(record)
        with self._lock:
            self.kept.append(record)


def test_what_the_quarantine_accepts_is_not_reported_to_lambda() -> None:
    """It is counted apart, and the whole record is kept, with the reason and where it came from."""
    cache, sink = MemoryCache(), Sink()
    batch = [good(1), poison(2), good(3)]
    report = Replicator(cache, quarantine=sink).apply(batch)
    assert report.response == {"batchItemFailures": []}
    assert (report.applied, report.failed, report.records) == (2, 0, 3)
    [aside] = report.quarantined
    assert (aside.sequence_number, aside.reason) == ("2", WHY)
    [kept] = sink.kept
    assert (kept.record, kept.reason, kept.table, kept.stream_arn, kept.sequence_number) == (
        batch[1],
        WHY,
        "T",
        ARN,
        "2",
    )
    document = json.loads(kept.document)
    assert document["payload"] == {"Records": [batch[1]]}
    assert document["quarantine"] == {
        "format": 1,
        "reason": WHY,
        "table": "T",
        "streamArn": ARN,
        "sequenceNumber": "2",
    }
    assert read_given_up(kept.document.encode()).records == [batch[1]]


def test_without_a_quarantine_it_is_reported_as_lambda_users_expect() -> None:
    """The default."""
    report = Replicator(MemoryCache()).apply([poison(2)])
    assert (report.response, report.quarantined) == ({"batchItemFailures": [{"itemIdentifier": "2"}]}, ())


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (RecordError("too large", hint="Use S3."), "too large. Use S3."),
        (OSError("SECRET"), "the quarantine raised OSError"),
        (MemoryError("SECRET"), "the quarantine raised MemoryError"),
    ],
)
def test_what_it_refuses_stays_reported_and_says_why(
    error: Exception, said: str, caplog: pytest.LogCaptureFixture
) -> None:
    """No text of an exception that is not ours is repeated."""

    def refuse(record: QuarantinedRecord) -> None:
        if record.sequence_number == "2":
            raise error

    sink = Sink(refuse)
    answer = apply_stream_event([poison(1), poison(2), poison(3)], Replicator(MemoryCache(), quarantine=sink))
    assert answer == {"batchItemFailures": [{"itemIdentifier": "2"}]}
    assert sink.asked == 3
    assert f"record 2 can't be applied: {WHY}; not quarantined: {said}" in caplog.text
    assert f"record 3 can't be applied, and was quarantined: {WHY}" in caplog.text
    assert "SECRET" not in caplog.text


def test_a_key_that_the_cache_does_not_take_is_set_aside_too(redis_client: redis.Redis) -> None:
    """Whatever would be reported is; the reason is the cache's."""
    redis_client.hset("users:1", "some", "hash")
    redis_client.set("~v:{users:1}", "x")
    redis_client.delete("~v:{users:1}")
    redis_client.rpush("~v:{users:1}", "not a guard")
    sink = Sink()
    report = Replicator(redis_client, keys=KeyTemplate("users:{id}"), quarantine=sink).apply([good(1), good(2)])
    assert (report.applied, report.failed) == (1, 0)
    [kept] = sink.kept
    assert (kept.sequence_number, "WRONGTYPE" in kept.reason) == ("1", True)


def test_a_record_without_a_sequence_number_can_be_set_aside() -> None:
    """Reported it can't be: without a quarantine, or if that refuses, the whole batch fails."""
    sink = Sink()
    report = Replicator(MemoryCache(), quarantine=sink).apply([{"garbage": True}, good(1)])
    assert (report.applied, report.quarantined[0].sequence_number, sink.kept[0].table) == (1, "", None)
    assert sink.kept[0].name.startswith("unknown/unknown-")

    def refuse(_: QuarantinedRecord) -> None:
        raise OSError

    with pytest.raises(RecordError, match=r"Records\[0\]: .*not quarantined"):
        Replicator(MemoryCache(), quarantine=Sink(refuse)).apply([{"garbage": True}, good(1)])


def test_the_name_is_that_of_the_record_and_of_nothing_else() -> None:
    """The same record twice is one object; another record with the same number is not."""
    one, again, other = (QuarantinedRecord.of(each, WHY) for each in (poison(7), poison(7), poison(7, "y")))
    assert one.name == again.name
    assert one.document == again.document
    assert one.name != other.name
    assert one.name.startswith("T/7-")
    assert "SECRET" not in repr(one) + one.name
    [kinesis] = kinesis_event([poison(7)])["Records"]
    assert QuarantinedRecord.of(kinesis, WHY).name.startswith("T/4965")


@pytest.mark.parametrize("table", ["..", ".", "../../etc", "a/b", "x" * 300, "é", "\n"])
def test_no_name_leads_out_of_its_folder(table: str, tmp_path: Path) -> None:
    """A record's ARN may be made up."""
    record = poison(1) | {"eventSourceARN": ARN.replace("table/T", f"table/{table}")}
    FolderQuarantine(tmp_path / "q").put(QuarantinedRecord.of(record, WHY))
    [file] = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert file.parent == tmp_path / "q" / "unknown"


def test_what_json_can_not_carry_is_refused() -> None:
    """So it is reported."""
    deep: Any = {}
    for _ in range(100_000):
        deep = {"M": deep}
    for odd in ({1: 2, "a": object()}, float("nan"), deep):
        record = good(5)
        record["dynamodb"]["NewImage"]["n"] = {"N": odd}
        report = Replicator(MemoryCache(), quarantine=Sink()).apply([record])
        assert "not quarantined: the record can't be written as JSON" in report.failures[0].reason


def test_a_folder_keeps_each_record_once_and_for_its_owner(tmp_path: Path) -> None:
    """As a file that is whole or not there."""
    replicator = Replicator(MemoryCache(), quarantine=quarantine_at(str(tmp_path)))
    record = poison(2)
    record["dynamodb"]["NewImage"]["b"] = {"B": b"\x00bytes, as boto3 has them"}
    for _ in range(2):
        assert replicator.apply([record]).response == {"batchItemFailures": []}
    [path] = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert path.stat().st_mode & 0o077 == 0
    [kept] = read_given_up(path.read_bytes()).records
    assert kept["dynamodb"]["NewImage"]["b"] == {"B": "AGJ5dGVzLCBhcyBib3RvMyBoYXMgdGhlbQ=="}


def test_a_folder_that_can_not_be_written_refuses(tmp_path: Path) -> None:
    """And leaves nothing behind."""
    (tmp_path / "T").write_text("in the way")
    report = Replicator(MemoryCache(), quarantine=FolderQuarantine(tmp_path)).apply([poison(1)])
    assert "can't be written" in report.failures[0].reason
    assert [path.name for path in tmp_path.iterdir()] == ["T"]


def test_a_folder_on_a_full_disk_refuses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is not safe there was not accepted; half a file is not left either."""

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("ddb_cache_sync.sync.quarantine.os.fsync", full)
    report = Replicator(MemoryCache(), quarantine=FolderQuarantine(tmp_path)).apply([poison(1)])
    assert "can't be written: No space left on device" in report.failures[0].reason
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_a_quarantine_that_hangs_is_left_behind_at_the_deadline() -> None:
    """What was not accepted by then is reported, and what was is not; a late yes counts for nothing."""
    release = threading.Event()

    def hang(record: QuarantinedRecord) -> None:
        if record.sequence_number != "1":
            assert release.wait(60)

    sink = Sink(hang)
    started = time.monotonic()
    report = Replicator(MemoryCache(), quarantine=sink).apply(
        [poison(number) for number in range(1, 31)], deadline=started + 0.5
    )
    assert 0.5 <= time.monotonic() - started < 20
    assert [each.sequence_number for each in report.quarantined] == ["1"]
    assert [each.sequence_number for each in report.failures] == [str(number) for number in range(2, 31)]
    assert all(each.reason.endswith(f"not quarantined: {NOT_REACHED}") for each in report.failures)
    asked = sink.asked
    release.set()
    assert asked < 30  # those not begun by the deadline never are
    assert report.failed == 29


def test_each_delivery_gets_further_through_a_slow_quarantine() -> None:
    """It goes in the order of the batch, so Lambda's checkpoint moves on."""
    sink = Sink(lambda _: time.sleep(0.1))
    replicator = Replicator(MemoryCache(), quarantine=sink)
    batch = [poison(number) for number in range(1, 61)]
    Replicator(MemoryCache()).apply(batch)  # the first time takes longer, and has to end before the deadline too
    deliveries = 0
    while batch:
        report = replicator.apply(batch, deadline=time.monotonic() + 0.5)
        deliveries += 1
        first = int(report.failures[0].sequence_number) if report.failures else 61
        # Before one that was accepted there are no others than those that were being put at the same time.
        last = max((int(each.sequence_number) for each in report.quarantined), default=0)
        assert sum(int(each.sequence_number) < last for each in report.failures) < 8
        batch = [each for each in batch if int(each["dynamodb"]["SequenceNumber"]) >= first]
        assert deliveries < 100
    assert deliveries > 1
    assert len({record.name for record in sink.kept}) == 60


@pytest.mark.parametrize(
    ("location", "problem"),
    [
        ("", "without a place"),
        ("s3://", "bucket"),
        ("s3://UPPER/x", "bucket"),
        ("https://", "neither"),
        ("https://user:secret@sqs.eu-west-1.amazonaws.com/1/q", "neither"),
        ("ftp://x/y", "neither"),
        ("http://[", "neither"),
        ("s3:/bucket", "neither"),
        ("s3:bucket", "neither"),
        ("S3:/bucket", "neither"),
        ("https:/sqs.eu-west-1.amazonaws.com/1/q", "neither"),
        ("sqs.eu-west-1.amazonaws.com/1/q", "neither"),
        ("arn:aws:sqs:eu-west-1:111122223333:q", "neither"),
        ("gs:/bucket", "neither"),
    ],
)
def test_a_place_that_can_not_be_one_is_refused(location: str, problem: str) -> None:
    """When the replicator is made, not when the first poison record comes; nothing of it is repeated but a bucket."""
    with pytest.raises(ConfigurationError, match=problem) as raised:
        quarantine_at(location)
    assert "secret" not in str(raised.value)


@pytest.mark.parametrize("location", ["quarantine", "./s3:/bucket", "/mnt/poison:1", "C:/poison", "s3", "sqs/x"])
def test_a_path_is_a_folder(location: str) -> None:
    """Whatever else it may remind of."""
    assert isinstance(quarantine_at(location), FolderQuarantine)


def test_what_is_no_quarantine_is_refused() -> None:
    """A location, for instance, in place of what is made of it."""
    with pytest.raises(ConfigurationError, match="the quarantine is a str"):
        Replicator(MemoryCache(), quarantine="s3://bucket")  # type: ignore[arg-type]
