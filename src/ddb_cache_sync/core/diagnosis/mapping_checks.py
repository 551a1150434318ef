"""Checks of an event source mapping: what Lambda does with a batch, and with one that fails.

Source: https://docs.aws.amazon.com/lambda/latest/dg/services-ddb-params.html, and what has been recorded of AWS.
"""

from collections.abc import Callable, Mapping
from typing import Final, NamedTuple, TypeAlias

from ddb_cache_sync.core.diagnosis.facts import MappingFacts
from ddb_cache_sync.core.diagnosis.filters import fault_in_filters
from ddb_cache_sync.core.diagnosis.findings import (
    Known,
    Unknown,
    Verdict,
    cannot_tell,
    fine,
    loses_data,
    note,
    span,
    warning,
)
from ddb_cache_sync.core.outages import (
    ASSUMED_MARGIN_SECONDS,
    ASSUMED_TIMEOUT_SECONDS,
    FEW_RETRIES,
    RECORD_AGE_SECONDS,
    RETRIES,
    SHORTEST_OUTAGE_SECONDS,
    outlasted_seconds,
)

STREAM_SECONDS: Final = 86_400
"""How long a stream keeps a record."""

_SMALL_BATCH: Final = 100
_AGE_NOTED, _AGE_WARNED, _AGE_LOST = 60.0, 3600.0, 20 * 3600.0
_ENABLED: Final = ("Enabled", "Enabling", "Creating", "Updating")
_FINE_RESULTS: Final = ("OK", "No records processed", "")


class Around(NamedTuple):
    """What a mapping is compared with."""

    stream_arn: str | None
    """The table's newest stream; None: not known."""
    guard_ttl_seconds: int


MappingCheck: TypeAlias = Callable[[MappingFacts, Around], Verdict]


def mappings_exist(found: Known[tuple[MappingFacts, ...]]) -> Verdict:
    """Whether anything reads the stream."""
    if isinstance(found, Unknown):
        return cannot_tell(found)
    if not found:
        return loses_data(
            "no such event source mapping reads a stream of the table",
            "Map the stream to the function; EventBridge Pipes and Kinesis are not seen here.",
        )
    if len(found) > 2:
        return note(
            f"{len(found)} event source mappings read the stream: more than two readers of a shard get throttled",
            "Let one function pass records on to the others.",
        )
    return fine(f"{len(found)} found")


def source(mapping: MappingFacts, around: Around) -> Verdict:
    """Whether the mapping reads the stream that the table writes to."""
    if around.stream_arn is None:
        return cannot_tell(Unknown("the table's stream is not known", "See what the check of the table says."))
    if mapping.stream_arn != around.stream_arn:
        return loses_data(
            "reads an older stream of the table, to which nothing is written any more",
            "Map the table's newest stream to the function, from TRIM_HORIZON.",
        )
    return fine("the table's newest stream")


def state(mapping: MappingFacts, _: Around) -> Verdict:
    """Whether Lambda reads the stream."""
    if mapping.state not in _ENABLED:
        return loses_data(
            f"{mapping.state}: records leave the stream after {span(STREAM_SECONDS)} unread", "Enable the mapping."
        )
    return fine(mapping.state)


def report_failures(mapping: MappingFacts, _: Around) -> Verdict:
    """Whether Lambda reads what the handler answers."""
    if "ReportBatchItemFailures" not in mapping.response_types:
        return loses_data(
            "Lambda ignores what the handler returns: a record that could not be applied is lost",
            "Set FunctionResponseTypes to ReportBatchItemFailures.",
        )
    return fine("on")


def on_failure(mapping: MappingFacts, _: Around) -> Verdict:
    """Where batches go that Lambda gives up."""
    if mapping.destination is None:
        if mapping.retries == mapping.record_age_seconds == -1:
            return warning("none: what leaves the stream unread is lost", "Set an S3 bucket as on-failure destination.")
        return loses_data("none: a batch that is given up is lost", "Set an S3 bucket as on-failure destination.")
    service = _service(mapping.destination)
    if service != "s3":
        return note(
            f"{service.upper()}, which gets a batch's position only: its records stay in the stream for "
            f"{span(STREAM_SECONDS)}",
            "Use an S3 bucket, which gets the records.",
        )
    return fine("an S3 bucket, which gets the records")


def destination_retention(mapping: MappingFacts, around: Around) -> Verdict:
    """Whether guards outlive the messages about batches that were given up."""
    kept = mapping.destination_seconds
    if isinstance(kept, Unknown):
        return cannot_tell(kept)
    if kept is None:
        return fine("no queue")
    if kept == 0:
        return loses_data("the queue does not exist: a batch that is given up is lost", "Set one that exists.")
    if kept > around.guard_ttl_seconds:
        return warning(
            f"the queue keeps messages for {span(kept)}, and guards go after {span(around.guard_ttl_seconds)}: what is "
            "applied by hand between the two counts as new, however old it is",
            "Bring them back with ddb-cache-sync redrive, which reads such items from the table.",
        )
    return fine(f"{span(kept)}, within the guard TTL")


def retries(mapping: MappingFacts, _: Around) -> Verdict:
    """Whether an outage is sat out, and a poison record given up."""
    found = mapping.retries
    if found == mapping.record_age_seconds == -1:
        return warning(
            "without end, and no maximum age: a poison record holds up its shard until the stream drops what waits "
            "behind it",
            f"Set MaximumRecordAgeInSeconds to {RECORD_AGE_SECONDS}, and MaximumRetryAttempts to {RETRIES} unless "
            "poison records are quarantined.",
        )
    if 0 <= found < FEW_RETRIES:
        outage = span(outlasted_seconds(found, ASSUMED_TIMEOUT_SECONDS - ASSUMED_MARGIN_SECONDS))
        return warning(
            f"{found}: an outage of {outage} gives batches up, if the function's time-out is "
            f"{span(ASSUMED_TIMEOUT_SECONDS)}",
            f"Set MaximumRetryAttempts to {RETRIES}, or to -1 where poison records are quarantined, and let "
            "MaximumRecordAgeInSeconds bound the time.",
        )
    return fine("bounded by the maximum age" if found == -1 else str(found))


def record_age(mapping: MappingFacts, _: Around) -> Verdict:
    """Whether an outage is sat out."""
    found = mapping.record_age_seconds
    if 0 <= found < SHORTEST_OUTAGE_SECONDS:
        return warning(
            f"a batch is given up after {span(found)}",
            f"Raise MaximumRecordAgeInSeconds to the outage that you want to sit out, such as {RECORD_AGE_SECONDS}.",
        )
    if found >= STREAM_SECONDS:
        return note(
            f"{span(found)}, and the stream drops a record after {span(STREAM_SECONDS)} without telling anybody",
            f"Set MaximumRecordAgeInSeconds to {RECORD_AGE_SECONDS}, so that what is too old goes to the destination.",
        )
    return fine("as long as the stream keeps it" if found == -1 else span(found))


def bisect(mapping: MappingFacts, _: Around) -> Verdict:
    """Whether a batch that takes the function down is halved."""
    if mapping.bisects:
        return fine("on")
    return warning(
        "off: a record that takes the function down takes its whole batch along", "Turn on BisectBatchOnFunctionError."
    )


def batch_size(mapping: MappingFacts, _: Around) -> Verdict:
    """Whether invocations are worth their round trip."""
    if mapping.batch_size < _SMALL_BATCH:
        return note(
            f"{mapping.batch_size}: each invocation costs a round trip, and order does not rest on small batches",
            f"Set BatchSize to {_SMALL_BATCH} to 1,000.",
        )
    return fine(f"{mapping.batch_size:,}")


def starting_position(mapping: MappingFacts, _: Around) -> Verdict:
    """Whether the mapping began with all that the stream held."""
    if mapping.starting_position == "TRIM_HORIZON":
        return fine("TRIM_HORIZON")
    return warning(
        f"{mapping.starting_position or 'not told'}: changes made until the mapping had started were left out",
        "Backfill the table now. Make the next mapping with TRIM_HORIZON.",
    )


def parallelization(mapping: MappingFacts, _: Around) -> Verdict:
    """Whether more invocations at a time would help."""
    age, found = mapping.iterator_age_seconds, mapping.parallelization
    behind = isinstance(age, float) and age >= _AGE_NOTED
    if behind and found < 10:
        return note(
            f"{found}, and the function is behind",
            "Raise ParallelizationFactor, up to 10: order is the guard's job.",
        )
    return fine(str(found))


def last_result(mapping: MappingFacts, _: Around) -> Verdict:
    """What came of the last invocation."""
    found = mapping.last_result
    if found in _FINE_RESULTS:
        return fine(found or "not told")
    return warning(found.rstrip("."), "Look into the function's log.")


def filters(mapping: MappingFacts, _: Around) -> Verdict:
    """Whether Lambda leaves records out that the cache needs."""
    if not mapping.filters:
        return fine("none")
    return fault_in_filters(mapping.filters) or fine(f"{len(mapping.filters)}, by what does not change")


def iterator_age(mapping: MappingFacts, _: Around) -> Verdict:
    """How far the function is behind the stream."""
    age = mapping.iterator_age_seconds
    if isinstance(age, Unknown):
        return cannot_tell(age)
    if age is None:
        return fine("no invocation in the last hour")
    found = f"up to {span(age)} in the last hour"
    mend = "Look for failing invocations; raise BatchSize, ParallelizationFactor or the function's memory."
    if age >= _AGE_LOST:
        return loses_data(f"{found}: the stream drops records after {span(STREAM_SECONDS)}", mend)
    if age >= _AGE_WARNED:
        return warning(found, mend)
    return note(found, mend) if age >= _AGE_NOTED else fine(found)


def guard_ttl(guard_ttl_seconds: int) -> Verdict:
    """Whether guards outlive what the stream can deliver again."""
    if guard_ttl_seconds <= STREAM_SECONDS:
        return loses_data(
            f"{span(guard_ttl_seconds)}: a record can come again for {span(STREAM_SECONDS)}, and an old one "
            "then counts as new",
            "Set DDB_CACHE_SYNC_GUARD_TTL_SECONDS to 90000 (25 h) or more.",
        )
    return fine(f"{span(guard_ttl_seconds)}: longer than the stream's {span(STREAM_SECONDS)}")


def _service(arn: str) -> str:
    return (arn.split(":") + [""] * 3)[2]


MAPPING_CHECKS: Final[Mapping[str, MappingCheck]] = {
    "mapping-source": source,
    "mapping-state": state,
    "report-failures": report_failures,
    "on-failure": on_failure,
    "destination-retention": destination_retention,
    "retries": retries,
    "record-age": record_age,
    "bisect": bisect,
    "batch-size": batch_size,
    "starting-position": starting_position,
    "parallelization": parallelization,
    "last-result": last_result,
    "filters": filters,
    "iterator-age": iterator_age,
}
"""By name, for each event source mapping."""
