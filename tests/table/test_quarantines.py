"""Quarantines in S3 and SQS, on moto's server."""

from __future__ import annotations

import json
import random
import select
import socket
import time
import uuid
from typing import TYPE_CHECKING, Any

import pytest
from tests.table.pipelines import Pipeline

from ddb_cache_sync import QuarantinedRecord, RecordError, Replicator, TableError, quarantine_at
from ddb_cache_sync.core.given_up import read_given_up
from ddb_cache_sync.table.clients import impatient_client
from ddb_cache_sync.table.quarantines import MOST_MESSAGE_BYTES, PLAIN_MESSAGE_BYTES, S3Quarantine, SqsQuarantine
from ddb_cache_sync.testing import MemoryCache, stream_record

if TYPE_CHECKING:
    from ddb_cache_sync.local.embedded import EmbeddedDynamoDB

pytestmark = pytest.mark.servers


@pytest.fixture(scope="module")
def pipeline(dynamodb: EmbeddedDynamoDB) -> Pipeline:
    """Give clients of all services of moto."""
    return Pipeline(dynamodb)


@pytest.fixture(scope="module")
def s3(pipeline: Pipeline) -> Any:
    """Give a client of S3."""
    return pipeline.client("s3")


@pytest.fixture
def bucket(s3: Any) -> tuple[Any, str]:
    """Give a client, and a new bucket."""
    name = f"poison-{uuid.uuid4().hex[:8]}"
    s3.create_bucket(Bucket=name)
    return s3, name


def poison(number: int, text: str = "x") -> dict[str, Any]:
    record = stream_record({"id": str(number)}, {"id": "x", "text": text}, {"id": "x", "text": text})
    record["dynamodb"]["NewImage"]["n"] = {"N": "SECRET"}
    return record


def document(record: dict[str, Any]) -> QuarantinedRecord:
    return QuarantinedRecord.of(record, "because")


def objects(s3: Any, bucket: str) -> dict[str, bytes]:
    listed = s3.list_objects_v2(Bucket=bucket).get("Contents", [])
    return {each["Key"]: s3.get_object(Bucket=bucket, Key=each["Key"])["Body"].read() for each in listed}


@pytest.mark.parametrize("prefix", ["", "a/b"])
def test_the_same_record_twice_is_one_object(bucket: tuple[Any, str], prefix: str) -> None:
    """Under its own name, whole."""
    s3, name = bucket
    sink = S3Quarantine(name, prefix, s3)
    for number in (1, 2, 1):
        sink.put(document(poison(number)))
    found = objects(s3, name)
    assert sorted(found) == sorted(f"{prefix}/{document(poison(n)).name}".lstrip("/") for n in (1, 2))
    assert [each for body in found.values() for each in read_given_up(body).records] == [
        poison(n) for key in found for n in (1, 2) if document(poison(n)).name in key
    ]


def test_a_queue_gets_each_record_and_a_large_one_compressed(pipeline: Pipeline) -> None:
    """Two images of 400 KB are more than a message can have; they come out as they went in."""
    sqs = pipeline.clients.sqs
    url = sqs.create_queue(QueueName=f"poison-{uuid.uuid4().hex[:8]}")["QueueUrl"]
    records = [poison(1), poison(2, "é" * (PLAIN_MESSAGE_BYTES // 2)), poison(3, "0123456789" * 40_000)]
    sink = SqsQuarantine(url, sqs)
    for each in records:
        sink.put(document(each))
    messages: list[Any] = []
    while len(messages) < 3:
        messages += sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10)["Messages"]
    bodies = sorted((message["Body"] for message in messages), key=lambda body: "gzip" in json.loads(body))
    assert ["gzip" in json.loads(body) for body in bodies] == [False, True, True]
    found = [each for body in bodies for each in read_given_up(body.encode()).records]
    assert all(record in found for record in records)
    assert len(found) == 3


def test_what_a_message_can_not_have_is_refused() -> None:
    """Before anything is sent, saying what to do; so the record stays reported."""
    incompressible = random.Random(1).randbytes(600_000).hex()
    sink = SqsQuarantine("https://sqs.eu-west-1.amazonaws.com/1/q", object())
    with pytest.raises(RecordError, match=rf"SQS takes {MOST_MESSAGE_BYTES:,}\. Let an S3 bucket"):
        sink.put(document(poison(1, incompressible)))
    report = Replicator(MemoryCache(), quarantine=sink).apply([poison(1, incompressible)])
    assert "SQS takes" in report.failures[0].reason


def test_a_fifo_queue_keeps_the_same_record_once(pipeline: Pipeline) -> None:
    """By its name."""
    sqs = pipeline.clients.sqs
    url = sqs.create_queue(QueueName=f"q-{uuid.uuid4().hex[:8]}.fifo", Attributes={"FifoQueue": "true"})["QueueUrl"]
    for number in (1, 2, 1):
        SqsQuarantine(url, sqs).put(document(poison(number)))
    told = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["ApproximateNumberOfMessages"])["Attributes"]
    assert told["ApproximateNumberOfMessages"] == "2"


def test_a_queue_that_takes_less_refuses(pipeline: Pipeline) -> None:
    """With what to do about it."""
    sqs = pipeline.clients.sqs
    attributes = {"MaximumMessageSize": "1024"}
    url = sqs.create_queue(QueueName=f"small-{uuid.uuid4().hex[:8]}", Attributes=attributes)["QueueUrl"]
    with pytest.raises(TableError, match=r"InvalidParameterValue\. Raise the queue's MaximumMessageSize"):
        SqsQuarantine(url, sqs).put(document(poison(1, "x" * 2000)))


def test_where_there_is_none_the_record_stays_reported(
    pipeline: Pipeline, bucket: tuple[Any, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the place that a setting has; once it is there the record leaves."""
    for name, value in pipeline.server.environment.items():
        monkeypatch.setenv(name, value)
    for service in ("S3", "SQS"):
        monkeypatch.setenv(f"AWS_ENDPOINT_URL_{service}", pipeline.server.endpoint_url)
    s3, name = bucket
    sqs = pipeline.clients.sqs
    url = sqs.create_queue(QueueName=name)["QueueUrl"]
    for there, gone, said in (
        (f"s3://{name}/x", f"s3://no-{name}/x", "NoSuchBucket. Check the bucket's name."),
        (url, f"{url}-none", "NonExistentQueue. Check the queue's URL."),
    ):
        report = Replicator(MemoryCache(), quarantine=quarantine_at(gone)).apply([poison(1)])
        assert (report.failed, said in report.failures[0].reason) == (1, True), report.failures
        report = Replicator(MemoryCache(), quarantine=quarantine_at(there)).apply([poison(1)])
        assert (report.failed, len(report.quarantined)) == (0, 1)
    assert [*objects(s3, name)] == [f"x/{document(poison(1)).name}"]
    assert len(sqs.receive_message(QueueUrl=url)["Messages"]) == 1


@pytest.mark.parametrize("service", ["s3", "sqs"])
def test_a_service_that_never_answers_holds_nothing_past_the_deadline(
    service: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that lets itself be connected to, and says nothing."""
    for name in ("ACCESS_KEY_ID", "SECRET_ACCESS_KEY"):
        monkeypatch.setenv(f"AWS_{name}", "x")
    with socket.create_server(("127.0.0.1", 0)) as server:
        endpoint = f"http://127.0.0.1:{server.getsockname()[1]}"
        client = impatient_client(service, "eu-west-1", endpoint)
        sink = S3Quarantine("bucket", "", client) if service == "s3" else SqsQuarantine(f"{endpoint}/1/q", client)
        started = time.monotonic()
        report = Replicator(MemoryCache(), quarantine=sink).apply([poison(1)], deadline=started + 0.5)
        assert time.monotonic() - started < 15
        assert "there was no time left" in report.failures[0].reason
        assert select.select([server], [], [], 30)[0], "it was not even asked"
