"""A million deliveries in which everything goes wrong: nothing is lost but what the consistency model says."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.simulation.__main__ import main
from tests.simulation.broken import BROKEN
from tests.simulation.checker import REASONS, DivergenceError
from tests.simulation.connection import CONNECTION_FAULTS
from tests.simulation.function import INVOCATION_FAULTS, SLOWLY
from tests.simulation.run import simulate

ROOT = Path(__file__).parents[2]
SHARES = 4
DELIVERIES = 1_000_000 // SHARES
FAULTS = (
    *INVOCATION_FAULTS,
    *CONNECTION_FAULTS,
    SLOWLY,
    "archive replayed",
    "backfill killed",
    "backfill refused a page that was too old",
    "batch given up",
    "cache outage",
    "event source mapping disabled",
    "event source mapping made anew",
    "function down",
    "function killed",
    "guard evicted",
    "guard expired",
    "item filled",
    "item the stream had spoken of",
    "poison record",
    "read",
    "read behind",
    "record redriven as it is",
    "record redriven by a repair",
    "record trimmed before it was read",
    "repair found its guard moved",
    "repair stopped",
    "repair written",
    "second event source mapping",
    "shard rolled over",
    "shard split",
    "stream made anew",
    "stream switched off",
    "value evicted",
    "verification",
    "writes lost in a failover",
)


@pytest.mark.parametrize("share", range(SHARES))
def test_a_million_deliveries_lose_nothing(share: int) -> None:
    """Every kind of fault fires, every exception that the consistency model makes occurs, and a repair heals those."""
    report = simulate(DELIVERIES, seed=share)
    assert report.deliveries >= DELIVERIES
    assert [fault for fault in FAULTS if not report.counts[fault]] == []
    assert report.excused.keys() == {*REASONS}


@pytest.mark.long
@pytest.mark.parametrize("rule", BROKEN)
def test_a_broken_rule_is_found_out(rule: str) -> None:
    """Within some thousand deliveries, and so that it can be replayed."""
    with pytest.raises(DivergenceError) as found:
        simulate(400_000, seed=1, **BROKEN[rule])
    assert re.match(r"--seed 1 --episode \d+, after \d+ deliveries: ", str(found.value))


def test_a_divergence_shows_the_least_that_leads_there() -> None:
    """Two steps, where the last one wins."""
    with pytest.raises(DivergenceError) as found:
        simulate(50_000, seed=1, **BROKEN["LastOneWins"])
    _, _, after = str(found.value).partition("the least that leads there:\n")
    least = after.partition("all that happened")[0].splitlines()
    assert len(least) == 2
    assert all(line.startswith("  apply (") for line in least)


def test_the_command_replays_a_seed_exactly() -> None:
    """In another process too, whatever the order of its sets."""
    command = [sys.executable, "-m", "tests.simulation", "--deliveries", "5000", "--seed", "7"]
    runs = [
        subprocess.run(
            command, env={**os.environ, "PYTHONHASHSEED": number}, cwd=ROOT, capture_output=True, text=True, check=True
        )
        for number in ("1", "2")
    ]
    one, other = (re.sub(r"(?m)^[\d.]+ s$", "", run.stdout) for run in runs)
    assert one == other
    assert one.startswith("seed 7\n")
    assert one.endswith("everything else was right\n")


def test_the_command_fails_on_a_divergence(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """And says which episode to look at."""

    def broken(deliveries: int, seed: int, **options: Any) -> Any:
        return simulate(deliveries, seed, **options, **BROKEN["LastOneWins"])

    monkeypatch.setattr("tests.simulation.__main__.simulate", broken)
    assert main(["--deliveries", "50000", "--seed", "1"]) == 1
    shown = capsys.readouterr().out
    [episode] = re.findall(r"DIVERGENCE --seed 1 --episode (\d+)", shown)
    assert main(["--seed", "1", "--episode", episode]) == 1
    assert capsys.readouterr().out == shown
