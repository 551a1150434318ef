"""A standalone server: ours against a plain pipeline, against Powertools, and against one SET a record."""

from collections.abc import Callable, Iterator

import redis

from benchmarks import contenders
from benchmarks.contenders import Apply, applying
from benchmarks.measuring import Run, in_turn, rate, times_faster
from benchmarks.results import Figure, Result, Target
from benchmarks.workbench import Unmeasurable, Workbench
from benchmarks.workload import Workload, users
from ddb_cache_sync import connect

OURS = "ours"
PLAIN = "pipeline of plain SET"
POWERTOOLS = "Powertools + json + pipeline"
ONE_BY_ONE = "one SET a record"

FIGURES = (
    ("plain-pipeline", "standalone: against a pipeline of plain SET, nothing decoded, no guard", PLAIN, 0.9),
    ("powertools", "standalone: against Powertools + json + pipeline of SET, no guard", POWERTOOLS, 3.0),
    ("one-by-one", "standalone: against one SET a record, each awaited", ONE_BY_ONE, 3.0),
)


def run(bench: Workbench) -> Iterator[Result]:
    """All four contenders in turn."""
    url = bench.standalone().url
    works = [users(bench.scale.records, start=number * bench.scale.records) for number in range(bench.scale.events)]
    missing: dict[str, str] = {}
    with connect(url) as our_client, redis.Redis.from_url(url) as their_client:
        makers: dict[str, Callable[[], Apply]] = {
            OURS: lambda: contenders.ours(our_client),
            PLAIN: lambda: contenders.plain_set(their_client),
            POWERTOOLS: lambda: contenders.powertools(their_client),
            ONE_BY_ONE: lambda: contenders.one_by_one(their_client),
        }
        runs: dict[str, Run] = {}
        for name, make in makers.items():
            try:
                runs[name] = _checked(make(), works, their_client, exact=name in (OURS, PLAIN))
            except Unmeasurable as reason:
                missing[name] = str(reason)
        times = in_turn(runs, rounds=bench.scale.rounds, units=bench.scale.events * bench.scale.records)
    for name, title, rival, bound in FIGURES:
        target = Target(bound, "at least")
        if rival in missing:
            yield Figure(name, title, target, None, skipped=missing[rival])
        else:
            yield Figure(
                name,
                title,
                target,
                times_faster(times, OURS, than=rival),
                contenders=(rate(times, OURS), rate(times, rival)),
            )


def _checked(apply: Apply, works: list[Workload], client: redis.Redis, *, exact: bool) -> Run:
    """A run of this contender, which is known to do its work."""
    client.flushall()
    apply(works[0])
    contenders.check(client, works[0], exact=exact)
    return applying(apply, works)
