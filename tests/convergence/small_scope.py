"""Every small history of one item, as a graph: its states, and all steps that lead from one to the next.

An item goes through three changes. Meanwhile, in any order and any number of times:

- a change that was made is delivered: by any number of appliers, as often as they like, wholly or with the script cut
  in half, its guard set and its value not;
- a backfill reads the item, and some time later writes it, or never;
- two repairs, one of which may be a redrive of something old, read the guard, then the item, and write it, or never;
- where `expiry` is on, the guard expires. A record made before the guard was last set is a day old by then, and does
  not come any more; what was read before that is too old to be written.

Whoever reads the table and writes the cache does so in steps, and everything else may happen in between. What is read
does not depend on how often something was delivered before, so a history with a million deliveries ends in one of these
states too: to look at every state is to look at every history.

Where the newest change was delivered wholly, the cache must hold what it says, whatever else has happened or will.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final, Literal, NamedTuple, TypeAlias

from ddb_cache_sync.core.guards import guard_key
from ddb_cache_sync.core.repairs import Repair, repaired
from ddb_cache_sync.core.versions import Version
from ddb_cache_sync.core.writes import Write

CHANGES: Final = 3
# One grows by a digit, one differs in the last digit: what text and doubles get wrong.
NUMBERS: Final = ("99999999999999999999998", "99999999999999999999999", "100000000000000000000000")
VERSIONS: Final = tuple(Version.of(1, number) for number in NUMBERS)

Value: TypeAlias = bytes | None


class CacheState(NamedTuple):
    """What the cache holds for the item."""

    guard: str
    """Empty: there is none."""
    value: Value


class Operation(NamedTuple):
    """One call of the cache."""

    kind: Literal["apply", "cut", "fill", "repair"]
    """`cut` is an `apply` that stops half-way."""
    version: str
    """The change's; for a repair what it found in the guard; empty: none."""
    value: Value

    def write(self, key: str) -> Write:
        """As a write of this cache key."""
        version = Version(self.version) if self.kind in ("apply", "cut") else Version.of(0, "0")
        return Write(key, guard_key(key), version, self.value)

    def repair(self, key: str) -> Repair:
        """As a repair of this cache key."""
        return Repair(self.write(key), self.version)


Step: TypeAlias = Callable[[CacheState, Operation], CacheState]
"""What an operation makes of a state of the cache."""


def images(kinds: Sequence[bool]) -> tuple[Value, ...]:
    """What the table holds before the first change, after it, and so on.

    Args:
        kinds: Before the first change, is there an item; and of each change, is it an upsert.
    """
    return tuple(b"v%d" % number if exists else None for number, exists in enumerate(kinds))


def transitions() -> list[tuple[CacheState, Operation]]:
    """Every operation on every state of the cache that there could be, whether a history leads there or not."""
    values = (None, *(b"v%d" % number for number in range(CHANGES + 1)))
    guards = ["", *VERSIONS, *map(repaired, VERSIONS), *(repaired(repaired(each)) for each in VERSIONS)]
    operations = [
        *(Operation("apply", version, value) for version in VERSIONS for value in values),
        *(Operation("cut", version, value) for version in VERSIONS for value in values),
        *(Operation("fill", "", value) for value in values),
        *(Operation("repair", found, value) for found in guards[:-CHANGES] for value in values),
    ]
    return [(CacheState(guard, value), operation) for guard in guards for value in values for operation in operations]


class _Reader(NamedTuple):
    """Somebody who writes to the cache what they have read from the table."""

    found: str
    """What they found in the guard, for a repair; empty: nothing, or a backfill."""
    read: int
    """How many changes the table had seen when they read it; -1: they have not yet."""
    lately: bool
    """Nobody has set the guard since they began."""


class State(NamedTuple):
    """Where everything stands."""

    made: int
    """How many changes the table has seen."""
    cache: CacheState
    settled: bool
    """The newest change was delivered wholly."""
    oldest: int
    """Changes before this one can't be delivered any more."""
    set_at: int
    """How many changes the table had seen when the guard was set last."""
    backfill: _Reader | None
    repairs: tuple[_Reader, ...]
    repairs_left: int


class Wrong(NamedTuple):
    """A state in which the cache is wrong, and the steps that lead there."""

    state: State
    steps: tuple[str, ...]


def explore(
    step: Step, kinds: Sequence[bool], *, repairs: int = 2, expiry: bool = True, forgetful: bool = False
) -> tuple[int, Wrong | None]:
    """Look at every state.

    Args:
        step: What an operation makes of a state of the cache.
        kinds: Before the first change, is there an item; and of each change, is it an upsert.
        repairs: How many repairs there are in all.
        expiry: Whether guards expire.
        forgetful: A guard that expires stops nobody: old records come, and what was read long ago is written.

    Returns:
        How many states were looked at, and the first that is wrong; None: there is none.
    """
    found = images(kinds)
    first = State(0, CacheState("", None), False, 0, 0, None, (), repairs)
    came_from: dict[State, tuple[State, str] | None] = {first: None}
    waiting = [first]
    for state in waiting:
        if state.settled and state.cache.value != found[CHANGES]:
            return len(came_from), Wrong(state, _steps_to(state, came_from))
        for name, following in _following(state, found, step, expiry=expiry, forgetful=forgetful):
            if following not in came_from:
                came_from[following] = (state, name)
                waiting.append(following)
    return len(came_from), None


def _steps_to(state: State, came_from: Mapping[State, tuple[State, str] | None]) -> tuple[str, ...]:
    steps: list[str] = []
    at = came_from[state]
    while at is not None:
        steps.append(at[1])
        at = came_from[at[0]]
    return tuple(reversed(steps))


def _following(
    state: State, found: Sequence[Value], step: Step, *, expiry: bool, forgetful: bool
) -> Iterator[tuple[str, State]]:
    """Every step from here."""
    made, cache = state.made, state.cache
    if made < CHANGES:
        yield "the table changes", state._replace(made=made + 1)
    for change in range(state.oldest, made):
        version, value = VERSIONS[change], found[change + 1]
        settled = state.settled or change == CHANGES - 1
        whole = step(cache, Operation("apply", version, value))
        yield f"change {change + 1} is delivered", _set(state, whole)._replace(settled=settled)
        yield f"change {change + 1} is delivered half", _set(state, step(cache, Operation("cut", version, value)))
    if expiry and cache.guard:
        gone = state._replace(cache=cache._replace(guard=""))
        yield "the guard expires", gone if forgetful else _without_the_old(gone)
    yield from _backfilling(state, found, step)
    yield from _repairing(state, found, step)


def _backfilling(state: State, found: Sequence[Value], step: Step) -> Iterator[tuple[str, State]]:
    if state.backfill is None or state.backfill.read < state.made:
        yield "the backfill reads", state._replace(backfill=_Reader("", state.made, True))
    if state.backfill is not None:
        filled = step(state.cache, Operation("fill", "", found[state.backfill.read]))
        # It may write the same again: a request that was sent twice.
        yield "the backfill writes", state._replace(cache=filled)


def _repairing(state: State, found: Sequence[Value], step: Step) -> Iterator[tuple[str, State]]:
    if state.repairs_left:
        begun = _Reader(state.cache.guard, -1, True)
        yield "a repair reads the guard", _with(state, begun)._replace(repairs_left=state.repairs_left - 1)
    for place, repair in enumerate(state.repairs):
        without = state._replace(repairs=state.repairs[:place] + state.repairs[place + 1 :])
        yield "a repair ends", without
        if repair.read < 0:
            yield "a repair reads the item", _with(without, repair._replace(read=state.made))
        else:
            after = step(state.cache, Operation("repair", repair.found, found[repair.read]))
            moved = after.guard != state.cache.guard
            yield "a repair writes", _set(without, after) if moved else without._replace(cache=after)


def _with(state: State, repair: _Reader) -> State:
    """The state with one repair more; which is which does not matter."""
    return state._replace(repairs=tuple(sorted((*state.repairs, repair))))


def _set(state: State, cache: CacheState) -> State:
    """The state after the guard was set."""
    return state._replace(
        cache=cache,
        set_at=state.made,
        backfill=None if state.backfill is None else state.backfill._replace(lately=False),
        repairs=tuple(sorted(repair._replace(lately=False) for repair in state.repairs)),
    )


def _without_the_old(state: State) -> State:
    """What can still come when a guard's time to live has passed since it was set."""
    return state._replace(
        oldest=state.set_at,
        backfill=state.backfill if state.backfill is not None and state.backfill.lately else None,
        repairs=tuple(repair for repair in state.repairs if repair.lately),
    )
