from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from tests.cli.conftest import Cli

from ddb_cache_sync.estimate import Workload, default_prices, estimate
from ddb_cache_sync.estimate.formulas import FORMULAS


def test_an_estimate_stands_beside_the_original(cli: Cli) -> None:
    """On stdout, with the first bottleneck; nothing on stderr where nothing is wrong."""
    shown = cli("estimate")
    assert (shown.code, shown.err) == (0, "")
    assert "ddb-cache-sync" in shown.out
    assert "original sample" in shown.out
    assert "First bottleneck: " in shown.out
    assert " writes/s, as shards are added with the writes. " in shown.out
    assert "original sample: the AWS sample" in shown.out
    assert "as shards are added" not in cli("estimate", "--shards", "1").out


def test_json_is_the_whole_estimate(cli: Cli) -> None:
    """For the options given."""
    shown = cli("estimate", "--writes-per-second", "50", "--items", "7", "--shards", "2", "--json").json
    found = estimate(Workload(writes_per_second=50, items=7, shards=2))
    assert shown["workload"] == {**shown["workload"], "writes_per_second": 50.0, "items": 7, "shards": 2}
    assert shown["ours"]["cost"]["serverless"] == found.ours.cost.serverless
    assert shown["original"]["keeps_up"] is True


def test_warnings_go_to_stderr(cli: Cli) -> None:
    """And the estimate to stdout all the same, with exit code 0: it was made."""
    shown = cli("estimate", "--shards", "1", "--writes-per-second", "20000")
    assert shown.code == 0
    assert "NO: 5,525 writes/s" in shown.out
    assert shown.err.startswith("warning: It falls behind")


def test_every_formula_is_explained(cli: Cli) -> None:
    """With what it gives."""
    shown = cli("estimate", "--explain").out
    assert all(formula.text in shown for formula in FORMULAS)


def test_every_number_is_shown_with_its_source(cli: Cli) -> None:
    """In a table, or as JSON."""
    shown, as_json = cli("estimate", "--show-prices").out, cli("estimate", "--show-prices", "--json").json
    for name, number in default_prices().numbers.items():
        assert f"{number.kind}.{name} " in shown
        assert number.source in shown
        assert as_json[name]["source"] == number.source


def test_numbers_of_ones_own_are_used(cli: Cli, tmp_path: Path) -> None:
    """And shown."""
    file = tmp_path / "mine.toml"
    file.write_text("[price.node_hour]\nvalue = 10\n")
    assert cli("estimate", "--prices", str(file), "--json").json["ours"]["cost"]["nodes"] == 2 * 730 * 10
    assert cli("estimate", "--prices", str(file), "--show-prices", "--json").json["node_hour"]["value"] == 10


def test_a_plot_is_written(cli: Cli, tmp_path: Path) -> None:
    """Of either kind; a folder that is not there is told."""
    file = tmp_path / "plot.svg"
    for over in ("writes-per-second", "batch-size"):
        assert cli("estimate", "--plot", str(file), "--plot-over", over).code == 0
        assert ET.parse(file).getroot().tag.endswith("svg")
        assert over.replace("-", " ") in file.read_text("utf-8")
    missing = cli("estimate", "--plot", str(tmp_path / "none" / "plot.svg"))
    assert (missing.code, missing.out) == (2, "")
    assert "can't write" in missing.err


@pytest.mark.parametrize("name", ["plot.png", "plot", "svg"])
def test_a_plot_is_an_svg_and_nothing_else(cli: Cli, tmp_path: Path, name: str) -> None:
    """A file that says it is something else is not written."""
    file = tmp_path / name
    refused = cli("estimate", "--plot", str(file))
    assert (refused.code, refused.out, file.exists()) == (2, "", False)
    assert refused.err == f"wrong usage: can't draw {file}: the plot is an SVG. Name a file that ends in .svg.\n"


def test_what_cant_be_right_is_wrong_usage(cli: Cli, tmp_path: Path) -> None:
    """With the bounds, and exit code 2."""
    refused = cli("estimate", "--batch-size", "0")
    assert (refused.code, refused.out) == (2, "")
    assert refused.err == "wrong usage: batch size of 0. It must be from 1 to 10,000.\n"
    assert cli("estimate", "--prices", str(tmp_path / "none.toml")).code == 2
