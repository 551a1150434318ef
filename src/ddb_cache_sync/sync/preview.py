"""What a batch would do to a cache, record by record. Pure: touches nothing."""

from collections import defaultdict
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from ddb_cache_sync.core.encodings import StoredValue
from ddb_cache_sync.core.outcomes import APPLIED
from ddb_cache_sync.core.projection import Router
from ddb_cache_sync.core.stream_records import sequence_number_of
from ddb_cache_sync.core.writes import Write
from ddb_cache_sync.sync.batch import Batch

if TYPE_CHECKING:
    from ddb_cache_sync.cache.contract import WriteResult


class Preview(NamedTuple):
    """What one record would do to one of the cache keys that it concerns."""

    sequence_number: str | None
    """As delivered; None where the record has none that can be read."""
    action: Literal["set", "delete", "superseded", "filtered", "refused"]
    """`superseded`: a newer change of the item comes with the same batch. `filtered`: the configuration leaves the item
    out, and there is nothing to delete. `refused`: a poison record."""
    key: str | None = None
    """The cache key; None where filtered or refused."""
    version: str | None = None
    """What the guard would hold; None where filtered or refused."""
    value: StoredValue | None = None
    """What would be stored; None where nothing would."""
    reason: str | None = None
    """Why it is refused."""


def preview(
    records: Sequence[Any], router: Router, stream_label_ms: int | None = None, *, now: float = 0.0
) -> list[Preview]:
    """What each record would do to each cache key, in the order of the batch; the guard's word is not asked.

    Args:
        records: As the event has them.
        router: What makes writes of changes.
        stream_label_ms: Put in place of the stream's own creation time (epoch ms). None: the stream's own.
        now: Epoch seconds, for the expiry.

    Raises:
        ConfigurationError: The projection can't be right for these records.
    """
    batch = Batch(records, router, stream_label_ms)
    numbers = [sequence_number_of(record) for record in records]
    previews: defaultdict[int, list[Preview]] = defaultdict(list)

    def show(place: int, write: Write) -> None:
        action: Literal["set", "delete"] = "delete" if write.value is None else "set"
        previews[place].append(Preview(numbers[place], action, write.key, write.version, write.value))

    results: list[WriteResult] = [APPLIED for _ in batch.writes(now)]
    for write, place, older in batch.written():
        show(place, write)
        for each in older:
            previews[each.place].append(Preview(numbers[each.place], "superseded", write.key, each.version))
    for word in batch.words(results):
        show(batch.said[-1].place, word)
    for place, error in batch.errors.items():
        previews[place].append(Preview(numbers[place], "refused", reason=error.problem))
    return [each for place, number in enumerate(numbers) for each in previews[place] or [Preview(number, "filtered")]]
