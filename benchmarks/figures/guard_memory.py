"""What a guard takes of the server's memory: the same keys filled in with guards and without."""

import time
from collections.abc import Iterator, Sequence

import redis

from benchmarks import contenders
from benchmarks.results import Contender, Figure, Result, Spread, Target
from benchmarks.workbench import Workbench
from benchmarks.workload import Workload, small_users
from ddb_cache_sync.core.guards import guard_key
from ddb_cache_sync.local.embedded import embedded_valkey

TARGET = Target(100, "at most")
_STEPS = (0.6, 0.8, 1.0)  # of the keys: hash tables grow by doubling, so the number depends on where one stands
_SETTLED_SECONDS = 0.3  # without a change: tables are rehashed a little at a time


def run(bench: Workbench) -> Iterator[Result]:
    """On a server of its own, from empty each time."""
    per_guard: list[float] = []
    works: Sequence[Workload] = ()
    all_works = [small_users(1_000, start=start) for start in range(0, bench.scale.guards, 1_000)]
    with embedded_valkey() as server, redis.Redis.from_url(server.url) as client:
        for count in sorted({max(1, round(len(all_works) * step)) for step in _STEPS}):
            works = all_works[:count]
            without = _filled(server.url, client, works, guards=False)
            per_guard.append(
                (_filled(server.url, client, works, guards=True) - without) / sum(len(work.values) for work in works)
            )
        key = guard_key(next(iter(works[0].values)))
        value = client.get(key) or b""
        own = float(client.memory_usage(key) or 0)
        allocator = client.info("memory").get("mem_allocator", "unknown")
    spread = Spread.of(per_guard)
    yield Figure(
        "guard-memory",
        f"guard memory: one guard in the server, {len(all_works) * 1_000:,} keys",
        TARGET,
        spread,
        unit="B",
        contenders=(
            Contender("of which key, value and expiry (MEMORY USAGE)", Spread.of([own]), "B"),
            Contender("of which entries in two hash tables (the rest)", Spread.of([spread.median - own]), "B"),
        ),
        notes=(
            (
                f"Key of {len(key)} bytes ({key}), value of {len(value)} ({value.decode()}) and an expiry of 8. The "
                f"allocator ({allocator}) rounds the sum up, by up to 16: a longer cache key can cost more."
            ),
            (
                "The span is over numbers of keys: the server's hash tables, of keys and of expiries, double when "
                "full, and with guards the one of keys holds twice as many."
            ),
        ),
    )


def _filled(url: str, client: redis.Redis, works: Sequence[Workload], *, guards: bool) -> int:
    """Bytes that the server uses once it holds these keys."""
    client.flushall()
    # A client that is closed before memory is looked at: its buffers count as used.
    with redis.Redis.from_url(url) as filling:
        apply = contenders.ours(filling) if guards else contenders.plain_set(filling)
        for work in works:
            apply(work)
    used, since = _used(client), time.monotonic()
    while time.monotonic() - since < _SETTLED_SECONDS:
        time.sleep(_SETTLED_SECONDS / 6)
        now = _used(client)
        if abs(now - used) > 4096:  # a page: the reply to this very question may take some
            used, since = now, time.monotonic()
    return used


def _used(client: redis.Redis) -> int:
    return int(client.info("memory")["used_memory"])
