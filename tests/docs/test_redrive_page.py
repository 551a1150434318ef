"""The guide to quarantine and redrive, and what the page on settings reckons."""

from __future__ import annotations

import inspect
import os
import re
import subprocess
import sys
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tests.cli.commands import COMMANDS
from tests.docs.markdown import ROOT, marked, rows

from ddb_cache_sync.core import outages
from ddb_cache_sync.core.attribute_values import MAX_NESTING
from ddb_cache_sync.core.given_up import MOST_BYTES, MOST_NESTING
from ddb_cache_sync.core.guards import DEFAULT_GUARD_TTL_SECONDS
from ddb_cache_sync.core.outages import doubling, failed_invocations, outlasted_seconds
from ddb_cache_sync.core.quarantined import QuarantinedRecord
from ddb_cache_sync.local.embedded import EmbeddedDynamoDB, create_demo_table
from ddb_cache_sync.sync.redriving import MOST_MARGIN_SECONDS
from ddb_cache_sync.table.clients import StaticCredentials, dynamodb_client, s3_client
from ddb_cache_sync.table.quarantines import MOST_MESSAGE_BYTES, PLAIN_MESSAGE_BYTES
from ddb_cache_sync.table.stream_ranges import MOST_RANGE_BYTES, MOST_RECORDS

if TYPE_CHECKING:
    import redis

HOW_TO = ROOT / "docs" / "how-to"
PAGE = HOW_TO / "redrive.md"
SETTINGS = HOW_TO / "lambda-settings.md"
TEXT = PAGE.read_text(encoding="utf-8")


def test_the_quarantine_of_the_page_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its assertions hold, and the record is in its folder."""
    monkeypatch.chdir(tmp_path)
    exec(compile(marked(PAGE, "run: quarantine"), "redrive.md", "exec"), {"__name__": "redrive_md"})
    [kept] = (tmp_path / "quarantine").rglob("*.json")
    assert kept.name.startswith("2-")


@pytest.mark.long
@pytest.mark.servers
def test_the_commands_and_the_function_of_the_page_run(
    dynamodb: EmbeddedDynamoDB, redis_client: redis.Redis, redis_url: str
) -> None:
    """On a bucket with a record that is set aside."""
    client = dynamodb.client()
    arn = create_demo_table(client, "users")
    s3 = s3_client(dynamodb.region, dynamodb.endpoint_url, credentials=StaticCredentials("local", "local"))
    bucket = f"poison-{uuid.uuid4().hex[:8]}"
    s3.create_bucket(Bucket=bucket)
    client.put_item(TableName="users", Item={"id": {"S": "42"}})
    body = {"Keys": {"id": {"S": "42"}}, "NewImage": {"id": {"S": "42"}}, "SequenceNumber": "1"}
    record = QuarantinedRecord.of({"eventName": "INSERT", "eventSourceARN": arn, "dynamodb": body}, "a bug")
    kept = {"Bucket": bucket, "Key": f"users-poison/{record.name}", "Body": record.document.encode()}
    s3.put_object(**kept)
    environment = {
        **os.environ,
        **dynamodb.environment,
        "AWS_ENDPOINT_URL_S3": dynamodb.endpoint_url,
        "DDB_CACHE_SYNC_REDIS_URL": redis_url,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    }
    code = marked(PAGE, "run: redrive").replace("s3://my-bucket/", f"s3://{bucket}/")
    subprocess.run(["bash", "-euo", "pipefail", "-c", code], env=environment, check=True)
    assert redis_client.get("users:42") == b'{"id":"42"}'
    assert "Contents" not in s3.list_objects_v2(Bucket=bucket)

    namespace: dict[str, Any] = {}
    exec(compile(marked(PAGE, "run: in Python"), "redrive.md", "exec"), namespace)
    redis_client.flushall()
    s3.put_object(**kept)
    made = dynamodb_client(dynamodb.region, dynamodb.endpoint_url, credentials=StaticCredentials("local", "local"))
    with pytest.MonkeyPatch.context() as patch:
        for name in ("AWS_ENDPOINT_URL_S3", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION"):
            patch.setenv(name, environment[name])
        report = namespace["bring_back"](redis_client, made, f"s3://{bucket}/users-poison")
    assert (report.read_again, report.deleted) == (1, 1)
    client.delete_table(TableName="users")


def test_the_options_are_those_of_the_command() -> None:
    """All of them."""
    named = {option for cell, _, _ in rows(PAGE, "option") for option in re.findall(r"--([a-z-]+)", cell)}
    parameters = {*inspect.signature(COMMANDS["redrive"]).parameters} - {"source"}
    assert named == {"json" if name == "as_json" else name.replace("_", "-") for name in parameters}


def test_the_bounds_are_those_of_the_code() -> None:
    """Each that the page names."""
    hours = DEFAULT_GUARD_TTL_SECONDS // 3600
    for said in (
        f"{MOST_BYTES // 2**20} MiB",
        f"{MOST_NESTING} levels; an item needs no more than {2 * MAX_NESTING + 6}",
        f"{MOST_RECORDS:,} records, and {MOST_RANGE_BYTES >> 20} MiB",
        f"above {PLAIN_MESSAGE_BYTES // 2**10} KiB compressed; what then exceeds SQS's {MOST_MESSAGE_BYTES >> 20} MiB",
        f"lives for {hours} h",
        f"so {hours - int(MOST_MARGIN_SECONDS // 3600)} h",
    ):
        assert said in TEXT, said


def number(text: str) -> float:
    return float(re.sub(r"[^\d.]", "", text))


def test_what_an_outage_costs_is_as_the_page_reckons() -> None:
    """Invocations in an hour; how long retries last, to the digits shown."""
    costs = rows(SETTINGS, "what fails")
    assert len(costs) == 4
    for _, seconds, without, waited in costs:
        attempt = number(seconds)
        assert failed_invocations(3600, attempt) == number(without)
        assert failed_invocations(3600, attempt, doubling(1, 60)) == number(waited)
    lasts = rows(SETTINGS, "`MaximumRetryAttempts`")
    assert [number(retries) for retries, _, _ in lasts] == [3, 10, outages.FEW_RETRIES, outages.RETRIES, 10_000]
    units = {"s": 1, "min": 60, "h": 3600}
    for retries, away, refused in lasts:
        for shown, attempt in ((away, 29.0), (refused, 0.1)):
            unit = units[shown.split()[1]]
            assert outlasted_seconds(int(number(retries)), attempt) / unit == pytest.approx(number(shown), rel=0.01)


def test_the_values_to_begin_with_are_those_of_the_code() -> None:
    """With a quarantine and without."""
    begin = rows(SETTINGS, "poison records")
    age = f"`{outages.RECORD_AGE_SECONDS}`"
    assert [row[1:3] for row in begin] == [
        [f"`{outages.RETRIES_WITH_QUARANTINE}`", age],
        [f"`{outages.RETRIES}`", age],
    ]
    assert (
        f"{outages.RETRIES_WITH_QUARANTINE} and {outages.RECORD_AGE_SECONDS} with a [quarantine]"
        in SETTINGS.read_text(encoding="utf-8")
    )
    assert f"below {outages.FEW_RETRIES} retries" in SETTINGS.read_text(encoding="utf-8")
