"""The plot."""

from itertools import pairwise
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.estimate.strategies import workloads

from ddb_cache_sync.estimate import Workload, plot
from ddb_cache_sync.estimate.plot import Over

LINE = "{http://www.w3.org/2000/svg}polyline"


def lines(svg: str) -> list[list[tuple[float, float]]]:
    found = []
    for line in ET.fromstring(svg).iter(LINE):
        points = [tuple(map(float, point.split(","))) for point in line.attrib["points"].split()]
        found.append([(x, y) for x, y in points])
    return found


@pytest.mark.parametrize("over", ["writes-per-second", "batch-size"])
def test_it_shows_cost_invocations_and_lag_of_both_ways(over: Over) -> None:
    """A line each, from left to right."""
    svg = plot(Workload(), over=over)
    assert all(said in svg for said in ("USD a month", "invocations at once", "lag at most", "original sample"))
    drawn = lines(svg)
    assert len(drawn) == 6
    assert all(before[0] < after[0] for line in drawn for before, after in pairwise(line))


def test_a_line_ends_where_its_way_falls_behind() -> None:
    """The original's do, at writes that ours keeps up with; its cost goes on."""
    cost, its_cost, concurrency, its_concurrency, lag, its_lag = lines(plot(Workload()))
    assert len(its_concurrency) == len(its_lag) < len(concurrency) == len(lag) == len(cost) == len(its_cost)


@settings(max_examples=25)
@given(workloads, st.sampled_from(["writes-per-second", "batch-size"]))
def test_every_workload_can_be_drawn(workload: Workload, over: Over) -> None:
    """Every point within its panel."""
    for line in lines(plot(workload, over=over)):
        assert all(60 <= x <= 1040 and 89.9 <= y <= 330.1 for x, y in line)
