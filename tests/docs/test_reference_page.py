"""The reference names what the code has, all of it and no more."""

import dataclasses
import inspect
import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.cli.programs import COMMAND
from tests.docs.markdown import ROOT, code_span, rows

from ddb_cache_sync import (
    ApplyReport,
    Backfill,
    BackfillOptions,
    BackfillReport,
    Expiry,
    Failure,
    ItemKey,
    KeyTemplate,
    Notice,
    Outcome,
    Projection,
    QuarantinedRecord,
    Remove,
    Replicator,
    Route,
    StreamRecord,
    Touch,
    Upsert,
    apply_stream_event,
    connect,
    decode_stream_event,
    exclude,
    include,
    prepare_backfill,
    testing,
    validate_with,
    where,
)
from ddb_cache_sync.core.diagnosis import Finding
from ddb_cache_sync.core.readable import ReadableRecord
from ddb_cache_sync.estimate import Bottleneck, Cost, Estimate, Way, Workload, default_prices, estimate
from ddb_cache_sync.local.demo import Addresses, DemoReport, LagMs
from ddb_cache_sync.sync.carrying import Carried
from ddb_cache_sync.sync.dropping import DropOptions, DropReport
from ddb_cache_sync.sync.inspection import Inspection
from ddb_cache_sync.sync.preparing_redrive import RedriveClients, prepare_redrive
from ddb_cache_sync.sync.preview import Preview
from ddb_cache_sync.sync.rebuild import FillReport, Rebuild
from ddb_cache_sync.sync.redrive import Redrive, RedriveOptions, RedriveReport
from ddb_cache_sync.sync.repair_report import Repaired, RepairTarget
from ddb_cache_sync.sync.sampling import KnownDrift, SampleReport
from ddb_cache_sync.sync.verify import VerifyOptions
from ddb_cache_sync.sync.verify_report import Drifted, VerifyReport
from ddb_cache_sync.table import descriptions, exports, items, scanning

PAGE = ROOT / "docs" / "reference.md"
EVENT = str(ROOT / "examples" / "event.json")


def spans(text: str) -> list[str]:
    """Every code span."""
    return re.findall(r"`([^`]*)`", text)


def named(heading: str) -> list[str]:
    """The names in the first column of the table with this heading."""
    return [name for row in rows(PAGE, f"`{heading}`") for name in spans(row[0])]


def fields(kind: type[Any]) -> list[str]:
    """The fields of a dataclass or named tuple, then its properties."""
    names = [each.name for each in dataclasses.fields(kind)] if dataclasses.is_dataclass(kind) else [*kind._fields]
    names = [name for name in names if not name.startswith("_")]
    return names + [name for name, each in vars(kind).items() if isinstance(each, property)]


def arguments(function: Callable[..., Any]) -> list[str]:
    """Names and defaults of a function's arguments, without types."""
    signature = inspect.signature(function)
    untyped = [each.replace(annotation=inspect.Parameter.empty) for each in signature.parameters.values()]
    return str(signature.replace(parameters=untyped, return_annotation=inspect.Signature.empty))[1:-1].split(", ")


RECORDS = [
    ApplyReport,
    BackfillOptions,
    BackfillReport,
    Failure,
    Notice,
    StreamRecord,
    Upsert,
    Remove,
    Touch,
    ItemKey,
    Route,
]
ESTIMATES = [Workload, Estimate, Way, Cost, Bottleneck]
EXPORTS = [exports.Export, exports.DataFile, exports.ExportLine, exports.MalformedLine]
TABLES = [scanning.ScanPage, descriptions.TableDescription]
REDRIVES = [QuarantinedRecord, RedriveOptions, RedriveReport]
CHECKS = [VerifyOptions, VerifyReport, Drifted, SampleReport, KnownDrift, RepairTarget, Repaired, Inspection]
REBUILDS = [Carried, DropOptions, DropReport]


@pytest.mark.parametrize(
    "kind", [*RECORDS, *REDRIVES, *ESTIMATES, *EXPORTS, *TABLES, *CHECKS, *REBUILDS], ids=lambda it: it.__name__
)
def test_the_fields_are_those_of_the_code(kind: type[Any]) -> None:
    """In the code's order."""
    assert named(kind.__name__) == fields(kind)


@pytest.mark.parametrize("kind", [Replicator, KeyTemplate, Projection, Expiry], ids=lambda it: it.__name__)
def test_the_arguments_are_those_of_the_code(kind: type[Any]) -> None:
    """In the code's order."""
    assert named(kind.__name__) == list(inspect.signature(kind).parameters)


def test_the_functions_used_most_are_those_of_the_code() -> None:
    """Each with its arguments."""
    functions: list[Callable[..., Any]] = [apply_stream_event, connect, decode_stream_event]
    written = [f"{each.__name__}({', '.join(arguments(each))})" for each in functions]
    assert [code_span(name) for name, _ in rows(PAGE, "function")] == written
    assert f"Replicator.apply({', '.join(arguments(Replicator.apply)[1:])})" in PAGE.read_text(encoding="utf-8")


def test_the_outcomes_are_those_of_the_code() -> None:
    """Names and texts."""
    assert [(*spans(name), *spans(text)) for name, text, _ in rows(PAGE, "`Outcome`")] == [
        (each.name, each.value) for each in Outcome
    ]


def test_what_reads_a_table_is_that_of_the_code() -> None:
    """Each function with its arguments, and the module it is in."""
    functions: list[Callable[..., Any]] = [
        exports.open_export,
        exports.read_file,
        scanning.scan_segment,
        items.get_items,
        descriptions.table_description,
    ]
    written = []
    for each in functions:
        named_arguments = ", ".join(arguments(each)).partition("retries=")
        text = named_arguments[0] + ("retries=…" if named_arguments[1] else "")
        written.append([f"{each.__name__}({text})", each.__module__.removeprefix("ddb_cache_sync.table.")])
    assert [
        spans(name) + spans(module) for name, module, _ in rows(PAGE, "function of `ddb_cache_sync.table`")
    ] == written


def test_what_is_for_testing_is_that_of_the_code() -> None:
    """Every public name, with the arguments that it has, or those before an ellipsis; and what the two models hold."""
    table = [code_span(name) for name, _ in rows(PAGE, "from `ddb_cache_sync.testing`")]
    assert sorted(each.partition("(")[0] for each in table) == [*testing.__all__]
    for each in table:
        name, _, written = each.removesuffix(")").partition("(")
        if name not in {"MemoryCache", "InjectedFault"}:
            real = ", ".join(arguments(getattr(testing, name))).replace("'", '"')
            assert real == written or ("…" in written and real.startswith(written.removesuffix("…"))), name
    for kind in (testing.MemoryTable, testing.MemoryCache):
        assert named(kind.__name__) == fields(kind)
    methods = [spans(name)[0] for name, _ in rows(PAGE, "method of `MemoryTable`")]
    assert methods == [
        f"{method.__name__}({', '.join(arguments(method)[1:])})"
        for method in (testing.MemoryTable.put, testing.MemoryTable.remove)
    ]


def test_the_transforms_are_those_of_the_code() -> None:
    """Each with its arguments."""
    makers: list[Callable[..., Any]] = [include, exclude, where, validate_with]
    written = [f"{each.__name__}({', '.join(arguments(each))})" for each in makers]
    assert [spans(name) for name, _ in rows(PAGE, "transform")] == [[each] for each in written]


@pytest.mark.servers
def test_the_json_of_apply_is_as_the_page_says(redis_url: str) -> None:
    """As the command prints it."""
    printed = subprocess.run(
        [COMMAND, "apply", EVENT, "--json", "--redis-url", redis_url], check=True, capture_output=True
    ).stdout
    assert sorted(named("apply --json")) == sorted(json.loads(printed))


def test_a_backfill_is_as_the_page_says() -> None:
    """Its methods and properties, its defaults, and what the command prints."""
    described = [code_span(row[0]).partition("(")[0] for row in rows(PAGE, "of `Backfill`")]
    assert sorted(described) == sorted(name for name in vars(Backfill) if not name.startswith("_"))
    defaults = [default.strip('"') for _, default, _ in rows(PAGE, "`BackfillOptions`")]
    assert defaults == [str(each.default) for each in dataclasses.fields(BackfillOptions)]
    assert named("backfill --json") == [*BackfillReport().to_json()]
    text = ", ".join(arguments(prepare_backfill)).partition("clock=")[0]
    assert f"`prepare_backfill({text}clock=…)`" in PAGE.read_text(encoding="utf-8").replace("\n", " ")


def test_a_redrive_is_as_the_page_says() -> None:
    """Its methods and properties, its defaults and clients, and what the command prints."""
    described = [code_span(row[0]).partition("(")[0] for row in rows(PAGE, "of `Redrive`")]
    assert sorted(described) == sorted(name for name in vars(Redrive) if not name.startswith("_"))
    defaults = [default.strip('"') for _, default, _ in rows(PAGE, "`RedriveOptions`")]
    assert defaults == [str(each.default) for each in dataclasses.fields(RedriveOptions)]
    assert named("redrive --json") == [*RedriveReport().to_json()]
    page = PAGE.read_text(encoding="utf-8").replace("\n", " ")
    assert f"`prepare_redrive({', '.join(arguments(prepare_redrive)).partition('clock=')[0]}clock=…)`" in page
    assert f"`RedriveClients({', '.join(arguments(RedriveClients))})`" in page


def test_a_rebuild_is_as_the_page_says() -> None:
    """Its methods, its defaults, and what the command prints."""
    described = [code_span(row[0]).partition("(")[0] for row in rows(PAGE, "of `Rebuild`")]
    assert described == [name for name in vars(Rebuild) if not name.startswith("_")]
    defaults = [default for _, default, _ in rows(PAGE, "`DropOptions`")]
    assert defaults == [str(each.default) for each in dataclasses.fields(DropOptions)]
    assert named("rebuild fill --json") == [*FillReport(Carried(), BackfillReport()).to_json()]


def test_the_json_of_a_dry_run_is_as_the_page_says() -> None:
    """As the command prints it, and as its type has it."""
    printed = subprocess.run([COMMAND, "apply", EVENT, "--json", "--dry-run"], check=True, capture_output=True).stdout
    shown = json.loads(printed)
    assert [*shown] == ["records"]
    assert named("apply --dry-run --json") == [*shown["records"][0]] == fields(Preview)


def test_the_json_of_a_checked_file_is_as_the_page_says(tmp_path: Path) -> None:
    """Of a good file and of a wrong one."""
    for file in (ROOT / "examples" / "config.toml", tmp_path / "none.toml"):
        printed = subprocess.run([COMMAND, "config", "check", str(file), "--json"], check=False, capture_output=True)
        assert named("config check --json") == [*json.loads(printed.stdout)]


def test_the_json_of_decode_is_as_the_page_says() -> None:
    """As the command prints it, and as its type has it."""
    printed = subprocess.run([COMMAND, "decode", EVENT, "--json"], check=True, capture_output=True).stdout
    shown = json.loads(printed)
    assert [*shown] == ["records"]
    assert named("decode --json") == [*shown["records"][0]] == fields(ReadableRecord)


def test_the_json_of_the_doctor_is_as_the_page_says() -> None:
    """Each finding has the fields of its type; tests/cli shows the object."""
    described = {name: spans(meaning) for row, meaning in rows(PAGE, "`doctor --json`") for name in spans(row)}
    assert [*described] == ["loses_data", "findings"]
    assert described["findings"] == [*fields(Finding), "ok"]


def test_the_json_of_the_demo_is_as_the_page_says() -> None:
    """Its report, and with `--keep` the addresses."""
    report = DemoReport(0, 0, 0, 0, 0, 0, 0, {}, LagMs(0.0, 0.0), 0.0).to_json()
    assert named("demo --json") == [*report, "addresses"]
    described = {name: spans(meaning) for row, meaning in rows(PAGE, "`demo --json`") for name in spans(row)}
    assert described["lag_ms"] == [*report["lag_ms"]]
    assert described["addresses"] == ["--keep", *fields(Addresses)]


def test_the_defaults_of_a_workload_are_those_of_the_code() -> None:
    """As the table has them."""
    written = [default for _, default, _ in rows(PAGE, "`Workload`")]
    assert written == [str(each.default).removesuffix(".0") for each in dataclasses.fields(Workload)]


def test_the_json_of_an_estimate_is_as_the_page_says() -> None:
    """With the properties of each way and of its cost."""
    plain = estimate(Workload()).to_json()
    assert sorted(named("estimate --json")) == sorted(plain)
    for way in (plain["ours"], plain["original"]):
        assert [*way] == fields(Way)
        assert [*way["cost"]] == fields(Cost)


def test_the_json_of_the_numbers_is_as_the_page_says() -> None:
    """As the command prints it."""
    printed = subprocess.run([COMMAND, "estimate", "--show-prices", "--json"], check=True, capture_output=True).stdout
    shown = json.loads(printed)
    assert [*shown] == [*default_prices().numbers]
    sentence = PAGE.read_text(encoding="utf-8").split("`estimate --show-prices --json`")[1].split("\n\n")[0]
    assert [*shown["node_hour"]] == spans(sentence)
