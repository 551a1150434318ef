"""The Lambda side: `apply_stream_event` for a handler of one's own, and ready-made handlers."""

import logging
import math
import os
import threading
import time
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, Protocol, assert_never

from ddb_cache_sync.core.outcomes import BatchResponse
from ddb_cache_sync.core.stream_records import event_records
from ddb_cache_sync.errors import ConfigurationError
from ddb_cache_sync.sync.hooks import ReportHook
from ddb_cache_sync.sync.replicator import DEFAULT_DEADLINE_MARGIN_MS, Replicator

if TYPE_CHECKING:
    from collections.abc import Collection

    from ddb_cache_sync.settings import HookName, Settings
    from ddb_cache_sync.sync.quarantine import Quarantine
    from ddb_cache_sync.sync.verify import VerifyOptions

_VERIFY_MARGIN_SECONDS: Final = 10.0
"""What a verification takes beside its waits, at least."""

_UNREAD: Final = {
    "DDB_CACHE_SYNC_DEADLINE_MARGIN_MS": None,
    "DDB_CACHE_SYNC_METRICS": "on_report",
    "DDB_CACHE_SYNC_NEW_LAYOUT": "new_layout",
    "DDB_CACHE_SYNC_QUARANTINE": "quarantine",
    "DDB_CACHE_SYNC_STREAM_LABEL": "stream_label",
}
"""Variables that are in vain beside a replicator, and what of a replicator has their place; None: nothing has.

Of the others nobody can tell: a handler may have read them itself, and they shape the replicator that it made.
"""
_looked = threading.Event()
"""Whether this process has looked for such variables."""

_LOG: Final = logging.getLogger("ddb_cache_sync")


class LambdaContext(Protocol):
    """The part of Lambda's context object that is used."""

    def get_remaining_time_in_millis(self) -> int:
        """Milliseconds until the function's time-out."""
        ...


def apply_stream_event(
    event: Any, replicator: Replicator | None = None, *, context: LambdaContext | None = None
) -> BatchResponse:
    """Apply the records of an event to the cache, and answer what Lambda has to deliver again.

    Return its answer from the handler, and switch `ReportBatchItemFailures` on in the event source mapping: without
    that Lambda ignores the answer, and a reported failure is lost.

    Args:
        event: An event (`{"Records": [...]}`) of DynamoDB Streams or of a Kinesis data stream that the table writes to,
            or the bare list of records of EventBridge Pipes.
        replicator: What to apply it with. None: one built from `DDB_CACHE_SYNC_*`, once per process. Beside one of your
            own these variables are not read; of some that are set all the same a warning is logged, once per process.
        context: Lambda's context, for the deadline. None: a failing cache is given up after ten seconds.

    Returns:
        `{"batchItemFailures": []}`, or the lowest failed sequence number: all other records are applied, or
        quarantined.

    Raises:
        RecordError: Not such an event, or a poison record without a sequence number.
        CacheUnavailable: The cache kept failing until shortly before the time-out. Let it out of the handler, and
            Lambda delivers the batch again.
        DeadlineExceeded: The batch could not be decoded and encoded until shortly before the time-out. Let it out, too.
        CacheError: The cache refuses us, by its permissions for instance.
        ConfigurationError: The configuration can't be right.
    """
    records = event_records(event)
    margin_ms = DEFAULT_DEADLINE_MARGIN_MS
    if replicator is None:
        replicator, margin_ms = _from_environment()
    elif not _looked.is_set():
        _looked.set()
        _warn_of_unread(replicator)
    deadline = None
    if context is not None:
        remaining_ms = context.get_remaining_time_in_millis()
        # Half of what remains is kept for the cache in any case: a function may have less time than the margin.
        deadline = time.monotonic() + max(remaining_ms - margin_ms, remaining_ms / 2) / 1000
    report = replicator.apply(records, deadline=deadline)
    for failure in report.failures:
        _LOG.error("record %s can't be applied: %s", failure.sequence_number, failure.reason)
    for aside in report.quarantined:
        _LOG.error("record %s can't be applied, and was quarantined: %s", aside.sequence_number, aside.reason)
    for notice in report.notices:
        _LOG.warning("record %s: %s", notice.sequence_number, notice.reason)
    return report.response


def _warn_of_unread(replicator: Replicator) -> None:
    """Log which variables are set in vain."""
    if found := [name for name in _UNREAD if os.environ.get(name)]:
        left_out: Collection[str] = getattr(replicator, "left_out", ())  # whatever applies records may take its place
        if vain := [name for name in found if (of_replicator := _UNREAD[name]) is None or of_replicator in left_out]:
            _LOG.warning(
                "not read, since apply_stream_event was given a replicator: %s. Make the replicator with what they "
                "say, or give none",
                ", ".join(vain),
            )


def handler(event: Any, context: LambdaContext) -> BatchResponse:
    """A Lambda function that needs nothing but `DDB_CACHE_SYNC_*`: `ddb_cache_sync.aws_lambda.handler`."""
    return apply_stream_event(event, context=context)


def verify_handler(_event: Any, context: LambdaContext | None = None) -> dict[str, float]:
    """Compare a sample of a table with the cache: a Lambda function for a schedule, which writes CloudWatch metrics.

    `ddb_cache_sync.aws_lambda.verify_handler` needs nothing but `DDB_CACHE_SYNC_*`: the settings of the function that
    applies the stream, and `VERIFY_TABLE`, `VERIFY_SAMPLE`, `VERIFY_LOOKS`.

    Returns:
        The metrics, by name.

    Raises:
        ConfigurationError: The configuration can't be right, or the function's time-out is too short for the looks.
        TableError: The table can't be read.
        CacheError: The cache can't be read.
    """
    from ddb_cache_sync.observability.verify_emf import SAMPLE_METRICS, SampleMetrics  # noqa: PLC0415 - and all it loads
    from ddb_cache_sync.sync.sampling import verify_sample  # noqa: PLC0415 - same

    settings, cache, client, options = _verification()
    seconds = math.inf if context is None else context.get_remaining_time_in_millis() / 1000
    if seconds < options.looks[-1] + _VERIFY_MARGIN_SECONDS:
        raise ConfigurationError(
            f"the function ends in {seconds:.0f} s, and its last look is {options.looks[-1]:.0f} s after the sample",
            hint="Give it a time-out of some minutes, or set DDB_CACHE_SYNC_VERIFY_LOOKS.",
        )
    sample = verify_sample(cache, settings.router(), client, settings.verify_table or "", options)
    SampleMetrics()(sample)
    values = {metric.name: metric.value(sample) for metric in SAMPLE_METRICS}
    return {name: value for name, value in values.items() if value is not None}


@lru_cache(maxsize=1)
def _verification() -> tuple["Settings", Any, Any, "VerifyOptions"]:
    """What the environment describes: settings, cache, a client of the table, and how to compare them."""
    from ddb_cache_sync.core.verify_settings import looks_of, sample_of  # noqa: PLC0415 - loaded where it is needed
    from ddb_cache_sync.settings import Settings  # noqa: PLC0415 - loads pydantic
    from ddb_cache_sync.sync.verify import VerifyOptions  # noqa: PLC0415 - same
    from ddb_cache_sync.table.clients import dynamodb_client  # noqa: PLC0415 - loads boto3

    settings = Settings.from_environment(os.environ)
    if settings.verify_table is None:
        raise ConfigurationError("no table is named", hint="Set DDB_CACHE_SYNC_VERIFY_TABLE.")
    count, share = sample_of(settings.verify_sample)
    options = VerifyOptions(
        count,
        looks_of(settings.verify_looks),
        guard_ttl_seconds=settings.guard_ttl_seconds,
        stream_label_ms=settings.stream_label_ms,
        sample_share=share,
    )
    return settings, settings.client(), dynamodb_client(os.environ.get("AWS_REGION")), options


@lru_cache(maxsize=1)
def _from_environment() -> tuple[Replicator, int]:
    """The replicator that the environment describes, and the deadline margin, milliseconds."""
    from ddb_cache_sync.settings import Settings  # noqa: PLC0415 - pydantic is loaded only where it is needed

    settings = Settings.from_environment(os.environ)
    hooks = [_hook(name) for name in settings.metrics or ()]
    return settings.replicator(hooks, _quarantine(settings.quarantine)), settings.deadline_margin_ms


def _quarantine(place: str | None) -> "Quarantine | None":
    if place is None:
        return None
    from ddb_cache_sync.sync.quarantine import quarantine_at  # noqa: PLC0415 - loaded only where one is named

    return quarantine_at(place)


def _hook(name: "HookName") -> ReportHook:
    # Loaded only where one is named.
    from ddb_cache_sync import observability  # noqa: PLC0415
    from ddb_cache_sync.observability.report_log import REPORT_LOGGER  # noqa: PLC0415

    match name:
        case "log":
            if "AWS_LAMBDA_LOG_LEVEL" not in os.environ:  # of the JSON format, where the level is the user's choice
                # In the text format Lambda leaves the root logger at WARNING, and nothing would be seen.
                logging.getLogger(REPORT_LOGGER).setLevel(logging.INFO)
            return observability.ReportLog()
        case "emf":
            return observability.EmfMetrics()
        case "otel":
            return observability.OpenTelemetrySpans()
        case _:
            assert_never(name)
