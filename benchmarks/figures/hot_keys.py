"""Hot keys: many changes of few items in one event, against as many changes of as many items."""

from collections.abc import Iterator

from benchmarks import contenders
from benchmarks.contenders import applying
from benchmarks.measuring import in_turn, rate, times_faster
from benchmarks.results import Figure, Result, Target
from benchmarks.workbench import Workbench
from benchmarks.workload import hot_users, users
from ddb_cache_sync import connect

HOT_KEYS = 10
HOT = f"1,000 records on {HOT_KEYS} keys"
EVEN = "1,000 records on 1,000 keys"


def run(bench: Workbench) -> Iterator[Result]:
    """Both in turn."""
    scale = bench.scale
    starts = [number * scale.records for number in range(scale.events)]
    with connect(bench.standalone().url) as client:
        client.flushall()
        apply = contenders.ours(client)
        hot = [hot_users(scale.records, HOT_KEYS, start=10_000_000 + start) for start in starts]
        runs = {HOT: applying(apply, hot), EVEN: applying(apply, [users(scale.records, start=at) for at in starts])}
        apply(hot[0])
        contenders.check(client, hot[0], exact=True)
        times = in_turn(runs, rounds=scale.rounds, units=scale.events * scale.records)
    yield Figure(
        "hot-keys",
        f"hot keys: 1,000 records on {HOT_KEYS} keys, against 1,000 keys",
        Target(1.5, "at least"),
        times_faster(times, HOT, than=EVEN),
        contenders=(rate(times, HOT), rate(times, EVEN)),
        notes=("Changes of one key in one event are coalesced: the newest is written.",),
    )
