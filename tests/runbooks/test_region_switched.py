"""Another Region's replica of a global table takes over: its stream is another one, and older than the one before."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

import pytest
from tests.runbooks.conftest import SETTINGS, guard_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import redis
    from tests.runbooks.conftest import Pipeline

pytestmark = [pytest.mark.servers, pytest.mark.long]

LOST, HERE = "us-east-1", "eu-west-1"


def test_another_regions_changes_win_and_what_was_not_replicated_is_repaired(
    pipeline_of: Callable[..., Pipeline], redis_client: redis.Redis, redis_url: str, tmp_path: Path
) -> None:
    """In one cache, which held what the lost Region said."""
    here = pipeline_of(redis_url, HERE)
    here.aws.halt(here.aws.mappings.pop(here.mapping.uuid))  # not until it takes over
    lost = pipeline_of(redis_url, LOST)
    assert here.table.stream_arn.rpartition("/")[2] < lost.table.stream_arn.rpartition("/")[2]
    for number in range(1, 8):
        lost.table.put(number)
        here.table.put(number)  # replicated
    lost.table.put(4, 2)  # this, and what follows, is not
    lost.table.remove(5)
    lost.table.put(8)
    lost.drain()

    forgotten = here.aws.map(here.function, here.table.stream_arn, **SETTINGS)
    for number in (1, 2):
        here.table.put(number, 3)
    here.table.remove(3)
    here.drain()
    assert here.function.outcomes["stale"] >= 3, "the guards are of a later stream"
    assert redis_client.get("users:1") == b'{"id":"1","value":1}'
    shown = here.shell.run('ddb-cache-sync verify --table "$TABLE"')
    assert shown.returncode == 3
    assert "have the guard of a stream that was made after the table's" in shown.stdout
    here.aws.halt(here.aws.mappings.pop(forgotten.uuid))

    here.shell.environment |= {
        "OLD_REGION": LOST,
        "OLD_MAPPING": lost.mapping.uuid,
        "ON_FAILURE_ARN": "arn:aws:s3:::given-up",
    }
    with here.runbook("region-switched.md") as runbook:
        runbook.follow("stop the old Region")
        assert lost.mapping.reader is None
        time.sleep(1)  # the label is of the full second, and no stream was made in it
        runbook.follow("set the label")
        label = here.function.variables["DDB_CACHE_SYNC_STREAM_LABEL"]
        assert label > lost.table.stream_arn.rpartition("/")[2], "it outranks all before"
        assert here.function.variables["DDB_CACHE_SYNC_KEY_TEMPLATE"] == "users:{id}", "the others stay"
        runbook.follow("map the stream")
        here.table.put(2, 4)
        here.drain()
        assert redis_client.get("users:2") == b'{"id":"2","value":4}', "from now on changes win"
        runbook.follow("find", exits=3)
        report = json.loads((tmp_path / "report.json").read_bytes())
        assert {each["key"]: each["kind"] for each in report["drifts"]} == {
            "users:1": "stale",
            "users:3": "orphaned",
            "users:4": "stale",
            "users:5": "missing",
            "users:8": "orphaned",
        }
        assert report["notes"] == [], "this Region's label is the latest"
        assert "consistent" in runbook.follow("repair")

    here.table.put(1, 5)
    here.drain()
    assert redis_client.get("users:1") == b'{"id":"1","value":5}', "a change wins over a repair"
    assert guard_of(redis_client, 1).stream_label_ms > guard_of(redis_client, 7).stream_label_ms
