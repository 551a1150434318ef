"""Dropping a layout: deletes its keys and their guards, at a rate, once nothing keeps them.

Rules:

1. Nothing is dropped unless a sample of the table is right in the layout that stays, and no guard of the one that goes
   was set lately: a young guard shows that the stream is still applied to it.
2. A key goes with its guard in one step, which leaves both alone where the guard is young by then.
3. Guards without a key, the tombstones, go last.
4. What is gone is gone: whoever was stopped begins anew, and goes on with what is left.
"""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final

from ddb_cache_sync.core.drops import Drop, most_left_ms
from ddb_cache_sync.core.guards import guard_key
from ddb_cache_sync.core.outcomes import APPLIED, STALE
from ddb_cache_sync.core.verify_settings import DEFAULT_LOOKS
from ddb_cache_sync.errors import ConfigurationError
from ddb_cache_sync.sync.sides import PATIENCE_SECONDS
from ddb_cache_sync.sync.verify import VerifyOptions

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from ddb_cache_sync.cache.contract import InspectableCache
    from ddb_cache_sync.core.key_forms import KeyForm
    from ddb_cache_sync.sync.sides import OnProgress
    from ddb_cache_sync.sync.verify_report import VerifyReport
    from ddb_cache_sync.table.capacity import CapacityLimiter

DEFAULT_QUIET_SECONDS: Final = 900.0
"""As long as a Lambda function may run, and so one that was replaced may go on."""
_STEP: Final = 100  # keys, at most, that are deleted before the next are looked at


@dataclass(frozen=True, slots=True)
class DropOptions:
    """How a layout is dropped.

    Raises:
        ConfigurationError: An option that can't be right.
    """

    apply: bool = False
    """Whether to delete; else it is only told what would be."""
    keys_per_second: float | None = 1000.0
    """The most keys to delete, a second. None: as fast as it goes."""
    quiet_seconds: float = DEFAULT_QUIET_SECONDS
    """How long ago the stream must have been applied to the layout last."""
    sample: int = 1000
    """About how many items are compared with the layout that stays, before anything is deleted."""
    looks: Sequence[float] = DEFAULT_LOOKS
    """When what differs is looked at again, seconds after it was read."""

    def __post_init__(self) -> None:
        """Check the ranges."""
        if self.keys_per_second is not None and not self.keys_per_second > 0:
            raise ConfigurationError("no key a second", hint="Leave the rate out to drop a thousand a second.")
        if not self.quiet_seconds >= 0:
            raise ConfigurationError("a quiet time below zero", hint="Give seconds.")
        self.verify_options()

    def verify_options(self) -> VerifyOptions:
        """How the layout that stays is looked at."""
        return VerifyOptions(sample=self.sample, looks=self.looks, orphans=False)


@dataclass(frozen=True, slots=True)
class DropReport:
    """What was dropped, or would be."""

    checked: int = 0
    """Keys of the layout that stays that were compared with the table."""
    guards: int = 0
    """Guards of the layout that goes, before anything was dropped."""
    young: int = 0
    """Those of them that were set lately, or keys that were left alone for it."""
    keys: int = 0
    """Keys of the layout that goes, lookup keys among them."""
    dropped: int = 0
    """Keys that were deleted, and guards whose keys had gone before."""
    failed: int = 0
    """Keys that the cache did not delete."""
    refused: str | None = None
    """Why nothing was dropped, or would be; None: nothing speaks against it."""
    applied: bool = False
    """Whether anything was to be deleted: not in a dry run, nor where it was refused."""
    seconds: float = 0.0
    """How long it took."""
    complete: bool = False
    """False: it was stopped, or refused; begin anew, what is gone is gone."""

    def to_json(self) -> dict[str, Any]:
        """As one object of plain values."""
        return asdict(self)


class Dropping:
    """Drops a layout. Made by `Rebuild.prepare_drop`; it runs once.

    Args:
        cache: The cache.
        forms: The forms of the keys.
        verify: Compares the table with the layout that stays.
        options: How it is done.
        guard_ttl_seconds: The replicator's.
        sleep: Waits so many seconds.
    """

    def __init__(
        self,
        cache: InspectableCache,
        forms: Sequence[KeyForm],
        verify: Callable[[VerifyOptions], VerifyReport],
        options: DropOptions,
        *,
        guard_ttl_seconds: float,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        self._cache = cache
        self._forms = forms
        self._verify = verify
        self._options = options
        self._sleep = sleep
        self._most_left_ms = most_left_ms(guard_ttl_seconds, options.quiet_seconds)
        self._counts = dict.fromkeys(("checked", "guards", "young", "keys", "dropped", "failed"), 0)
        self._refused: str | None = None
        self._started = time.monotonic()
        self._complete = False

    @property
    def report(self) -> DropReport:
        """What it has done so far."""
        return DropReport(
            **self._counts,
            refused=self._refused,
            applied=self._applies,
            seconds=round(time.monotonic() - self._started, 3),
            complete=self._complete,
        )

    def run(self, on_progress: OnProgress = lambda *_: None) -> DropReport:
        """Look, and drop what is to be dropped; in a dry run count it.

        Args:
            on_progress: Told of the progress.

        Raises:
            CacheUnavailable: The cache kept failing; begin anew.
            CacheError: The cache refuses us.
            TableError: The table can't be read.
        """
        self._started = time.monotonic()
        limiter = self._limiter()
        self._look(on_progress)
        if self._refused is None or not self._options.apply:
            for form in self._forms:
                keys = (key for page in self._cache.keys_beginning(form.beginning) for key in page)
                for step in self._steps(key for key in keys if form.has(key)):
                    self._counts["keys"] += len(step)
                    self._drop(form, step, limiter)
                    on_progress("dropping keys" if self._applies else "counting keys", len(step), 0)
            for form in self._forms if self._applies else ():
                for step in self._steps(self._guarded(form)):
                    self._drop(form, step, limiter)
                    on_progress("dropping guards", len(step), 0)
            self._complete = self._refused is None
        return self.report

    @property
    def _applies(self) -> bool:
        return self._options.apply and self._refused is None

    def _look(self, on_progress: OnProgress) -> None:
        """Find what speaks against it (rule 1)."""
        report = self._verify(self._options.verify_options())
        self._counts["checked"] = report.checked
        on_progress("comparing a sample", report.checked, 0)
        if not report.consistent:
            self._refused = (
                f"{report.drift} of {report.checked} keys that were compared are not right in the new layout: fill it, "
                "and compare all of it, before you drop the old one"
            )
        for form in self._forms:
            if form.lookup:
                continue
            for step in self._steps(self._guarded(form)):
                self._counts["guards"] += len(step)
                self._counts["young"] += sum(self._young(form, step))
                on_progress("looking at guards", len(step), 0)
        if self._refused is None and self._counts["young"]:
            self._refused = (
                f"{self._counts['young']} keys of the old layout were changed in the last "
                f"{self._options.quiet_seconds:.0f} s: the stream is still applied to it. Let its function have the "
                "new layout alone, and wait"
            )

    def _guarded(self, form: KeyForm) -> Iterator[str]:
        """The keys of a form that have guards."""
        for page in self._cache.keys_beginning(form.guard_beginning):
            for guard in page:
                if (key := form.key_of(guard)) is not None:
                    yield key

    def _young(self, form: KeyForm, keys: Sequence[str]) -> Iterator[bool]:
        drops = self._drops(form, keys)
        lives = self._cache.lifetimes_ms([each.guard for each in drops], time.monotonic() + PATIENCE_SECONDS)
        return (isinstance(life, int) and life > self._most_left_ms for life in lives)

    def _drops(self, form: KeyForm, keys: Sequence[str]) -> list[Drop]:
        left = None if form.lookup else self._most_left_ms
        return [Drop(key, guard_key(key, form.guard_prefix), left) for key in keys]

    def _drop(self, form: KeyForm, keys: Sequence[str], limiter: CapacityLimiter | None) -> None:
        if not self._applies:
            return
        reserved = 0.0 if limiter is None else limiter.reserve()
        results = self._cache.drop(self._drops(form, keys), time.monotonic() + PATIENCE_SECONDS)
        for result in results:
            name = "dropped" if result is APPLIED else "young" if result is STALE else "failed"
            self._counts[name] += 1
        if limiter is not None:
            limiter.settle(reserved, units=0.0, items=len(keys))

    def _limiter(self) -> CapacityLimiter | None:
        from ddb_cache_sync.table.capacity import CapacityLimiter  # noqa: PLC0415 - its package is the table's

        rate = self._options.keys_per_second
        return None if rate is None else CapacityLimiter.of_items(rate, sleep=self._sleep)

    def _steps(self, keys: Iterable[str]) -> Iterator[list[str]]:
        """The keys, some at a time, none twice in a step; at a rate no more than a second's worth."""
        rate = self._options.keys_per_second
        most = _STEP if rate is None else max(1, min(_STEP, int(rate)))
        step: dict[str, None] = {}
        for key in keys:
            step[key] = None
            if len(step) == most:
                yield [*step]
                step = {}
        if step:
            yield [*step]
