"""A run: as many episodes as it takes for so many deliveries."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from tests.simulation.episode import Episode


@dataclass(slots=True)
class RunReport:
    """What a run came to."""

    seed: int
    episodes: int = 0
    deliveries: int = 0
    changes: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    """How often each fault happened, and more."""
    excused: Counter[str] = field(default_factory=Counter)
    """Items that were wrong until they were repaired, by the reason why they may be."""


def simulate(
    deliveries: int,
    seed: int,
    *,
    first_episode: int = 0,
    on_episode: Callable[[RunReport], object] = lambda _: None,
    **options: Any,
) -> RunReport:
    """Run episodes until there were so many deliveries.

    Args:
        deliveries: How many, at least.
        seed: Decides everything.
        first_episode: The number of the first.
        on_episode: Called after each.
        options: Those of `Episode`.

    Raises:
        DivergenceError: A cache was wrong, and nothing excuses it.
    """
    report = RunReport(seed)
    with _quiet():
        for number in count(first_episode):
            result = Episode(seed, number, **options).run()
            report.episodes += 1
            report.deliveries += result.deliveries
            report.changes += result.changes
            report.counts += result.counts
            report.excused += result.excused
            on_episode(report)
            if report.deliveries >= deliveries:
                return report
    raise AssertionError("count() has no end")


@contextmanager
def _quiet() -> Iterator[None]:
    """Poison records are part of it: no need to say so a thousand times."""
    log = logging.getLogger("ddb_cache_sync")
    before = log.level
    log.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        log.setLevel(before)
