"""What a guard takes of the server's memory: as the server says it, and the same keys filled in with and without."""

import time
from collections.abc import Iterator, Sequence
from statistics import median

import redis

from benchmarks import contenders
from benchmarks.results import Contender, Figure, Result, Spread, Target
from benchmarks.workbench import Workbench
from benchmarks.workload import Workload, small_users
from ddb_cache_sync.core.guards import guard_key
from ddb_cache_sync.local.embedded import embedded_valkey

TARGET = Target(100, "at most")
WHOLE = "all that used_memory grows by for a guard"
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
        guards = [guard_key(each) for each in works[0].values]
        own = [float(client.memory_usage(guard) or 0) for guard in guards]
        key = guards[0]
        value = client.get(key) or b""
        allocator = client.info("memory").get("mem_allocator", "unknown")
    whole = Spread.of(per_guard)
    yield Figure(
        "guard-memory",
        "guard memory: one guard by MEMORY USAGE, its entries in the server's tables apart",
        TARGET,
        Spread.of(own),
        unit="B",
        contenders=(Contender(WHOLE, whole, "B"),),
        notes=(
            (
                f"Key of {len(key)} bytes ({key}), value of {len(value)} ({value.decode()}) and an expiry of 8. The "
                f"allocator ({allocator}) rounds the sum up, by up to 16: a longer cache key can cost more."
            ),
            (
                f"Its entries in the server's two hash tables, of keys and of expiries, come to the "
                f"{whole.median - median(own):.0f} bytes between. The span of the whole is over numbers of keys (up to "
                f"{len(all_works) * 1_000:,}): those tables double when full, and with guards the one of keys holds "
                "twice as many."
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
