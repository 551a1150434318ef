"""The two state machines of the template, executed here: every state, with the template's own functions."""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from boto3.dynamodb.types import TypeDeserializer

from ddb_cache_sync.testing.exports import write_export
from tests.stage.functions import FunctionError
from tests.stage.stage import Stage, staged
from tests.stage.states import ExecutionFailed, Interpreter
from tests.support import MISSING, drift
from tests.templates import Template

pytestmark = pytest.mark.skipif(bool(MISSING), reason=f"not installed here: {', '.join(MISSING)}")

ITEMS = 500
FILES = 3
PAGE = 100  # lines that the library takes from an export at a time


@pytest.fixture(scope="module")
def stage(template: Template) -> Iterator[Stage]:
    """Give the template of the defaults, alive, with a table that was filled before anybody replicated it."""
    with staged(template) as running:
        client = running.dynamodb.client()
        for start in range(0, ITEMS, 25):
            puts = [
                {"PutRequest": {"Item": {"id": {"S": str(each)}, "name": {"S": f"n{each}"}, "age": {"N": str(each)}}}}
                for each in range(start, start + 25)
            ]
            client.batch_write_item(RequestItems={running.table: puts})  # type: ignore[dict-item]
        yield running


@pytest.fixture(autouse=True)
def empty_cache(stage: Stage) -> None:
    with stage.cache.admin() as admin:
        admin.flushall()


class Services:
    """What a state machine's tasks call."""

    def __init__(self, stage: Stage, *, export_age: float = -61.0, files: int = FILES) -> None:
        # An export counts as a minute older than it says, and this table's stream is younger than that.
        self.stage, self.export_age, self.files = stage, export_age, files
        self.timeout: float | None = None
        self.describes = 0
        self.exported: dict[str, Any] = {}
        self.invocations: list[str] = []
        self.fail: Callable[[str, int], str | None] = lambda _name, _count: None
        self.faults: dict[str, list[str]] = {}

    @property
    def tasks(self) -> dict[str, Callable[[Any], Any]]:
        return {
            "arn:aws:states:::lambda:invoke": self.invoke,
            "arn:aws:states:::aws-sdk:dynamodb:exportTableToPointInTime": self.export,
            "arn:aws:states:::aws-sdk:dynamodb:describeExport": self.describe,
        }

    def invoke(self, parameters: dict[str, Any]) -> dict[str, Any]:
        name = parameters["FunctionName"].rpartition(":")[2]
        self.invocations.append(name)
        fault = self.fail(name, self.invocations.count(name))
        if fault is not None:
            raise ExecutionFailed(fault, "put in by the test")
        function = next(each for each in self.stage.functions.values() if each.name == name)
        try:
            return {"StatusCode": 200, "Payload": function.invoke(parameters["Payload"], self.timeout)}
        except FunctionError as error:
            raise ExecutionFailed(error.kind, str(error)) from None

    def export(self, parameters: dict[str, Any]) -> dict[str, Any]:
        """What DynamoDB does with an export: writes it below a prefix of the bucket."""
        self.be_refused("export")
        deserialize = TypeDeserializer().deserialize
        paginator = self.stage.dynamodb.client().get_paginator("scan")
        items = [
            {name: deserialize(value) for name, value in item.items()}
            for page in paginator.paginate(TableName=self.stage.table)
            for item in page["Items"]
        ]
        s3 = self.stage.client("s3")
        with tempfile.TemporaryDirectory() as folder:
            exported_at = time.time() - self.export_age
            write_export(folder, items, table_arn=parameters["TableArn"], files=self.files, exported_at=exported_at)
            for path in sorted(Path(folder).rglob("*")):
                if path.is_file():
                    key = f"{parameters['S3Prefix']}/{path.relative_to(folder).as_posix()}"
                    s3.upload_file(str(path), parameters["S3Bucket"], key)
                    if path.name == "manifest-summary.json":
                        self.exported = {
                            "ExportArn": json.loads(path.read_text())["exportArn"],
                            "S3Bucket": parameters["S3Bucket"],
                            "ExportManifest": key,
                        }
        assert parameters["ExportFormat"] == "DYNAMODB_JSON"
        assert parameters["ClientToken"]
        return {"ExportDescription": {"ExportArn": self.exported["ExportArn"], "ExportStatus": "IN_PROGRESS"}}

    def be_refused(self, task: str) -> None:
        """Answer with the task's next fault, if there is one left."""
        if self.faults.get(task):
            raise ExecutionFailed(self.faults[task].pop(0), "put in by the test")

    def describe(self, parameters: dict[str, Any]) -> dict[str, Any]:
        """In progress at first: then there is no manifest yet."""
        assert parameters == {"ExportArn": self.exported["ExportArn"]}
        self.be_refused("describe")
        self.describes += 1
        if self.describes < 3:
            return {"ExportDescription": {"ExportArn": self.exported["ExportArn"], "ExportStatus": "IN_PROGRESS"}}
        return {"ExportDescription": {**self.exported, "ExportStatus": "COMPLETED"}}


def machine(stage: Stage, part: str, services: Services) -> Interpreter:
    """The template's state machine with this in its logical id."""
    said = stage.template.named("StepFunctions::StateMachine", part)["DefinitionString"]
    return Interpreter(json.loads(stage.resolved(said)), services.tasks, stage.client("s3"))


def test_a_backfill_exports_waits_fills_every_file_and_the_cache_verifies(stage: Stage) -> None:
    services = Services(stage)
    execution = machine(stage, "Backfill", services)
    output = execution.run({})
    assert drift(stage) == (0, ITEMS)
    assert {name: output[name] for name in ("pieces", "items", "written", "failed")} == {
        "pieces": FILES,
        "items": ITEMS,
        "written": ITEMS,
        "failed": 0,
    }
    assert execution.visited.count("WaitForTheExport") == 3
    bucket, _, key = output["report"].removeprefix("s3://").partition("/")
    report = json.loads(stage.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read())
    assert report == output


def test_a_worker_out_of_time_goes_on_where_it_was_and_one_that_dies_begins_its_last_stretch_anew(stage: Stage) -> None:
    """With no more than the margin left it stops after each page; and every second call comes to nothing."""
    services = Services(stage, files=1)
    services.timeout = 89.0
    services.fail = lambda name, count: "Runtime.ExitError" if "FillFile" in name and count % 2 else None
    execution = machine(stage, "Backfill", services)
    output = execution.run({})
    assert drift(stage) == (0, ITEMS)
    assert output["items"] == ITEMS
    assert output["invocations"] == ITEMS // PAGE + 1
    assert execution.retries == ITEMS // PAGE + 1


def test_a_backfill_waits_where_dynamodb_is_busy(stage: Stage) -> None:
    """Throttled, or with too many exports under way: asked again, for the export and for how far it is."""
    busy = ("Throttling", "LimitExceeded", "InternalServerError", "DynamoDb", "SdkClient")
    services = Services(stage, files=1)
    services.faults = {task: [f"DynamoDb.{each}Exception" for each in busy] for task in ("export", "describe")}
    execution = machine(stage, "Backfill", services)
    assert execution.run({})["items"] == ITEMS
    assert services.faults == {"export": [], "describe": []}
    assert execution.retries == 2 * len(busy)


def test_a_backfill_takes_an_export_that_there_is(stage: Stage) -> None:
    services = Services(stage)
    bucket = stage.function("VerifySegment").properties["Environment"]["Variables"]["BUCKET"]
    arn = stage.made[f"{next(iter(stage.template.of_type('DynamoDB::Table')))}.Arn"]
    services.export(
        {
            "TableArn": arn,
            "S3Bucket": bucket,
            "S3Prefix": "exports/by-hand",
            "ExportFormat": "DYNAMODB_JSON",
            "ClientToken": "x",
        }
    )
    execution = machine(stage, "Backfill", services)
    assert execution.run({"ExportArn": services.exported["ExportArn"]})["items"] == ITEMS
    assert "ExportTheTable" not in execution.visited


def test_a_backfill_that_could_not_be_right_fails_before_anything_is_written(stage: Stage) -> None:
    """The export is older than the stream: items made in between are in neither."""
    services = Services(stage, export_age=3600)
    with pytest.raises(ExecutionFailed) as raised:
        machine(stage, "Backfill", services).run({})
    assert raised.value.error == "ConfigurationError"
    with stage.cache.admin() as admin:
        assert admin.dbsize() == 0


def test_a_full_verification_finds_cache_and_table_agreeing(stage: Stage) -> None:
    machine(stage, "Backfill", Services(stage)).run({})
    services = Services(stage)
    output = machine(stage, "AtScaleVerification", services).run({})
    assert (output["items"], output["keys"], output["drift"]) == (ITEMS, ITEMS, 0)
    assert output["pieces"] > 1


def test_a_segment_with_drift_names_it_in_an_object_that_repair_takes(stage: Stage) -> None:
    machine(stage, "Backfill", Services(stage)).run({})
    with stage.cache.admin() as admin:
        admin.delete("users:7")
        admin.set("users:8", "wrong")
    function = stage.function("VerifySegment")
    answer = function.invoke({"segment": 0, "of": 1, "execution": "by-hand", "looks": [0.05, 0.1]})
    assert (answer["missing"], answer["stale"], answer["drift"]) == (1, 1, 2)
    (told,) = answer["reports"]
    assert _drifted(stage, told) == ["users:7", "users:8"]


def test_a_segment_out_of_time_goes_on_where_it_was(stage: Stage) -> None:
    """Or with more drift than can be looked at again: it stops after a page, and all is compared once."""
    machine(stage, "Backfill", Services(stage)).run({})
    filler = "x" * 200_000  # a page of a scan is 1 MB: some of these
    client = stage.dynamodb.client()
    large = [{"id": {"S": f"large-{each}"}, "filler": {"S": filler}} for each in range(12)]
    for item in large:
        client.put_item(TableName=stage.table, Item=item)
    try:
        asked = {"segment": 0, "of": 1, "execution": "by-hand", "looks": [0.05, 0.1]}
        for name, timeout in (("in no time", 299.0), ("with drift", None)):
            function = stage.function("VerifySegment")
            with function.with_variables(MOST_SUSPECTS="20000" if timeout else "1") as hasty:
                answer: dict[str, Any] = asked
                for _ in range(10):
                    if answer.get("complete"):
                        break
                    assert answer is asked or answer["position"].keys() == {"id"}
                    answer = hasty.invoke(answer, timeout)
            assert answer["complete"], name
            assert (answer["items"], answer["missing"], answer["drift"]) == (ITEMS + 12, 12, 12), name
            assert answer["invocations"] > 1, name
            keys = [key for told in answer["reports"] for key in _drifted(stage, told)]
            assert sorted(keys) == sorted(f"users:large-{each}" for each in range(12))
            assert answer["position"] is None
    finally:
        for item in large:
            client.delete_item(TableName=stage.table, Key={"id": item["id"]})


def _drifted(stage: Stage, told: str) -> list[str]:
    """The keys that a drift report names."""
    bucket, _, key = told.removeprefix("s3://").partition("/")
    report = json.loads(stage.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read())
    return [each["key"] for each in report["drifts"]]
