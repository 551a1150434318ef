"""Quarantine: where poison records are set aside, so that they hold up nothing.

Rules:

1. A record is out of Lambda's hands only when the quarantine has accepted it. Where it refuses, fails, or does not
   answer before the batch's deadline, the record stays reported, and says why.
2. Records go in the order of the batch. So what was not reached in time is the batch's end, and each delivery gets
   further.
3. No quarantine can keep the batch past its deadline: it is called in threads of its own, and left behind if need be.
"""

from __future__ import annotations

import contextlib
import os
import re
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol
from urllib.parse import urlsplit

from ddb_cache_sync.core.quarantined import QuarantinedRecord
from ddb_cache_sync.errors import CacheSyncError, ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

NOT_REACHED: Final = "there was no time left"
"""Why a record was not accepted that was not put by the deadline, or whose answer had not come by then."""

_THREADS: Final = 8  # a put into S3 takes some 50 ms, and a bug makes poison records by the hundred
_NO_FOLDER: Final = re.compile(r"(?i)(?:s3|https?|sqs|arn|file):|[a-z][a-z0-9+.-]+:/|[^/]+\.amazonaws\.com")
"""How what is meant for another place begins: `s3:/bucket`, an ARN, a URL without its scheme."""
_BUCKET: Final = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")


class Quarantine(Protocol):
    """Takes records that can't be applied."""

    def put(self, record: QuarantinedRecord, /) -> None:
        """Keep the record: once this returns it is safe, and Lambda will not deliver it again.

        Several threads call it. The same record may come again, after a lost answer for instance: keep it by its `name`
        where that can be. Whatever is raised leaves the record reported; of an exception that is no `CacheSyncError`
        only the type is told.
        """
        ...


class FolderQuarantine:
    """Keeps each record as a file: for a file system that outlives the function, and for trying things out.

    Args:
        folder: Made where missing. The files are readable for their owner alone.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def put(self, record: QuarantinedRecord, /) -> None:
        """Write the record's file; a reader sees it whole or not at all.

        Raises:
            ConfigurationError: It can't be written.
        """
        import tempfile  # noqa: PLC0415 - for those who have a folder, and a poison record

        path = self._folder / record.name
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            handle, unfinished = tempfile.mkstemp(dir=path.parent, prefix=".")
            try:
                with os.fdopen(handle, "w", encoding="ascii") as file:
                    file.write(record.document)
                    file.flush()
                    os.fsync(file.fileno())
                Path(unfinished).replace(path)
            except BaseException:
                with contextlib.suppress(OSError):
                    Path(unfinished).unlink()
                raise
        except OSError as error:
            raise ConfigurationError(f"quarantine {self._folder} can't be written: {error.strerror}") from None


class _Remote:
    """One that is made when the first record comes: boto3 takes long to load, and poison records are rare."""

    def __init__(self, make: Callable[[], Quarantine]) -> None:
        self._make = make
        self._made: Quarantine | None = None
        self._lock = threading.Lock()

    def put(self, record: QuarantinedRecord, /) -> None:
        """See `Quarantine.put`."""
        with self._lock:
            if self._made is None:
                self._made = self._make()
        self._made.put(record)


def quarantine_at(location: str) -> Quarantine:
    """The quarantine at a place.

    Args:
        location: `s3://bucket/prefix`, the URL of an SQS queue, or a folder.

    Raises:
        ConfigurationError: None of these.
    """
    if "://" not in location and not _NO_FOLDER.match(location):
        if not location:
            raise ConfigurationError(
                "a quarantine without a place", hint="Give s3://bucket/prefix, a queue or a folder."
            )
        return FolderQuarantine(Path(location))
    if location.startswith("s3://"):
        bucket, prefix = s3_place(location)

        def in_s3() -> Quarantine:
            from ddb_cache_sync.table.quarantines import S3Quarantine  # noqa: PLC0415 - loads boto3

            return S3Quarantine(bucket, prefix)

        return _Remote(in_s3)
    check_queue_url(location)

    def in_sqs() -> Quarantine:
        from ddb_cache_sync.table.quarantines import SqsQuarantine  # noqa: PLC0415 - loads boto3

        return SqsQuarantine(location)

    return _Remote(in_sqs)


def s3_place(location: str) -> tuple[str, str]:
    """Bucket and prefix of `s3://bucket/prefix`, the prefix without slashes around it.

    Raises:
        ConfigurationError: Not such a place.
    """
    bucket, _, prefix = location.removeprefix("s3://").partition("/")
    if not _BUCKET.fullmatch(bucket):
        raise ConfigurationError(f"{location}: no bucket can have this name", hint="Write s3://bucket/prefix.")
    return bucket, prefix.strip("/")


def check_queue_url(location: str) -> None:
    """Make sure that this can be the URL of an SQS queue.

    Raises:
        ConfigurationError: It can't.
    """
    try:
        url = urlsplit(location)
        right = (
            url.scheme in ("http", "https")
            and bool(url.hostname)
            and url.path.strip("/") != ""
            and "@" not in url.netloc
        )
    except ValueError:
        right = False
    if not right:
        raise ConfigurationError(
            "neither s3://bucket/prefix, nor the URL of an SQS queue, nor a folder",
            hint="A queue's is such as https://sqs.eu-west-1.amazonaws.com/111122223333/poison.",
        )


def set_aside(quarantine: Quarantine, poison: Sequence[tuple[Any, str]], deadline: float) -> list[str | None]:
    """Put records into a quarantine, in order, for as long as there is time.

    Args:
        quarantine: The quarantine.
        poison: Each record, as delivered, and why it can't be applied.
        deadline: When to stop, on the clock of `time.monotonic()`.

    Returns:
        For each record None where it was accepted, or else why it was not.
    """
    results: list[str | None] = [NOT_REACHED] * len(poison)
    places = iter(range(len(poison)))
    lock = threading.Lock()
    over = False

    def work() -> None:
        while True:
            with lock:
                place = None if over or time.monotonic() >= deadline else next(places, None)
            if place is None:
                return
            refusal = _put(quarantine, *poison[place])
            with lock:
                results[place] = refusal

    threads = [threading.Thread(target=work, name="quarantine", daemon=True) for _ in range(min(_THREADS, len(poison)))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))
    with lock:
        over = True
        return [*results]  # what a thread left behind says later counts for nothing


def _put(quarantine: Quarantine, record: Any, reason: str) -> str | None:
    try:
        quarantine.put(QuarantinedRecord.of(record, reason))
    except CacheSyncError as error:
        return error.problem
    except Exception as error:  # noqa: BLE001 - a quarantine is anybody's code; its text may repeat contents
        return f"the quarantine raised {type(error).__name__}"
    return None
