"""The benchmarks, in the order in which they run."""

from collections.abc import Callable, Iterator
from typing import Final, NamedTuple, TypeAlias

from benchmarks.figures import (
    backfill,
    bounds,
    cluster,
    encoding,
    event_memory,
    guard_memory,
    hot_keys,
    importing,
    round_trip,
    scaling,
    standalone,
)
from benchmarks.results import Result
from benchmarks.workbench import Workbench

RunBenchmark: TypeAlias = Callable[[Workbench], Iterator[Result]]


class Benchmark(NamedTuple):
    """Figures and tables that are measured together."""

    name: str
    run: RunBenchmark
    """Gives its results; raises `Unmeasurable` where this machine lacks something."""


BENCHMARKS: Final = (
    Benchmark("standalone", standalone.run),
    Benchmark("cluster", cluster.run),
    Benchmark("round-trip", round_trip.run),
    Benchmark("encoding", encoding.run),
    Benchmark("hot-keys", hot_keys.run),
    Benchmark("backfill", backfill.run),
    Benchmark("import", importing.run),
    Benchmark("event-memory", event_memory.run),
    Benchmark("guard-memory", guard_memory.run),
    Benchmark("bounds", bounds.run),
    Benchmark("scaling", scaling.run),
)
