"""A stream is switched off, the table changes, and another stream is switched on."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from tests.runbooks.conftest import guard_of

if TYPE_CHECKING:
    from pathlib import Path

    import redis
    from tests.runbooks.conftest import Pipeline

pytestmark = [pytest.mark.servers, pytest.mark.long]


def test_what_changed_without_a_stream_is_found_and_repaired(
    pipeline: Pipeline, redis_client: redis.Redis, tmp_path: Path
) -> None:
    """And the new stream's changes win, though its numbers begin anew."""
    table, aws = pipeline.table, pipeline.aws
    for number in range(1, 6):
        table.put(number)
    pipeline.drain()
    old_guard = guard_of(redis_client, 5)
    aws.halt(pipeline.mapping)  # all that the old stream has is applied
    table.switch_stream_off()
    table.put(1, 2)
    table.remove(2)
    table.put(6)

    pipeline.shell.environment["ON_FAILURE_ARN"] = "arn:aws:s3:::given-up"
    with pipeline.runbook("stream-re-created.md") as runbook:
        assert "loses-data" in runbook.follow("doctor", exits=1)
        runbook.follow("switch it on")
        table.put(5, 3)
        runbook.follow("map it")
        assert len(aws.mappings) == 2
        pipeline.drain()
        assert redis_client.get("users:5") == b'{"id":"5","value":3}'
        guard = guard_of(redis_client, 5)
        assert int(guard.sequence_number) <= int(old_guard.sequence_number), "its numbers begin anew"
        assert guard > old_guard
        runbook.follow("find", exits=3)
        report = json.loads((tmp_path / "report.json").read_bytes())
        assert {each["key"]: each["kind"] for each in report["drifts"]} == {
            "users:1": "stale",
            "users:2": "orphaned",
            "users:6": "missing",
        }
        assert "consistent" in runbook.follow("repair")
        assert "loses-data" not in runbook.follow("tidy up")
    assert pipeline.mapping.uuid not in aws.mappings
    assert len(aws.mappings) == 1
    table.put(1, 4)
    pipeline.drain()
    assert redis_client.get("users:1") == b'{"id":"1","value":4}', "a change wins over a repair"
