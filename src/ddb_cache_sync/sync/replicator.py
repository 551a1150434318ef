"""The replicator: a batch of stream records in, a right cache and a report out.

Rule: a record counts as done only when the cache has answered for it, or a quarantine has accepted it. A poison record
stops no other; a failing cache is no record's fault and is raised. None of it goes on past the deadline.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, Final, Unpack

from ddb_cache_sync.cache.applier import DEFAULT_RETRY_SECONDS, CacheLike, cache_of
from ddb_cache_sync.core.guards import DEFAULT_GUARD_TTL_SECONDS
from ddb_cache_sync.core.outcomes import ApplyReport
from ddb_cache_sync.core.projection import Projection, ProjectionOptions, Router
from ddb_cache_sync.core.versions import parse_stream_label
from ddb_cache_sync.errors import ConfigurationError, DeadlineExceeded
from ddb_cache_sync.sync.batch import Batch
from ddb_cache_sync.sync.hooks import ReportHook, report_hooks, tell

if TYPE_CHECKING:
    from ddb_cache_sync.sync.quarantine import Quarantine

DEFAULT_DEADLINE_MARGIN_MS: Final = 1000
"""How long before a function's time-out a failing cache is given up."""


class Replicator:
    """Applies stream records to a cache.

    Make one per process and keep it: it holds the connection. Safe to share between threads.

    Args:
        cache: What `connect` returns, any `redis.Redis`, or anything that keeps the contract of `Cache`.
        projection: How items become cache keys and values, or a router that says which projection a change goes
            through. None: a projection with `options`.
        guard_ttl_seconds: How long a guard outlives the change that set it. The default, 25 h, outlives what a stream
            can deliver again.
        stream_label: Creation time to put in place of that of the records' own stream, as in a stream's ARN
            (`2025-04-23T13:37:16.991`): needed where a table in another Region takes over. None: the records' own.
        on_report: A hook, or several, called in order with each report. The batch is applied by then, so an exception
            that one raises is logged, its type alone, and goes no further.
        quarantine: Where poison records are set aside; one that it has accepted is not reported to Lambda. None: each
            is reported, and Lambda delivers it again until it is given up.
        clock: Epoch seconds; for the lag and for the time at which values expire.
        monotonic: Seconds since any moment, never back; for the duration only.
        options: Those of `Projection`: `keys`, `encoding`, `mode` and more.

    Raises:
        ConfigurationError: An argument that can't be right.
    """

    def __init__(
        self,
        cache: CacheLike,
        projection: Router | None = None,
        *,
        guard_ttl_seconds: int = DEFAULT_GUARD_TTL_SECONDS,
        stream_label: str | None = None,
        on_report: ReportHook | Sequence[ReportHook] | None = None,
        quarantine: "Quarantine | None" = None,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
        **options: Unpack[ProjectionOptions],
    ) -> None:
        if projection is not None and options:
            raise ConfigurationError(
                f"a projection and {', '.join(options)} beside it", hint="Give these to the projection."
            )
        given: object = projection
        if given is not None and not hasattr(given, "routed"):
            raise ConfigurationError(
                f"the projection is a {type(given).__name__}", hint="Write Projection(...), or keys=KeyTemplate(...)."
            )
        if quarantine is not None and not callable(getattr(quarantine, "put", None)):
            raise ConfigurationError(
                f"the quarantine is a {type(quarantine).__name__}", hint="Give what quarantine_at('s3://...') returns."
            )
        self._cache = cache_of(cache, guard_ttl_seconds)
        self._router: Router = Projection(**options) if projection is None else projection
        self._has_lookups = self._router.needs_old_images
        self._label_ms = stream_label_ms(stream_label)
        self._hooks = report_hooks(on_report)
        self._quarantine = quarantine
        self._clock = clock
        self._monotonic = monotonic

    @property
    def left_out(self) -> frozenset[str]:
        """What it was made without: `on_report`, `quarantine`, `stream_label`, and `new_layout` for a second layout."""
        from ddb_cache_sync.core.layouts import BothLayouts  # noqa: PLC0415 - loaded only where keys move to one

        had = {
            "on_report": bool(self._hooks),
            "quarantine": self._quarantine is not None,
            "stream_label": self._label_ms is not None,
            "new_layout": isinstance(self._router, BothLayouts),
        }
        return frozenset(name for name, has in had.items() if not has)

    def apply(self, records: Sequence[Any], *, deadline: float | None = None) -> ApplyReport:
        """Apply a batch of stream records, in whatever order they come, however often.

        Args:
            records: The records, as `Records` of a Lambda event has them.
            deadline: When to stop, on the clock of `time.monotonic()`: trying a failing cache again, waiting for a
                quarantine, decoding and encoding. None: a failing cache or quarantine is given up after ten seconds.

        Returns:
            What became of each record.

        Raises:
            CacheUnavailable: Not all could be applied by the deadline; some may be. Deliver the batch again.
            DeadlineExceeded: Not all could be decoded and encoded by the deadline; some may be applied. Deliver the
                batch again, in smaller pieces.
            CacheError: The cache refuses us, by its permissions for instance.
            ConfigurationError: The configuration can't be right for these records; nothing was applied, unless code of
                your own raised it in the midst of them.
            RecordError: A poison record has no sequence number that it could be reported by, and was not quarantined;
                all others were applied.
        """
        started = self._monotonic()
        look = None if deadline is None else partial(_in_time, deadline)
        batch = Batch(records, self._router, self._label_ms, look=look)
        results = self._cache.apply(batch.writes(self._clock()), deadline)
        said = self._cache.apply(batch.words(results), deadline) if self._has_lookups else ()
        aside = None
        if self._quarantine is not None:
            from ddb_cache_sync.sync.quarantine import set_aside  # noqa: PLC0415 - loaded only where there is one

            limit = time.monotonic() + DEFAULT_RETRY_SECONDS if deadline is None else deadline
            aside = partial(set_aside, self._quarantine, deadline=limit)
        report = batch.report(results, self._clock(), said, aside)
        report = replace(report, duration_seconds=self._monotonic() - started)
        tell(self._hooks, report)
        return report


def _in_time(deadline: float) -> None:
    """Raise where the time is over.

    Raises:
        DeadlineExceeded: It is.
    """
    if time.monotonic() >= deadline:
        raise DeadlineExceeded(
            "the deadline passed before all records were decoded and encoded",
            hint="Lower BatchSize, or raise the function's memory or time-out; with BisectBatchOnFunctionError Lambda "
            "halves the batch by itself.",
        )


def stream_label_ms(stream_label: str | None) -> int | None:
    """The creation time that a stream label tells, epoch ms; None for none.

    Raises:
        ConfigurationError: It is no time.
    """
    try:
        return None if stream_label is None else parse_stream_label(stream_label)
    except ValueError as error:
        raise ConfigurationError(f"stream_label: {error}") from None
