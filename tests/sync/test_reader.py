"""The reader, against a cache in memory and a table that counts its reads."""

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, cast

import boto3
import pytest

from ddb_cache_sync import (
    CacheError,
    CacheReader,
    CacheUnavailable,
    ConfigurationError,
    Expiry,
    Image,
    KeyTemplate,
    Projection,
    RecordError,
    Replicator,
)
from ddb_cache_sync.core.fills import Claim, Claimed
from ddb_cache_sync.core.projection import Mode
from ddb_cache_sync.sync.loading import MOST_SECONDS, REST_SECONDS
from ddb_cache_sync.testing import MemoryCache, MemoryTable
from ddb_cache_sync.testing.events import attributes

NOW = 1_800_000_000.0


@dataclass
class CountingTable:
    """A table's client, as far as a reader uses it."""

    table: MemoryTable
    reads: list[Any] = field(default_factory=list)
    """The keys of each request."""
    meanwhile: Callable[[], object] = lambda: None
    """What happens after the item was read, and before the reader has it."""

    def get_item(self, **request: Any) -> dict[str, Any]:
        key = request.pop("Key")
        assert request == {"TableName": "users", "ConsistentRead": True}
        self.reads.append([key])
        item = self._item(key)
        self.meanwhile()
        return {} if item is None else {"Item": item}

    def batch_get_item(self, **requests: Any) -> dict[str, Any]:
        [(name, request)] = requests["RequestItems"].items()
        assert (name, request["ConsistentRead"]) == ("users", True)
        self.reads.append(request["Keys"])
        found = [self._item(key) for key in request["Keys"]]
        self.meanwhile()
        return {"Responses": {name: [item for item in found if item is not None]}, "UnprocessedKeys": {}}

    def _item(self, key: Mapping[str, Any]) -> dict[str, Any] | None:
        item = self.table.items.get(tuple(Image(key)[name] for name in self.table.key))
        return None if item is None else attributes(item)


@dataclass
class World:
    """A table, a cache, and what leads from one to the other."""

    mode: Mode = "invalidate"
    table: MemoryTable = field(default_factory=lambda: MemoryTable(name="users"))
    cache: MemoryCache = field(default_factory=MemoryCache)
    now: float = NOW

    def __post_init__(self) -> None:
        self.client = CountingTable(self.table)
        self.replicator = Replicator(self.cache, keys=KeyTemplate("users:{id}"), mode=self.mode)

    def reader(self, **options: Any) -> CacheReader:
        defaults = {"keys": KeyTemplate("users:{id}"), "mode": self.mode, "table_client": self.client, "key_name": "id"}
        return CacheReader(self.cache, "users", clock=lambda: self.now, **(defaults | options))

    def put_and_deliver(self, item: Mapping[str, Any]) -> None:
        self.replicator.apply([self.table.put(item)])


@pytest.fixture
def world() -> World:
    return World()


def test_an_item_is_read_from_the_cache(world: World) -> None:
    """Without a look at the table."""
    world.cache.values["users:1"] = b'{"id":"1","n":1.50}'
    assert world.reader().get("1") == {"id": "1", "n": Decimal("1.50")}
    assert world.client.reads == []


def test_a_missing_item_is_read_from_the_table_and_filled_in(world: World) -> None:
    """The next read is a hit, and gives the same."""
    world.table.put({"id": "1", "n": Decimal("1.5"), "b": b"\x00"})
    reader = world.reader()
    missed = reader.get("1")
    assert missed == {"id": "1", "n": Decimal("1.5"), "b": "AA=="}
    assert reader.get("1") == missed
    assert len(world.client.reads) == 1
    assert world.cache.values == {"users:1": b'{"b":"AA==","id":"1","n":1.5}'}
    assert world.cache.guards == world.cache.leases == {}


def test_an_item_that_the_table_does_not_have_is_none(world: World) -> None:
    """And nothing of it is stored: the table is asked each time."""
    reader = world.reader()
    assert [reader.get("1"), reader.get("1")] == [None, None]
    assert len(world.client.reads) == 2
    assert world.cache == MemoryCache()


def test_without_a_table_client_a_miss_is_none(world: World) -> None:
    """A plain reader, for a cache that has everything."""
    world.table.put({"id": "1"})
    reader = world.reader(table_client=None, mode="replicate")
    assert reader.get("1") is None
    world.cache.values["users:1"] = b'{"id":"1"}'
    assert reader.get("1") == {"id": "1"}


@pytest.mark.parametrize("mode", ["invalidate", "refresh"])
def test_a_mode_in_which_readers_fill_the_cache_needs_a_table_client(mode: Mode) -> None:
    """Else every item that is not cached would seem not to exist."""
    with pytest.raises(ConfigurationError, match=f"mode {mode} without a table client"):
        CacheReader(MemoryCache(), "users", mode=mode)


def test_a_resource_is_no_table_client() -> None:
    """Its answers have another form."""
    resource = boto3.resource("dynamodb", region_name="eu-west-1")
    for given in (resource, resource.Table("users"), "users"):
        with pytest.raises(ConfigurationError, match=r"Give boto3\.client\('dynamodb'\)"):
            CacheReader(MemoryCache(), "users", table_client=given)  # type: ignore[arg-type]


def test_many_are_read_at_once(world: World) -> None:
    """In order, each as often as it was asked for; what misses, in one request."""
    for identity in "123":
        world.table.put({"id": identity})
    world.cache.values["users:2"] = b'{"id":"2","cached":true}'
    items = world.reader().get_many(["3", "2", "missing", {"id": "1"}, "3"])
    assert items == [{"id": "3"}, {"id": "2", "cached": True}, None, {"id": "1"}, {"id": "3"}]
    assert world.client.reads == [[{"id": {"S": "3"}}, {"id": {"S": "missing"}}, {"id": {"S": "1"}}]]
    assert world.reader().get_many([]) == []


def test_what_changed_since_is_read_anew(world: World) -> None:
    """In mode invalidate a change deletes the key, and the next reader fills it."""
    world.put_and_deliver({"id": "1", "n": 1})
    reader = world.reader()
    assert reader.get("1") == {"id": "1", "n": 1}
    world.put_and_deliver({"id": "1", "n": 2})
    assert reader.get("1") == {"id": "1", "n": 2}
    assert len(world.client.reads) == 2


@pytest.mark.parametrize("mode", ["replicate", "invalidate", "refresh"])
def test_what_a_change_overtook_is_not_stored(mode: Mode) -> None:
    """The reader gives what it has read; the cache keeps to the stream."""
    world = World(mode)
    world.put_and_deliver({"id": "1", "n": 1})
    world.cache.values.clear()
    world.client.meanwhile = lambda: world.put_and_deliver({"id": "1", "n": 2})
    assert world.reader().get("1") == {"id": "1", "n": 1}
    assert world.cache.values == ({"users:1": b'{"id":"1","n":2}'} if mode == "replicate" else {})
    assert world.cache.leases == {}


def test_a_removed_item_is_not_brought_back(world: World) -> None:
    """Though it was read before it was removed."""
    world.put_and_deliver({"id": "1"})
    world.client.meanwhile = lambda: world.replicator.apply([world.table.remove(id="1")])
    assert world.reader().get("1") == {"id": "1"}
    assert world.cache.values == {}


def test_what_took_too_long_is_read_again(world: World) -> None:
    """A guard could have come and gone in the meantime, if a process was frozen for a day."""
    world.table.put({"id": "1", "n": 1})

    def frozen() -> None:
        world.client.meanwhile = lambda: None
        world.table.put({"id": "1", "n": 2})
        world.now += MOST_SECONDS + 1

    world.client.meanwhile = frozen
    assert world.reader().get("1") == {"id": "1", "n": 2}
    assert world.cache.values == {"users:1": b'{"id":"1","n":2}'}


def test_a_minute_is_not_too_long(world: World) -> None:
    """To the second."""
    world.table.put({"id": "1"})

    def just_in_time() -> None:
        world.now += MOST_SECONDS

    world.client.meanwhile = just_in_time
    assert world.reader().get("1") == {"id": "1"}
    assert (len(world.client.reads), [*world.cache.values]) == (1, ["users:1"])


def test_what_takes_too_long_again_is_not_stored(world: World) -> None:
    """But given."""
    world.table.put({"id": "1"})

    def slow() -> None:
        world.now += MOST_SECONDS + 1

    world.client.meanwhile = slow
    assert world.reader().get("1") == {"id": "1"}
    assert len(world.client.reads) == 2
    assert world.cache.values == {}


@pytest.mark.parametrize("seconds", [0.001, 60])
def test_a_lease_may_last_from_a_millisecond_to_a_minute(world: World, seconds: float) -> None:
    """Both are allowed."""
    world.table.put({"id": "1"})
    assert world.reader(lease_seconds=seconds).get("1") == {"id": "1"}


def test_what_is_filled_in_expires_as_what_is_replicated(world: World) -> None:
    """With its item."""
    world.table.put({"id": "1", "expires_at": int(NOW) + 60})
    reader = world.reader(expiry=Expiry("expires_at"))
    assert reader.get("1") == {"id": "1", "expires_at": Decimal(int(NOW) + 60)}
    assert world.cache.expires_at_ms == {"users:1": int(NOW + 60) * 1000}


def test_an_item_that_has_expired_is_none(world: World) -> None:
    """Though DynamoDB has not removed it yet."""
    world.table.put({"id": "1", "expires_at": int(NOW) - 60})
    assert world.reader(expiry=Expiry("expires_at")).get("1") is None
    assert world.cache.values == {}


class OwnEncoding:
    """An item as the names of its attributes; those with a secret have no value."""

    kind = "string"

    def encode(self, item: Image) -> bytes | None:
        if "broken" in item:
            raise ValueError("SECRET")
        return None if "secret" in item else ",".join(sorted(item)).encode()

    def decode(self, value: bytes) -> list[str]:
        return value.decode("ascii").split(",")


def test_an_encoding_of_ones_own_is_read_as_it_decodes(world: World) -> None:
    """The same on a miss and on a hit; an item without a value is None."""
    world.table.put({"id": "1", "n": 1})
    world.table.put({"id": "2", "secret": 1})
    reader = world.reader(encoding=OwnEncoding())
    for _ in range(2):
        assert reader.get_many(["1", "2"]) == [["id", "n"], None]
    assert world.cache.values == {"users:1": b"id,n"}


def test_an_encoding_that_can_not_decode_is_refused(world: World) -> None:
    """When the reader is made."""

    class WriteOnly:
        def encode(self, item: Image) -> bytes:
            return b"v"

    with pytest.raises(ConfigurationError, match="encoding WriteOnly has no decode"):
        world.reader(encoding=WriteOnly())


def test_hashes_are_read_and_filled_in_too(world: World) -> None:
    """By an encoding that says so."""

    class Hash:
        kind = "hash"

        def encode(self, item: Image) -> dict[str, bytes]:
            return {name: str(item[name]).encode() for name in item}

        def decode(self, value: Mapping[str, bytes]) -> dict[str, str]:
            return {name: content.decode() for name, content in value.items()}

    world.table.put({"id": "1", "n": 1})
    reader = world.reader(encoding=cast("Any", Hash()))
    for _ in range(2):
        assert reader.get("1") == {"id": "1", "n": "1"}
    assert world.cache.values == {"users:1": {"id": b"1", "n": b"1"}}
    assert len(world.client.reads) == 1


def test_an_item_that_can_not_be_encoded_is_an_error_and_keeps_nobody_waiting(world: World) -> None:
    """Contents are not repeated."""
    world.table.put({"id": "1", "broken": "SECRET"})
    with pytest.raises(RecordError, match=r"^the encoding raised ValueError$"):
        world.reader(encoding=OwnEncoding()).get("1")
    assert world.cache.leases == {}


def test_a_value_that_others_have_written_is_read_from_the_table(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    """And left as it is; the log says so. Without a table it is an error."""
    world.cache.values["users:1"] = b"SECRET"
    world.table.put({"id": "1"})
    assert world.reader().get("1") == {"id": "1"}
    assert world.cache.values == {"users:1": b"SECRET"}
    assert "key 'users:1' holds no value of this encoding" in caplog.text
    with pytest.raises(CacheError, match="holds no value of this encoding") as raised:
        world.reader(table_client=None, mode="replicate").get("1")
    assert "SECRET" not in caplog.text + str(raised.value)


@dataclass
class FailingCache(MemoryCache):
    """Fails from some call on, until told otherwise."""

    calls: list[str] = field(default_factory=list)
    fails_at: str = "read"

    def _called(self, name: str) -> None:
        self.calls.append(name)
        if name == self.fails_at:
            raise CacheUnavailable("gone")

    def read(self, keys: Sequence[str], kind: str, deadline: float | None = None) -> Sequence[Any]:
        self._called("read")
        return super().read(keys, kind)

    def claim(self, claims: Sequence[Any], deadline: float | None = None) -> Sequence[Any]:
        self._called("claim")
        return super().claim(claims)

    def fill_unmoved(self, fills: Sequence[Any], deadline: float | None = None) -> Sequence[Any]:
        self._called("fill")
        return super().fill_unmoved(fills)


@pytest.mark.parametrize("fails_at", ["read", "claim", "fill"])
def test_a_failing_cache_keeps_no_item_from_a_reader(caplog: pytest.LogCaptureFixture, fails_at: str) -> None:
    """The table answers, once; the log says so once, and the cache is left alone for a moment."""
    cache = FailingCache(fails_at=fails_at)
    world = World(cache=cache)
    world.table.put({"id": "1"})
    reader = world.reader()
    assert [reader.get("1"), reader.get("1")] == [{"id": "1"}] * 2
    assert len(world.client.reads) == 2
    assert caplog.text.count("the table is read instead of the cache: gone") == 1
    assert cache.calls.count(fails_at) == 1


def test_a_cache_that_has_rested_is_asked_again() -> None:
    """And used, if it can be."""
    cache = FailingCache()
    world = World(cache=cache)
    world.table.put({"id": "1"})
    reader = world.reader()
    reader.get("1")
    cache.fails_at = ""
    loader = reader._loader
    assert loader is not None
    assert loader.rests
    loader._rests_until -= REST_SECONDS
    for _ in range(3):
        reader.get("1")
    assert len(world.client.reads) == 2


def test_a_failing_cache_without_a_table_is_an_error() -> None:
    """There is nothing else to answer with."""
    with pytest.raises(CacheUnavailable):
        World(cache=FailingCache()).reader(table_client=None, mode="replicate").get("1")


def test_a_cache_that_refuses_us_is_an_error() -> None:
    """It will not pass by itself, and would go unnoticed behind a table that answers."""

    class Refusing(MemoryCache):
        def read(self, keys: Sequence[str], kind: str, deadline: float | None = None) -> Sequence[Any]:
            raise CacheError("NOPERM")

    with pytest.raises(CacheError, match="NOPERM"):
        World(cache=Refusing()).reader().get("1")


def test_what_the_cache_refuses_to_lend_is_read_from_the_table() -> None:
    """Of several keys that one alone, and nothing is stored under it."""

    class Refusing(MemoryCache):
        def claim(self, claims: Sequence[Claim], deadline: float | None = None) -> Sequence[Any]:
            granted = super().claim(claims, deadline)
            return [
                CacheError("NOPERM") if each.key == "users:1" else answer
                for each, answer in zip(claims, granted, strict=True)
            ]

    world = World(cache=Refusing())
    for identity in ("1", "2"):
        world.table.put({"id": identity})
    assert world.reader().get_many(["1", "2"]) == [{"id": "1"}, {"id": "2"}]
    assert [*world.cache.values] == ["users:2"]


def test_many_threads_that_miss_one_key_make_one_read(world: World) -> None:
    """The others get what it has read, each an object of its own."""
    world.table.put({"id": "1"})
    world.client.meanwhile = lambda: threading.Event().wait(0.1)
    reader = world.reader()
    start = threading.Barrier(20)
    items: list[Any] = []

    def read() -> None:
        start.wait()
        items.append(reader.get("1"))

    threads = [threading.Thread(target=read) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert items == [{"id": "1"}] * 20
    assert len({id(item) for item in items}) == 20
    assert len(world.client.reads) == 1


def test_a_failed_load_fails_for_all_who_wait_for_it_and_for_nobody_after(world: World) -> None:
    """The next one tries anew."""
    world.table.put({"id": "1"})
    reader = world.reader(lease_seconds=0.05)

    def broken() -> None:
        raise RuntimeError

    world.client.meanwhile = broken
    with pytest.raises(RuntimeError):
        reader.get("1")
    world.client.meanwhile = lambda: None
    assert reader.get("1") == {"id": "1"}


class Elsewhere(MemoryCache):
    """A cache in which another process has claimed every key; what happens at each further claim can be told."""

    def __init__(self, *then: Callable[[MemoryCache, Claim], object]) -> None:
        super().__init__()
        self.then = [*then]
        self.claims = 0

    def _claim_key(self, claim: Claim) -> Claimed:
        if self.claims == 0:
            self.leases[claim.lease] = "other"
        elif self.then:
            self.then.pop(0)(self, claim)
        self.claims += 1
        return super()._claim_key(claim)


def nothing(cache: MemoryCache, claim: Claim) -> None:
    """The other is still loading."""


def filled(cache: MemoryCache, claim: Claim) -> None:
    """The other is done."""
    cache.values[claim.key] = b'{"id":"1","by":"other"}'
    del cache.leases[claim.lease]


def ended(cache: MemoryCache, claim: Claim) -> None:
    """The other has found nothing, or its lease ran out."""
    del cache.leases[claim.lease]


def taken(cache: MemoryCache, claim: Claim) -> None:
    """The other has found nothing, and a third loads now."""
    cache.leases[claim.lease] = "third"


def test_what_another_process_loads_is_waited_for() -> None:
    """And the table is not read."""
    world = World(cache=Elsewhere(nothing, nothing, filled))
    world.table.put({"id": "1"})
    assert world.reader().get("1") == {"id": "1", "by": "other"}
    assert world.client.reads == []


@pytest.mark.parametrize("then", [ended, taken])
def test_only_one_load_is_waited_for(then: Callable[[MemoryCache, Claim], object]) -> None:
    """Or items that do not exist would be read one after the other by all who want them."""
    world = World(cache=Elsewhere(nothing, then))
    world.table.put({"id": "1"})
    assert world.reader().get("1") == {"id": "1"}
    assert world.cache.values == {"users:1": b'{"id":"1"}'}
    assert isinstance(world.cache, Elsewhere)
    assert world.cache.claims == 3


def test_a_loader_that_died_is_waited_for_no_longer_than_its_lease() -> None:
    """Though the model's leases never run out."""
    world = World(cache=Elsewhere())
    world.table.put({"id": "1"})
    assert world.reader(lease_seconds=0.05).get("1") == {"id": "1"}
    assert world.cache.values == {"users:1": b'{"id":"1"}'}


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"projection": Projection()}, "a projection and keys, mode beside it"),
        ({"lease_seconds": 0}, "a lease outside 1 ms to 60 s"),
        ({"lease_seconds": 61}, "a lease outside 1 ms to 60 s"),
        ({"cache_seconds": 0}, "no time for the cache"),
    ],
)
def test_what_can_not_be_right_is_refused(world: World, options: dict[str, Any], problem: str) -> None:
    """When the reader is made."""
    with pytest.raises(ConfigurationError, match=problem):
        world.reader(**options)


def test_a_key_of_two_attributes_has_names(world: World) -> None:
    """In any order."""
    table = MemoryTable(("tenant", "n"), name="users")
    world.client.table = table
    table.put({"tenant": "a", "n": 7})
    reader = world.reader(keys=KeyTemplate("users:{tenant}:{n}"), key_name=None)
    assert reader.get({"n": 7, "tenant": "a"}) == {"n": 7, "tenant": "a"}
    assert "users:a:7" in world.cache.values
    with pytest.raises(ConfigurationError, match="has not been named"):
        reader.get("a")
