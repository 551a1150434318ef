"""The report of a batch, and what Lambda is answered."""

import pytest

from ddb_cache_sync import ApplyReport, Failure


def report(*sequence_numbers: str) -> ApplyReport:
    """A report in which these records failed."""
    return ApplyReport(applied=1, failures=tuple(Failure(number, "why") for number in sequence_numbers))


def test_a_batch_without_failures_is_a_complete_success() -> None:
    """An empty list, as Lambda wants it."""
    assert report().response == {"batchItemFailures": []}


@pytest.mark.parametrize(
    ("failed", "lowest"),
    [
        (["7"], "7"),
        (["10", "9"], "9"),
        (["9", "10"], "9"),
        (["820400000000000001192334", "20500000000000000910398"], "20500000000000000910398"),
        (["202328600001712385967261752", "202328600001712385967261751"], "202328600001712385967261751"),
        (["2", "001"], "001"),
        (["1", "0" * 5000 + "2"], "1"),
        (["4965" + "0" * 51 + "2", "4965" + "0" * 51 + "1"], "4965" + "0" * 51 + "1"),
        (["1" * 57, "9" * 56, "1" * 58], "9" * 56),
    ],
)
def test_the_lowest_failed_sequence_number_is_answered(failed: list[str], lowest: str) -> None:
    """By value, as delivered: Lambda delivers that record and all after it again."""
    assert report(*failed).response == {"batchItemFailures": [{"itemIdentifier": lowest}]}


def test_the_counts_add_up_to_the_records() -> None:
    """Every record has one outcome."""
    counted = ApplyReport(applied=3, stale=2, filtered=1, failures=(Failure("1", "why"),))
    assert (counted.failed, counted.records) == (1, 7)
