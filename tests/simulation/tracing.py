"""What to show of a divergence: all that happened to the item, and the least of it that leaves a cache wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress

from tests.simulation.cache import Happened, SimulatedCache
from tests.simulation.table import Item
from tests.simulation.world import START, World

from ddb_cache_sync.core.outcomes import APPLIED
from ddb_cache_sync.core.repairs import Repair
from ddb_cache_sync.core.versions import Version
from ddb_cache_sync.core.writes import Write
from ddb_cache_sync.errors import CacheUnavailable

_NO_VERSION = Version.of(0, "0")


def trace(item: Item, history: Sequence[Happened], cache: SimulatedCache) -> str:
    """What happened to an item, as text."""
    expected, found = item.changes[-1].value, cache.values.get(item.cache_key)
    lines = [
        f"cache key {item.cache_key!r}: expected {expected!r}, found {found!r}",
        f"guard: {cache.guards.get(item.guard, 'none')}",
    ]
    least = shortest(item, history, type(cache), cache.guard_ttl_seconds)
    if least is not None:
        lines += ["the least that leads there:", *(f"  {_line(each)}" for each in least)]
    lines += ["all that happened, seconds since the beginning:"]
    changed = [
        (change.at, f"  {change.at - START:14.3f} table: {change.value!r}, version {change.version or 'none'}")
        for change in item.changes
    ]
    done = [(each.at, f"  {each.at - START:14.3f} cache: {_line(each)}") for each in history]
    return "\n".join([*lines, *(line for _, line in sorted([*changed, *done], key=lambda each: each[0]))])


def shortest(
    item: Item,
    history: Sequence[Happened],
    cache_type: Callable[[World, float], SimulatedCache],
    guard_ttl_seconds: float,
) -> list[Happened] | None:
    """The fewest of these steps that leave a cache wrong though the newest change came; None: they alone don't."""

    def fails(steps: Sequence[Happened]) -> bool:
        world = World("")
        cache = cache_type(world, guard_ttl_seconds)
        for step in steps:
            _again(cache, item, step)
        came = any(step.what == "apply" and step.version == item.changes[-1].version for step in steps)
        return came and cache.values.get(item.cache_key) != item.changes[-1].value

    least = [step for step in history if step.what != "failover"]
    if not fails(least):
        return None
    place = 0
    while place < len(least):
        without = least[:place] + least[place + 1 :]
        if fails(without):
            least = without
        else:
            place += 1
    return least


def _again(cache: SimulatedCache, item: Item, step: Happened) -> None:
    write = Write(item.cache_key, item.guard, Version(step.version or _NO_VERSION), step.value)
    match step.what:
        case "apply":
            cache.apply([write])
        case "half":
            cache.break_after = 0
            with suppress(CacheUnavailable):
                cache.apply([write])
            cache.break_after = None
        case "fill":
            cache.fill([write])
        case "repair":
            cache.repair([Repair(write, step.version)])
        case "reader" if step.result is APPLIED:
            cache.fill([write])
        case "guard expired" | "guard evicted" | "guard dropped":
            cache.evict_guard(item.guard)
        case "value evicted":
            cache.evict_value(item.cache_key)


def _line(step: Happened) -> str:
    return " ".join(_words(step))


def _words(step: Happened) -> Iterator[str]:
    yield step.what
    if step.source:
        yield f"({step.source})"
    if step.version:
        yield f"version {step.version}"
    if step.what in ("apply", "half", "fill", "repair", "reader"):
        yield f"value {step.value!r}"
    if step.result is not None:
        yield f"-> {step.result}"
