"""A cluster of three nodes: ours against the cluster client's own pipeline."""

from collections.abc import Iterator

from redis.cluster import RedisCluster

from benchmarks import contenders
from benchmarks.contenders import applying
from benchmarks.measuring import in_turn, rate, times_faster
from benchmarks.results import Figure, Result, Target
from benchmarks.workbench import Workbench
from benchmarks.workload import users
from ddb_cache_sync import CacheSyncError

OURS = "ours"
PLAIN = "cluster pipeline of plain SET"
TARGET = Target(1.2, "at least")
TITLE = "3-node cluster: against redis-py's cluster pipeline of plain SET"


def run(bench: Workbench) -> Iterator[Result]:
    """Both in turn."""
    works = [users(bench.scale.records, start=number * bench.scale.records) for number in range(bench.scale.events)]
    url = bench.cluster().url
    with RedisCluster.from_url(url) as our_client, RedisCluster.from_url(url) as their_client:
        applies = {PLAIN: contenders.plain_set(their_client)}
        try:
            applies[OURS] = contenders.ours(our_client)
            applies[OURS](works[0])
        except (CacheSyncError, TypeError, AttributeError) as error:
            reason = f"the library does not take a cluster client yet ({type(error).__name__})"
            yield Figure("cluster", TITLE, TARGET, None, skipped=reason)
            return
        for apply in applies.values():
            their_client.flushall(target_nodes=RedisCluster.PRIMARIES)
            apply(works[0])
            contenders.check(their_client, works[0], exact=True)
        runs = {name: applying(apply, works) for name, apply in applies.items()}
        times = in_turn(runs, rounds=bench.scale.rounds, units=bench.scale.events * bench.scale.records)
    yield Figure(
        "cluster",
        TITLE,
        TARGET,
        times_faster(times, OURS, than=PLAIN),
        contenders=(rate(times, OURS), rate(times, PLAIN)),
        notes=("The three nodes and the client share this machine's cores.",),
    )
