"""The function applies nothing for more than a day: the records of the gap are trimmed, and guards have expired."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from tests.table.buckets import upload

from ddb_cache_sync.table.clients import StaticCredentials, s3_client
from ddb_cache_sync.testing import write_export

if TYPE_CHECKING:
    from pathlib import Path

    import redis
    from tests.runbooks.conftest import Pipeline

pytestmark = [pytest.mark.servers, pytest.mark.long]

GAP = {"1": "changed", "2": "changed", "3": "removed", "4": "removed", "5": "made", "7": "changed"}
GUARDS_THAT_LIVE = {"2", "4"}


def test_what_a_gap_left_behind_is_found_and_mended(
    pipeline: Pipeline, redis_client: redis.Redis, tmp_path: Path
) -> None:
    """The export mends what has no guard any more, the repair what still has one."""
    table, shell = pipeline.table, pipeline.shell.environment
    for number in (1, 2, 3, 4, 6, 7):
        table.put(number)
    pipeline.drain()
    pipeline.aws.halt(pipeline.mapping)

    for item, what in GAP.items():
        table.remove(item) if what == "removed" else table.put(item, 2)
    gone = pipeline.streams.trim(table.stream_arn)[-len(GAP) :]
    assert [each["dynamodb"]["Keys"]["id"]["S"] for each in gone] == [*GAP]
    for number in range(1, 8):
        if str(number) not in GUARDS_THAT_LIVE:
            redis_client.delete(f"~v:{{users:{number}}}")  # 25 hours have passed
    table.put(7, 3)

    pipeline.aws.start(pipeline.mapping)  # "mend the function"
    pipeline.drain()
    assert pipeline.streams.trimmed == 6 + len(GAP)
    assert redis_client.get("users:7") == b'{"id":"7","value":3}'

    now = datetime.now(UTC)
    bucket = f"{table.name}-exports"
    shell["BUCKET"] = bucket
    # To a later time than now, since the emulator's table is younger than any window.
    shell["FROM"], shell["TO"] = (f"{now + timedelta(minutes=each):%FT%TZ}" for each in (-60, 5))
    pipeline.aws.export = lambda request: export(pipeline, gone, request, tmp_path / "export")
    assert found(pipeline) == {"1", "2", "3", "4", "5"}
    with pipeline.runbook("stream-interrupted.md") as runbook:
        said = runbook.follow("bring the bulk")
        assert "2 values written, 1 keys removed, 3 left to the stream" in said
        runbook.follow("find", exits=3)
        assert json.loads((tmp_path / "report.json").read_bytes())["drift"] == len(GUARDS_THAT_LIVE)
        assert "consistent" in runbook.follow("repair")
    assert redis_client.mget("users:1", "users:5") == [b'{"id":"1","value":2}', b'{"id":"5","value":2}']


def found(pipeline: Pipeline) -> set[str]:
    """The items about which verify says that they drifted."""
    done = pipeline.shell.run('ddb-cache-sync verify --table "$TABLE" --json')
    assert done.returncode == 3
    return {each["item"]["id"]["S"] for each in json.loads(done.stdout)["drifts"]}


def export(pipeline: Pipeline, records: list[Any], request: dict[str, Any], folder: Path) -> None:
    """Write an export of what these records say, to the bucket."""
    written = [each["dynamodb"] for each in records]
    write_export(
        folder,
        [
            {"id": each["Keys"]["id"]["S"], "value": int(each["NewImage"]["value"]["N"])}
            for each in written
            if "NewImage" in each
        ],
        kind="incremental",
        removed=[{"id": each["Keys"]["id"]["S"]} for each in written if "NewImage" not in each],
        table_arn=request["TableArn"],
        exported_at=request["IncrementalExportSpecification"]["ExportToTime"],
        export_id=request["ExportArn"].rpartition("/")[2],
    )
    server = pipeline.table.server
    client = s3_client(server.region, server.endpoint_url, credentials=StaticCredentials("local", "local"))
    upload(client, folder, request["S3Bucket"])
