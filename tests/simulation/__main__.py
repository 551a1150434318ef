"""`python -m tests.simulation`: a simulation as long as one likes. Says its seed, and exits with 1 on a divergence."""

from __future__ import annotations

import argparse
import secrets
import sys
import time
from collections.abc import Sequence

from tests.simulation.checker import DivergenceError
from tests.simulation.run import RunReport, simulate


def main(arguments: Sequence[str] | None = None) -> int:
    """Run it; None takes the command line's arguments."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--deliveries", type=int, default=1_000_000, help="how many records to deliver (1,000,000)")
    parser.add_argument("--seed", type=int, help="replays a run exactly (default: another one each time)")
    parser.add_argument("--episode", type=int, help="runs this episode of the run, and no other")
    given = parser.parse_args(arguments)
    seed = secrets.randbelow(10**9) if given.seed is None else given.seed
    print(f"seed {seed}", flush=True)
    started = time.monotonic()
    try:
        report = simulate(
            given.deliveries if given.episode is None else 1, seed, first_episode=given.episode or 0, on_episode=_show
        )
    except DivergenceError as error:
        print(f"\nDIVERGENCE {error}")
        return 1
    seconds = time.monotonic() - started
    _clear()
    print(f"{report.deliveries:,} deliveries of {report.changes:,} changes in {report.episodes:,} episodes")
    print(f"{seconds:.1f} s")
    for name, number in sorted(report.counts.items()):
        print(f"  {number:>10,}  {name}")
    print(
        f"{sum(report.excused.values()):,} items were wrong as the consistency model allows, until they were repaired:"
    )
    for name, number in sorted(report.excused.items()):
        print(f"  {number:>10,}  {name}")
    print("everything else was right")
    return 0


def _show(report: RunReport) -> None:
    if sys.stderr.isatty():
        print(f"\r{report.episodes:,} episodes, {report.deliveries:,} deliveries", end="", file=sys.stderr, flush=True)


def _clear() -> None:
    if sys.stderr.isatty():
        print("\r\x1b[K", end="", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
