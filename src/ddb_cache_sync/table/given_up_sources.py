"""Where objects lie that hold what was given up: a folder, or a bucket. A queue: `given_up_queue`.

Rules: nothing is deleted but what the caller names; what is larger than a bound is not read to its end; what is gone by
the time it is read is None, since somebody else was faster.
"""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NoReturn, Protocol

from ddb_cache_sync.errors import ConfigurationError, RecordError, TableError
from ddb_cache_sync.table.clients import AWS_ERRORS, error_code
from ddb_cache_sync.table.retries import DEFAULT_RETRIES, Retries

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

_PAGE: Final = 8
"""So many are read at the same time, and held."""
_S3_HINTS: Final = {
    "AccessDenied": "Allow s3:ListBucket on the bucket and s3:GetObject on its objects (s3:DeleteObject to delete what "
    "succeeded), and kms:Decrypt on its key where it has one.",
    "NoSuchBucket": "Check the bucket's name.",
}
_ABSENT: Final = frozenset({"NoSuchKey", "404"})


class GivenUpSource(Protocol):
    """Where entries lie: objects, or messages. All methods raise `TableError` where the place fails."""

    @property
    def ordered(self) -> bool:
        """Whether it can be gone on with after an entry, by name."""
        ...

    def about(self) -> int:
        """About how many entries there are; 0: not known."""
        ...

    def pages(self, after: str | None = None, limit: int | None = None) -> Iterator[Sequence[str]]:
        """The names of the entries, in order, a few at a time; each name once.

        Args:
            after: The name to begin after, where it is ordered. None: the first.
            limit: No more than so many, where a page would otherwise take them from others.
        """
        ...

    def read(self, name: str, limit: int) -> bytes | None:
        """What an entry holds; None: it is gone. Several threads call it, with names of the same page.

        Raises:
            RecordError: More than `limit` bytes.
        """
        ...

    def delete(self, name: str) -> None:
        """Delete an entry; one that is gone is no error."""
        ...

    def close(self) -> None:
        """Let others have what was taken and not deleted. Fails quietly: it comes back by itself."""
        ...


class FolderSource:
    """Files below a folder, by their paths in it; hidden ones and links are left out.

    Raises:
        ConfigurationError: There is no such folder.
    """

    ordered = True

    def __init__(self, folder: Path) -> None:
        if not folder.is_dir():
            raise ConfigurationError(
                f"{folder} is no folder", hint="Give a folder, s3://bucket/prefix, or the URL of an SQS queue."
            )
        self._folder = folder

    def about(self) -> int:
        """See `GivenUpSource.about`."""
        return len(self._names())

    def pages(self, after: str | None = None, limit: int | None = None) -> Iterator[Sequence[str]]:  # noqa: ARG002
        """See `GivenUpSource.pages`."""
        names = [name for name in self._names() if after is None or name > after]
        for start in range(0, len(names), _PAGE):
            yield names[start : start + _PAGE]

    def read(self, name: str, limit: int) -> bytes | None:
        """See `GivenUpSource.read`."""
        try:
            with (self._folder / name).open("rb") as file:
                content = file.read(limit + 1)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise TableError(f"can't read {name}: {error.strerror}", hint="Check its permissions.") from None
        return bounded(content, limit)

    def delete(self, name: str) -> None:
        """See `GivenUpSource.delete`."""
        try:
            (self._folder / name).unlink(missing_ok=True)
        except OSError as error:
            raise TableError(f"can't delete {name}: {error.strerror}", hint="Check its permissions.") from None

    def close(self) -> None:
        """See `GivenUpSource.close`."""

    def _names(self) -> list[str]:
        found = []
        for folder, folders, files in os.walk(self._folder, onerror=_unreadable):
            folders[:] = [each for each in folders if not each.startswith(".")]
            for each in files:
                path = Path(folder) / each
                if not each.startswith(".") and not path.is_symlink() and path.is_file():
                    found.append(path.relative_to(self._folder).as_posix())
        return sorted(found)


class S3Source:
    """Objects of a bucket, by their keys.

    Args:
        client: boto3's `s3` client.
        bucket: Its name.
        prefix: What their keys begin with, up to a slash; empty: all of the bucket.
        retries: How often a request is made.
    """

    ordered = True

    def __init__(self, client: Any, bucket: str, prefix: str = "", retries: Retries = DEFAULT_RETRIES) -> None:
        self._client = client
        self._bucket = bucket
        self._prefix = f"{prefix}/" if prefix else ""
        self._retries = retries

    def about(self) -> int:
        """See `GivenUpSource.about`: a bucket does not tell."""
        return 0

    def pages(self, after: str | None = None, limit: int | None = None) -> Iterator[Sequence[str]]:  # noqa: ARG002
        """See `GivenUpSource.pages`."""
        while True:
            request = {"Bucket": self._bucket, "Prefix": self._prefix} | ({"StartAfter": after} if after else {})
            listed = self._call("list", partial(self._client.list_objects_v2, **request))
            keys = [each["Key"] for each in listed.get("Contents", []) if not each["Key"].endswith("/")]
            for start in range(0, len(keys), _PAGE):
                yield keys[start : start + _PAGE]
            if not listed.get("IsTruncated"):
                return
            after = listed["Contents"][-1]["Key"]

    def read(self, name: str, limit: int) -> bytes | None:
        """See `GivenUpSource.read`."""

        def content() -> bytes | None:
            try:
                answer = self._client.get_object(Bucket=self._bucket, Key=name)
            except AWS_ERRORS as error:
                if error_code(error) in _ABSENT:
                    return None
                raise
            with answer["Body"] as body:
                found: bytes = body.read(limit + 1)
                return found

        found: bytes | None = self._call("read", content)
        return None if found is None else bounded(found, limit)

    def delete(self, name: str) -> None:
        """See `GivenUpSource.delete`."""
        self._call("delete", lambda: self._client.delete_object(Bucket=self._bucket, Key=name))

    def close(self) -> None:
        """See `GivenUpSource.close`."""

    def _call(self, what: str, request: Callable[[], Any]) -> Any:
        return self._retries.call(f"{what} objects of s3://{self._bucket}/{self._prefix}", request, _S3_HINTS)


def bounded(content: bytes, limit: int) -> bytes:
    """The content, if it is not larger.

    Raises:
        RecordError: It is.
    """
    if len(content) > limit:
        raise RecordError(f"more than {limit:,} bytes")
    return content


def _unreadable(error: OSError) -> NoReturn:
    raise TableError(f"can't read a folder: {error.strerror}", hint="Check its permissions.")
