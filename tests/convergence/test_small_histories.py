"""Every small history of one item, exhaustively: once the newest change has come, the cache holds it and nothing else.

`small_scope` says what a history is. The model is explored; and the scripts, on a real server, do what the model does
in every step that there is, so what is explored are the scripts as well.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from itertools import product

import pytest
import redis
from tests.convergence.small_scope import (
    CHANGES,
    NUMBERS,
    VERSIONS,
    CacheState,
    Operation,
    Step,
    explore,
    transitions,
)

from ddb_cache_sync import KeyTemplate, Replicator
from ddb_cache_sync.cache.inspecting import InspectableRedisCache, inspectable_cache_of
from ddb_cache_sync.cache.scripts import APPLY
from ddb_cache_sync.core.guards import guard_key
from ddb_cache_sync.core.repairs import repaired
from ddb_cache_sync.core.versions import Version
from ddb_cache_sync.errors import CacheUnavailable
from ddb_cache_sync.testing import MemoryCache, stream_record

LABEL = "1970-01-01T00:00:00.001"  # as the versions have it
KINDS = list(product([True, False], repeat=CHANGES + 1))
"""Before the first change, is there an item; and of each change, is it an upsert."""
ALL_DIFFERENT = (True,) * (CHANGES + 1)


def shown(kinds: Sequence[bool]) -> str:
    return "".join("+" if upsert else "-" for upsert in kinds)


def model(state: CacheState, operation: Operation) -> CacheState:
    """What an operation makes of a state of the model in memory."""
    cache = MemoryCache()
    if state.guard:
        cache.guards[guard_key("k")] = Version(state.guard)
    if state.value is not None:
        cache.values["k"] = state.value
    match operation.kind:
        case "apply":
            cache.apply([operation.write("k")])
        case "cut":
            cache.break_after = 0
            with suppress(CacheUnavailable):
                cache.apply([operation.write("k")])
        case "fill":
            cache.fill([operation.write("k")])
        case "repair":
            cache.repair([operation.repair("k")])
    return CacheState(str(cache.guards.get(guard_key("k"), "")), cache.values.get("k"))


def remembered(step: Step) -> Step:
    """The same, worked out once for each state and operation."""
    known: dict[tuple[CacheState, Operation], CacheState] = {}

    def remember(state: CacheState, operation: Operation) -> CacheState:
        asked = (state, operation)
        if asked not in known:
            known[asked] = step(state, operation)
        return known[asked]

    return remember


@pytest.mark.parametrize("kinds", KINDS, ids=shown)
def test_the_model_converges_in_every_small_history(kinds: Sequence[bool]) -> None:
    """With a repair, and guards that expire, whichever of the changes are removals."""
    states, wrong = explore(remembered(model), kinds, repairs=1)
    assert wrong is None
    assert states > 1_000


def test_the_model_converges_with_a_repair_and_a_redrive_at_once() -> None:
    """Where all images differ; that these stand for all others is shown below."""
    states, wrong = explore(remembered(model), ALL_DIFFERENT, repairs=2)
    assert wrong is None
    assert states > 40_000


def test_what_is_decided_depends_on_versions_alone() -> None:
    """Values play no part: where images are the same, or are removals, no more can happen than where all differ."""
    decided: dict[tuple[str, str, str], tuple[str, bool]] = {}
    for state, operation in transitions():
        if state.value == operation.value:
            continue
        after = model(state, operation)
        assert after.value in (state.value, operation.value)
        decision = (after.guard, after.value == operation.value)
        assert decided.setdefault((state.guard, operation.kind, operation.version), decision) == decision


@pytest.mark.servers
def test_the_script_converges_in_every_small_history(redis_client: redis.Redis) -> None:
    """Since in every step that a history can have, and more, the scripts do on a server what the model does."""
    steps = transitions()
    on_server = carried_out(redis_client, steps)
    different = [
        (step, found, expected)
        for step, found in zip(steps, on_server, strict=True)
        if found != (expected := model(*step))
    ]
    assert not different, different[0]


def carried_out(client: redis.Redis, steps: Sequence[tuple[CacheState, Operation]]) -> list[CacheState]:
    """What each operation makes of its state on a server: each step has a key of its own, and all go together."""
    cache = inspectable_cache_of(client, 60)
    assert isinstance(cache, InspectableRedisCache)
    of: dict[str, list[tuple[str, Operation]]] = {"apply": [], "cut": [], "fill": [], "repair": []}
    before: dict[str, bytes | str] = {}
    for number, (state, operation) in enumerate(steps):
        key = f"s{number}"
        before |= {guard_key(key): state.guard} if state.guard else {}
        before |= {} if state.value is None else {key: state.value}
        of[operation.kind].append((key, operation))
    client.mset(before)
    cache.apply([operation.write(key) for key, operation in of["apply"]])
    cut_in_half(client, of["cut"])
    cache.fill([operation.write(key) for key, operation in of["fill"]])
    cache.repair([operation.repair(key) for key, operation in of["repair"]])
    keys = [f"s{number}" for number in range(len(steps))]
    guards: list[bytes | None] = client.mget([guard_key(key) for key in keys])  # type: ignore[assignment]
    values: list[bytes | None] = client.mget(keys)  # type: ignore[assignment]
    return [CacheState((guard or b"").decode(), value) for guard, value in zip(guards, values, strict=True)]


def cut_in_half(client: redis.Redis, operations: Sequence[tuple[str, Operation]]) -> None:
    """Run the real script so that it stops after the guard: its value is left out, which it finds out too late."""
    client.script_load(APPLY.source)
    pipeline = client.pipeline(transaction=False)
    for key, operation in operations:
        pipeline.execute_command("EVALSHA", APPLY.sha, 2, guard_key(key), key, 60, operation.version, "1")  # type: ignore[no-untyped-call]
    answers = pipeline.execute(raise_on_error=False)
    assert all(isinstance(answer, redis.ResponseError) for answer in answers)


def test_a_batch_does_what_its_newest_change_does() -> None:
    """So a history of batches is one of single changes: whatever is in them, in whatever order, however often."""
    records = [
        stream_record({"id": "a"}, {"id": "a", "n": number}, sequence_number=digits, stream_label=LABEL)
        for number, digits in enumerate(NUMBERS)
    ]
    guards = ("", *VERSIONS, *map(repaired, VERSIONS))
    for size in range(1, CHANGES + 1):
        for batch, guard in product(product(range(CHANGES), repeat=size), guards):
            caches = []
            for delivered in (batch, [max(batch)]):
                cache = MemoryCache({"a": b"before"}, guards={guard_key("a"): Version(guard)} if guard else {})
                Replicator(cache, keys=KeyTemplate("{id}")).apply([records[change] for change in delivered])
                caches.append(cache)
            assert caches[0] == caches[1]


def equal_is_stale(state: CacheState, operation: Operation) -> CacheState:
    return state if operation.kind == "apply" and operation.version == state.guard else model(state, operation)


def guard_not_kept_on_removal(state: CacheState, operation: Operation) -> CacheState:
    after = model(state, operation)
    removed = operation.kind == "apply" and operation.value is None and after.guard == operation.version
    return after._replace(guard="") if removed else after


def text_order(state: CacheState, operation: Operation) -> CacheState:
    if operation.kind != "apply" or not state.guard:
        return model(state, operation)
    stale = Version(operation.version).sequence_number < Version(state.guard).sequence_number
    return state if stale else CacheState(operation.version, operation.value)


def order_of_doubles(state: CacheState, operation: Operation) -> CacheState:
    if operation.kind != "apply" or not state.guard:
        return model(state, operation)
    stale = float(Version(operation.version).sequence_number) < float(Version(state.guard).sequence_number)
    return state if stale else CacheState(operation.version, operation.value)


def stale_moves_the_guard(state: CacheState, operation: Operation) -> CacheState:
    stale = operation.kind == "apply" and operation.version < state.guard
    return state._replace(guard=operation.version) if stale else model(state, operation)


def fill_overwrites(state: CacheState, operation: Operation) -> CacheState:
    return state._replace(value=operation.value) if operation.kind == "fill" else model(state, operation)


def fill_leaves_a_guard(state: CacheState, operation: Operation) -> CacheState:
    after = model(state, operation)
    return after._replace(guard=VERSIONS[-1]) if operation.kind == "fill" and not state.guard else after


def repair_overwrites(state: CacheState, operation: Operation) -> CacheState:
    moved = operation._replace(version=state.guard) if operation.kind == "repair" else operation
    return model(state, moved)


WEAKER: Mapping[str, tuple[Step, Sequence[bool]]] = {
    each.__name__.replace("_", " "): (each, kinds)
    for each, kinds in (
        (equal_is_stale, ALL_DIFFERENT),
        (guard_not_kept_on_removal, (True, True, True, False)),
        (text_order, ALL_DIFFERENT),
        (order_of_doubles, ALL_DIFFERENT),
        (stale_moves_the_guard, ALL_DIFFERENT),
        (fill_overwrites, ALL_DIFFERENT),
        (fill_leaves_a_guard, ALL_DIFFERENT),
        (repair_overwrites, ALL_DIFFERENT),
    )
}


@pytest.mark.parametrize("broken", WEAKER)
def test_a_weaker_rule_is_found_out(broken: str) -> None:
    """The check is able to fail: each of these rules, close to ours, leaves some history divergent."""
    rule, kinds = WEAKER[broken]
    _, wrong = explore(remembered(rule), kinds, repairs=1)
    assert wrong is not None
    assert len(wrong.steps) <= 9


def test_a_guard_must_outlive_whatever_can_come() -> None:
    """Else an old record, or what was read long ago, wins after all."""
    _, wrong = explore(remembered(model), ALL_DIFFERENT, repairs=0, forgetful=True)
    assert wrong is not None
    assert "the guard expires" in wrong.steps
