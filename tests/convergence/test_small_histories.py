"""Every small history of one item, exhaustively: in the end the cache holds what the table holds.

A history delivers three changes of one item, each twice, in any order, with one backfill write anywhere, and one
delivery cut in half: its guard is set, its value is not. Its record comes again later, as the stream promises.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from itertools import product
from typing import NamedTuple, TypeAlias

import pytest
import redis

from ddb_cache_sync.cache.applier import cache_of
from ddb_cache_sync.cache.scripts import APPLY
from ddb_cache_sync.core.guards import guard_key
from ddb_cache_sync.core.versions import Version
from ddb_cache_sync.core.writes import Write
from ddb_cache_sync.errors import CacheUnavailable
from ddb_cache_sync.testing import MemoryCache

CHANGES, DELIVERIES = 3, 2
# One grows by a digit, one differs in the last digit: what text and doubles get wrong.
SEQUENCE_NUMBERS = ("99999999999999999999998", "99999999999999999999999", "100000000000000000000000")


class Deliver(NamedTuple):
    """A change reaches the cache, wholly or cut in half."""

    change: int
    half: bool = False


class Fill(NamedTuple):
    """The backfill writes."""


Step: TypeAlias = Deliver | Fill


class History(NamedTuple):
    """What happens, in order, and what the backfill had read."""

    steps: Sequence[Step]
    upserts: Sequence[bool]
    """Of each change: is it an upsert (else a removal)."""
    read_after: int
    """How many changes the table had seen when the backfill read the item."""

    @property
    def expected(self) -> bytes | None:
        return self.image(CHANGES)

    def image(self, changes: int) -> bytes | None:
        """What the table holds after so many changes. Before the first there is an item already."""
        return b"v%d" % changes if changes == 0 or self.upserts[changes - 1] else None

    def write(self, key: str, change: int) -> Write:
        return Write(key, guard_key(key), Version.of(1, SEQUENCE_NUMBERS[change]), self.image(change + 1))

    def fill(self, key: str) -> Write | None:
        """The backfill's write; None where it had read no item."""
        value = self.image(self.read_after)
        return None if value is None else Write(key, guard_key(key), Version.of(1, "0"), value)


@lru_cache
def orders() -> Sequence[Sequence[Step]]:
    """Every order of the deliveries and the fill, with no delivery cut and with each that comes again cut once."""

    def arrange(left: tuple[int, ...], fill_left: bool, so_far: tuple[Step, ...]) -> Iterator[tuple[Step, ...]]:
        if not fill_left and not any(left):
            yield so_far
        if fill_left:
            yield from arrange(left, False, (*so_far, Fill()))
        for change in range(CHANGES):
            if left[change]:
                fewer = tuple(count - (each == change) for each, count in enumerate(left))
                yield from arrange(fewer, fill_left, (*so_far, Deliver(change)))

    whole = list(arrange((DELIVERIES,) * CHANGES, True, ()))
    cut = [
        (*steps[:at], Deliver(step.change, half=True), *steps[at + 1 :])
        for steps in whole
        for at, step in enumerate(steps)
        if isinstance(step, Deliver) and Deliver(step.change) in steps[at + 1 :]
    ]
    return [*whole, *cut]


def histories(upserts: Sequence[bool]) -> Iterator[History]:
    """Every history in which the changes are these; the backfill can't read what is not yet there when it writes.

    A change is delivered only after the table has seen it, and the backfill writes only after it has read: so a
    backfill that read the item after three changes may write before any was delivered, and one that read before all
    may write last.
    """
    for steps, read_after in product(orders(), range(CHANGES + 1)):
        yield History(steps, upserts, read_after)


KINDS = list(product([True, False], repeat=CHANGES))


@pytest.mark.parametrize("upserts", KINDS, ids=lambda kinds: "".join("+" if upsert else "-" for upsert in kinds))
def test_the_model_converges_in_every_small_history(upserts: Sequence[bool]) -> None:
    """No order, duplicate, backfill or cut leaves the model with anything but the newest image."""
    checked = cuts_that_mattered = 0
    for history in histories(upserts):
        cache = MemoryCache()
        for step in history.steps:
            match step:
                case Fill():
                    fill = history.fill("k")
                    cache.fill([] if fill is None else [fill])
                case Deliver(change, half=True):
                    cache.break_after = 0
                    try:
                        cache.apply([history.write("k", change)])
                    except CacheUnavailable:
                        cuts_that_mattered += 1
                    cache.break_after = None
                case Deliver(change):
                    cache.apply([history.write("k", change)])
        assert cache.values.get("k") == history.expected, history
        checked += 1
    assert checked == 4 * (630 + 630 * 3)
    assert cuts_that_mattered > checked / 4


@pytest.mark.servers
@pytest.mark.parametrize(
    "upserts", [(True, True, True), (True, False, True), (True, True, False)], ids=["+++", "+-+", "++-"]
)
def test_the_script_converges_in_every_small_history(redis_client: redis.Redis, upserts: Sequence[bool]) -> None:
    """The same on a real server: each history has a key of its own, and all take each step together."""
    cache = cache_of(redis_client, 60)
    everything = list(histories(upserts))
    for step_number in range(CHANGES * DELIVERIES + 1):
        applied, filled, cut = [], [], []
        for number, history in enumerate(everything):
            key = f"h{number}"
            match history.steps[step_number]:
                case Fill():
                    filled += [fill for fill in [history.fill(key)] if fill is not None]
                case Deliver(change, half=True):
                    cut.append(history.write(key, change))
                case Deliver(change):
                    applied.append(history.write(key, change))
        cache.apply(applied)
        cache.fill(filled)
        assert cut_in_half(redis_client, cut) >= len(cut) / 4
    values = redis_client.mget([f"h{number}" for number in range(len(everything))])
    wrong = [history for history, value in zip(everything, values, strict=True) if value != history.expected]
    assert not wrong, wrong[0]


def cut_in_half(client: redis.Redis, writes: Sequence[Write]) -> int:
    """Run the real script so that it stops after the guard, once for each write; how many got that far.

    Its value is left out, and the server refuses the command that would store it.
    """
    client.script_load(APPLY.source)
    pipeline = client.pipeline(transaction=False)
    for write in writes:
        pipeline.execute_command("EVALSHA", APPLY.sha, 2, write.guard, write.key, 60, write.version, "1")  # type: ignore[no-untyped-call]
    answers = pipeline.execute(raise_on_error=False)
    assert all(answer == [1] or isinstance(answer, redis.ResponseError) for answer in answers)
    return sum(isinstance(answer, redis.ResponseError) for answer in answers)


@pytest.mark.parametrize("broken", ["equal is stale", "guard not kept on removal", "text order"])
def test_a_weaker_rule_is_found_out(broken: str) -> None:
    """The check is able to fail: each of these rules, close to ours, leaves some history divergent."""
    rules: dict[str, Callable[[MemoryCache, Write], bool]] = {
        "equal is stale": lambda cache, write: write.version <= cache.guards.get(write.guard, ""),
        "guard not kept on removal": lambda cache, write: write.version < cache.guards.get(write.guard, ""),
        "text order": lambda cache, write: (
            write.version.sequence_number < Version(cache.guards.get(write.guard, "0:0:0")).sequence_number
        ),
    }
    divergent = 0
    for upserts in KINDS:
        for history in histories(upserts):
            cache = MemoryCache()
            for step in history.steps:
                if isinstance(step, Fill):
                    fill = history.fill("k")
                    cache.fill([] if fill is None else [fill])
                    continue
                write = history.write("k", step.change)
                if rules[broken](cache, write):
                    continue
                cache.guards[write.guard] = write.version
                if step.half:
                    continue
                if write.value is None:
                    cache.values.pop(write.key, None)
                    if broken == "guard not kept on removal":
                        del cache.guards[write.guard]
                else:
                    cache.values[write.key] = write.value
            divergent += cache.values.get("k") != history.expected
    assert divergent > 0
