"""The whole pipeline on six real nodes while every kind of fault strikes: each was seen, and no key is wrong.

A run is drawn from a seed, which it prints; `PIPELINE_FAULTS_SEED` draws the same again, as exactly as threads and
servers allow (see `rounds`). Longer runs: `python -m tests.soak`.
"""

import os
import random
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from tests.pipeline_faults.delivery import DELIVERED, PROXIED
from tests.pipeline_faults.items import cache_key
from tests.pipeline_faults.kinds import Kind
from tests.pipeline_faults.pipeline import Pipeline
from tests.pipeline_faults.plans import Plan, drawn_plan
from tests.pipeline_faults.rig import DivergentError
from tests.pipeline_faults.server_faults import SERVERS
from tests.pipeline_faults.servers import CONFIG

from ddb_cache_sync.local.embedded import embedded_cluster

pytestmark = [pytest.mark.servers, pytest.mark.long, pytest.mark.xdist_group("every fault")]

EVERYTHING = Plan(
    records=20_000,
    page=200,
    batch_size=200,
    shards=2,
    parallelization_factor=2,
    bisect=True,
    retries=3,
    poison_share=0.03,
    each=(*DELIVERED, *PROXIED),
    servers=SERVERS,
    split=True,
    recreate=True,
    expire_guards=600,
)


@pytest.fixture(scope="module")
def pipeline() -> Iterator[Pipeline]:
    """Give a pipeline that has been through everything; no key was wrong in the end."""
    seed = os.environ.get("PIPELINE_FAULTS_SEED") or f"{random.SystemRandom().getrandbits(32):x}"
    print(f"PIPELINE_FAULTS_SEED={seed}")  # noqa: T201 - shown where something fails
    with embedded_cluster(3, 3, config=CONFIG) as cluster:
        run = Pipeline(cluster, 6000, seed)
        run.fill()
        run.run(1, Plan(records=6000, page=200, batch_size=200))  # so that there are guards
        run.run(2, EVERYTHING)
        yield run
        run.close()


@pytest.mark.timeout(300)
@pytest.mark.parametrize("kind", Kind)
def test_the_fault_has_struck_and_no_key_is_wrong(pipeline: Pipeline, kind: Kind) -> None:
    """Whatever it was: its effect was seen. What a failover took, verify has found, and repair healed."""
    assert pipeline.rig.counts[kind] > 0


def test_what_the_failover_took_was_found_and_healed(pipeline: Pipeline) -> None:
    """Key by key: verify named just these, and repair left none."""
    assert pipeline.outcome.lost > 0
    assert pipeline.rig.checker.divergent() == []


@pytest.mark.parametrize("spoil", ["stale", "missing", "left over"])
def test_a_wrong_key_would_have_been_noticed(pipeline: Pipeline, spoil: str) -> None:
    """The comparison can fail."""
    held = spoil != "left over"
    key = next(key for key in range(pipeline.rig.items.count) if (pipeline.rig.items.value(key) is not None) is held)
    server = pipeline.rig.servers.client(pipeline.rig.servers.owners()[pipeline.rig.checker.slots[key]])
    before = server.get(cache_key(key))
    try:
        if spoil == "missing":
            server.delete(cache_key(key))
        else:
            server.set(cache_key(key), b"{}")
        with pytest.raises(DivergentError, match=cache_key(key)):
            pipeline.compare(1)
    finally:
        server.delete(cache_key(key))
        if isinstance(before, bytes):
            server.set(cache_key(key), before)


def test_only_what_was_written_before_a_failover_may_be_lost_to_it(pipeline: Pipeline) -> None:
    """What changed afterwards has to be right; what changed before is found and healed."""
    items, checker, servers = pipeline.rig.items, pipeline.rig.checker, pipeline.rig.servers
    key = next(key for key in range(items.count) if items.value(key) is not None and items.changed_since(key, 1))
    slot = checker.slots[key]
    servers.client(servers.owners()[slot]).delete(cache_key(key))
    over_before: Any = SimpleNamespace(lost={slot: 1}, begun_at=1, filled=[key])
    with pytest.raises(DivergentError, match=cache_key(key)):
        pipeline.compare(1, over_before)
    elsewhere: Any = SimpleNamespace(lost={(slot + 1) % 16_384: items.changes}, begun_at=1, filled=[key])
    with pytest.raises(DivergentError, match=cache_key(key)):
        pipeline.compare(1, elsewhere)
    over_now: Any = SimpleNamespace(lost={slot: items.changes}, begun_at=1, filled=())
    pipeline.compare(1, over_now)
    assert checker.divergent() == []


def test_a_seed_draws_the_same_rounds_again() -> None:
    """And another draws others."""
    assert [drawn_plan("a", n, 1000) for n in range(5)] == [drawn_plan("a", n, 1000) for n in range(5)]
    assert drawn_plan("a", 1, 1000) != drawn_plan("b", 1, 1000)


def test_every_kind_comes_up_in_a_long_run() -> None:
    """Within a hundred rounds each fault that is drawn is drawn."""
    plans = [drawn_plan("a", n, 1000) for n in range(100)]
    assert {kind for plan in plans for kind in (*plan.mix, *plan.servers)} == {*DELIVERED, *PROXIED, *SERVERS}
    assert any(plan.split for plan in plans)
    assert any(plan.recreate for plan in plans)
    assert any(plan.expire_guards for plan in plans)
    assert any(plan.poison_share for plan in plans)
    assert any(plan.bisect for plan in plans)
