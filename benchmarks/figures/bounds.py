"""What bounds it: microseconds a record, stage by stage, and what the server itself needs for a key.

Stages are timed one by one by the processor time of this thread, so that neither the server nor other programs on this
machine count. Waiting is what is left of the time on the clock.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from statistics import median
from typing import Any

import redis

from benchmarks import contenders
from benchmarks.results import Result, Table
from benchmarks.workbench import Workbench
from benchmarks.workload import KEYS, Workload, users
from ddb_cache_sync import Outcome, Replicator, apply_stream_event, connect
from ddb_cache_sync.cache.contract import WriteResult
from ddb_cache_sync.core.projection import Projection
from ddb_cache_sync.core.writes import Write
from ddb_cache_sync.sync.batch import Batch


class NoCache:
    """Takes every write and keeps none: a cache that costs nothing."""

    def apply(self, writes: Iterable[Write], deadline: float | None = None) -> Sequence[WriteResult]:  # noqa: ARG002
        """Say that each was applied."""
        return [Outcome.APPLIED for _ in writes]

    def fill(self, writes: Iterable[Write], deadline: float | None = None) -> Sequence[WriteResult]:
        """Say that each was applied."""
        return self.apply(writes, deadline)


def run(bench: Workbench) -> Iterator[Result]:
    """The client's stages, then the server's counters."""
    work = users(bench.scale.records)
    with connect(bench.standalone().url) as client:
        client.flushall()
        yield _client(client, work, bench.scale.rounds)
        yield _server(client, work, bench.scale.rounds)


def _client(client: redis.Redis, work: Workload, rounds: int) -> Table:
    projection = Projection(KEYS)
    real, without = Replicator(client, keys=KEYS), Replicator(NoCache(), keys=KEYS)
    stages: dict[str, Callable[[], object]] = {
        "read": lambda: Batch(work.records, projection),
        "read, encode": lambda: [None for _ in Batch(work.records, projection).writes()],
        "without a cache": lambda: apply_stream_event(work.event, without),
        "all": lambda: apply_stream_event(work.event, real),
    }
    busy: dict[str, list[float]] = {name: [] for name in stages}
    clock: list[float] = []
    for _ in range(rounds + 1):
        for name, stage in stages.items():
            started, started_busy = time.perf_counter(), time.thread_time()
            stage()
            busy[name].append((time.thread_time() - started_busy) / len(work.records) * 1e6)
            if name == "all":
                clock.append((time.perf_counter() - started) / len(work.records) * 1e6)
    cost = {name: median(times[1:]) for name, times in busy.items()}
    on_the_clock = median(clock[1:])
    sending = cost["all"] - cost["without a cache"]
    rows = [
        ("read", cost["read"], "records taken apart and checked, cache keys, the newest of each"),
        ("encode", cost["read, encode"] - cost["read"], "guard keys, items to JSON bytes"),
        ("report", cost["without a cache"] - cost["read, encode"], "outcomes counted"),
        ("pack, send, read", sending, "commands to bytes, system calls, replies looked at"),
        ("wait", on_the_clock - cost["all"], "for the server, or for a core"),
        ("all, on the clock", on_the_clock, f"{1e6 / on_the_clock:,.0f} records/s"),
    ]
    return Table(
        "client-cost",
        f"client: µs a record by stage, event of {len(work.records):,} records",
        ("stage", "µs", "what it is"),
        [(stage, round(micros, 2), what) for stage, micros, what in rows],
        (
            (
                "Processor time of the client's thread: each stage is what it takes with that stage less what it takes "
                "without it. Waiting is the rest of the time on the clock."
            ),
        ),
    )


def _server(client: redis.Redis, work: Workload, rounds: int) -> Table:
    rows = []
    for name, make, command in (("ours", contenders.ours, "evalsha"), ("plain SET", contenders.plain_set, "set")):
        apply = make(client)
        apply(work)
        before = client.info("cpu")
        client.config_resetstat()
        for _ in range(rounds):
            apply(work)
        counted: dict[str, Any] = client.info("commandstats")[f"cmdstat_{command}"]
        after = client.info("cpu")
        keys = rounds * len(work.values)
        busy = sum(after[part] - before[part] for part in ("used_cpu_user", "used_cpu_sys"))
        rows.append(
            (name, round(counted["usec"] / keys, 2), round(busy / keys * 1e6, 2), round(keys / counted["calls"], 1))
        )
    return Table(
        "server-cost",
        "server: µs a key, by its own count",
        ("contender", "in the command", "all its processor time", "keys a command"),
        rows,
        (
            "In the command: INFO commandstats, EVALSHA or SET. All: INFO cpu, with parsing and system calls.",
            "One thread runs every command of a node: no more keys a second than 1,000,000 / (all its processor time).",
        ),
    )
