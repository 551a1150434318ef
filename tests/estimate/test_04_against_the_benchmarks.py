"""The numbers used, against what the benchmarks measured: within a factor, since machines and items differ."""

import json
from pathlib import Path
from typing import Any

import pytest

from ddb_cache_sync.estimate import Workload, default_prices
from ddb_cache_sync.estimate.function import original_work, our_work

RESULTS = json.loads((Path(__file__).parents[2] / "docs" / "benchmarks" / "results.json").read_text("utf-8"))
PRICES = default_prices()
FACTOR = 2
"""As the guide says."""


def rows(table: str) -> list[list[Any]]:
    [found] = [each["rows"] for each in RESULTS["tables"] if each["name"] == table]
    return list(found)


def figure(name: str) -> dict[str, Any]:
    [found] = [each for each in RESULTS["figures"] if each["name"] == name]
    return dict(found)


def contender(name: str, of: str) -> float:
    [found] = [each["value"]["median"] for each in figure(of)["contenders"] if each["name"] == name]
    return float(found)


LOOPBACK_MS = contender("PING without it", "one-by-one-0.5ms")


def is_near(estimated: float, measured: float, factor: float = FACTOR) -> bool:
    return measured / factor <= estimated <= measured * factor


@pytest.mark.parametrize("row", rows("batch-size"), ids=lambda row: row[0])
def test_a_record_costs_what_was_measured_in_batches_of_any_size(row: list[Any]) -> None:
    """Items of 600 B."""
    records = int(row[0].replace(",", ""))
    work = our_work(Workload(item_bytes=600), PRICES)
    assert is_near(work.milliseconds(records, LOOPBACK_MS) * 1000 / records, row[1])


@pytest.mark.parametrize("row", rows("item-size"), ids=lambda row: row[0])
def test_a_record_costs_what_was_measured_for_items_of_any_size(row: list[Any]) -> None:
    """Those of many attributes; one long string costs less."""
    size, records = int(row[0].removesuffix(" B").replace(",", "")), row[1]
    work = our_work(Workload(item_bytes=size), PRICES)
    assert is_near(work.milliseconds(records, LOOPBACK_MS) * 1000 / records, row[2])


def test_the_rate_is_what_was_measured() -> None:
    """Batches of 1,000."""
    work = our_work(Workload(item_bytes=600), PRICES)
    assert is_near(1000 / work.milliseconds(1000, LOOPBACK_MS) * 1000, contender("ours", "plain-pipeline"))


def test_the_originals_rate_is_what_was_measured() -> None:
    """On this machine, and half a millisecond away."""
    work = original_work(PRICES)
    away = contender("PING through the proxy", "one-by-one-0.5ms")
    assert is_near(1000 / work.milliseconds(1, LOOPBACK_MS), contender("one SET a record", "one-by-one"))
    assert is_near(1000 / work.milliseconds(1, away), contender("one SET a record", "one-by-one-0.5ms"))


def test_a_guard_is_as_large_as_was_measured() -> None:
    """Within what the number of keys makes of it."""
    [whole] = [each["value"] for each in figure("guard-memory")["contenders"]]
    assert whole["lowest"] <= PRICES["guard_bytes"] <= whole["highest"]


def test_the_server_needs_what_was_measured() -> None:
    """A script of one key needs more of it than a key of a script with 25."""
    (_, in_script, with_script, _), (_, _, with_set, _) = rows("server-cost")
    assert is_near(PRICES["script_micros"], in_script)
    assert is_near(PRICES["script_thread_micros"], with_script)
    assert is_near(PRICES["set_thread_micros"], with_set)
