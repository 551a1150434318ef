"""Redrive: brings back what was given up or set aside, from a folder, a bucket or a queue, while the stream goes on.

Rules:

1. What it finds is untrusted: `core.given_up` bounds it, and `redriving` checks where it comes from and how old it is.
2. The guard is always on: what has been overtaken changes nothing. So a redrive can be run again, or beside the stream.
3. An object or a message is deleted only where that is asked for, and all of its records have succeeded.
4. An entry that fails stays, and stops no other. A cache or a table that fails stops the redrive.

How a redrive is put together, and refused where it can't be right: `preparing_redrive`.
"""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final

from ddb_cache_sync.core.given_up import MOST_BYTES, StreamRange, read_given_up
from ddb_cache_sync.errors import ConfigurationError, RecordError
from ddb_cache_sync.sync.redriving import Done, Redriving

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from ddb_cache_sync.sync.checkpoint import Checkpoint
    from ddb_cache_sync.table.given_up_sources import GivenUpSource

_PIECE: Final = "entries"
_THREADS: Final = 8
_MOST_PROBLEMS: Final = 100  # kept for the report
_TRIMMED: Final = (
    "the stream does not have all of its records any more. Find the items that were in it with ddb-cache-sync verify."
)


@dataclass(frozen=True, slots=True)
class RedriveOptions:
    """What to bring back, and how.

    Raises:
        ConfigurationError: Options that can't be right, or not together.
    """

    account: str | None = None
    """The AWS account that the table has to be in. None: whichever it is in."""
    stream_arn: str | None = None
    """The stream whose records are taken: an older one of the table, or a Kinesis data stream. None: the table's."""
    read_again: bool = False
    """Trust no record's payload, however young: read each item from the table."""
    dry_run: bool = False
    """Tell what would be done; write and delete nothing."""
    delete: bool = False
    """Delete what succeeded."""
    limit: int | None = None
    """How many objects or messages to take at the most. None: all."""
    checkpoint: Path | None = None
    """The file that says how far it has come. None: a redrive that was stopped begins anew."""
    job: str = ""
    """What tells this redrive from another of the same place and table, such as its cache; for the checkpoint."""

    def __post_init__(self) -> None:
        """Check them."""
        if self.limit is not None and self.limit < 1:
            raise ConfigurationError(f"a limit of {self.limit}", hint="Take one or more.")
        if self.dry_run and (self.delete or self.checkpoint is not None):
            raise ConfigurationError(
                "a dry run, and something to delete or to note down", hint="Leave out one of them: it does neither."
            )


@dataclass(frozen=True, slots=True)
class RedriveReport:
    """What a redrive did. After it was gone on with: what was done since."""

    entries: int = 0
    """Objects or messages that were read."""
    records: int = 0
    """Records in them."""
    applied: int = 0
    """Records that the cache now holds; in a dry run, that it would hold where no guard is newer."""
    stale: int = 0
    """Records that had been overtaken."""
    filtered: int = 0
    """Records that the configuration leaves out."""
    read_again: int = 0
    """Records that were too old to be trusted: their items were read from the table."""
    repaired: int = 0
    """Cache keys of those that were written or deleted; the others agreed with the table already."""
    failed: int = 0
    """Objects or messages that are left, since they, or some of their records, can't be brought back."""
    deleted: int = 0
    """Objects or messages that were deleted."""
    problems: tuple[str, ...] = ()
    """Why some failed: the first hundred, each with the name of its object or message; no contents."""
    dry_run: bool = False
    """Whether nothing was written."""
    seconds: float = 0.0
    """How long it took."""
    complete: bool = True
    """False: it was stopped, or has come to its limit, before all was read."""

    def to_json(self) -> dict[str, Any]:
        """As one object of plain values."""
        return asdict(self)


class Redrive:
    """Brings records back. Made by `prepare_redrive`; it runs once.

    Args:
        source: Where the objects or messages are.
        redriving: What is done with the records.
        read_range: What a stream still has of a range, and whether that is all; raises a `RecordError` where it has
            nothing.
        options: How.
        checkpoint: How far it has come.
    """

    def __init__(
        self,
        source: GivenUpSource,
        redriving: Redriving,
        read_range: Callable[[StreamRange], tuple[Sequence[Any], bool]],
        options: RedriveOptions,
        checkpoint: Checkpoint,
    ) -> None:
        self._source = source
        self._redriving = redriving
        self._read_range = read_range
        self._options = options
        self._checkpoint = checkpoint
        self._stopping = threading.Event()
        self._counts = dict.fromkeys(
            ("entries", "records", "applied", "stale", "filtered", "read_again", "repaired", "failed", "deleted"), 0
        )
        self._problems: list[str] = []
        self._started: float | None = None
        self._seconds: float | None = None
        self._complete = False

    @property
    def goes_on(self) -> bool:
        """Whether its checkpoint has something to go on from."""
        return self._checkpoint.begun

    @property
    def report(self) -> RedriveReport:
        """What it has done so far."""
        now = time.monotonic()
        ran = now - (now if self._started is None else self._started)
        return RedriveReport(
            **self._counts,
            problems=tuple(self._problems),
            dry_run=self._options.dry_run,
            seconds=round(ran if self._seconds is None else self._seconds, 3),
            complete=self._complete,
        )

    def about(self) -> int:
        """About how many objects or messages there are, those done before among them; 0: not known.

        Raises:
            TableError: They can't be counted.
        """
        return self._source.about()

    def stop(self) -> None:
        """Stop after the object or message that is under way; from another thread."""
        self._stopping.set()

    def run(self, on_progress: Callable[[int], object] = lambda _: None) -> RedriveReport:
        """Bring back all there is; a checkpoint that is done with is removed.

        Args:
            on_progress: Called with the number of objects or messages that are done.

        Raises:
            CacheUnavailable: The cache kept failing; run it again.
            CacheError: The cache refuses us.
            TableError: The table, or the place where the entries are, can't be read.
            ConfigurationError: The configuration can't be right for these records, or the checkpoint can't be written.
        """
        self._started = time.monotonic()
        limit = self._options.limit
        try:
            with ThreadPoolExecutor(_THREADS) as pool:
                for page in self._source.pages(self._checkpoint.position(_PIECE), limit):
                    left = len(page) if limit is None else limit - self._counts["entries"]
                    self._page(page[:left], pool, on_progress)
                    if self._stopping.is_set() or (limit is not None and self._counts["entries"] >= limit):
                        return self.report
            self._complete = True
            self._checkpoint.remove()
            return self.report
        finally:
            self._seconds = time.monotonic() - self._started
            self._source.close()

    def _page(self, names: Sequence[str], pool: ThreadPoolExecutor, on_progress: Callable[[int], object]) -> None:
        """Bring back some entries; read at the same time, then done in turn."""
        succeeded: list[str] = []
        last = None
        for name, content in zip(names, pool.map(self._content, names), strict=True):
            if self._stopping.is_set():
                break
            if self._bring_back(name, content) and self._options.delete:
                succeeded.append(name)
            last = name
            on_progress(1)
        for _ in pool.map(self._source.delete, succeeded):
            self._counts["deleted"] += 1
        if last is not None and self._options.checkpoint is not None:
            self._checkpoint.reached(_PIECE, last)

    def _content(self, name: str) -> bytes | RecordError | None:
        try:
            return self._source.read(name, MOST_BYTES)
        except RecordError as error:
            return error

    def _bring_back(self, name: str, content: bytes | RecordError | None) -> bool:
        """Bring back an entry; whether all of it succeeded."""
        if content is None:
            return False  # gone: somebody else was faster
        self._counts["entries"] += 1
        done = self._done(content)
        for count in ("records", "applied", "stale", "filtered", "read_again", "repaired"):
            self._counts[count] += getattr(done, count)
        self._counts["failed"] += bool(done.failures)
        self._problems += [f"{name}: {each}" for each in done.failures][: _MOST_PROBLEMS - len(self._problems)]
        return not done.failures

    def _done(self, content: bytes | RecordError) -> Done:
        """What became of the records of an entry."""
        if isinstance(content, RecordError):
            return Done(failures=[content.problem])
        try:
            given_up = read_given_up(content)
            if given_up.range is None:
                return self._redriving.bring_back(given_up.records)
            self._redriving.origin.check(given_up.range.stream_arn)
            records, complete = self._read_range(given_up.range)
            done = self._redriving.bring_back(records)
        except RecordError as error:
            return Done(failures=[str(error)])
        if not complete:
            done.failures.append(_TRIMMED)
        return done
