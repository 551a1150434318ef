"""Timing: contenders in turn, round after round.

Rule: no contender is timed twice in a row, and each goes first as often as the others, so that a slow moment of the
machine, or what one leaves behind in a processor's cache, falls on all alike.
"""

import gc
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

from benchmarks.results import Contender, Spread

Run: TypeAlias = Callable[[], object]
Times: TypeAlias = Mapping[str, Sequence[float]]
"""Seconds per unit of work, one for each round, by contender."""


def in_turn(contenders: Mapping[str, Run], *, rounds: int, units: Mapping[str, int] | int) -> Times:
    """Time each contender once a round, after one untimed run of each.

    Args:
        contenders: What to time, by name.
        rounds: How often.
        units: How many units of work one run does (records, items); by name where they differ.
    """
    for run in contenders.values():
        run()
    times: dict[str, list[float]] = {name: [] for name in contenders}
    names = list(contenders)
    for number in range(rounds):
        gc.collect()  # it works as in production, but starts each round with nothing to do
        first = number % len(names)
        for name in names[first:] + names[:first]:
            done = units if isinstance(units, int) else units[name]
            times[name].append(seconds(contenders[name]) / done)
    return times


def seconds(run: Run) -> float:
    """The time that one run takes."""
    started = time.perf_counter()
    run()
    return time.perf_counter() - started


def times_faster(times: Times, name: str, than: str) -> Spread:
    """How many times as fast one contender was as another: the ratio of each round."""
    return Spread.of([other / own for own, other in zip(times[name], times[than], strict=True)])


def rate(times: Times, name: str, unit: str = "records/s") -> Contender:
    """A contender's units of work a second."""
    return Contender(name, Spread.of([1 / each for each in times[name]]), unit)


def micros(times: Times, name: str, unit: str = "µs") -> Contender:
    """A contender's microseconds per unit of work."""
    return Contender(name, Spread.of([each * 1e6 for each in times[name]]), unit)
