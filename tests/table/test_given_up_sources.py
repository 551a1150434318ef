"""Folders, buckets and queues with what was given up: listed once, read within a bound, deleted by name."""

from __future__ import annotations

import os
import uuid
from typing import TYPE_CHECKING, Any

import pytest
from tests.table.pipelines import Pipeline

from ddb_cache_sync import ConfigurationError, RecordError, TableError
from ddb_cache_sync.table.given_up_queue import SqsSource
from ddb_cache_sync.table.given_up_sources import FolderSource, S3Source

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from ddb_cache_sync.local.embedded import EmbeddedDynamoDB
    from ddb_cache_sync.table.given_up_sources import GivenUpSource

CONTENTS = {f"a/{number:02d}": f"content {number}".encode() for number in range(20)}


@pytest.fixture(scope="module")
def pipeline(dynamodb: EmbeddedDynamoDB) -> Pipeline:
    """Give clients of all services of moto."""
    return Pipeline(dynamodb)


@pytest.fixture(scope="module")
def s3(pipeline: Pipeline) -> Any:
    """Give a client of S3."""
    return pipeline.client("s3")


def in_folder(folder: Path) -> FolderSource:
    for name, content in CONTENTS.items():
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)
    return FolderSource(folder)


def in_bucket(s3: Any, **paging: int) -> S3Source:
    bucket = f"given-up-{uuid.uuid4().hex[:8]}"
    s3.create_bucket(Bucket=bucket)
    for name, content in {**CONTENTS, "ab/other": b"not below the prefix", "a/folder/": b""}.items():
        s3.put_object(Bucket=bucket, Key=name, Body=content)
    return S3Source(FewAtATime(s3), bucket, "a")


class FewAtATime:
    """A client of S3 that lists seven objects at a time, as a real one does with more than a thousand."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    def list_objects_v2(self, **request: Any) -> Any:
        return self._client.list_objects_v2(**request, MaxKeys=7)


@pytest.fixture(params=["folder", "bucket"])
def ordered(request: pytest.FixtureRequest, tmp_path: Path, s3: Any) -> GivenUpSource:
    """Give a source of twenty entries."""
    return in_folder(tmp_path) if request.param == "folder" else in_bucket(s3)


def names(source: GivenUpSource, *arguments: Any) -> list[str]:
    return [name for page in source.pages(*arguments) for name in page]


@pytest.mark.servers
def test_entries_come_once_in_order_and_can_be_gone_on_with(ordered: GivenUpSource) -> None:
    """From any of them."""
    assert names(ordered) == sorted(CONTENTS)
    assert names(ordered, "a/06") == sorted(CONTENTS)[7:]
    assert names(ordered, "a/19") == []
    assert {name: ordered.read(name, 100) for name in names(ordered)} == CONTENTS
    assert ordered.ordered


@pytest.mark.servers
def test_an_entry_is_deleted_by_name_and_one_that_is_gone_is_no_error(ordered: GivenUpSource) -> None:
    """Nor is reading it."""
    for _ in range(2):
        ordered.delete("a/03")
        assert ordered.read("a/03", 100) is None
    assert names(ordered) == sorted(CONTENTS.keys() - {"a/03"})


@pytest.mark.servers
def test_what_is_too_large_is_refused(ordered: GivenUpSource) -> None:
    """By the bytes that are read, whatever a listing says."""
    assert ordered.read("a/10", 10) == b"content 10"
    with pytest.raises(RecordError, match="more than 9 bytes"):
        ordered.read("a/10", 9)


def test_hidden_files_and_links_of_a_folder_are_left_out(tmp_path: Path) -> None:
    """Those half written, and those that lead elsewhere."""
    (tmp_path / "q").mkdir()
    source = in_folder(tmp_path / "q")
    (tmp_path / "secret").write_text("x")
    (tmp_path / "q" / "link").symlink_to(tmp_path / "secret")
    (tmp_path / "q" / ".unfinished").write_text("x")
    (tmp_path / "q" / ".hidden").mkdir()
    (tmp_path / "q" / ".hidden" / "file").write_text("x")
    os.mkfifo(tmp_path / "q" / "pipe")
    assert names(source) == sorted(CONTENTS)
    assert source.about() == 20


def test_what_is_no_folder_is_refused(tmp_path: Path) -> None:
    """With what could be given."""
    with pytest.raises(ConfigurationError, match="s3://bucket/prefix, or the URL of an SQS queue"):
        FolderSource(tmp_path / "absent")


@pytest.mark.servers
def test_a_bucket_that_is_not_there_is_told(s3: Any) -> None:
    """With what to check."""
    with pytest.raises(TableError, match=r"NoSuchBucket\. Check the bucket's name"):
        names(S3Source(s3, "no-such-bucket-here"))


@pytest.fixture
def queue(pipeline: Pipeline) -> tuple[Any, str]:
    """Give a client, and a new queue of twelve messages."""
    sqs = pipeline.clients.sqs
    url = sqs.create_queue(QueueName=f"q-{uuid.uuid4().hex[:8]}")["QueueUrl"]
    for number in range(12):
        sqs.send_message(QueueUrl=url, MessageBody=f"message {number}")
    return sqs, url


def waiting(sqs: Any, url: str) -> int:
    told = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["ApproximateNumberOfMessages"])
    return int(told["Attributes"]["ApproximateNumberOfMessages"])


@pytest.mark.servers
def test_each_message_comes_once_and_what_was_not_deleted_is_given_back(queue: tuple[Any, str]) -> None:
    """At once, so that it can be looked at again."""
    sqs, url = queue
    source = SqsSource(sqs, url, wait_seconds=0)
    assert source.about() == 12
    found = {name: source.read(name, 100) for page in source.pages() for name in page}
    assert sorted(found.values(), key=str) == sorted((f"message {n}".encode() for n in range(12)), key=str)
    assert waiting(sqs, url) == 0
    for name in [*found][:5]:
        source.delete(name)
    source.close()
    assert waiting(sqs, url) == 7
    assert not source.ordered


@pytest.mark.servers
def test_no_more_messages_are_taken_than_wanted(queue: tuple[Any, str]) -> None:
    """The others stay where others can have them."""
    sqs, url = queue
    source = SqsSource(sqs, url, wait_seconds=0)
    assert len(names(source, None, 11)) == 11
    assert waiting(sqs, url) == 1
    source.close()
    small = SqsSource(sqs, url, wait_seconds=0)
    [name] = names(small, None, 1)
    with pytest.raises(RecordError, match="more than 5 bytes"):
        small.read(name, 5)


class Redelivering:
    """A queue that delivers its one message twice, since whoever had it took long, then no more."""

    def __init__(self) -> None:
        self.answers = [1, 2]
        self.deleted: list[str] = []
        self.given_back: list[str] = []

    def receive_message(self, **_: Any) -> Any:
        if not self.answers:
            return {}
        message = {"MessageId": "one", "ReceiptHandle": f"receipt {self.answers.pop(0)}", "Body": "x"}
        return {"Messages": [message]}

    def delete_message(self, **request: Any) -> None:
        self.deleted.append(request["ReceiptHandle"])

    def change_message_visibility_batch(self, **request: Any) -> None:
        self.given_back += [each["ReceiptHandle"] for each in request["Entries"]]


class Slow:
    """A queue whose messages come back before all have been seen, since each takes long."""

    def __init__(self) -> None:
        self.answers = [["a"], ["a"], ["a"], ["b"], [], []]

    def receive_message(self, **_: Any) -> Any:
        names = self.answers.pop(0)
        return {"Messages": [{"MessageId": name, "ReceiptHandle": name, "Body": name} for name in names]}


def test_what_comes_again_does_not_make_a_queue_empty() -> None:
    """Others may be behind it."""
    assert names(SqsSource(Slow(), "url", wait_seconds=0), None, None) == ["a", "b"]


@pytest.mark.parametrize("delete_at", ["once", "the end", "never"])
def test_a_message_that_comes_again_is_taken_once(delete_at: str) -> None:
    """Its newest receipt is the one that can delete it; deleted, it is not given back."""
    client = Redelivering()
    source = SqsSource(client, "url", wait_seconds=0)
    found: list[str] = []
    on_page: Callable[[str], None] = source.delete if delete_at == "once" else found.append
    for page in source.pages():
        for name in page:
            assert source.read(name, 10) == b"x"
            found.append(name)
            on_page(name)
    assert {*found} == {"one"}
    if delete_at == "the end":
        source.delete("one")
    source.close()
    assert client.deleted == {"once": ["receipt 1"], "the end": ["receipt 2"], "never": []}[delete_at]
    assert client.given_back == (["receipt 2"] if delete_at == "never" else [])
