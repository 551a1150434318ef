"""What can't be right is refused, with what would be."""

import math
from pathlib import Path

import pytest

from ddb_cache_sync import ConfigurationError
from ddb_cache_sync.estimate import Workload, default_prices, estimate, read_prices


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("writes_per_second", 0),
        ("writes_per_second", math.nan),
        ("writes_per_second", math.inf),
        ("item_bytes", 0),
        ("item_bytes", 409_601),
        ("key_bytes", 0),
        ("items", -1),
        ("batch_size", 0),
        ("batch_size", 10_001),
        ("window_seconds", 301),
        ("parallelization", 11),
        ("memory_mb", 64),
        ("round_trip_ms", 0),
        ("shards", 0),
    ],
)
def test_a_workload_within_no_services_limits_is_refused(field: str, value: float) -> None:
    """By name, with the bounds."""
    with pytest.raises(ConfigurationError, match=rf"{field.replace('_', ' ')} of .*It must be from"):
        Workload(**{field: value})  # type: ignore[arg-type]


def test_every_number_says_where_it_comes_from() -> None:
    """Prices with their Region, all with a date."""
    for number in default_prices().numbers.values():
        assert number.source, number.name
        assert number.as_of[:2] == "20", number.name
        assert (number.region == "us-east-1") == (number.kind == "price")


def test_a_file_goes_over_the_numbers_entry_by_entry(tmp_path: Path) -> None:
    """What is not in it stays; what was said of the old value does not."""
    file = tmp_path / "mine.toml"
    file.write_text('[price.node_hour]\nvalue = 1\nregion = "eu-west-1"\nas_of = "2026-11-23"\n')
    mine = read_prices(file)
    assert (mine["node_hour"], mine["logs_gb"]) == (1.0, default_prices()["logs_gb"])
    number = mine.numbers["node_hour"]
    assert (number.region, number.as_of, number.source) == ("eu-west-1", "2026-11-23", str(file))
    assert estimate(Workload(), mine).ours.cost.nodes == 2 * 730


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("[price", "is not TOML"),
        ("[cost.node_hour]\nvalue = 1", "cost is no table of numbers"),
        ("price = 1", "price is no table of numbers"),
        ("[price.node_hours]\nvalue = 1", "there is no number price.node_hours.*node_hour"),
        ("[limit.node_hour]\nvalue = 1", "there is no number limit.node_hour"),
        ("[price]\nnode_hour = 1", "price.node_hour has no value"),
        ('[price.node_hour]\nvalue = "1"', "the value is no number"),
        ("[price.node_hour]\nvalue = true", "the value is no number"),
        ("[price.node_hour]\nvalue = nan", "the value is no number"),
        ("[price.node_hour]\nvalue = -1", "-1 can't be right. It is in USD"),
        ("[limit.polls_per_second]\nvalue = 0", "0 can't be right"),
        ("[limit.node_reserved_share]\nvalue = 1", "1 can't be right"),
        ("[limit.account_concurrency]\nvalue = 0.5", "0.5 can't be right"),
        ("[price.node_hour]\nvalue = 1\nsauce = 'x'", "a member that is unknown"),
        ("[price.node_hour]\nvalue = 1\nas_of = 2026-11-23", "a member that is unknown or no text"),
    ],
)
def test_a_file_that_cant_be_right_is_refused(tmp_path: Path, text: str, problem: str) -> None:
    """A mistyped name would change nothing, silently."""
    file = tmp_path / "mine.toml"
    file.write_text(text)
    with pytest.raises(ConfigurationError, match=problem):
        read_prices(file)


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    """As the system says it."""
    with pytest.raises(ConfigurationError, match=r"can't read .*No such file"):
        read_prices(tmp_path / "none.toml")


def test_a_price_may_be_nothing_and_a_cache_need_reserve_nothing(tmp_path: Path) -> None:
    """Logs that are switched off cost nothing."""
    file = tmp_path / "mine.toml"
    file.write_text("[price.logs_gb]\nvalue = 0\n[limit.node_reserved_share]\nvalue = 0")
    assert estimate(Workload(), read_prices(file)).ours.cost.logs == 0
