"""The template on the page about the event source mapping is what the doctor would have, and what the code needs."""

import importlib
from typing import Any

import pytest
import yaml
from tests.core.diagnosis.healthy import FACTS, MAPPING
from tests.docs.markdown import ROOT, marked

from ddb_cache_sync import Projection
from ddb_cache_sync.config_check import mistakes_of_settings
from ddb_cache_sync.core.diagnosis import Level, findings
from ddb_cache_sync.core.guards import DEFAULT_GUARD_TTL_SECONDS
from ddb_cache_sync.settings import Settings

PAGE = ROOT / "docs" / "how-to" / "lambda-settings.md"


class _Loader(yaml.SafeLoader):  # type: ignore[misc]  # untyped
    """Takes CloudFormation's functions for what they are applied to."""


def _argument(loader: _Loader, _: str, node: yaml.Node) -> Any:
    return loader.construct_scalar(node)


_Loader.add_multi_constructor("!", _argument)


@pytest.fixture(scope="module")
def resources() -> dict[str, Any]:
    """Give the properties of each resource."""
    read = yaml.load(marked(PAGE, "file: template.yaml"), _Loader)
    assert {each["Type"] for each in read["Resources"].values()} == {
        "AWS::Serverless::Function",
        "AWS::Lambda::EventSourceMapping",
        "AWS::S3::Bucket",
    }
    return {name: each.get("Properties", {}) for name, each in read["Resources"].items()}


def test_the_doctor_finds_nothing_wrong_with_the_mapping(resources: dict[str, Any]) -> None:
    """Not so much as a note."""
    told = resources["Mapping"]
    mapping = MAPPING._replace(
        response_types=tuple(told.pop("FunctionResponseTypes")),
        batch_size=told.pop("BatchSize"),
        bisects=told.pop("BisectBatchOnFunctionError"),
        retries=told.pop("MaximumRetryAttempts"),
        record_age_seconds=told.pop("MaximumRecordAgeInSeconds"),
        parallelization=told.pop("ParallelizationFactor"),
        starting_position=told.pop("StartingPosition"),
    )
    assert told == {
        "FunctionName": "Replicator",
        "EventSourceArn": "StreamArn",
        "DestinationConfig": {"OnFailure": {"Destination": "GivenUp.Arn"}},
    }
    said = findings(FACTS._replace(mappings=(mapping,)), Projection(), DEFAULT_GUARD_TTL_SECONDS)
    assert [each for each in said if each.level is not Level.OK] == []


def test_handler_and_settings_are_there(resources: dict[str, Any]) -> None:
    """By their names, with values that can be right."""
    function = resources["Replicator"]
    module, name = function["Handler"].rsplit(".", 1)
    assert callable(getattr(importlib.import_module(module), name))
    variables = function["Environment"]["Variables"]
    settings = Settings.from_environment(variables | {"DDB_CACHE_SYNC_REDIS_URL": "rediss://localhost:1"})
    assert mistakes_of_settings(settings) == []


def test_the_role_may_read_the_stream_as_the_page_about_permissions_says(resources: dict[str, Any]) -> None:
    """And put into the bucket what is given up; nothing else."""
    [policy] = resources["Replicator"]["Policies"]
    allowed = {
        action
        for statement in policy["Statement"]
        for action in ([statement["Action"]] if isinstance(statement["Action"], str) else statement["Action"])
    }
    page = (ROOT / "docs" / "how-to" / "permissions.md").read_text(encoding="utf-8")
    stream = {each for each in allowed if each.startswith("dynamodb:")}
    assert all(f"`{each}`" in page for each in stream)
    assert stream == {
        f"dynamodb:{name}" for name in ("DescribeStream", "GetRecords", "GetShardIterator", "ListStreams")
    }
    assert allowed - stream == {"s3:PutObject", "s3:ListBucket"}
