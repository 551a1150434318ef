"""The command line of the benchmarks."""

import argparse
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

from benchmarks.machine import description
from benchmarks.plot import svg
from benchmarks.registry import BENCHMARKS, Benchmark
from benchmarks.report import text
from benchmarks.results import Result, as_json
from benchmarks.workbench import FULL, QUICK, SMOKE, Scale, Unmeasurable, Workbench


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, write. Gives the exit code; a target that is not met is a result and no failure."""
    options = _parser().parse_args(arguments)
    scale: Scale = options.scale if options.rounds is None else replace(options.scale, rounds=options.rounds)
    chosen = [benchmark for benchmark in BENCHMARKS if not options.only or benchmark.name in options.only]
    with Workbench(scale) as bench:
        machine = description(bench)
        results = [result for benchmark in chosen for result in _results(benchmark, bench)]
    sys.stdout.write(text(machine, results, scale.rounds))
    if options.json:
        written = {"machine": machine, "scale": asdict(scale), **as_json(results)}
        _write(options.json, json.dumps(written, indent=1, ensure_ascii=False) + "\n")
    if options.plot:
        _write(options.plot, svg(machine, results))
    return 0


def _results(benchmark: Benchmark, bench: Workbench) -> list[Result]:
    """What a benchmark gives; nothing, and a word on stderr, where it can't be run here."""
    started = time.monotonic()
    try:
        results = list(benchmark.run(bench))
    except Unmeasurable as reason:
        sys.stderr.write(f"{benchmark.name}: skipped: {reason}\n")
        return []
    sys.stderr.write(f"{benchmark.name}: {time.monotonic() - started:.1f} s\n")
    return results


def _write(path: Path, content: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content, encoding="utf-8")


def _rounds(argument: str) -> int:
    if (rounds := int(argument)) < 1:
        raise argparse.ArgumentTypeError("at least one round")
    return rounds


def _parser() -> argparse.ArgumentParser:
    names = [benchmark.name for benchmark in BENCHMARKS]
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="Measure ddb-cache-sync against the alternatives, on real servers of this machine. Results on "
        "stdout, progress on stderr.",
    )
    parser.add_argument(
        "--only",
        action="append",
        metavar="NAME",
        choices=names,
        help=f"run this one; may be repeated: {', '.join(names)}",
    )
    parser.add_argument("--rounds", type=_rounds, metavar="N", help="rounds of each comparison")
    sizes = parser.add_mutually_exclusive_group()
    sizes.add_argument(
        "--quick",
        action="store_const",
        const=QUICK,
        dest="scale",
        default=FULL,
        help="fewer rounds, half a minute in all",
    )
    sizes.add_argument(
        "--smoke",
        action="store_const",
        const=SMOKE,
        dest="scale",
        help="tiny events: shows that all runs, and no speed",
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the results as JSON")
    parser.add_argument("--plot", type=Path, metavar="FILE.svg", help="write a plot of the figures, SVG")
    return parser
