"""The permissions on the page are enough, and none of them can be left out."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, TypeAlias, cast

import pytest
import redis
from tests.docs.markdown import ROOT, marked
from tests.sync.tables import TableClient

from ddb_cache_sync import (
    CacheError,
    CacheReader,
    Expiry,
    HashEncoding,
    KeyTemplate,
    LookupKey,
    Outcome,
    Projection,
    Replicator,
    Version,
    connect,
)
from ddb_cache_sync.cache.applier import cache_of
from ddb_cache_sync.cache.inspecting import inspectable_cache_of
from ddb_cache_sync.core.guards import DEFAULT_GUARD_TTL_SECONDS, guard_key, lease_key
from ddb_cache_sync.core.key_forms import key_forms
from ddb_cache_sync.core.writes import Write
from ddb_cache_sync.local.embedded import embedded_cluster
from ddb_cache_sync.sync.dropping import DropOptions, Dropping
from ddb_cache_sync.sync.repair import repair
from ddb_cache_sync.sync.repair_report import RepairTarget
from ddb_cache_sync.sync.sampling import verify_sample
from ddb_cache_sync.sync.verify import VerifyOptions, verify
from ddb_cache_sync.sync.verify_report import VerifyReport
from ddb_cache_sync.testing import stream_record

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = pytest.mark.servers

PAGE = ROOT / "docs" / "how-to" / "permissions.md"
APPLY, FILL, READER, PLAIN_READER, CLUSTER, VERIFY, REPAIR, DROP = (
    marked(PAGE, f"acl: {name}").split()
    for name in ("apply", "fill", "reader", "plain reader", "cluster", "verify", "repair", "drop")
)

EXTRAS = {
    name: row.split("`")[-2].split()
    for name in ("hash", "expiry", "refresh", "lookups", "removals")
    for row in PAGE.read_text(encoding="utf-8").splitlines()
    if f"<!-- acl: {name} -->" in row
}
ITEM, OTHER = {"id": "1", "email": "x", "ttl": 32_000_000_000}, {"id": "2", "email": "x", "ttl": 32_000_000_000}
PASSED_ON = [
    stream_record({"id": "1"}, ITEM, sequence_number=1, table="users"),
    stream_record({"id": "2"}, OTHER, sequence_number=2, table="users"),
    stream_record({"id": "2"}, None, OTHER, sequence_number=3, table="users"),
    stream_record({"id": "1"}, ITEM, ITEM, sequence_number=4, table="users"),
    stream_record({"id": "1"}, None, ITEM, sequence_number=5, table="users"),
]
USES: dict[str, dict[str, Any]] = {
    "hash": {"encoding": HashEncoding()},
    "expiry": {"expiry": Expiry("ttl")},
    "refresh": {"mode": "refresh", "encoding": HashEncoding()},
    "lookups": {"lookups": [LookupKey("users:by-email:{email}")]},
}

Try: TypeAlias = "Callable[[list[str]], bool]"


def applies(url: str) -> bool:
    """Do an upsert, a removal and a late record go well."""
    put = stream_record({"id": "1"}, {"id": "1"}, sequence_number=2, table="users")
    late = stream_record({"id": "1"}, {"id": "1", "late": True}, sequence_number=1, table="users")
    removal = stream_record({"id": "2"}, sequence_number=3, table="users")
    with connect(url) as client:
        replicator = Replicator(client)
        try:
            counts = [
                (report.applied, report.stale, report.failed)
                for records in ([put, removal], [late])
                for report in [replicator.apply(records, deadline=time.monotonic() + 1)]
            ]
        except CacheError:
            return False
    return counts == [(2, 0, 0), (0, 1, 0)]


def passes_on(url: str, options: dict[str, Any], administrator: redis.Redis) -> bool:
    """Do two items that come and go go well, record by record."""
    administrator.hset("users:1", "filled by", "a reader")
    administrator.expire("users:1", 100)
    with connect(url) as client:
        replicator = Replicator(client, **options)
        try:
            return all(replicator.apply([record], deadline=time.monotonic() + 1).applied == 1 for record in PASSED_ON)
        except CacheError:
            return False


def fills(url: str, value: bytes | None = b"{}") -> bool:
    """Does a backfill write a value, or remove it."""
    write = Write("users:1", guard_key("users:1"), Version.of(0, "0"), value)
    with connect(url) as client:
        try:
            return list(cache_of(client, DEFAULT_GUARD_TTL_SECONDS).fill([write], time.monotonic() + 1)) == [
                Outcome.APPLIED
            ]
        except CacheError:
            return False


class OneItemTable:
    """A table's client that has one item, as far as a reader uses it."""

    def get_item(self, **request: Any) -> dict[str, Any]:
        return {"Item": request["Key"]} if request["Key"] == {"id": {"S": "1"}} else {}


def misses_and_hits(url: str) -> bool:
    """Does a reader fill what it misses, find it again, and leave no lease."""
    with connect(url) as client:
        reader = CacheReader(client, "users", table_client=cast("Any", OneItemTable()), key_name="id")
        try:
            return [reader.get(identity) for identity in ("1", "2", "1")] == [{"id": "1"}, None, {"id": "1"}]
        except CacheError:
            return False


def reads(url: str) -> bool:
    """Does a reader without a table read."""
    with connect(url) as client:
        try:
            return CacheReader(client, "users", key_name="id").get("1") is None
        except CacheError:
            return False


def verifies(url: str) -> bool:
    """Does verify find a missing item, and an orphan that somebody else has put there."""
    with connect(url) as client, connect(url.replace("app:secret@", "")) as other:
        other.set("users:nobody", b"{}")
        other.set(guard_key("users:nobody"), Version.of(0, "1"), ex=60)
        options = VerifyOptions(looks=(0.001,))
        table = TableClient()
        table.put("1")
        try:
            report = verify(client, Projection(), cast("Any", table), "users", options)
        except CacheError:
            return False
    return (report.missing, report.orphaned) == (1, 1)


def repairs(url: str) -> bool:
    """Does repair write what is missing, and delete what is orphaned."""
    with connect(url) as client, connect(url.replace("app:secret@", "")) as other:
        other.set("users:nobody", b"{}")
        other.set(guard_key("users:nobody"), Version.of(0, "1"), ex=60)
        table = TableClient()
        table.put("1")
        targets = [RepairTarget("users:1"), RepairTarget("users:nobody")]
        try:
            return all(
                each.applied for each in repair(client, Projection(), cast("Any", table), "users", targets, apply=True)
            )
        except CacheError:
            return False


def drops(url: str) -> bool:
    """Does a drop take a key with its guard, and a guard without a key."""
    with connect(url) as client, connect(url.replace("app:secret@", "")) as other:
        other.set("users:1", b"{}")
        for key in ("users:1", "users:gone"):
            other.set(guard_key(key), Version.of(0, "1"), ex=60)
        forms = key_forms([Projection(KeyTemplate("users:{id}"))], "users", ["id"])
        running = Dropping(
            inspectable_cache_of(client),
            forms,
            lambda _: VerifyReport("users"),
            DropOptions(apply=True, keys_per_second=None),
            guard_ttl_seconds=DEFAULT_GUARD_TTL_SECONDS,
        )
        try:
            return running.run().dropped == 2 and not other.keys()
        except CacheError:
            return False


LOOKUPS = Projection(KeyTemplate("users:{id}"), lookups=[LookupKey("users:by-email:{email}")])


def samples_lookups(url: str, *, mends: bool) -> bool:
    """Does a sample find a lookup key that is missing, and remember it; does a repair mend it."""
    with connect(url) as client, connect(url.replace("app:secret@", "")) as other:
        table: Any = TableClient()
        Replicator(other, LOOKUPS).apply([table.put("1", email="x")])
        other.delete("users:by-email:x")
        targets = [RepairTarget("users:by-email:x")]
        options = VerifyOptions(sample=9, looks=(0.001,))
        try:
            if mends:
                [mended] = repair(client, LOOKUPS, table, "users", targets, apply=True)
                return mended.applied
            sample = verify_sample(client, LOOKUPS, table, "users", options)
        except CacheError:
            return False
    return (sample.verified.lookups_missing, sample.oldest_seconds is not None) == (1, True)


def command(client: redis.Redis, *words: str) -> Any:
    """The reply to a command that redis-py has no typed method for."""
    return cast("Any", client).execute_command(*words)


def attempt(url: str, administrators: list[redis.Redis], work: Callable[[str], bool]) -> Try:
    """A function that tries the work as a user with these permissions and no others, on an empty cache."""

    def with_permissions(permissions: list[str]) -> bool:
        for administrator in administrators:
            administrator.flushall()
            administrator.script_flush()
            command(administrator, "ACL", "SETUSER", "app", "reset", "on", ">secret", *permissions)
        try:
            return work(url.replace("redis://", "redis://app:secret@"))
        finally:
            for administrator in administrators:
                administrator.acl_deluser("app")

    return with_permissions


@pytest.fixture(scope="module")
def cluster() -> Iterator[tuple[str, list[redis.Redis]]]:
    """Give a cluster's URL, and a client of each node."""
    with embedded_cluster(2) as servers:
        clients = [redis.Redis.from_url(node.url) for node in servers.nodes]
        yield f"{servers.url}?cluster=true", clients
        for client in clients:
            client.close()


def assert_smallest(succeeds: Try, permissions: list[str]) -> None:
    assert succeeds(permissions)
    for left_out in permissions:
        if left_out != "-@all":
            assert not succeeds([each for each in permissions if each != left_out]), left_out


def test_applying_needs_what_the_page_says_and_no_less(redis_client: redis.Redis, redis_url: str) -> None:
    """On one server: the access string is enough, and is not without any of its parts."""
    assert_smallest(attempt(redis_url, [redis_client], applies), APPLY)


def test_connecting_leaves_no_trace_in_the_log_where_the_page_says_so(
    redis_client: redis.Redis, redis_url: str
) -> None:
    """Nothing but CLIENT SETINFO is refused on the way."""
    succeeds = attempt(redis_url, [redis_client], applies)
    for further, refused in (([], ["client|setinfo"]), (["+client|setinfo"], [])):
        redis_client.acl_log_reset()
        assert succeeds([*APPLY, *further])
        assert [entry["object"] for entry in redis_client.acl_log()] == refused


def test_filling_needs_what_the_page_says_and_no_less(redis_client: redis.Redis, redis_url: str) -> None:
    """On one server."""
    assert_smallest(attempt(redis_url, [redis_client], fills), FILL)


def test_removals_of_an_export_need_what_the_page_adds(redis_client: redis.Redis, redis_url: str) -> None:
    """On one server."""
    succeeds = attempt(redis_url, [redis_client], lambda url: fills(url, None))
    assert succeeds([*FILL, *EXTRAS["removals"]])
    assert not succeeds(FILL)


@pytest.mark.parametrize("use", USES)
def test_what_not_everybody_uses_needs_what_the_page_adds_and_no_less(
    redis_client: redis.Redis, redis_url: str, use: str
) -> None:
    """On one server."""
    succeeds = attempt(redis_url, [redis_client], lambda url: passes_on(url, USES[use], redis_client))
    assert succeeds([*APPLY, *EXTRAS[use]])
    for left_out in EXTRAS[use]:
        if left_out not in APPLY:
            assert not succeeds([*APPLY, *(each for each in EXTRAS[use] if each != left_out)]), left_out


@pytest.mark.parametrize(
    ("permissions", "work"), [(READER, misses_and_hits), (PLAIN_READER, reads)], ids=["filling", "plain"]
)
def test_a_reader_needs_what_the_page_says_and_no_less(
    redis_client: redis.Redis, redis_url: str, permissions: list[str], work: Callable[[str], bool]
) -> None:
    """On one server."""
    assert_smallest(attempt(redis_url, [redis_client], work), permissions)


@pytest.mark.parametrize(("permissions", "work"), [(VERIFY, verifies), (REPAIR, repairs)], ids=["verify", "repair"])
def test_verify_and_repair_need_what_the_page_says_and_no_less(
    redis_client: redis.Redis, redis_url: str, permissions: list[str], work: Callable[[str], bool]
) -> None:
    """On one server; `inspect` needs no more than verify."""
    assert_smallest(attempt(redis_url, [redis_client], work), permissions)


def test_dropping_needs_what_the_page_says_and_no_less(redis_client: redis.Redis, redis_url: str) -> None:
    """On one server."""
    assert_smallest(attempt(redis_url, [redis_client], drops), DROP)


def test_samples_and_lookup_keys_need_what_the_page_adds_and_no_less(redis_client: redis.Redis, redis_url: str) -> None:
    """On one server."""
    text = PAGE.read_text(encoding="utf-8")
    assert "`+set` on\n`~~v:~drift:*`" in text
    assert "add `+hget` to verify" in text
    added = ["+set", "~~v:~drift:*", "+hget"]
    succeeds = attempt(redis_url, [redis_client], lambda url: samples_lookups(url, mends=False))
    assert succeeds([*VERIFY, *added])
    for left_out in added:
        assert not succeeds([*VERIFY, *(each for each in added if each != left_out)]), left_out
    mends = attempt(redis_url, [redis_client], lambda url: samples_lookups(url, mends=True))
    assert mends([*REPAIR, *EXTRAS["lookups"]])


@pytest.mark.parametrize(
    ("permissions", "work"),
    [(APPLY, applies), (FILL, fills), (READER, misses_and_hits), (PLAIN_READER, reads)],
    ids=["apply", "fill", "reader", "plain reader"],
)
def test_a_cluster_needs_what_the_page_adds_and_no_less(
    cluster: tuple[str, list[redis.Redis]], permissions: list[str], work: Callable[[str], bool]
) -> None:
    """The client learns the nodes."""
    url, administrators = cluster
    succeeds = attempt(url, administrators, work)
    assert succeeds([*permissions, *CLUSTER])
    for left_out in CLUSTER:
        assert not succeeds([*permissions, *(each for each in CLUSTER if each != left_out)]), left_out


def test_the_pattern_for_hash_tags_matches_keys_and_guards(redis_client: redis.Redis) -> None:
    """Of keys that have a hash tag of their own."""
    assert "write `~{* ~~v:{*`, and for readers that fill `~~v:~v:{*` too" in PAGE.read_text(encoding="utf-8")
    key = "{acme}:42"
    command(redis_client, "ACL", "SETUSER", "app", "reset", "on", "nopass", "+set", "~{*", "~~v:{*", "~~v:~v:{*")
    try:
        for touched in (key, guard_key(key), lease_key(guard_key(key))):
            assert command(redis_client, "ACL", "DRYRUN", "app", "SET", touched, "v") == b"OK"
    finally:
        redis_client.acl_deluser("app")
