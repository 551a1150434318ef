"""A primary dies with writes that it had acknowledged and not passed on."""

from __future__ import annotations

import contextlib
import json
import os
import signal
from typing import TYPE_CHECKING

import pytest
from redis.crc import key_slot
from tests.cluster.support import ask, await_that, cut_off, node_client

from ddb_cache_sync.local.embedded import embedded_cluster

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import redis
    from tests.runbooks.conftest import Pipeline

pytestmark = [pytest.mark.servers, pytest.mark.long, pytest.mark.xdist_group("failover")]

ITEMS = 24
DEAD_SLOTS = range(16_384 // 3)  # those of the first of three primaries


def test_what_a_failover_lost_is_found_and_repaired(pipeline_of: Callable[[str], Pipeline], tmp_path: Path) -> None:
    """Changed, removed and new items, their guards gone back with them; the stream does not bring them again."""
    with contextlib.ExitStack() as stack:
        cluster = stack.enter_context(embedded_cluster(3, 1, config={"cluster-node-timeout": 1000}))
        dead, alive = cluster.primaries[:2]
        replica = stack.enter_context(node_client(cluster.replicas[0]))
        pipeline = pipeline_of(f"{alive.url}?cluster=true")
        for number in range(ITEMS):
            pipeline.table.put(number)
        pipeline.drain()
        with node_client(dead) as primary:
            await_that(lambda: offset(replica, "slave_repl_offset") == offset(primary, "master_repl_offset"), "in step")
        cut_off(replica)
        for number in range(ITEMS):
            if number % 2:
                pipeline.table.put(number, 2)
            else:
                pipeline.table.remove(number)
            pipeline.table.put(ITEMS + number)
        pipeline.drain()
        applied = dict(pipeline.function.outcomes)
        os.kill(dead.pid, signal.SIGKILL)
        await_that(lambda: replica.info("replication")["role"] == "master", "the failover")
        await_that(lambda: b"cluster_state:ok" in ask(replica, "CLUSTER", "INFO"), "the cluster serves every slot")

        lost = {number for number in range(2 * ITEMS) if key_slot(b"users:%d" % number) in DEAD_SLOTS}
        with pipeline.runbook("cache-failed-over.md") as runbook:
            runbook.follow("find", exits=3)
            report = json.loads((tmp_path / "report.json").read_bytes())
            assert {int(each["item"]["id"]["S"]) for each in report["drifts"]} == lost
            assert min(report["missing"], report["stale"], report["orphaned"]) > 0
            dry = runbook.follow("repair")
            assert len(dry.splitlines()) == len(lost), "the dry run; the audit is in a file"
            runbook.follow("verify")
        assert pipeline.function.outcomes == applied, "no record came again"

        changed = max(lost)
        pipeline.table.put(changed, 3)
        pipeline.drain()
        assert ask(replica, "GET", f"users:{changed}") == b'{"id":"%d","value":3}' % changed


def offset(node: redis.Redis, name: str) -> int:
    """How far a node's replication has come."""
    return int(node.info("replication")[name])
