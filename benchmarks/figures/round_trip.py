"""A round trip of half a millisecond, as between a function and its cache: ours against one SET a record."""

import contextlib
import time
from collections.abc import Iterator

import redis

from benchmarks import contenders
from benchmarks.contenders import applying
from benchmarks.delay_proxy import LOOPBACK, delay_proxy
from benchmarks.measuring import in_turn, rate, times_faster
from benchmarks.results import Contender, Figure, Result, Spread, Target
from benchmarks.workbench import Workbench
from benchmarks.workload import users
from ddb_cache_sync import connect

ADDED = 0.0005  # seconds, to the round trip
OURS = "ours"
ONE_BY_ONE = "one SET a record"


def run(bench: Workbench) -> Iterator[Result]:
    """Both in turn, through the proxy."""
    port = bench.standalone().port
    pings = 500 if bench.scale.records >= 1_000 else 10
    direct = _ping(port, pings)
    delay = ADDED / 3
    for _ in range(2):  # the proxy's own work, and how late this machine wakes it, are part of what it adds
        with delay_proxy(port, delay) as through:
            delay = max(0.0, delay + (ADDED - (_ping(through, pings).median - direct.median)) / 2)
    with contextlib.ExitStack() as stack:
        through = stack.enter_context(delay_proxy(port, delay))
        delayed = _ping(through, pings)
        url = f"redis://{LOOPBACK}:{through}"
        our_client = stack.enter_context(connect(url))
        their_client = stack.enter_context(redis.Redis.from_url(url))
        works = [users(bench.scale.records, start=number * bench.scale.records) for number in range(bench.scale.events)]
        runs = {
            OURS: applying(contenders.ours(our_client), works),
            ONE_BY_ONE: applying(contenders.one_by_one(their_client), works[:1]),
        }
        units = {OURS: len(works) * bench.scale.records, ONE_BY_ONE: bench.scale.records}
        times = in_turn(runs, rounds=max(1, bench.scale.rounds // 2), units=units)
    added = (delayed.median - direct.median) * 1e3
    yield Figure(
        "one-by-one-0.5ms",
        "standalone, 0.5 ms away: against one SET a record, each awaited",
        Target(30, "at least"),
        times_faster(times, OURS, than=ONE_BY_ONE),
        contenders=(
            rate(times, OURS),
            rate(times, ONE_BY_ONE),
            Contender("PING through the proxy", _millis(delayed), "ms"),
            Contender("PING without it", _millis(direct), "ms"),
        ),
        notes=(f"The proxy adds {added:.2f} ms to a PING, its own work included.",),
    )


def _ping(port: int, count: int) -> Spread:
    with redis.Redis(port=port) as client:
        client.ping()
        took = []
        for _ in range(count):
            started = time.perf_counter()
            client.ping()
            took.append(time.perf_counter() - started)
        return Spread.of(took)


def _millis(spread: Spread) -> Spread:
    return Spread(spread.median * 1e3, spread.lowest * 1e3, spread.highest * 1e3)
