"""The simulated cache does what the model in memory does, and forgets what it is told to forget."""

from collections.abc import Callable
from random import Random
from typing import Any

from tests.simulation.cache import SimulatedCache
from tests.simulation.world import World

from ddb_cache_sync.core.fills import Claim, Fill
from ddb_cache_sync.core.guards import guard_key, lease_key
from ddb_cache_sync.core.outcomes import APPLIED, STALE
from ddb_cache_sync.core.repairs import Repair
from ddb_cache_sync.core.versions import Version
from ddb_cache_sync.core.writes import Write
from ddb_cache_sync.testing import MemoryCache

TTL_SECONDS = 100.0


def write(key: str, number: int, value: bytes | None) -> Write:
    return Write(key, guard_key(key), Version.of(1, str(number)), value)


def steps(chance: Random) -> list[Callable[[Any], Any]]:
    """Anything that can be done to a cache, at random."""

    def step() -> Callable[[Any], Any]:
        each = write(chance.choice("ab"), chance.randrange(12), chance.choice((None, b"1", b"2")))
        found = chance.choice(("", Version.of(1, str(chance.randrange(12)))))
        claim = Claim(each.key, each.guard, lease_key(each.guard), chance.choice("xy"), 1)
        return chance.choice(
            (
                lambda cache: cache.apply([each]),
                lambda cache: cache.fill([each]),
                lambda cache: cache.repair([Repair(each, found)]),
                lambda cache: cache.claim([claim]),
                lambda cache: cache.fill_unmoved([Fill(claim, found, each)]),
                lambda cache: cache.read([each.key], "string"),
                lambda cache: cache.versions([each.guard]),
            )
        )

    return [step() for _ in range(3000)]


def test_it_answers_as_the_model_does() -> None:
    """While nothing expires, is evicted or fails over."""
    model, simulated = MemoryCache(), SimulatedCache(World("any"), TTL_SECONDS)
    answers: set[str] = set()
    for step in steps(Random(1)):
        answer = step(model)
        assert step(simulated) == answer
        answers.add(str(answer))
        assert (simulated.values, simulated.guards, simulated.leases) == (model.values, model.guards, model.leases)
    assert len(answers) > 10


def test_a_guard_expires_a_time_to_live_after_it_was_last_set() -> None:
    """By a stale change too."""
    world = World("any")
    cache = SimulatedCache(world, TTL_SECONDS)
    cache.apply([write("k", 2, b"new")])
    world.now += TTL_SECONDS - 1
    assert cache.apply([write("k", 1, b"old")]) == [STALE]
    world.now += TTL_SECONDS - 1
    assert cache.versions([guard_key("k")]) == [Version.of(1, "2")]
    world.now += 1
    assert cache.versions([guard_key("k")]) == [""]
    assert cache.apply([write("k", 1, b"old")]) == [APPLIED]
    assert world.counts["guard expired"] == 1


def test_a_failover_loses_what_the_replica_did_not_have() -> None:
    """Guards, values and how long guards live."""
    world = World("any")
    cache = SimulatedCache(world, TTL_SECONDS)
    cache.apply([write("k", 1, b"kept")])
    replica = cache.replica()
    world.now += 10
    cache.apply([write("k", 2, b"lost"), write("l", 1, b"lost")])
    cache.fail_over(replica)
    assert (cache.values, [*cache.guards.values()]) == ({"k": b"kept"}, [Version.of(1, "1")])
    world.now += TTL_SECONDS - 10
    assert cache.versions([guard_key("k")]) == [""]


def test_tasks_and_calls_run_one_at_a_time_in_the_order_of_their_times() -> None:
    """Blocking code goes on in the middle of what others do."""
    world = World("any")
    said: list[str] = []

    def task(name: str, *waits: float) -> None:
        for wait in waits:
            said.append(f"{name} at {world.now - begun:g}")
            world.pause(wait)
        said.append(f"{name} ends at {world.now - begun:g}")

    begun = world.now
    world.start(0.0, lambda: task("one", 2.0, 2.0))
    world.start(1.0, lambda: task("two", 2.0))
    world.after(2.5, said.append, "a call")
    world.run()
    assert said == ["one at 0", "two at 1", "one at 2", "a call", "two ends at 3", "one ends at 4"]
