import json
from typing import Any

import pytest

from ddb_cache_sync.core.diagnosis.filters import fault_in_filters
from ddb_cache_sync.core.diagnosis.findings import Level


def fault(*patterns: Any) -> tuple[Level, str] | None:
    """What is wrong with these filters."""
    found = fault_in_filters([json.dumps(pattern) for pattern in patterns])
    return None if found is None else (found.level, found.what)


@pytest.mark.parametrize(
    "pattern",
    [
        {},
        {"dynamodb": {"Keys": {"id": {"S": [{"prefix": "user#"}]}}}},
        {"dynamodb": {"Keys": {"id": {"N": ["42"]}}}},
        {"eventName": ["INSERT", "MODIFY", "REMOVE"]},
        {"eventName": [{"anything-but": ["INSERT"]}]},
    ],
)
def test_a_filter_by_the_key_is_fine(pattern: Any) -> None:
    """It lets an item's every change through, or none."""
    assert fault(pattern) is None


@pytest.mark.parametrize("asked", [[{"numeric": [">", 18]}], [18]])
def test_a_filter_on_a_number_matches_nothing(asked: list[Any]) -> None:
    """DynamoDB's numbers are text within N."""
    found = fault({"dynamodb": {"NewImage": {"age": {"N": asked}}}})
    assert found is not None
    assert (found[0], "matches nothing" in found[1]) == (Level.LOSES_DATA, True)


def test_removals_have_to_come_through_one_of_the_filters() -> None:
    """A record passes where any of them matches."""
    without = {"eventName": ["INSERT", "MODIFY"]}
    found = fault(without)
    assert found is not None
    assert (found[0], "removals" in found[1]) == (Level.LOSES_DATA, True)
    assert fault(without, {"eventName": ["REMOVE"]}) is None


def test_a_filter_by_an_image_misses_the_change_that_takes_an_item_out_of_it() -> None:
    """The cache keeps what was before."""
    found = fault({"dynamodb": {"NewImage": {"status": {"S": ["active"]}}}})
    assert found is not None
    assert found[0] is Level.WARNING


def test_a_filter_that_can_not_be_read_is_no_crash() -> None:
    """Lambda would not have taken it, but who knows."""
    found = fault_in_filters(["{"])
    assert found is not None
    assert found.level is Level.WARNING
