"""What a batch would do to a cache, record by record. Pure: touches nothing."""

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

from ddb_cache_sync.core.encodings import StoredValue
from ddb_cache_sync.core.projection import Router
from ddb_cache_sync.core.stream_records import sequence_number_of
from ddb_cache_sync.sync.batch import Batch


class Preview(NamedTuple):
    """What one record would do."""

    sequence_number: str | None
    """As delivered; None where the record has none that can be read."""
    action: Literal["set", "delete", "superseded", "refused"]
    """`superseded`: a newer change of the item comes with the same batch. `refused`: a poison record."""
    key: str | None = None
    """The cache key; None where refused."""
    version: str | None = None
    """What the guard would hold; None where refused."""
    value: StoredValue | None = None
    """What would be stored; None where nothing would."""
    reason: str | None = None
    """Why it is refused."""


def preview(records: Sequence[Any], router: Router, stream_label_ms: int | None = None) -> list[Preview]:
    """What each record would do, in the order of the batch; the guard's word is not asked.

    Raises:
        ConfigurationError: The projection can't be right for these records.
    """
    batch = Batch(records, router, stream_label_ms)
    previews: dict[int, Preview] = {}
    for write in batch.writes():
        newest, *older = batch.written[-1].delivered
        numbers = {each.place: sequence_number_of(records[each.place]) for each in (newest, *older)}
        previews[newest.place] = Preview(
            numbers[newest.place], "delete" if write.value is None else "set", write.key, write.version, write.value
        )
        for each in older:
            previews[each.place] = Preview(numbers[each.place], "superseded", write.key, each.version)
    for place, error in batch.errors.items():
        previews[place] = Preview(sequence_number_of(records[place]), "refused", reason=error.problem)
    return [previews[place] for place in range(len(records))]
