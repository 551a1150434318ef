from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import redis
from tests.cli.conftest import Cli, Result
from tests.table.pipelines import Pipeline

from ddb_cache_sync.core.diagnosis import CHECKS
from ddb_cache_sync.local.embedded import EmbeddedDynamoDB, create_demo_table
from ddb_cache_sync.local.servers import free_port

pytestmark = pytest.mark.servers


@pytest.fixture
def pipeline(dynamodb: EmbeddedDynamoDB, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> Pipeline:
    """Give a table with a stream and a function; what the command asks of AWS goes there."""
    made = Pipeline(dynamodb)
    for name, value in made.environment.items():
        monkeypatch.setenv(name, value)
    made.create_table()
    made.create_function()
    return made


def levels(result: Result, *wanted: str) -> dict[str, str]:
    """What was found, by check."""
    found: list[dict[str, Any]] = result.json["findings"]
    return {each["check"]: each["level"] for each in found if not wanted or each["level"] in wanted}


def test_a_healthy_pipeline_has_no_findings(
    cli: Cli, pipeline: Pipeline, redis_client: redis.Redis, redis_url: str
) -> None:
    """Every check was made, and the cache is as it was."""
    pipeline.map()
    pipeline.fall_behind(1.0)
    result = cli("doctor", "--table", pipeline.name, "--redis-url", redis_url)
    assert result == (0, f"{len(CHECKS)} ok\n", "")
    told = cli("doctor", "--table", pipeline.name, "--redis-url", redis_url, "--json")
    assert (told.code, told.json["loses_data"]) == (0, False)
    assert sorted(levels(told)) == sorted(CHECKS)
    assert redis_client.keys() == []


def test_what_loses_data_comes_first_with_exit_code_1(
    cli: Cli, pipeline: Pipeline, redis_client: redis.Redis, redis_url: str
) -> None:
    """Each line says how to mend it."""
    pipeline.map(FunctionResponseTypes=[], BatchSize=1, StartingPosition="LATEST")
    result = cli("doctor", "--table", pipeline.name, "--redis-url", redis_url, "--key-template", "users:{id}")
    assert (result.code, result.err) == (1, "")
    lines = result.out.splitlines()
    assert [line.split()[:2] for line in lines[:-1]] == [
        ["loses-data", "report-failures"],
        ["warning", "starting-position"],
        ["note", "batch-size"],
    ]
    assert lines[0].endswith("Set FunctionResponseTypes to ReportBatchItemFailures.")
    assert lines[-1].startswith("1 loses-data, 1 warning, 1 note, ")


def test_all_shows_what_is_as_it_should_be_too(
    cli: Cli, pipeline: Pipeline, redis_client: redis.Redis, redis_url: str
) -> None:
    """A line for each check."""
    pipeline.map()
    result = cli("doctor", "--table", pipeline.name, "--redis-url", redis_url, "--all")
    assert len(result.out.splitlines()) == len(CHECKS) + 1


def test_a_key_template_that_does_not_fit_loses_data(
    cli: Cli, pipeline: Pipeline, redis_client: redis.Redis, redis_url: str
) -> None:
    """Every invocation would fail; nothing is written to the cache then."""
    pipeline.map()
    options = ("--redis-url", redis_url, "--key-template", "users:{name}")
    result = cli("doctor", "--table", pipeline.name, *options, "--json")
    assert result.code == 1
    assert levels(result, "loses-data", "cannot-tell") == {"key-template": "loses-data", "guarded-write": "cannot-tell"}


def test_each_route_of_a_configuration_file_is_tried(
    cli: Cli, pipeline: Pipeline, redis_client: redis.Redis, redis_url: str, tmp_path: Path
) -> None:
    """With its own mode and its own TTL attribute."""
    pipeline.map()
    file = tmp_path / "config.toml"
    routes = """
[[routes]]
key = { id = "USER#*" }
key_template = "profile:{id}"
mode = "refresh"

[[routes]]
key_template = "order:{id}"
ttl_attribute = "ttl"
"""
    file.write_text(f'redis_url = "{redis_url}"\n{routes}', encoding="utf-8")
    result = cli("doctor", "--table", pipeline.name, "--config", str(file), "--json")
    assert result.code == 0
    bad = [each for each in result.json["findings"] if each["level"] != "ok"]
    assert [(each["check"], each["about"]) for each in bad] == [("time-to-live", f"table {pipeline.name}, routes[1]")]
    assert redis_client.keys() == []


def test_only_the_function_or_the_mapping_that_is_named_is_looked_at(
    cli: Cli, pipeline: Pipeline, redis_client: redis.Redis, redis_url: str
) -> None:
    """Of two that read the stream."""
    other = pipeline.create_function(f"{pipeline.name}-2")
    uuid = pipeline.map()
    pipeline.map(FunctionName=other)
    for options in ((), ("--function", other), ("--event-source-mapping", uuid)):
        result = cli("doctor", "--table", pipeline.name, "--redis-url", redis_url, "--json", *options)
        functions = {each["about"] for each in result.json["findings"] if each["check"] == "bisect"}
        assert functions == {
            f"function {name}"
            for name in (pipeline.name, other)
            if not options or name == (other if "--function" in options else pipeline.name)
        }


def test_no_table_and_no_cache_are_findings(cli: Cli, pipeline: Pipeline) -> None:
    """Told together, and no crash."""
    url = f"redis://127.0.0.1:{free_port()}"
    result = cli("doctor", "--table", "no-such-table", "--redis-url", url, "--json")
    assert result.code == 1
    assert levels(result, "loses-data", "cannot-tell") == {
        "table": "loses-data",
        "cache": "loses-data",
        "mapping": "cannot-tell",
    }


def test_a_password_is_not_repeated(cli: Cli, pipeline: Pipeline, redis_url: str) -> None:
    """A wrong one is a finding."""
    pipeline.map()
    url = redis_url.replace("://", "://nobody:swordfish@")
    result = cli("doctor", "--table", pipeline.name, "--redis-url", url)
    assert result.code == 1
    assert "refuses us (WRONGPASS)" in result.out
    assert "swordfish" not in result.out + result.err


def test_aws_that_can_not_be_reached_can_not_be_told_of(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, redis_client: redis.Redis, redis_url: str
) -> None:
    """The cache is looked at all the same, with exit code 0: nothing is known to be lost."""
    nowhere = f"http://127.0.0.1:{free_port()}"
    for service in ("DYNAMODB", "LAMBDA", "CLOUDWATCH", "SQS"):
        monkeypatch.setenv(f"AWS_ENDPOINT_URL_{service}", nowhere)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "local")
    options = ("--region", "us-east-1", "--function", "sync", "--json")
    result = cli("doctor", "--table", "users", "--redis-url", redis_url, *options)
    assert result.code == 0
    assert levels(result, "cannot-tell") == {"table": "cannot-tell", "mapping": "cannot-tell"}
    assert levels(result)["guarded-write"] == "ok"


def test_nothing_that_could_be_looked_at_is_a_failure(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    """And is said so: what is in order on this machine says nothing of the pipeline."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{free_port()}")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "local")
    options = ("--region", "us-east-1", "--redis-url", f"redis://127.0.0.1:{free_port()}")
    result = cli("doctor", "--table", "users", *options)
    assert result.code == 1
    assert result.err == (
        "failed: neither the table nor the cache could be looked at: nothing is known of the pipeline\n"
    )


def test_a_table_on_this_machine_is_looked_at_and_aws_is_not_asked_about_it(
    cli: Cli, dynamodb: EmbeddedDynamoDB, redis_client: redis.Redis, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What can't be checked there is said in one line, with what to set if it can after all."""
    for name, value in dynamodb.environment.items():
        if not name.startswith("AWS_ENDPOINT_URL"):
            monkeypatch.setenv(name, value)
    create_demo_table(dynamodb.client(), table := f"doctor-{os.getpid()}")
    result = cli(
        "doctor", "--table", table, "--endpoint-url", dynamodb.endpoint_url, "--redis-url", redis_url, "--json"
    )
    assert (result.code, result.err) == (0, "")
    assert levels(result)["stream"] == "ok"
    [unknown] = [each for each in result.json["findings"] if each["level"] == "cannot-tell"]
    assert f"DynamoDB is at {dynamodb.endpoint_url}, and AWS's Lambda knows nothing of its tables" in unknown["what"]
    assert "set AWS_ENDPOINT_URL_LAMBDA" in unknown["mend"]


def test_without_a_cache_url_it_is_wrong_usage(cli: Cli) -> None:
    """As with the other commands."""
    result = cli("doctor", "--table", "users", "--region", "us-east-1")
    assert (result.code, result.out) == (2, "")
    assert "DDB_CACHE_SYNC_REDIS_URL is not set" in result.err
