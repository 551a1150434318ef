"""Checks of the table and its stream against the configuration."""

from collections.abc import Callable, Mapping
from typing import Final, TypeAlias

from ddb_cache_sync.core.diagnosis.facts import TableFacts
from ddb_cache_sync.core.diagnosis.findings import Known, Unknown, Verdict, cannot_tell, fine, loses_data, note, warning
from ddb_cache_sync.core.diagnosis.scratch import scratch_writes
from ddb_cache_sync.core.projection import Projection
from ddb_cache_sync.errors import CacheSyncError

TableCheck: TypeAlias = Callable[[TableFacts, Projection], Verdict]

NEW_STREAM: Final = "Make a new stream: it keeps its view type. Then point the event source mapping to it."
_SKEW_NOTED: Final = 5.0  # the service's Date header has whole seconds
_SKEW_WARNED: Final = 60.0  # AWS refuses signatures that are more than 5 minutes off


def table_exists(table: Known[TableFacts | None], place: str) -> Verdict:
    """Whether there is a table to follow, where it was looked for."""
    if table is None:
        return loses_data(
            f"there is no such table {place}", "Check the table's name, the Region, the endpoint and the account."
        )
    return cannot_tell(table) if isinstance(table, Unknown) else fine("exists")


def stream(table: TableFacts, _: Projection) -> Verdict:
    """Whether the table has a stream that is enabled."""
    if table.view_type is not None:
        return fine("enabled")
    found = "no stream" if table.stream_arn is None else "a stream that is disabled: what it holds goes within 24 h"
    return loses_data(found, "Enable a stream with NEW_AND_OLD_IMAGES, and map it to the function.")


def view_type(table: TableFacts, projection: Projection) -> Verdict:
    """Whether the stream carries the images that the configuration needs."""
    found = table.view_type
    if found is None:
        return cannot_tell(Unknown("no stream is enabled", "Enable one."))
    if projection.needs_old_images and found != "NEW_AND_OLD_IMAGES":
        return loses_data(f"{found}: lookup keys need NEW_AND_OLD_IMAGES, and every invocation fails", NEW_STREAM)
    if projection.mode != "invalidate" and "NEW" not in found:
        return loses_data(
            f"{found}: mode {projection.mode} needs new images, and every invocation fails",
            f"{NEW_STREAM} Or use mode invalidate, which needs no image.",
        )
    return fine(found)


def key_template(table: TableFacts, projection: Projection) -> Verdict:
    """Whether the key mapping fits the table's primary key."""
    try:
        cache_key = scratch_writes(projection, table.name, table.key_types, "0").key
    except CacheSyncError as error:
        return loses_data(error.what, error.hint or "Change the key template or the key mapping.")
    return fine(f"fits the primary key ({', '.join(table.key_types)}), as in {cache_key}")


def time_to_live(table: TableFacts, projection: Projection) -> Verdict:
    """Whether cache and table go by the same TTL attribute."""
    configured = projection.expiry.attribute if projection.expiry is not None else None
    found = table.ttl_attribute
    if isinstance(found, Unknown):
        return cannot_tell(found)
    if configured == found:
        return fine("off in both" if found is None else f"by {found} in both")
    if configured is None:
        return note(
            f"the table removes items by {found}, and the cache keeps them until it does, which can take days",
            f"Set the TTL attribute {found} in the configuration.",
        )
    kept = "has no time to live" if found is None else f"removes items by {found}"
    return warning(
        f"the cache lets values expire by {configured}, and the table {kept}: items are in the table and not cached",
        f"Turn on the table's time to live by {configured}, or change the configuration.",
    )


def table_clock(table: TableFacts, _: Projection) -> Verdict:
    """Whether this machine's clock agrees with DynamoDB's."""
    return clock(table.clock_ahead_seconds, "DynamoDB")


def clock(ahead: Known[float], whose: str) -> Verdict:
    """Whether this machine's clock agrees with another's."""
    if isinstance(ahead, Unknown):
        return cannot_tell(ahead)
    apart = f"this machine's clock is {abs(ahead):.1f} s {'behind' if ahead > 0 else 'ahead of'} that of {whose}"
    mend = "Synchronise the clocks: lag is measured, and time to live reckoned, by the clock of who applies."
    if abs(ahead) >= _SKEW_WARNED:
        return warning(apart, mend)
    return note(apart, mend) if abs(ahead) >= _SKEW_NOTED else fine(f"within {_SKEW_NOTED:g} s of that of {whose}")


TABLE_CHECKS: Final[Mapping[str, TableCheck]] = {
    "stream": stream,
    "view-type": view_type,
    "key-template": key_template,
    "time-to-live": time_to_live,
    "table-clock": table_clock,
}
"""By name, for a table that is there."""
