"""A span of OpenTelemetry for each batch.

Rule: what is a standard attribute is named as OpenTelemetry's semantic conventions for Redis clients name it, all else
begins with `ddb_cache_sync.`. A report comes when its batch is done, so the span begins in the past: at its end less
the batch's duration.
"""

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from ddb_cache_sync.core.outcomes import ApplyReport
from ddb_cache_sync.errors import ConfigurationError

if TYPE_CHECKING:
    from opentelemetry.trace import Tracer
    from opentelemetry.util.types import AttributeValue

COMMAND: Final = "EVALSHA"
"""The command of which a batch consists; several records of it are sent as a pipeline."""
POISON_RECORD: Final = "poison_record"
"""The `error.type` of a batch in which records failed. A cache that fails is raised, and makes no report."""


class OpenTelemetrySpans:
    """Makes one span for each report, below the span that is current.

    Name and `db.operation.name` are `PIPELINE EVALSHA`, or `EVALSHA` for a single record. `db.operation.batch.size` is
    the number of records, and left out for a single one. A batch in which records failed has the status ERROR.

    Args:
        tracer: What makes the spans. None: the global provider's, under the name `ddb_cache_sync`.
        clock: Epoch seconds; when the span ends.

    Raises:
        ConfigurationError: OpenTelemetry is not installed.
    """

    def __init__(self, tracer: "Tracer | None" = None, *, clock: Callable[[], float] = time.time) -> None:
        try:
            from opentelemetry import trace  # noqa: PLC0415 - an extra, and slow to load
        except ImportError:
            raise ConfigurationError(
                "OpenTelemetry is not installed", hint="Install it with pip install 'ddb-cache-sync[otel]'."
            ) from None
        self._trace = trace
        self._tracer = trace.get_tracer("ddb_cache_sync") if tracer is None else tracer
        self._clock = clock

    def __call__(self, report: ApplyReport) -> None:
        """Make the span of a report."""
        end_ns = int(self._clock() * 1e9)
        operation = f"PIPELINE {COMMAND}" if report.records > 1 else COMMAND
        span = self._tracer.start_span(
            operation,
            kind=self._trace.SpanKind.CLIENT,
            # All at once, since a sampler sees only what is there from the beginning.
            attributes={"db.operation.name": operation, **_attributes(report)},
            start_time=end_ns - int((report.duration_seconds or 0.0) * 1e9),
        )
        if report.failed:
            failed = f"{report.failed} of {report.records} records failed"
            span.set_status(self._trace.Status(self._trace.StatusCode.ERROR, failed))
        span.end(end_ns)


def _attributes(report: ApplyReport) -> "dict[str, AttributeValue]":
    attributes: dict[str, AttributeValue] = {
        "db.system.name": "redis",
        "ddb_cache_sync.applied": report.applied,
        "ddb_cache_sync.stale": report.stale,
        "ddb_cache_sync.filtered": report.filtered,
        "ddb_cache_sync.failed": report.failed,
        "ddb_cache_sync.quarantined": len(report.quarantined),
    }
    if report.records > 1:
        attributes["db.operation.batch.size"] = report.records
    if report.lag_seconds is not None:
        attributes["ddb_cache_sync.lag_seconds"] = report.lag_seconds
    if report.failed:
        attributes["error.type"] = POISON_RECORD
    return attributes
