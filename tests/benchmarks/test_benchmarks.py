"""Whether the benchmarks run and say what they should. Never how fast anything is."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

import pytest

if TYPE_CHECKING:
    from collections.abc import Sequence

ROOT = Path(__file__).parents[2]

FIGURES = {
    "plain-pipeline": "≥ 0.9",
    "cluster": "≥ 1.2",
    "powertools": "≥ 3",
    "one-by-one": "≥ 3",
    "one-by-one-0.5ms": "≥ 30",
    "encoding": "≥ 4",
    "hot-keys": "≥ 1.5",
    "backfill": "≥ 0.7",
    "import": "≤ 1.25",
    "event-memory": "≤ 1.5",
    "guard-memory": "≤ 100",
}
TABLES = {"client-cost", "server-cost", "batch-size", "item-size", "attributes", "appliers"}


def benchmarks(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "benchmarks", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=100)


def titles(results: Sequence[dict[str, Any]]) -> list[str]:
    return [result["title"] for result in results]


@pytest.mark.long
@pytest.mark.servers
def test_all_benchmarks_run_and_report_every_figure_with_its_target(tmp_path: Path) -> None:
    """A tiny run gives each figure a value or a reason, in the text, the JSON and the plot alike."""
    json_file, plot_file = tmp_path / "new" / "results.json", tmp_path / "new" / "results.svg"
    run = benchmarks("--smoke", "--json", str(json_file), "--plot", str(plot_file))
    assert run.returncode == 0, run.stderr

    results = json.loads(json_file.read_text("utf-8"))
    assert {figure["name"]: figure["target"] for figure in results["figures"]} == FIGURES
    assert {table["name"] for table in results["tables"]} == TABLES
    assert {"processor", "cores", "server", "Python", "redis", "hiredis"} <= results["machine"].keys()
    for figure in results["figures"]:
        if figure["value"] is None:
            assert figure["skipped"]
            assert figure["is_met"] is None
        else:
            value = figure["value"]
            assert 0 < value["lowest"] <= value["median"] <= value["highest"]
            assert figure["contenders"]
            assert isinstance(figure["is_met"], bool)
    for table in results["tables"]:
        assert table["rows"]
        assert all(len(row) == len(table["columns"]) for row in table["rows"])
    for title in titles(results["figures"] + results["tables"]):
        assert title in run.stdout

    drawn = "".join(ET.fromstring(plot_file.read_text("utf-8")).itertext())
    for title in titles(results["figures"]):
        assert title.partition(": ")[2] in drawn


@pytest.mark.servers
def test_only_runs_what_is_asked_for(tmp_path: Path) -> None:
    """`--only` leaves the other benchmarks out, and `--rounds` goes before the scale's."""
    json_file = tmp_path / "results.json"
    run = benchmarks("--smoke", "--only", "encoding", "--rounds", "2", "--json", str(json_file))
    assert run.returncode == 0, run.stderr

    results = json.loads(json_file.read_text("utf-8"))
    assert [figure["name"] for figure in results["figures"]] == ["encoding"]
    assert results["tables"] == []
    assert results["scale"]["rounds"] == 2


@pytest.mark.parametrize("arguments", [("--only", "nothing"), ("--rounds", "0")])
def test_wrong_usage_is_refused(arguments: tuple[str, ...]) -> None:
    """Wrong usage exits with 2 and measures nothing."""
    run = benchmarks(*arguments)
    assert run.returncode == 2
    assert arguments[0] in run.stderr
