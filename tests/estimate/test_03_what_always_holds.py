"""Whatever the workload."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.estimate.strategies import workloads

from ddb_cache_sync.estimate import Estimate, Workload, estimate

SLACK = 1 + 1e-9
"""Rounding of floats."""


def costs(found: Estimate) -> list[float]:
    return [cost for way in (found.ours, found.original) for cost in (way.cost.serverless, way.cost.node_based)]


def none_is_less(more: list[float], less: list[float]) -> bool:
    return all(after * SLACK >= before for after, before in zip(more, less, strict=True))


@pytest.mark.parametrize(
    ("field", "most"), [("writes_per_second", 1e8), ("items", 10**13), ("item_bytes", 409_600), ("key_bytes", 4096)]
)
@given(workload=workloads, times=st.floats(1, 20))
def test_more_of_it_never_costs_less(field: str, most: float, workload: Workload, times: float) -> None:
    """Writes, items, and their sizes."""
    before = getattr(workload, field)
    after = min(most, before * times)
    more = replace(workload, **{field: after if field == "writes_per_second" else int(after)})
    assert none_is_less(costs(estimate(more)), costs(estimate(workload)))


@given(workloads, st.integers(1, 10_000))
def test_a_larger_batch_never_costs_more_and_never_keeps_up_with_less(workload: Workload, batch_size: int) -> None:
    """So it is the first thing to change."""
    small, large = sorted((workload.batch_size, batch_size))
    before, after = (estimate(replace(workload, batch_size=size)) for size in (small, large))
    assert none_is_less(costs(before), costs(after))
    assert after.ours.writes_per_second_at_most * SLACK >= before.ours.writes_per_second_at_most


@given(workloads, st.floats(0, 300))
def test_a_longer_window_never_makes_more_invocations(workload: Workload, window: float) -> None:
    """It trades lag for them."""
    short, long = sorted((workload.window_seconds, window))
    before, after = (estimate(replace(workload, window_seconds=each)) for each in (short, long))
    assert after.ours.invocations_per_second <= before.ours.invocations_per_second * SLACK


@given(workloads)
def test_it_keeps_up_exactly_if_it_can_apply_as_much_as_is_written(workload: Workload) -> None:
    """Then it has a lag; otherwise it has a time until records are lost, no shorter than the stream keeps them."""
    found = estimate(workload)
    for way in (found.ours, found.original):
        assert way.keeps_up == (workload.writes_per_second <= way.writes_per_second_at_most)
        assert (way.lag_seconds is None) == (way.hours_until_loss is not None)
        assert way.hours_until_loss is None or way.hours_until_loss >= 24
        assert 0 < way.concurrency <= way.invocations_at_most
        assert 1 <= way.batch_records <= way.batch_records_at_most


@given(workloads)
def test_ours_never_makes_more_invocations_than_the_original(workload: Workload) -> None:
    """Nor keeps less memory: the guards come on top."""
    found = estimate(workload)
    assert found.ours.invocations_per_second <= found.original.invocations_per_second * SLACK
    assert found.ours.memory_bytes >= found.original.memory_bytes
    assert found.ours.ecpus_per_second >= found.original.ecpus_per_second


@given(workloads)
def test_the_shards_that_are_derived_hold_the_table_and_take_its_writes(workload: Workload) -> None:
    """And one fewer would not."""
    found = estimate(replace(workload, shards=None))
    assert found.items_that_fit >= workload.items
    assert found.writes_that_fit * SLACK >= workload.writes_per_second
    if found.shards > 1:
        fewer = estimate(replace(workload, shards=found.shards - 1))
        assert fewer.items_that_fit < workload.items or fewer.writes_that_fit < workload.writes_per_second
