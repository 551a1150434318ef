"""Whether a cache is right once all is drained; and where it is not, whether the consistency model says so.

(The cache itself looks in every step at the keys to which their newest change has come: see `Wrong`.)

Rule: an item may be wrong only for a reason that `docs/consistency-model.md` names under "Not promised", and only where
the log shows the whole chain that leads there. Anything else is a defect.

| reason | what the log must show |
|---|---|
| failover | the newest change was applied, and a failover lost that |
| guard evicted | the newest change was applied, the guard was evicted afterwards, and something older came after that |
| value evicted | nothing has written the key since, and it is missing |
| old replay | the same, where the guard had expired, or was never set, and the record came from an archive |
| no stream | the newest change was made while the stream was off |
| trimmed | the newest change was in the stream for 24 h and nobody read it |
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from tests.simulation.cache import ARCHIVE, Happened, SimulatedCache
from tests.simulation.table import Item, Table

from ddb_cache_sync.core.outcomes import APPLIED

REASONS: Final = ("failover", "guard evicted", "value evicted", "old replay", "no stream", "trimmed")


class DivergenceError(AssertionError):
    """The cache is wrong, and nothing excuses it. Its text says with which seed, and what happened to the item."""


def wrong_items(table: Table, cache: SimulatedCache) -> list[Item]:
    """The items for which the cache holds anything but their newest image.

    Raises:
        DivergenceError: The cache holds a key that no item has, or what an item never was.
    """
    foreign = cache.values.keys() - {item.cache_key for item in table.items}
    if foreign:
        raise DivergenceError(f"keys that no item has: {sorted(foreign)}")
    wrong = []
    for item in table.items:
        found = cache.values.get(item.cache_key)
        if found != item.changes[-1].value:
            if found not in {change.value for change in item.changes} | {None}:
                raise DivergenceError(f"{item.cache_key} holds what it never was: {found!r}")
            wrong.append(item)
    return wrong


def histories(items: Sequence[Item], cache: SimulatedCache) -> dict[str, list[tuple[int, Happened]]]:
    """What happened to these items, by cache key, with the places in the log."""
    keys = {name: item.cache_key for item in items for name in (item.cache_key, item.guard)}
    found: dict[str, list[tuple[int, Happened]]] = {item.cache_key: [] for item in items}
    for place, entry in enumerate(cache.log):
        if entry[3] in keys:
            found[keys[entry[3]]].append((place, Happened(*entry)))
    return found


def excuse(item: Item, history: Sequence[tuple[int, Happened]], table: Table, cache: SimulatedCache) -> str | None:
    """Why this item may be wrong; None: it may not."""
    newest = item.changes[-1]
    if not newest.version and len(item.changes) > 1:
        return "no stream"
    losses = list(_losses(cache))
    kept = [happened for place, happened in history if not any(place in loss for loss in losses)]
    lost = [happened for place, happened in history if any(place in loss for loss in losses)]
    applied = [place for place, each in enumerate(kept) if each.what == "apply" and _settles(each, item)]
    if not applied and any(_settles(each, item) for each in lost):
        return "failover"
    if not applied and any(newest.version.endswith(f":{number}") for each in table.streams for number in each.trimmed):
        return "trimmed"
    since = kept[applied[-1] + 1 :] if applied else [each for each in kept if each.at >= newest.at]
    # Where a redrive has read the item, no guard holds its newest change: one that expired could not hold it either.
    return _guard_gone(item, since, set() if applied else {"guard expired"}) or _value_gone(item, kept, cache)


def _guard_gone(item: Item, since: Sequence[Happened], gone: set[str]) -> str | None:
    """Whether something older came where there was no guard any more, and why there was none."""
    for each in since:
        if each.what in ("guard evicted", "guard expired"):
            gone.add(each.what)
        elif not _settles(each, item) and each.result in (APPLIED, None):
            if "guard evicted" in gone:
                return "guard evicted"
            if "guard expired" in gone and each.source == ARCHIVE:
                return "old replay"
    return None


def _value_gone(item: Item, kept: Sequence[Happened], cache: SimulatedCache) -> str | None:
    """Whether the value is missing because it was evicted, and not written since."""
    evicted = [place for place, each in enumerate(kept) if each.what == "value evicted"]
    written = evicted and any(each.result is APPLIED for each in kept[evicted[-1] :])
    return "value evicted" if evicted and not written and item.cache_key not in cache.values else None


def _settles(happened: Happened, item: Item) -> bool:
    """Whether this brought the newest change, or what it made of the item."""
    newest = item.changes[-1]
    if happened.result is not APPLIED:
        return False
    if happened.what == "apply":
        return happened.version == newest.version
    return happened.what in ("fill", "repair", "reader") and happened.at >= newest.at and happened.value == newest.value


def _losses(cache: SimulatedCache) -> Iterator[range]:
    """The parts of the log that a failover has lost."""
    for place, entry in enumerate(cache.log):
        if entry[1] == "failover":
            yield range(int(entry[4]), place)
