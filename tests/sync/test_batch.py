"""A batch reports what became of each record, those that a newer one made needless among them."""

from typing import Any

import pytest

from ddb_cache_sync import JsonEncoding, KeyTemplate, LookupKey, Projection
from ddb_cache_sync.cache.contract import WriteResult
from ddb_cache_sync.core.changes import Change
from ddb_cache_sync.core.outcomes import APPLIED, ApplyReport
from ddb_cache_sync.core.writes import Write
from ddb_cache_sync.errors import CacheError
from ddb_cache_sync.sync.batch import Batch
from ddb_cache_sync.sync.preview import preview
from ddb_cache_sync.testing import stream_record

USERS = Projection(KeyTemplate("users:{id}"), lookups=[LookupKey("by-email:{email}")])
STRAIGHT = Projection(KeyTemplate("users:{id}"))
REFUSED = CacheError("the cache refused to write", hint="Look at the key.")


class UnderAnotherKey(Projection):
    """Writes to a key of its own making."""

    def write(self, cache_key: str, change: Change, now: float = 0.0, *, filling: bool = False) -> Write:
        return super().write(f"v2:{cache_key}", change, now, filling=filling)


ALL = [USERS, STRAIGHT, UnderAnotherKey(KeyTemplate("users:{id}"), lookups=[LookupKey("by-email:{email}")])]


def user(sequence_number: int, **more: str) -> Any:
    return stream_record({"id": "1"}, {"id": "1", "email": "a", **more}, sequence_number=sequence_number)


def malformed(sequence_number: int) -> Any:
    record = user(sequence_number)
    record["dynamodb"]["NewImage"]["n"] = {"N": "no number"}
    return record


def outcome(projection: Projection, records: list[Any], result: WriteResult) -> tuple[ApplyReport, int]:
    """The report where each write has this result, and how many words were said."""
    batch = Batch(records, projection)
    results = [result for _ in batch.writes()]
    words = list(batch.words(results))
    return batch.report(results, 0.0, [APPLIED] * len(words)), len(words)


@pytest.mark.parametrize("projection", ALL)
def test_the_newest_is_applied_and_the_others_are_stale(projection: Projection) -> None:
    """Each counts once."""
    report, words = outcome(projection, [user(6), user(5), user(7)], APPLIED)
    assert (report.applied, report.stale, report.filtered, report.failures) == (1, 2, 0, ())
    assert words == bool(projection.lookups)


@pytest.mark.parametrize("projection", ALL)
def test_where_the_write_fails_all_that_it_stands_for_have_failed(projection: Projection) -> None:
    """The lowest of them is named: Lambda delivers everything from there on again."""
    report, words = outcome(projection, [user(6), user(5), user(7)], REFUSED)
    assert sorted(each.sequence_number for each in report.failures) == ["5", "6", "7"]
    assert report.response == {"batchItemFailures": [{"itemIdentifier": "5"}]}
    assert words == 0, "a lookup key must not lead to an item that is not there"


@pytest.mark.parametrize("projection", ALL)
def test_where_the_newest_is_malformed_the_next_is_written_in_its_place(projection: Projection) -> None:
    """It stands for the older ones."""
    report, _ = outcome(projection, [user(5), user(6), malformed(7)], APPLIED)
    assert (report.applied, report.stale, [each.sequence_number for each in report.failures]) == (1, 1, ["7"])
    report, _ = outcome(projection, [user(5), user(6), malformed(7)], REFUSED)
    assert sorted(each.sequence_number for each in report.failures) == ["5", "6", "7"]


def test_a_preview_shows_each_record_once() -> None:
    """The malformed one as refused, the next as written, the oldest as superseded."""
    shown = preview([user(5), user(6), malformed(7)], STRAIGHT)
    assert [(each.sequence_number, each.action) for each in shown] == [
        ("5", "superseded"),
        ("6", "set"),
        ("7", "refused"),
    ]


def test_an_encoding_of_ones_own_is_asked_for_what_is_written_alone() -> None:
    """Not for what a newer record made needless."""
    asked: list[str] = []

    class Counted(JsonEncoding):
        def encode(self, item: Any) -> bytes:
            asked.append(item["n"])
            return super().encode(item)

    outcome(Projection(KeyTemplate("users:{id}"), Counted()), [user(6, n="6"), user(5, n="5"), user(7, n="7")], APPLIED)
    assert asked == ["7"]
