"""CloudWatch metrics in the embedded metric format."""

import json
import string
from typing import Any, Final

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ddb_cache_sync import ApplyReport, ConfigurationError, EmfMetrics, Failure, Replicator
from ddb_cache_sync.testing import MemoryCache, stream_record

TEXT: Final = {"type": "string", "minLength": 1, "maxLength": 250}
UNITS: Final = [
    "Count",
    "Seconds",
    "Milliseconds",
    "Microseconds",
    "Bytes",
    "Percent",
    "None",
]  # and more of no use here
SCHEMA: Final = {
    "type": "object",
    "required": ["_aws"],
    "properties": {
        "_aws": {
            "type": "object",
            "required": ["Timestamp", "CloudWatchMetrics"],
            "additionalProperties": False,
            "properties": {
                "Timestamp": {"type": "integer", "minimum": 10**12, "maximum": 10**13},  # milliseconds, not seconds
                "CloudWatchMetrics": {
                    "type": "array",
                    "minItems": 1,
                    "items": {
                        "type": "object",
                        "required": ["Namespace", "Dimensions", "Metrics"],
                        "additionalProperties": False,
                        "properties": {
                            "Namespace": {**TEXT, "maxLength": 255},
                            "Dimensions": {
                                "type": "array",
                                "minItems": 1,
                                "items": {"type": "array", "maxItems": 30, "uniqueItems": True, "items": TEXT},
                            },
                            "Metrics": {
                                "type": "array",
                                "maxItems": 100,
                                "items": {
                                    "type": "object",
                                    "required": ["Name"],
                                    "additionalProperties": False,
                                    "properties": {
                                        "Name": TEXT,
                                        "Unit": {"enum": UNITS},
                                        "StorageResolution": {"enum": [1, 60]},
                                    },
                                },
                            },
                        },
                    },
                },
            },
        },
    },
    "additionalProperties": {"type": ["string", "number"]},
}
"""The rules of the specification as a schema, and stricter where a looser line would be of no use to anybody."""

REPORT = ApplyReport(
    applied=3,
    stale=2,
    filtered=1,
    failures=(Failure("7", "SECRET"),),
    lag_seconds=1.5,
    duration_seconds=0.25,
    quarantined=(Failure("8", "SECRET"),),
)
COUNTED = {"Applied", "Stale", "Filtered", "Failed", "Quarantined"}


def checked(line: str) -> dict[str, Any]:
    """A line, held against the schema and against what a schema can't say."""
    document: dict[str, Any] = json.loads(line)
    jsonschema.validate(document, SCHEMA)
    assert "\n" not in line
    assert len(line) < 256 * 1024
    for directive in document["_aws"]["CloudWatchMetrics"]:
        for each in directive["Metrics"]:
            assert isinstance(document[each["Name"]], int | float)
        for name in (name for dimensions in directive["Dimensions"] for name in dimensions):
            assert isinstance(document[name], str)
            assert 1 <= len(document[name]) <= 1024
    return document


def written(report: ApplyReport, **settings: Any) -> dict[str, Any]:
    """The one line that a report makes."""
    lines: list[str] = []
    EmfMetrics(write=lines.append, **settings)(report)
    [line] = lines
    return checked(line)


def test_a_report_is_one_line_of_metrics() -> None:
    """Exactly this one."""
    assert written(REPORT, service="users", clock=lambda: 1745415436.9917) == {
        "_aws": {
            "Timestamp": 1745415436991,
            "CloudWatchMetrics": [
                {
                    "Namespace": "DdbCacheSync",
                    "Dimensions": [["service"]],
                    "Metrics": [
                        {"Name": "Records", "Unit": "Count"},
                        {"Name": "Applied", "Unit": "Count"},
                        {"Name": "Stale", "Unit": "Count"},
                        {"Name": "Filtered", "Unit": "Count"},
                        {"Name": "Failed", "Unit": "Count"},
                        {"Name": "Quarantined", "Unit": "Count"},
                        {"Name": "Lag", "Unit": "Seconds"},
                        {"Name": "Duration", "Unit": "Milliseconds"},
                    ],
                }
            ],
        },
        "service": "users",
        "Records": 8,
        "Applied": 3,
        "Stale": 2,
        "Filtered": 1,
        "Failed": 1,
        "Quarantined": 1,
        "Lag": 1.5,
        "Duration": 250.0,
    }


def test_the_line_goes_to_stdout(capsys: pytest.CaptureFixture[str]) -> None:
    """Where Lambda reads it; with a line feed, and nothing else."""
    EmfMetrics()(REPORT)
    out, err = capsys.readouterr()
    assert out.endswith("}\n")
    assert checked(out.removesuffix("\n"))["Records"] == 8
    assert err == ""


def test_a_figure_that_is_not_known_makes_no_metric() -> None:
    """A lag of 0 would be a lie in every average."""
    line = written(ApplyReport(applied=1))
    [directive] = line["_aws"]["CloudWatchMetrics"]
    assert {each["Name"] for each in directive["Metrics"]} == COUNTED | {"Records"}
    assert not {"Lag", "Duration"} & line.keys()


def test_no_failures_are_written_as_zero() -> None:
    """An alarm needs the metric to be there while all is well."""
    assert written(ApplyReport(applied=1))["Failed"] == 0


@pytest.mark.parametrize(
    ("environment", "service"),
    [
        ({"POWERTOOLS_SERVICE_NAME": "mine", "AWS_LAMBDA_FUNCTION_NAME": "function"}, "mine"),
        ({"POWERTOOLS_SERVICE_NAME": "", "AWS_LAMBDA_FUNCTION_NAME": "function"}, "function"),
        ({}, "ddb-cache-sync"),
    ],
)
def test_the_service_is_named_by_the_environment(
    environment: dict[str, str], service: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As other metrics of the function name it; what is given goes first."""
    for name in ("POWERTOOLS_SERVICE_NAME", "AWS_LAMBDA_FUNCTION_NAME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert written(REPORT)["service"] == service
    assert written(REPORT, service="given")["service"] == "given"


def test_namespace_and_dimensions_can_be_chosen() -> None:
    """All in one set: no metric twice."""
    line = written(REPORT, namespace="Shop/Cache", service="users", dimensions={"stage": "prod", "table": "users"})
    [directive] = line["_aws"]["CloudWatchMetrics"]
    assert (directive["Namespace"], directive["Dimensions"]) == ("Shop/Cache", [["service", "stage", "table"]])
    assert (line["stage"], line["table"]) == ("prod", "users")


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"namespace": ""}, "not a namespace"),
        ({"namespace": "   "}, "not a namespace"),
        ({"namespace": ":mine"}, "not a namespace"),
        ({"namespace": "mine\n"}, "not a namespace"),
        ({"namespace": "a" * 256}, "not a namespace"),
        ({"service": ""}, r"value of the dimension 'service'"),
        ({"service": "Zoë"}, r"value of the dimension 'service'"),
        ({"dimensions": {"stage": ""}}, r"value of the dimension 'stage'"),
        ({"dimensions": {"stage": " "}}, r"value of the dimension 'stage'"),
        ({"dimensions": {"stage": "a\n"}}, r"value of the dimension 'stage'"),
        ({"dimensions": {"stage": "a" * 1025}}, r"value of the dimension 'stage'"),
        ({"dimensions": {"stage": 7}}, r"value of the dimension 'stage'"),
        ({"dimensions": {"": "prod"}}, "name can't be right"),
        ({"dimensions": {":a": "prod"}}, "name can't be right"),
        ({"dimensions": {"a" * 251: "prod"}}, "name can't be right"),
        ({"dimensions": {7: "prod"}}, "name can't be right"),
        ({"dimensions": {"Applied": "prod"}}, "'Applied' can't be given"),
        ({"dimensions": {"_aws": "prod"}}, "'_aws' can't be given"),
        ({"dimensions": {"service": "prod"}}, "'service' can't be given"),
        ({"dimensions": {f"d{number}": "x" for number in range(30)}}, "31 dimensions"),
    ],
)
def test_what_cloudwatch_would_not_take_is_refused_at_once(settings: dict[str, Any], problem: str) -> None:
    """A line that is wrong makes no metric, and no error anywhere."""
    with pytest.raises(ConfigurationError, match=problem) as raised:
        EmfMetrics(**settings)
    assert raised.value.hint


NAMES = st.text(string.ascii_letters + string.digits + "-_.", min_size=1, max_size=250)
COUNTS = st.integers(0, 10_000)
SECONDS = st.none() | st.floats(0, 1e9)


@given(
    report=st.builds(
        ApplyReport,
        applied=COUNTS,
        stale=COUNTS,
        filtered=COUNTS,
        failures=st.lists(st.builds(Failure, st.just("1"), st.text())),
        lag_seconds=SECONDS,
        duration_seconds=SECONDS,
        quarantined=st.lists(st.builds(Failure, st.just("1"), st.text())),
    ),
    namespace=NAMES,
    dimensions=st.dictionaries(NAMES, st.text(string.printable[:94], min_size=1, max_size=1024), max_size=29),
)
def test_every_line_keeps_the_specification(report: ApplyReport, namespace: str, dimensions: dict[str, str]) -> None:
    """Whatever the report, and whatever was accepted."""
    try:
        line = written(report, namespace=namespace, dimensions=dimensions)
    except ConfigurationError:
        assert (COUNTED | {"service", "Records", "Lag", "Duration"}) & dimensions.keys()
        return
    assert line["Records"] == sum(line[name] for name in COUNTED)


def test_the_line_holds_no_contents_and_no_key() -> None:
    """Not even of a record that failed."""
    poison = stream_record({"id": "SECRET"}, {"id": "SECRET"}, sequence_number=2)
    poison["dynamodb"]["NewImage"]["n"] = {"N": "SECRET"}
    lines: list[str] = []
    Replicator(MemoryCache(), on_report=EmfMetrics(write=lines.append)).apply(
        [stream_record({"id": "SECRET"}, {"id": "SECRET"}), poison]
    )
    assert checked(lines[0])["Failed"] == 1
    assert "SECRET" not in lines[0]
