"""Exports in S3: moto's server, and a client that breaks downloads off."""

import hashlib
import os
import tempfile
from pathlib import Path
from typing import Any, Self

import pytest
from botocore.exceptions import ClientError, IncompleteReadError, ResponseStreamingError
from tests.table.buckets import upload
from tests.table.spoiling import lines_of

from ddb_cache_sync import ConfigurationError, TableError
from ddb_cache_sync.local.embedded import EmbeddedDynamoDB
from ddb_cache_sync.table.clients import StaticCredentials, s3_client
from ddb_cache_sync.table.export_s3 import MOST_FILE_BYTES, S3Storage
from ddb_cache_sync.table.exports import ExportLine, open_export, read_file
from ddb_cache_sync.table.retries import Retries
from ddb_cache_sync.testing import write_export

KEY = ("id",)
ITEMS = [{"id": str(number), "text": os.urandom(2000).hex()} for number in range(900)]


@pytest.fixture
def s3(dynamodb: EmbeddedDynamoDB) -> Any:
    """Give a client of moto's S3, which runs beside its DynamoDB."""
    return s3_client(dynamodb.region, dynamodb.endpoint_url, credentials=StaticCredentials("local", "local"))


@pytest.mark.servers
@pytest.mark.parametrize("kind", ["full", "incremental"])
@pytest.mark.parametrize("prefix", ["", "a/b/"])
def test_an_export_in_s3_is_read_as_one_on_this_machine(
    s3: Any, tmp_path: Path, kind: Any, prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From its own prefix or one above; nothing is left in the temporary folder."""
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    folder = write_export(tmp_path / "export", ITEMS, kind=kind)
    bucket = f"exports-{kind}-{len(prefix)}"
    upload(s3, tmp_path / "export", bucket, prefix)
    own = f"s3://{bucket}/{prefix}AWSDynamoDB/{folder.name}"
    locations = [own, f"{own}/", f"{own}/manifest-summary.json", f"s3://{bucket}/{prefix}AWSDynamoDB/"]
    for location in [*locations, f"s3://{bucket}/{prefix}"]:
        assert open_export(location, s3_client=s3).location == own
    here, there = (
        list(lines_of(open_export(folder), key_names=KEY)),
        list(lines_of(open_export(own, s3_client=s3), key_names=KEY)),
    )
    assert not [*temporary.iterdir()]
    assert len(here) == len(there) == len(ITEMS)
    for one, other in zip(here, there, strict=True):
        assert isinstance(one, ExportLine)
        assert isinstance(other, ExportLine)
        assert one.change.key.attributes.wire == other.change.key.attributes.wire


@pytest.mark.servers
def test_what_is_not_in_s3_is_told_apart(s3: Any, tmp_path: Path) -> None:
    """No bucket, no export, no data file; and a file with other content."""
    with pytest.raises(TableError, match=r"read s3://no-such-bucket/.*: NoSuchBucket\. Check the bucket's name"):
        open_export("s3://no-such-bucket/", s3_client=s3)
    folder = write_export(tmp_path, ITEMS[:3])
    upload(s3, tmp_path, "incomplete")
    with pytest.raises(ConfigurationError, match="s3://incomplete/elsewhere: no finished export there"):
        open_export("s3://incomplete/elsewhere", s3_client=s3)
    export = open_export("s3://incomplete", s3_client=s3)
    first, second = export.files
    s3.delete_object(Bucket="incomplete", Key=first.key)
    with pytest.raises(TableError, match=rf"s3://incomplete/{first.key}: there is no such file"):
        next(read_file(export, first, key_names=KEY))
    s3.put_object(Bucket="incomplete", Key=second.key, Body=b"other")
    with pytest.raises(TableError, match=rf"s3://incomplete/{second.key}: its content does not have the MD5"):
        next(read_file(export, second, key_names=KEY))
    s3.delete_object(Bucket="incomplete", Key=f"AWSDynamoDB/{folder.name}/manifest-files.json")
    with pytest.raises(TableError, match=r"manifest-files\.json: there is no such file"):
        open_export("s3://incomplete", s3_client=s3)


class Body:
    """What a download gives: breaks off after so many bytes."""

    def __init__(self, content: bytes, breaks_after: int, error: Exception) -> None:
        self._content, self._left, self._error = content, breaks_after, error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return

    def read(self, size: int) -> bytes:
        if self._content and not self._left:
            raise self._error
        taken = min(size, self._left)
        found, self._content = self._content[:taken], self._content[taken:]
        self._left -= len(found)
        return found


class Breaking:
    """A client of S3 with one object, whose downloads break off after so many bytes."""

    def __init__(self, content: bytes, each: int, error: Exception | None = None, size: int | None = None) -> None:
        self.content, self.each, self.size = content, each, size
        self.error = error or IncompleteReadError(actual_bytes=1, expected_bytes=2)
        self.ranges: list[str | None] = []

    def get_object(self, **request: Any) -> dict[str, Any]:
        self.ranges.append(request.get("Range"))
        start = int(request.get("Range", "bytes=0-")[6:-1])
        rest = self.content[start:]
        return {"ContentLength": self.size or len(rest), "Body": Body(rest, self.each, self.error)}


@pytest.fixture
def waits() -> list[float]:
    """Give the list of how long somebody slept."""
    return []


def retries_of(waits: list[float]) -> Retries:
    return Retries(attempts=3, sleep=waits.append, jitter=lambda: 1.0)


def content_of(client: Any, content: bytes, waits: list[float]) -> bytes:
    """What is read of the object, its MD5 known."""
    storage = S3Storage(client, "bucket", retries_of(waits))
    with storage.verified("a/key", hashlib.md5(content).digest()) as file:
        return file.read()


@pytest.mark.parametrize("error", [None, ResponseStreamingError(error="reset")], ids=["short", "reset"])
def test_a_download_that_breaks_goes_on_where_it_broke(error: Exception | None, waits: list[float]) -> None:
    """As long as each attempt brings something; the waits do not grow then."""
    content = os.urandom(1000)
    client = Breaking(content, 150, error)
    assert content_of(client, content, waits) == content
    assert client.ranges == [None, *(f"bytes={start}-" for start in range(150, 1000, 150))]
    assert waits == [0.05] * 6


def test_a_download_that_brings_nothing_is_given_up(waits: list[float]) -> None:
    """After a limited number of attempts in a row, with growing waits."""
    with pytest.raises(TableError, match="can't read s3://bucket/a/key: IncompleteReadError"):
        content_of(Breaking(b"abc", 0), b"abc", waits)
    assert waits == [0.05, 0.1]


def test_a_refusal_is_not_tried_again(waits: list[float]) -> None:
    """The error says which permissions are needed, and nothing that S3 wrote."""

    class Refusing:
        def get_object(self, **_: Any) -> Any:
            raise ClientError({"Error": {"Code": "AccessDenied", "Message": "SECRET"}}, "GetObject")

    storage = S3Storage(Refusing(), "bucket", retries_of(waits))
    with pytest.raises(TableError, match=r"can't read s3://bucket/x: AccessDenied\. Allow s3:GetObject") as caught:
        storage.read("x", 10)
    with pytest.raises(TableError, match="AccessDenied"), storage.verified("x", b""):
        pass
    assert "SECRET" not in str(caught.value)
    assert waits == []


def test_an_object_larger_than_any_data_file_is_not_downloaded(waits: list[float]) -> None:
    """The disk is somebody's."""
    with pytest.raises(TableError, match="more than 68,719,476,736 bytes"):
        content_of(Breaking(b"abc", 3, size=MOST_FILE_BYTES + 1), b"abc", waits)


def test_an_object_that_ends_early_without_saying_so_is_refused(waits: list[float]) -> None:
    """Rather than asked for again for ever."""
    with pytest.raises(TableError, match="shorter than S3 says"):
        content_of(Breaking(b"abc", 3, size=10), b"abc", waits)


def test_a_full_disk_is_told_with_what_to_do(monkeypatch: pytest.MonkeyPatch, waits: list[float]) -> None:
    """Another temporary folder."""

    def full(*_: object) -> Any:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(tempfile, "TemporaryFile", lambda: open(os.devnull, "w+b"))  # noqa: PTH123, SIM115 - a stand-in
    monkeypatch.setattr("ddb_cache_sync.table.export_s3.S3Storage._blocks", full)
    with pytest.raises(TableError, match=r"can't keep s3://bucket/a/key for a while: OSError\. Set TMPDIR"):
        content_of(Breaking(b"abc", 3), b"abc", waits)
