"""However readers' fills and changes interleave, nothing stale stays: the cache has the newest image or nothing.

First every small history, exhaustively, on the model and on a real server; then long ones at random, on the model.
"""

from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import count, product
from typing import Any, ClassVar, Final, Literal, NamedTuple, TypeAlias, get_args

import pytest
import redis
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from ddb_cache_sync import Image, KeyTemplate, Projection, Replicator
from ddb_cache_sync.cache.filling import FillableRedisCache, readable_cache_of
from ddb_cache_sync.core.changes import ItemKey, Remove, Upsert
from ddb_cache_sync.core.fills import Claim, Claimed, ClaimState, Fill
from ddb_cache_sync.core.projection import Mode
from ddb_cache_sync.core.versions import Version
from ddb_cache_sync.core.writes import Write
from ddb_cache_sync.sync.loading import NO_VERSION
from ddb_cache_sync.testing import MemoryCache, MemoryTable
from ddb_cache_sync.testing.events import attributes

MODES: Final[Sequence[Mode]] = get_args(Mode)
Cache: TypeAlias = MemoryCache | FillableRedisCache


class Unguarded(MemoryCache):
    """The weaker rule: a reader stores what it has read wherever the key is missing."""

    def _fill_unmoved(self, fill: Fill) -> Any:
        return super()._fill_unmoved(fill._replace(version=self.guards.get(fill.claim.guard, "")))


# Small histories. One item is changed twice; each change is delivered twice, at any time after it was made; one reader
# claims, reads and fills. All histories of a kind take each step together, each with a key of its own.

Step: TypeAlias = Literal["write 1", "write 2", "deliver 1", "deliver 2", "claim", "read", "fill"]
# One has a digit more than the other: what text gets wrong.
SEQUENCE_NUMBERS: Final = ("99999999999999999999999", "100000000000000000000000")


@lru_cache
def orders(*, read_first: bool) -> Sequence[Sequence[Step]]:
    """Every order in which this can happen; with the claim after the read, if the rule is to be broken."""
    left: dict[Step, int] = {
        "write 1": 1,
        "write 2": 1,
        "deliver 1": 2,
        "deliver 2": 2,
        "claim": 1,
        "read": 1,
        "fill": 1,
    }
    after: dict[Step, Step] = {
        "write 2": "write 1",
        "deliver 1": "write 1",
        "deliver 2": "write 2",
        **({"claim": "read", "fill": "claim"} if read_first else {"read": "claim", "fill": "read"}),
    }

    def arrange(so_far: tuple[Step, ...]) -> Iterator[tuple[Step, ...]]:
        if len(so_far) == sum(left.values()):
            yield so_far
        for step, times in left.items():
            if so_far.count(step) < times and (step not in after or after[step] in so_far):
                yield from arrange((*so_far, step))

    return list(arrange(()))


class History(NamedTuple):
    """What happens to one item, in order."""

    steps: Sequence[Step]
    images: Sequence[bytes | None]
    """What the item is at first, and after each change; None: there is none."""

    def write(self, key: str, change: int, mode: Mode) -> Write:
        projection = Projection(lambda _: key, mode=mode)
        image = self.images[change]
        item_key, version = ItemKey("T", Image({})), Version.of(1, SEQUENCE_NUMBERS[change - 1])
        if image is None:
            return projection.write(key, Remove(item_key, version))
        item = Image({"v": {"S": image.decode()}})
        return projection.write(key, Upsert(item_key, version, item))

    def filled(self, key: str, image: bytes | None) -> Write:
        guard = Projection().guard_key(key)
        value = None if image is None else b'{"v":"%b"}' % image
        return Write(key, guard, NO_VERSION, value)


def histories(*, read_first: bool = False) -> Iterator[History]:
    for steps, first, second in product(orders(read_first=read_first), [True, False], [True, False]):
        yield History(steps, [b"0", b"1" if first else None, b"2" if second else None])


def values_after(cache: Cache, mode: Mode, everything: Sequence[History]) -> Sequence[Any]:
    """What the cache holds in the end, for each history."""
    projection = Projection()
    keys = [f"h{number}" for number in range(len(everything))]
    claims = [Claim(key, guard := projection.guard_key(key), projection.lease_key(guard), "me", 60_000) for key in keys]
    versions = [""] * len(keys)
    granted = [False] * len(keys)
    images = [0] * len(keys)
    read: list[bytes | None] = [None] * len(keys)
    for at in range(len(everything[0].steps)):
        writes: list[Write] = []
        asked: list[int] = []
        fills: list[Fill] = []
        for number, history in enumerate(everything):
            match history.steps[at]:
                case "write 1" | "write 2":
                    images[number] += 1
                case "deliver 1":
                    writes.append(history.write(keys[number], 1, mode))
                case "deliver 2":
                    writes.append(history.write(keys[number], 2, mode))
                case "claim":
                    asked.append(number)
                case "read":
                    read[number] = history.images[images[number]]
                case "fill" if granted[number]:
                    filled = history.filled(keys[number], read[number])
                    fills.append(Fill(claims[number], versions[number], filled))
        cache.apply(writes)
        for number, answer in zip(asked, cache.claim([claims[number] for number in asked]), strict=True):
            assert isinstance(answer, Claimed)
            granted[number], versions[number] = answer.state is ClaimState.GRANTED, answer.version
        cache.fill_unmoved(fills)
    return cache.read(keys, "string")


def stale(values: Sequence[Any], everything: Sequence[History]) -> list[History]:
    """The histories that leave something else than the newest image or nothing."""
    newest = [None if each.images[2] is None else b'{"v":"%b"}' % each.images[2] for each in everything]
    return [each for each, value, new in zip(everything, values, newest, strict=True) if value not in (None, new)]


@pytest.mark.parametrize("mode", MODES)
def test_no_small_history_leaves_the_model_stale(mode: Mode) -> None:
    """And many of them do fill the key, else nothing would be shown."""
    everything = list(histories())
    values = values_after(MemoryCache(), mode, everything)
    assert stale(values, everything) == []
    assert sum(value is not None for value in values) > len(everything) / 25


@pytest.mark.parametrize("mode", ["invalidate", "refresh"])
def test_without_the_guard_some_history_leaves_something_stale(mode: Mode) -> None:
    """A change that was applied between reading and storing is undone. So the check is able to fail."""
    everything = list(histories())
    assert stale(values_after(Unguarded(), mode, everything), everything)


@pytest.mark.parametrize("mode", ["invalidate", "refresh"])
def test_reading_the_table_before_claiming_leaves_something_stale(mode: Mode) -> None:
    """The guard has to be known before the item is."""
    everything = list(histories(read_first=True))
    assert stale(values_after(MemoryCache(), mode, everything), everything)


@pytest.mark.servers
@pytest.mark.parametrize("mode", MODES)
def test_no_small_history_leaves_a_server_stale(redis_client: redis.Redis, mode: Mode) -> None:
    """It does what the model does, in every history."""
    everything = list(histories())
    server = readable_cache_of(redis_client)
    assert isinstance(server, FillableRedisCache)
    values = values_after(server, mode, everything)
    assert values == values_after(MemoryCache(), mode, everything)
    assert stale(values, everything) == []


# Long histories.

KEYS: Final = KeyTemplate("users:{id}")
IDS: Final = ["a"]
READERS: Final = 2


class Reading(NamedTuple):
    """How far a reader has come."""

    identity: str
    claim: Claim
    version: str
    write: Write | None = None
    """What it has read; None: nothing yet."""


class Readers(RuleBasedStateMachine):
    """A table whose stream reaches a cache in no order and more than once, and two readers that fill the cache.

    The lease is not relied upon: it may run out at any time, so both may load at once.
    """

    mode: ClassVar[Mode]
    cache_type: ClassVar[type[MemoryCache]] = MemoryCache
    tokens: ClassVar[Iterator[int]] = count()

    def __init__(self) -> None:
        super().__init__()
        self.table = MemoryTable(first_sequence_number=97)
        self.cache = self.cache_type()
        self.projection = Projection(KEYS, mode=self.mode)
        self.replicator = Replicator(self.cache, self.projection)
        self.delivered: set[int] = set()
        self.readings: dict[int, Reading] = {}

    @rule(identity=st.sampled_from(IDS), name=st.integers(0, 3))
    def put(self, identity: str, name: int) -> None:
        self.table.put({"id": identity, "name": name})

    @rule(identity=st.sampled_from(IDS))
    def remove(self, identity: str) -> None:
        self.table.remove(id=identity)

    @precondition(lambda self: self.table.records)
    @rule(data=st.data())
    def deliver_any_records(self, data: st.DataObject) -> None:
        places = data.draw(st.lists(st.integers(0, len(self.table.records) - 1), min_size=1, max_size=3))
        self.deliver(places)

    @rule(identity=st.sampled_from(IDS))
    def a_value_is_evicted(self, identity: str) -> None:
        self.cache.values.pop(f"users:{identity}", None)

    @rule()
    def leases_run_out(self) -> None:
        self.cache.leases.clear()

    @rule(reader=st.integers(1, READERS), identity=st.sampled_from(IDS))
    def a_reader_claims(self, reader: int, identity: str) -> None:
        if reader in self.readings:
            return
        key = self.cache_key(identity)
        guard = self.projection.guard_key(key)
        claim = Claim(key, guard, self.projection.lease_key(guard), str(next(self.tokens)), 1)
        [claimed] = self.cache.claim([claim])
        assert isinstance(claimed, Claimed)
        if claimed.state is ClaimState.GRANTED:
            self.readings[reader] = Reading(identity, claim, claimed.version)

    @precondition(lambda self: self.readings)
    @rule(reader=st.integers(1, READERS))
    def it_reads_the_table(self, reader: int) -> None:
        if reader in self.readings and self.readings[reader].write is None:
            self.read(reader)

    @precondition(lambda self: self.readings)
    @rule(reader=st.integers(1, READERS))
    def it_fills(self, reader: int) -> None:
        if reader in self.readings and self.readings[reader].write is not None:
            self.fill(reader)

    @invariant()
    def every_value_was_an_image_of_its_item(self) -> None:
        images = {b'{"id":"%b","name":%d}' % (identity.encode(), name) for identity in IDS for name in range(4)}
        assert set(self.cache.values.values()) <= images

    def teardown(self) -> None:
        """Deliver what was not delivered, newest first; only then let the readers end: still nothing is stale."""
        self.deliver([place for place in range(len(self.table.records)) if place not in self.delivered][::-1])
        for reader, reading in list(self.readings.items()):
            if reading.write is None:
                self.read(reader)
            self.fill(reader)
        for identity in IDS:
            value = self.cache.values.get(f"users:{identity}")
            assert value in (None, self.newest(identity).value), f"{value!r} is stale"

    def deliver(self, places: Sequence[int]) -> None:
        assert not self.replicator.apply([self.table.records[place] for place in places]).failures
        self.delivered.update(places)

    def read(self, reader: int) -> None:
        self.readings[reader] = self.readings[reader]._replace(write=self.newest(self.readings[reader].identity))

    def fill(self, reader: int) -> None:
        reading = self.readings.pop(reader)
        assert reading.write is not None
        self.cache.fill_unmoved([Fill(reading.claim, reading.version, reading.write)])

    def cache_key(self, identity: str) -> str:
        return KEYS(Remove(self.item_key(identity), NO_VERSION))

    def item_key(self, identity: str) -> ItemKey:
        return ItemKey("T", Image({"id": {"S": identity}}))

    def newest(self, identity: str) -> Write:
        """What a reader would store now."""
        key, item = self.cache_key(identity), self.table.items.get((identity,))
        if item is None:
            return Write(key, self.projection.guard_key(key), NO_VERSION, None)
        upsert = Upsert(self.item_key(identity), NO_VERSION, Image(attributes(item)))
        return self.projection.write(key, upsert, filling=True)


LONG = settings(max_examples=150, stateful_step_count=30, deadline=None)


@pytest.mark.parametrize("mode", MODES)
def test_no_history_leaves_anything_stale(mode: Mode) -> None:
    """In every mode."""
    run_state_machine_as_test(type("Machine", (Readers,), {"mode": mode}), settings=LONG)


@pytest.mark.parametrize("mode", ["invalidate", "refresh"])
def test_without_the_guard_something_stale_is_left(mode: Mode) -> None:
    """A change that came between reading and storing is undone; the machine finds it."""
    weaker = type("Machine", (Readers,), {"mode": mode, "cache_type": Unguarded})
    with pytest.raises(AssertionError, match="is stale"):
        run_state_machine_as_test(
            weaker,
            settings=settings(
                LONG, max_examples=2000, derandomize=True, print_blob=False, database=None, phases=[Phase.generate]
            ),
        )
