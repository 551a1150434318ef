"""Amazon States Language, as far as the template's state machines use it, executed on this machine.

What is not known here is an error, never passed over: a state with another field stops the execution, so a definition
that runs here says nothing that was not done. Waits take no time, and neither do the pauses before another try.

https://states-language.net/spec.html, and for distributed maps
https://docs.aws.amazon.com/step-functions/latest/dg/state-map-distributed.html
"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

MOST_BYTES = 256 * 1024  # of a state's data

_FIELDS = {
    "Task": {"Resource", "Parameters", "ResultSelector", "OutputPath", "Retry"},
    "Choice": {"Choices", "Default"},
    "Wait": {"Seconds"},
    "Map": {"ItemReader", "ItemsPath", "ItemSelector", "MaxConcurrency", "ItemProcessor", "ResultWriter"},
    "Succeed": set[str](),
    "Fail": {"Error", "Cause"},
}


class ExecutionFailed(Exception):  # noqa: N818 - as Step Functions calls it
    """The execution has failed, with Step Functions' name of the error."""

    def __init__(self, error: str, cause: str) -> None:
        super().__init__(f"{error}: {cause}")
        self.error = error


@dataclass
class Interpreter:
    """Executes a definition.

    Attributes:
        definition: What the template says, references worked out.
        tasks: What does the work of a task, by its resource: takes the parameters, gives the result. It raises
            `ExecutionFailed` with the error's name.
        s3: boto3's client, for item readers and result writers.
        name: The execution's.
        visited: The states that were entered, in order; those of a map's children too.
        retries: How often something was tried again.
    """

    definition: Mapping[str, Any]
    tasks: Mapping[str, Callable[[Any], Any]]
    s3: Any
    name: str = field(default_factory=lambda: uuid.uuid4().hex)
    visited: list[str] = field(default_factory=list)
    retries: int = 0

    def run(self, data: Any) -> Any:
        """Execute it, and give its output.

        Raises:
            ExecutionFailed: It has failed.
            NotImplementedError: The definition has something that is not known here.
        """
        context = {"Execution": {"Name": self.name, "Id": f"arn:aws:states:::execution:machine:{self.name}"}}
        return self._walk(self.definition, data, context)

    def _walk(self, machine: Mapping[str, Any], data: Any, context: Mapping[str, Any]) -> Any:
        name = machine["StartAt"]
        while True:
            state = machine["States"][name]
            self._check(name, state)
            self.visited.append(name)
            match state["Type"]:
                case "Succeed":
                    return data
                case "Fail":
                    raise ExecutionFailed(state["Error"], state["Cause"])
                case "Choice":
                    name = next((rule["Next"] for rule in state["Choices"] if _holds(rule, data)), state["Default"])
                    continue
                case "Wait":
                    pass
                case "Task":
                    data = self._task(state, data, context)
                case "Map":
                    data = self._map(state, data, context)
            if len(json.dumps(data).encode()) > MOST_BYTES:
                raise ExecutionFailed("States.DataLimitExceeded", name)
            name = state["Next"]

    def _task(self, state: Mapping[str, Any], data: Any, context: Mapping[str, Any]) -> Any:
        parameters = filled(state["Parameters"], data, context)
        result = self._tried(state, parameters)
        if "ResultSelector" in state:
            result = filled(state["ResultSelector"], result, context)
        return found(state.get("OutputPath", "$"), result, context)

    def _tried(self, state: Mapping[str, Any], parameters: Any) -> Any:
        """What the task gives, tried again as its rules say."""
        left = {id(rule): rule["MaxAttempts"] for rule in state.get("Retry", ())}
        while True:
            try:
                return self.tasks[state["Resource"]](parameters)
            except ExecutionFailed as failure:
                rule = next((each for each in state.get("Retry", ()) if failure.error in each["ErrorEquals"]), None)
                if rule is None or not left[id(rule)]:
                    raise
                left[id(rule)] -= 1
                self.retries += 1

    def _map(self, state: Mapping[str, Any], data: Any, context: Mapping[str, Any]) -> Any:
        processor = state["ItemProcessor"]
        if processor["ProcessorConfig"] != {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"}:
            raise NotImplementedError(processor["ProcessorConfig"])

        def child(place: tuple[int, Any]) -> Any:
            index, item = place
            here = {**context, "Map": {"Item": {"Index": index, "Value": item}}}
            selected = filled(state["ItemSelector"], data, here)
            # A child is an execution of its own: its name is not its parent's.
            own = {"Execution": {"Name": uuid.uuid4().hex, "Id": "child"}}
            return self._walk(processor, selected, own)

        with ThreadPoolExecutor(min(state["MaxConcurrency"], 4)) as pool:
            outputs = list(pool.map(child, enumerate(self._items(state, data, context))))
        return self._write(state["ResultWriter"], outputs, data, context)

    def _items(self, state: Mapping[str, Any], data: Any, context: Mapping[str, Any]) -> list[Any]:
        if "ItemReader" not in state:
            items = found(state["ItemsPath"], data, context)
            assert isinstance(items, list)
            return items
        reader = state["ItemReader"]
        if (reader["Resource"], reader["ReaderConfig"]) != ("arn:aws:states:::s3:getObject", {"InputType": "JSONL"}):
            raise NotImplementedError(reader)
        content = self.s3.get_object(**filled(reader["Parameters"], data, context))["Body"].read()
        return [json.loads(line) for line in content.splitlines()]

    def _write(self, writer: Mapping[str, Any], outputs: list[Any], data: Any, context: Mapping[str, Any]) -> Any:
        if writer["WriterConfig"] != {"OutputType": "JSON", "Transformation": "COMPACT"}:
            raise NotImplementedError(writer)
        where = filled(writer["Parameters"], data, context)
        run = uuid.uuid4().hex
        below = f"{where['Prefix'].rstrip('/')}/{run}"
        self.s3.put_object(Bucket=where["Bucket"], Key=f"{below}/SUCCEEDED_0.json", Body=json.dumps(outputs).encode())
        manifest = {
            "DestinationBucket": where["Bucket"],
            "MapRunArn": f"arn:aws:states:::mapRun:machine/map:{run}",
            "ResultFiles": {
                "FAILED": [],
                "PENDING": [],
                "SUCCEEDED": [{"Key": f"{below}/SUCCEEDED_0.json", "Size": 1}],
            },
        }
        self.s3.put_object(Bucket=where["Bucket"], Key=f"{below}/manifest.json", Body=json.dumps(manifest).encode())
        return {
            "MapRunArn": manifest["MapRunArn"],
            "ResultWriterDetails": {"Bucket": where["Bucket"], "Key": f"{below}/manifest.json"},
        }

    def _check(self, name: str, state: Mapping[str, Any]) -> None:
        unknown = state.keys() - _FIELDS[state["Type"]] - {"Type", "Next", "Comment"}
        if unknown:
            raise NotImplementedError(f"{name}: {', '.join(unknown)}")


def filled(template: Any, data: Any, context: Mapping[str, Any]) -> Any:
    """A payload template with its paths and functions worked out."""
    if isinstance(template, dict):
        return {
            key.removesuffix(".$"): worked_out(each, data, context)
            if key.endswith(".$")
            else filled(each, data, context)
            for key, each in template.items()
        }
    return template


def worked_out(text: str, data: Any, context: Mapping[str, Any]) -> Any:
    """A path, or `States.Format('…{}…', path)`."""
    if text.startswith("$"):
        return found(text, data, context)
    call = re.fullmatch(r"States\.Format\('([^'{}]*)\{\}([^'{}]*)', (\$[^,()]*)\)", text)
    if call is None:
        raise NotImplementedError(text)
    return f"{call[1]}{found(call[3], data, context)}{call[2]}"


def found(path: str, data: Any, context: Mapping[str, Any]) -> Any:
    """What is at a path: `$.a.b` in the data, `$$.a.b` in the context.

    Raises:
        ExecutionFailed: Nothing is there.
    """
    place: Any = context if path.startswith("$$") else data
    for name in path.lstrip("$").split(".")[1:]:
        if not isinstance(place, Mapping) or name not in place:
            raise ExecutionFailed("States.ParameterPathFailure", path)
        place = place[name]
    return place


def _holds(rule: Mapping[str, Any], data: Any) -> bool:
    tests = rule.keys() - {"Variable", "Next"}
    if tests == {"IsPresent"}:
        try:
            found(rule["Variable"], data, {})
        except ExecutionFailed:
            return not rule["IsPresent"]
        return bool(rule["IsPresent"])
    value = found(rule["Variable"], data, {})
    if tests == {"StringEquals"}:
        return isinstance(value, str) and value == rule["StringEquals"]
    if tests == {"BooleanEquals"}:
        return value is rule["BooleanEquals"]
    if tests == {"NumericEquals"}:
        return type(value) in (int, float) and value == rule["NumericEquals"]
    raise NotImplementedError(tests)
