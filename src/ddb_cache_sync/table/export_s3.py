"""An export in S3.

Rules:

1. A data file is downloaded in blocks into a temporary file, hashed on the way, and read once its MD5 is right.
2. A download that breaks goes on where it broke; what came before is not asked for again.
3. The temporary file has no name where the system allows that, and is gone when it is closed.
"""

from __future__ import annotations

import hashlib
import posixpath
import tempfile
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, BinaryIO, Final

from ddb_cache_sync.errors import TableError
from ddb_cache_sync.table.clients import AWS_ERRORS, error_code, translate
from ddb_cache_sync.table.export_storage import BLOCK_BYTES, check, missing, too_large
from ddb_cache_sync.table.retries import DEFAULT_RETRIES, Retries, is_transient

if TYPE_CHECKING:
    from collections.abc import Iterator

MOST_FILE_BYTES: Final = 64 * 2**30
"""Of a data file, compressed: several times what a partition can hold."""
_HINTS: Final = {
    "AccessDenied": "Allow s3:GetObject on the export's objects, s3:ListBucket on its bucket, and kms:Decrypt on its "
    "key where it has one.",
    "NoSuchBucket": "Check the bucket's name.",
}
_ABSENT: Final = frozenset({"NoSuchKey", "404"})


class S3Storage:
    """Objects of one bucket.

    Args:
        client: boto3's `s3` client.
        bucket: Its name.
        retries: How a download that breaks is gone on with.
    """

    def __init__(self, client: Any, bucket: str, retries: Retries = DEFAULT_RETRIES) -> None:
        self._client = client
        self._bucket = bucket
        self._retries = retries

    def name(self, path: str) -> str:
        """See `Storage.name`."""
        return f"s3://{self._bucket}/{path}"

    def read(self, path: str, limit: int) -> bytes | None:
        """See `Storage.read`."""

        def content() -> bytes | None:
            try:
                answer = self._client.get_object(Bucket=self._bucket, Key=path)
            except AWS_ERRORS as error:
                if error_code(error) in _ABSENT:
                    return None
                raise
            with answer["Body"] as body:
                found: bytes = body.read(limit + 1)
                return found

        found = self._retries.call(f"read {self.name(path)}", content, _HINTS)
        if found is not None and len(found) > limit:
            too_large(self.name(path), limit)
        return found

    def folders(self, path: str) -> list[str]:
        """See `Storage.folders`."""
        prefix = f"{path}/" if path else ""
        answer = self._retries.call(
            f"list {self.name(prefix)}",
            lambda: self._client.list_objects_v2(Bucket=self._bucket, Prefix=prefix, Delimiter="/"),
            _HINTS,
        )
        return sorted(posixpath.basename(each["Prefix"].rstrip("/")) for each in answer.get("CommonPrefixes", []))

    @contextmanager
    def verified(self, path: str, md5: bytes) -> Iterator[BinaryIO]:
        """See `Storage.verified`."""
        name = self.name(path)
        with tempfile.TemporaryFile() as file:
            digest = hashlib.md5(usedforsecurity=False)
            try:
                for block in self._blocks(path):
                    digest.update(block)
                    file.write(block)
                file.seek(0)
            except OSError as error:
                raise TableError(
                    f"can't keep {name} for a while: {type(error).__name__}",
                    hint="Set TMPDIR to a folder with room for the largest data file.",
                ) from None
            check(name, digest.digest(), md5)
            yield file

    def _blocks(self, path: str) -> Iterator[bytes]:
        name = self.name(path)
        size, have, failures = None, 0, 0
        while size is None or have < size:
            start = have
            try:
                # Whether it is still the same object needs no question: the MD5 would not be right.
                request = {"Range": f"bytes={have}-"} if have else {}
                answer = self._client.get_object(Bucket=self._bucket, Key=path, **request)
                if size is None:
                    size = _size(answer, name)
                with answer["Body"] as body:
                    while block := body.read(min(BLOCK_BYTES, size - have)):
                        have += len(block)
                        yield block
                if have == start and have < size:
                    raise TableError(f"{name}: shorter than S3 says")
            except AWS_ERRORS as error:
                if error_code(error) in _ABSENT:
                    missing(name)
                failures = 1 if have > start else failures + 1
                if failures >= self._retries.attempts or not is_transient(error):
                    raise translate(error, f"read {name}", _HINTS) from None
                self._retries.wait(failures)


def _size(answer: dict[str, Any], name: str) -> int:
    size = int(answer["ContentLength"])
    if size > MOST_FILE_BYTES:
        too_large(name, MOST_FILE_BYTES)
    return size
