"""`python -m tests.soak.publish`: puts the figures of a soak run, of a fuzz run, or of both, into the documentation.

What the page shows of them stands between two comments, and is made of the files beside it: docs/benchmarks/soak.json,
soak.svg and fuzz.json.
"""

from __future__ import annotations

import argparse
import json
import sys
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from benchmarks.publish import replaced
from tests.pipeline_faults.kinds import Kind
from tests.soak.figures import Figures
from tests.soak.plot import svg

if TYPE_CHECKING:
    from collections.abc import Sequence

_ROOT: Final = Path(__file__).parents[2]
PAGE: Final = _ROOT / "docs" / "how-it-is-tested.md"
SOAK: Final = _ROOT / "docs" / "benchmarks" / "soak.json"
FUZZ: Final = SOAK.with_name("fuzz.json")
PLOT: Final = SOAK.with_name("soak.svg")
_MOST_SAMPLES: Final = 120


def soak_text(figures: Figures) -> str:
    """What the page says of a soak run."""
    end = "**keys diverged**" if figures.divergent else "no key was wrong that no failover took"
    memory = [sample.client_mb for sample in figures.samples[1:]] or [0.0]
    servers = [sample.servers_mb for sample in figures.samples[1:]] or [0.0]
    held = figures.held[1:] or [0]
    first = (
        f"The last long run began on {figures.started} and took {figures.seconds / 3600:.1f} hours: "
        f"**{figures.applies:,} guarded applies**, {figures.changes:,} changes of {figures.keys:,} items, "
        f"{figures.invocations:,} invocations ({figures.failed_invocations:,} of them failed), {figures.rounds:,} "
        f"rounds, {figures.struck:,} faults (what the table counts in guards, items or records left out); {end}. "
        f"Failovers took {figures.lost:,} writes: verify found each of them, and repair healed it."
    )
    second = (
        f"It made {figures.rate:,.0f} applies a second on {figures.machine.get('cores', '?')} cores, which six "
        f"servers, the client and other programs shared. The client's memory was between {min(memory):,.0f} and "
        f"{max(memory):,.0f} MB, that of all servers between {min(servers):,.0f} and {max(servers):,.0f} MB. After "
        f"the second round the client held {held[0] / 1000:,.0f} thousand objects, after half of them "
        f"{held[len(held) // 2] / 1000:,.0f} thousand, after the last {held[-1] / 1000:,.0f} thousand. Seed "
        f"`{figures.seed}`."
    )
    return f"{_wrapped(first)}\n\n{_wrapped(second)}"


def faults_text(figures: Figures) -> str:
    """The table of faults."""
    lines = ["| fault | how it is made, and how it is seen | times |", "|---|---|---:|"]
    lines += [f"| {kind.value} | {kind.how} | {figures.faults.get(kind.value, 0):,} |" for kind in Kind]
    return "\n".join(lines)


def fuzz_text(figures: dict[str, Any]) -> str:
    """What the page says of a fuzz run."""
    targets = ", ".join(f"{name} {found['inputs']:,}" for name, found in figures["targets"].items())
    slowest = max(found["slowest_ms"] for found in figures["targets"].values())
    return _wrapped(
        f"The last long run: {figures['inputs']:,} inputs in {figures['seconds'] / 60:.0f} minutes of one core, seed "
        f"`{figures['seed']}`, {figures['defects']} defects. The slowest input took {slowest:,.0f} ms, and the process "
        f"had {figures['largest_mb']} MB at the most. By target: {targets}."
    )


def _wrapped(text: str) -> str:
    return textwrap.fill(text, 120, break_long_words=False, break_on_hyphens=False)


def thinned(figures: Figures) -> Figures:
    """The same with no more samples than a plot can show."""
    step = max(1, -(-len(figures.samples) // _MOST_SAMPLES))
    last = figures.samples[-1:]
    figures.samples = figures.samples[::step] + (last if figures.samples[::step][-1:] != last else [])
    return figures


def page_text() -> str:
    """The page as the files beside it would have it."""
    text = PAGE.read_text(encoding="utf-8")
    figures = Figures.read(SOAK)
    text = replaced(text, "soak", soak_text(figures))
    text = replaced(text, "faults", faults_text(figures))
    return replaced(text, "fuzz", fuzz_text(json.loads(FUZZ.read_text(encoding="utf-8"))))


def main(arguments: Sequence[str] | None = None) -> int:
    """Publish."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak.publish", description=__doc__)
    parser.add_argument("--soak", type=Path, help="figures that python -m tests.soak --json wrote")
    parser.add_argument("--fuzz", type=Path, help="figures that python -m tests.fuzz --json wrote")
    chosen = parser.parse_args(arguments)
    if chosen.soak is not None:
        figures = thinned(Figures.read(chosen.soak))
        figures.write(SOAK)
        PLOT.write_text(svg(figures), encoding="utf-8")
    if chosen.fuzz is not None:
        FUZZ.write_bytes(chosen.fuzz.read_bytes())
    PAGE.write_text(page_text(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
