"""Where an export lies: a folder on this machine. In S3: `export_s3`.

Rule: nobody gets a byte of a data file before all of it had the MD5 that the manifest says; what is read afterwards is
the same open file, so that nothing can change in between.
"""

from __future__ import annotations

import hashlib
import os
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final, NoReturn, Protocol

from ddb_cache_sync.errors import TableError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager

BLOCK_BYTES: Final = 2**20
COPY_HINT: Final = "Copy the export anew, with all of its files, or make another one."


class Storage(Protocol):
    """Reads the files of an export. Paths are texts with slashes; all methods raise `TableError`."""

    def name(self, path: str) -> str:
        """How errors name what is at a path."""
        ...

    def read(self, path: str, limit: int) -> bytes | None:
        """A whole small file; None where there is none. Refuses one of more than `limit` bytes."""
        ...

    def folders(self, path: str) -> list[str]:
        """The names of the folders in a folder, sorted, 1,000 at the most; none where there is no such folder."""
        ...

    def verified(self, path: str, md5: bytes) -> AbstractContextManager[BinaryIO]:
        """A file whose whole content has this MD5, open for reading from its beginning. Safe in several threads."""
        ...


class LocalStorage:
    """Files on this machine."""

    def name(self, path: str) -> str:
        """See `Storage.name`."""
        return path

    def read(self, path: str, limit: int) -> bytes | None:
        """See `Storage.read`."""
        try:
            if not Path(path).is_file():
                return None
            with Path(path).open("rb") as file:
                content = file.read(limit + 1)
        except OSError as error:
            raise _unreadable(path, error) from None
        if len(content) > limit:
            too_large(path, limit)
        return content

    def folders(self, path: str) -> list[str]:
        """See `Storage.folders`."""
        try:
            with os.scandir(path) as entries:
                return sorted(entry.name for entry in entries if entry.is_dir())[:1000]
        except (FileNotFoundError, NotADirectoryError):
            return []
        except OSError as error:
            raise _unreadable(path, error) from None

    @contextmanager
    def verified(self, path: str, md5: bytes) -> Iterator[BinaryIO]:
        """See `Storage.verified`."""
        try:
            # Asked first: what is no plain file, a pipe for instance, would be waited for.
            if not Path(path).is_file():
                missing(path)
            file = Path(path).open("rb")  # noqa: SIM115 - closed below, outside of what this translates
        except OSError as error:
            raise _unreadable(path, error) from None
        with file:
            digest = hashlib.md5(usedforsecurity=False)
            try:
                while block := file.read(BLOCK_BYTES):
                    digest.update(block)
                file.seek(0)
            except OSError as error:
                raise _unreadable(path, error) from None
            check(path, digest.digest(), md5)
            yield file


def check(name: str, found: bytes, md5: bytes) -> None:
    """Compare MD5s.

    Raises:
        TableError: They differ.
    """
    if found != md5:
        raise TableError(f"{name}: its content does not have the MD5 that the export says", hint=COPY_HINT)


def missing(name: str) -> NoReturn:
    """Raise the error for a file that is not there."""
    raise TableError(f"{name}: there is no such file", hint=COPY_HINT)


def too_large(name: str, limit: int) -> NoReturn:
    """Raise the error for a file of more bytes than any export's has."""
    raise TableError(f"{name}: more than {limit:,} bytes", hint="Is it a file of an export?")


def _unreadable(path: str, error: OSError) -> TableError:
    return TableError(f"can't read {path}: {type(error).__name__}", hint="Check its permissions and the disk.")
