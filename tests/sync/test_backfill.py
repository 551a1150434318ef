"""A backfill from an export into a cache in memory: what it writes, counts, refuses, and goes on from."""

from __future__ import annotations

import time
import tracemalloc
from typing import TYPE_CHECKING, Any

import pytest

from ddb_cache_sync import (
    Backfill,
    BackfillOptions,
    BackfillReport,
    CacheError,
    CacheUnavailable,
    ConfigurationError,
    EntityRouter,
    Expiry,
    HashEncoding,
    KeyTemplate,
    LookupKey,
    Projection,
    Replicator,
    Route,
    TableError,
    include,
    where,
)
from ddb_cache_sync.core.guards import DEFAULT_GUARD_TTL_SECONDS
from ddb_cache_sync.sync.checkpoint import Checkpoint
from ddb_cache_sync.sync.item_sources import ExportSource, ScanSource
from ddb_cache_sync.sync.preparing import check_can_be_right
from ddb_cache_sync.table.capacity import CapacityLimiter
from ddb_cache_sync.table.descriptions import TableDescription
from ddb_cache_sync.testing import MemoryCache, stream_record, write_export

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from ddb_cache_sync.core.projection import Mode, Router
    from ddb_cache_sync.core.writes import Write

ARN = "arn:aws:dynamodb:eu-west-1:111122223333:table/T"
NOW = 1_745_500_000.0
TABLE = TableDescription("T", ARN, ("id",), True, "NEW_AND_OLD_IMAGES", f"{ARN}/stream/x", None, 0, 0, None, True)
KEYS = KeyTemplate("users:{id}")
ITEMS = [{"id": str(number), "name": f"n{number}"} for number in range(3)]


def filled(
    folder: Path,
    items: Iterable[Mapping[str, Any]],
    router: Router | None = None,
    *,
    cache: MemoryCache | None = None,
    now: float = NOW,
    **export: Any,
) -> tuple[BackfillReport, MemoryCache]:
    """What a backfill from an export of these items came to, an hour after it was made."""
    cache = cache or MemoryCache()
    write_export(folder, items, **{"exported_at": NOW - 3600, **export})
    source = ExportSource(str(folder), TABLE)
    run = Backfill(cache, router or Projection(KEYS), source, Checkpoint(None, {}), clock=lambda: now).run()
    return run, cache


def counts(report: BackfillReport) -> dict[str, Any]:
    return {name: value for name, value in report.to_json().items() if value and name not in ("seconds", "complete")}


def test_every_item_of_an_export_is_written(tmp_path: Path) -> None:
    """As a change would have written it; no guard is left."""
    report, cache = filled(tmp_path, ITEMS)
    assert cache.values == {f"users:{n}": b'{"id":"%d","name":"n%d"}' % (n, n) for n in range(3)}
    assert cache.guards == {}
    assert counts(report) == {"items": 3, "written": 3}
    assert report.complete
    assert report.seconds > 0


def test_what_the_stream_has_spoken_about_is_left_alone(tmp_path: Path) -> None:
    """An item that was changed since, and one that was removed."""
    cache = MemoryCache()
    Replicator(cache, keys=KEYS).apply(
        [
            stream_record({"id": "0"}, {"id": "0", "name": "newer"}, sequence_number=1),
            stream_record({"id": "1"}, sequence_number=2),
        ]
    )
    report, _ = filled(tmp_path, ITEMS, cache=cache)
    assert cache.values == {"users:0": b'{"id":"0","name":"newer"}', "users:2": b'{"id":"2","name":"n2"}'}
    assert counts(report) == {"items": 3, "written": 1, "guarded": 2}


def test_an_incremental_export_removes_what_is_gone(tmp_path: Path) -> None:
    """Where the stream has not spoken; a key that is missing already does no harm."""
    cache = MemoryCache(values={"users:8": b"old", "users:9": b"old"})
    Replicator(cache, keys=KEYS).apply([stream_record({"id": "9"}, {"id": "9"}, sequence_number=1)])
    removed = [{"id": "7"}, {"id": "8"}, {"id": "9"}]
    report, _ = filled(tmp_path, ITEMS[:1], cache=cache, kind="incremental", removed=removed)
    assert cache.values == {"users:0": b'{"id":"0","name":"n0"}', "users:9": b'{"id":"9"}'}
    assert counts(report) == {"items": 4, "written": 1, "removed": 2, "guarded": 1}


@pytest.mark.parametrize("mode", ["replicate", "invalidate", "refresh"])
def test_values_are_filled_in_in_every_mode(tmp_path: Path, mode: Mode) -> None:
    """A missing key is what a backfill is for."""
    report, cache = filled(tmp_path, ITEMS, Projection(KEYS, mode=mode))
    assert len(cache.values) == report.written == 3


def test_values_expire_as_replicated_ones_do(tmp_path: Path) -> None:
    """And an item that has expired is left out."""
    items: list[dict[str, Any]] = [{"id": "0", "ttl": int(NOW) + 60}, {"id": "1", "ttl": int(NOW) - 60}, {"id": "2"}]
    report, cache = filled(tmp_path, items, Projection(KEYS, expiry=Expiry("ttl")))
    assert cache.expires_at_ms == {"users:0": (int(NOW) + 60) * 1000}
    assert {*cache.values} == {"users:0", "users:2"}
    assert counts(report) == {"items": 3, "written": 2, "left_out": 1}


def test_transforms_and_hashes_are_those_of_the_replicator(tmp_path: Path) -> None:
    """What they leave out is counted."""
    router = Projection(KEYS, HashEncoding(), transforms=[where(lambda item: item["id"] != "1"), include("id")])
    report, cache = filled(tmp_path, ITEMS, router)
    assert cache.values == {"users:0": {"id": b"0"}, "users:2": {"id": b"2"}}
    assert counts(report) == {"items": 3, "written": 2, "left_out": 1}


def test_each_item_goes_where_its_route_says(tmp_path: Path) -> None:
    """What no route takes is left out, or a failure, as in the function."""
    routes = [
        Route(Projection(KeyTemplate("even:{id}")), attribute={"name": "n0"}),
        Route(Projection(KeyTemplate("odd:{id}")), attribute={"name": "n1"}),
    ]
    cache = MemoryCache(values={"odd:0": b"another's"})
    report, _ = filled(tmp_path / "a", ITEMS, EntityRouter(routes, "ignore"), cache=cache)
    assert {*cache.values} == {"even:0", "odd:1", "odd:0"}
    assert counts(report) == {"items": 3, "written": 2, "left_out": 1}
    report, _ = filled(tmp_path / "b", ITEMS, EntityRouter(routes))
    assert counts(report).keys() == {"items", "written", "failed", "problems"}
    assert "no route takes this item" in report.problems[0]


LOOKUPS = Projection(KEYS, lookups=[LookupKey("by-name:{name}")])


def test_lookup_keys_are_filled_in_after_their_items(tmp_path: Path) -> None:
    """So none leads to nothing; the change by which an item leaves one comes later and wins."""
    seen: list[str] = []

    class Watched(MemoryCache):
        def fill(self, writes: Iterable[Write], deadline: float | None = None) -> Any:
            wanted = [*writes]
            seen.extend(write.key for write in wanted)
            return super().fill(wanted, deadline)

    report, cache = filled(tmp_path, ITEMS, LOOKUPS, cache=Watched(), files=1)
    assert seen == ["users:0", "users:1", "users:2", "by-name:n0", "by-name:n1", "by-name:n2"]
    assert cache.values["by-name:n1"] == b"users:1"
    assert counts(report) == {"items": 3, "written": 6}
    old, new = ITEMS[1], {"id": "1", "name": "other"}
    Replicator(cache, LOOKUPS).apply([stream_record({"id": "1"}, new, old, sequence_number=1)])
    assert "by-name:n1" not in cache.values
    assert cache.values["by-name:other"] == b"users:1"
    assert filled(tmp_path, ITEMS, LOOKUPS, cache=cache, files=1)[0].guarded == 1  # it says nothing of lookup keys then
    assert "by-name:n1" not in cache.values


def test_lookup_keys_that_could_be_the_keys_of_items_are_refused(tmp_path: Path) -> None:
    """With the default mapping that is known once the table is; nothing is written."""
    cache, router = MemoryCache(), Projection(lookups=[LookupKey("{kind}:{email}")])
    with pytest.raises(ConfigurationError, match="could give the same key"):
        filled(tmp_path, [{"id": "1", "kind": "T", "email": "x"}], router, cache=cache)
    assert cache.values == {}


def test_removals_by_time_to_live_that_are_to_be_kept_are_refused(tmp_path: Path) -> None:
    """An incremental export does not tell them from others."""
    with pytest.raises(ConfigurationError, match="Fill from a scan or from a full export"):
        filled(tmp_path, [], Projection(KEYS, keep_ttl_removals=True), kind="incremental", removed=[{"id": "1"}])


def test_an_item_that_can_not_be_carried_stops_no_other(tmp_path: Path) -> None:
    """Each reason is told once, and no contents."""
    items = [{"id": "}" * 3, "secret": "s"}, *ITEMS, {"id": "{}", "secret": "s"}]
    report, cache = filled(tmp_path, items, Projection(lambda change: str(change.key.attributes["id"])))
    assert len(cache.values) == 3
    assert (report.failed, report.written, report.items) == (2, 3, 5)
    assert len(report.problems) == 1
    assert "secret" not in report.problems[0]


class Refusing(MemoryCache):
    """Takes no key that ends in 1."""

    def _fill(self, write: Write) -> Any:
        return CacheError("the cache refused to write") if write.key.endswith("1") else super()._fill(write)


def test_a_key_that_the_cache_does_not_take_is_a_failure(tmp_path: Path) -> None:
    """Of that key alone."""
    report, cache = filled(tmp_path, ITEMS, cache=Refusing())
    assert {*cache.values} == {"users:0", "users:2"}
    assert counts(report) == {"items": 3, "written": 2, "failed": 1, "problems": ("the cache refused to write",)}


class Breaking(MemoryCache):
    """Breaks down at its second page, after it was carried out."""

    calls = 0

    def fill(self, writes: Iterable[Write], deadline: float | None = None) -> Any:
        self.calls += 1
        done = super().fill(writes, deadline)
        if self.calls == 2:
            raise CacheUnavailable("gone")
        return done


def test_what_was_stopped_goes_on_and_does_no_more_than_a_page_of_each_piece_twice(tmp_path: Path) -> None:
    """Its checkpoint is of that export and that configuration, and goes when all is done."""
    items = [{"id": str(number)} for number in range(2300)]
    write_export(tmp_path, items, exported_at=NOW, files=2)
    cache, path = Breaking(), tmp_path / "checkpoint"

    def backfill() -> Backfill:
        source = ExportSource(str(tmp_path), TABLE)
        return Backfill(cache, Projection(KEYS), source, Checkpoint(path, source.job), threads=1, clock=lambda: NOW)

    first = backfill()
    assert not first.goes_on
    with pytest.raises(CacheUnavailable):
        first.run()
    assert (first.report.items, first.report.complete) == (100, False)
    second = backfill()
    assert second.goes_on
    seen: list[int] = []
    report = second.run(seen.append)
    assert (report.items, report.complete) == (2200, True)
    assert sum(seen) == 2200
    assert len(cache.values) == 2300
    assert not path.exists()


def test_a_stop_ends_it_after_the_pages_that_are_under_way(tmp_path: Path) -> None:
    """Nothing is begun after it, and the report says so."""
    write_export(tmp_path, [{"id": str(number)} for number in range(2300)], exported_at=NOW, files=2)
    cache, path = MemoryCache(), tmp_path / "checkpoint"
    source = ExportSource(str(tmp_path), TABLE)
    running = Backfill(cache, Projection(KEYS), source, Checkpoint(path, {}), threads=1, clock=lambda: NOW)
    report = running.run(lambda _: running.stop())
    assert (report.items, report.complete) == (100, False)
    assert Checkpoint(path, {}).begun


def test_what_was_read_too_long_ago_is_not_written(tmp_path: Path) -> None:
    """Past half of a guard's time to live, guards of later changes could be gone. An export is of its time ± 60 s."""
    half = DEFAULT_GUARD_TTL_SECONDS / 2
    write_export(tmp_path, ITEMS, exported_at=NOW - half + 61)
    cache = MemoryCache()
    for now, fresh in ((NOW, True), (NOW + 2, False)):
        source = ExportSource(str(tmp_path), TABLE)
        running = Backfill(cache, Projection(KEYS), source, Checkpoint(None, {}), clock=lambda now=now: now)  # type: ignore[misc]
        if fresh:
            assert running.run().written == 3
        else:
            with pytest.raises(TableError, match="too old to be written"):
                running.run()


def described(**changes: Any) -> TableDescription:
    names = TableDescription.__slots__
    return TableDescription(**{name: getattr(TABLE, name) for name in names} | changes)


LABEL, SINCE = "2025-04-23T13:37:16.991", 1_745_415_436.991


@pytest.mark.parametrize(
    ("table", "as_of", "read_again", "problem"),
    [
        (described(stream_enabled=False), None, False, "has no stream.* Enable the stream and start the function"),
        (described(stream_enabled=False), NOW, True, "has no stream"),
        (described(stream_label=LABEL), SINCE - 1, False, "older than the table's stream.*scan it"),
        (described(stream_label=LABEL), SINCE - 1, True, "older than the table's stream"),
        (TABLE, NOW - 20 * 3600, False, r"is 20\.0 h old, and guards live 25\.0 h.*--read-again"),
    ],
)
def test_what_can_not_be_right_is_refused(
    table: TableDescription, as_of: float | None, read_again: bool, problem: str
) -> None:
    """With the reason, and what to do about it."""
    with pytest.raises(ConfigurationError, match=problem):
        check_can_be_right(table, guard_ttl_seconds=90_000, as_of=as_of, read_again=read_again, now=NOW)


@pytest.mark.parametrize(
    ("table", "as_of", "read_again"),
    [
        (TABLE, None, False),
        (described(stream_label=LABEL), SINCE + 1, True),
        (described(stream_label="nonsense"), NOW - 3600, False),
        (TABLE, NOW - 400 * 3600, True),
    ],
)
def test_what_can_be_right_is_not_refused(table: TableDescription, as_of: float | None, read_again: bool) -> None:
    """An old export among it, if its items are read again."""
    check_can_be_right(table, guard_ttl_seconds=90_000, as_of=as_of, read_again=read_again, now=NOW)


@pytest.mark.parametrize(
    "options",
    [
        {"segments": 0},
        {"segments": 10_001},
        {"read_capacity": 1.0, "items_per_second": 1.0},
        {"read_again": True},
        {"from_export": "x", "read_capacity": 1.0},
        {"from_export": "x", "consistent": False},
    ],
)
def test_options_that_can_not_be_right_are_refused(options: dict[str, Any]) -> None:
    """When they are made."""
    with pytest.raises(ConfigurationError):
        BackfillOptions(**options)


def test_an_export_of_another_table_is_refused(tmp_path: Path) -> None:
    """Its items would go into the cache of this one."""
    write_export(tmp_path, ITEMS, table="other")
    with pytest.raises(ConfigurationError, match=r"the export is of .*table/other, not of .*table/T"):
        ExportSource(str(tmp_path), TABLE)


def test_a_scan_of_no_segments_is_refused() -> None:
    """As elsewhere."""
    client: Any = None
    with pytest.raises(ConfigurationError):
        ScanSource(client, TABLE, segments=0)


def test_an_export_is_read_at_a_rate(tmp_path: Path) -> None:
    """In items a second, over all of its files."""
    write_export(tmp_path, [{"id": str(number)} for number in range(2300)], exported_at=NOW, files=1)
    waits: list[float] = []
    limiter = CapacityLimiter.of_items(500, monotonic=lambda: 0.0 + sum(waits), sleep=waits.append)
    source = ExportSource(str(tmp_path), TABLE, limiter=limiter)
    Backfill(MemoryCache(), Projection(KEYS), source, Checkpoint(None, {}), threads=1, clock=lambda: NOW).run()
    assert 2 <= sum(waits) <= 2300 / 500


class Nowhere(MemoryCache):
    """Keeps nothing, for measuring."""

    def _put(self, write: Write) -> None:
        pass


@pytest.mark.long
def test_memory_does_not_grow_with_the_number_of_items(tmp_path: Path) -> None:
    """A hundred thousand items take what ten thousand take."""
    peaks = []
    for count in (10_000, 100_000):
        folder = tmp_path / str(count)
        write_export(
            folder, ({"id": str(number), "text": "x" * 100} for number in range(count)), exported_at=time.time()
        )
        source = ExportSource(str(folder), TABLE)
        running = Backfill(Nowhere(), Projection(KEYS), source, Checkpoint(None, {}), threads=2)
        tracemalloc.start()
        try:
            assert running.run().written == count
            peaks.append(tracemalloc.get_traced_memory()[1])
        finally:
            tracemalloc.stop()
    # The peak is of two threads' pages, one or two MB as it happens; the items alone would be tens of MB.
    assert max(peaks) < 8_000_000
