"""The ladder of imports, and what the package costs to import.

`errors < core < cache | table < sync < config < settings < aws_lambda | config_check | observability |
simulator | estimate | local | testing < cli`
"""

import ast
import importlib
import subprocess
import sys
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Literal, NamedTuple, TypeAlias

import pytest

import ddb_cache_sync
from ddb_cache_sync.testing import stream_record

PACKAGE = "ddb_cache_sync"
ROOT = Path(ddb_cache_sync.__file__).parent
LADDER = [
    {"errors", "deferred"},
    {"core"},
    {"cache", "table"},
    {"sync"},
    {"config"},
    {"settings", "config_schema"},
    {"aws_lambda", "config_check", "observability", "simulator", "estimate", "local", "testing"},
    {PACKAGE},  # the public surface
    {"cli"},
    {"__main__"},
]
MAX_LINES = 400
FILES = sorted(ROOT.rglob("*.py"))


When: TypeAlias = Literal["load", "call", "types"]


class Import(NamedTuple):
    """One imported module."""

    module: str
    """Its full name; for a name imported from one of our packages, the module that it is, if it is one."""
    when: When
    """When the importing module is loaded, when one of its functions is called, or for type checkers only."""


def name_of(file: Path) -> str:
    """The full name of the module in a file."""
    parts = (PACKAGE, *file.relative_to(ROOT).with_suffix("").parts)
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {name_of(file): file for file in FILES}


def layer_of(module: str) -> str:
    """The first part of a module's name below the package; the package itself for its `__init__`."""
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else PACKAGE


def rank_of(module: str) -> int:
    """The rung of the ladder on which a module of ours stands."""
    return next(rank for rank, rung in enumerate(LADDER) if layer_of(module) in rung)


def imports_in(tree: ast.AST, when: When = "load") -> Iterator[Import]:
    """Every import in a syntax tree, those in functions included."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Import):
            yield from (Import(alias.name, when) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            assert node.module is not None
            for alias in node.names:
                below = f"{node.module}.{alias.name}"
                yield Import(below if below in MODULES else node.module, when)
        elif isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            yield from imports_in(node, "types")
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            yield from imports_in(node, "types" if when == "types" else "call")
        else:
            yield from imports_in(node, when)


def imports_of(module: str) -> set[Import]:
    """Every import of a module of ours."""
    return set(imports_in(ast.parse(MODULES[module].read_text("utf-8"))))


def ours(module: str) -> set[str]:
    """The modules of ours that a module of ours imports."""
    return {name for name, _ in imports_of(module) if name in MODULES}


def foreign(module: str, *whens: When) -> set[str]:
    """The packages of others that a module of ours imports at these times; type checkers' left out if none is given."""
    times = whens or ("load", "call")
    return {imported.module.split(".")[0] for imported in imports_of(module) if imported.when in times} - {PACKAGE}


def test_the_imports_of_a_file_are_found() -> None:
    """Or all that follows would pass for nothing: in functions, and through `from package import module`."""
    assert "ddb_cache_sync.core.wire" in ours("ddb_cache_sync.core.stream_records")
    assert "redis" in foreign("ddb_cache_sync.cache.connect")
    tree = ast.parse("from ddb_cache_sync.core import keys\ndef f():\n  import boto3\nif TYPE_CHECKING:\n  import moto")
    assert set(imports_in(tree)) == {
        Import("ddb_cache_sync.core.keys", "load"),
        Import("boto3", "call"),
        Import("moto", "types"),
    }


@pytest.mark.parametrize("module", MODULES)
def test_a_lower_layer_never_imports_a_higher_one(module: str) -> None:
    """Imports go down the ladder; `cache` and `table`, side by side, know nothing of each other."""
    for imported in ours(module):
        assert rank_of(imported) <= rank_of(module), f"{module} imports {imported}"
        assert {layer_of(module), layer_of(imported)} != {"cache", "table"}, f"{module} imports {imported}"


def test_no_modules_import_each_other_in_a_circle() -> None:
    """Not even by way of a function."""
    # A package's __init__ is run before its modules anyway, so it is no import of theirs.
    graph = {module: {name for name in ours(module) if not module.startswith(f"{name}.")} for module in MODULES}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(f"a circle of imports: {error.args[1]}")


@pytest.mark.parametrize("module", MODULES)
def test_each_foreign_package_has_its_place(module: str) -> None:
    """One layer talks to the cache, one to the table; pydantic stays off the hot path."""
    layer, packages = layer_of(module), foreign(module)
    assert "redis" not in packages or layer == "cache", f"{module} imports redis"
    assert not {"boto3", "botocore"} & foreign(module, "load") or layer == "table", (
        f"{module} imports boto3 or botocore when loaded"
    )
    assert "pydantic" not in packages or module in {
        f"{PACKAGE}.config",
        f"{PACKAGE}.config_schema",
        f"{PACKAGE}.settings",
        f"{PACKAGE}.core.wire",
        f"{PACKAGE}.core.validation",
    }
    assert not {"typer", "rich"} & packages or layer == "cli", f"{module} imports typer or rich"
    assert "opentelemetry" not in foreign(module, "load"), f"{module} imports opentelemetry when loaded"
    assert "opentelemetry" not in packages or module == f"{PACKAGE}.observability.spans"


@pytest.mark.parametrize("module", [module for module in MODULES if layer_of(module) in {"core", "errors"}])
def test_the_core_is_pure(module: str) -> None:
    """No clock, no environment, no chance, no log: what it needs is passed in."""
    impure = {
        "asyncio",
        "io",
        "logging",
        "os",
        "pathlib",
        "random",
        "secrets",
        "socket",
        "subprocess",
        "threading",
        "time",
    }
    assert not foreign(module) & (impure | {"boto3", "botocore", "redis"})


@pytest.mark.parametrize("file", FILES, ids=name_of)
def test_a_file_can_be_held_in_the_head(file: Path) -> None:
    """400 lines at the most."""
    assert len(file.read_text("utf-8").splitlines()) <= MAX_LINES


def loaded_by(statement: str) -> set[str]:
    """The modules in a fresh interpreter after a statement."""
    program = f"{statement}\nimport sys\nprint(*sys.modules, sep='\\n')"
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True, timeout=60)
    return set(done.stdout.split())


def test_importing_the_package_loads_only_what_applying_needs() -> None:
    """Cold start is part of the product."""
    loaded = loaded_by(f"import {PACKAGE}")
    assert f"{PACKAGE}.sync.replicator" in loaded
    absent = {"boto3", "botocore", "pydantic", "typer", "rich", "moto", "flask", "hypothesis", "pytest"}
    absent |= {
        f"{PACKAGE}.{name}" for name in ("local", "cli", "testing", "settings", "simulator", "estimate", "table")
    }
    assert not loaded & absent


def test_importing_the_package_loads_no_module_that_applying_does_without() -> None:
    """Their public names are there all the same, and each brings its module when it is first asked for."""
    absent = {
        f"{PACKAGE}.{name}"
        for name in (
            *("cache.credentials", "cache.filling", "core.patterns", "core.primary_keys", "core.routes"),
            *("core.route_checks", "core.routing"),
            *("core.encodings.attribute", "core.encodings.compressed", "core.encodings.dynamodb_json"),
            *("core.encodings.hash", "core.encodings.named", "core.validation", "observability"),
            *("core.layouts", "core.quarantined", "sync.quarantine"),
            *("sync.backfill", "sync.checkpoint", "sync.preparing", "sync.reader"),
        )
    }
    assert absent <= set(MODULES)
    loaded = loaded_by(f"import {PACKAGE}")
    assert not loaded & absent
    program = (
        f"import {PACKAGE} as it\nassert set(it.__all__) <= set(dir(it))\nfor each in it.__all__: getattr(it, each)"
    )
    assert loaded_by(program) >= absent


@pytest.mark.parametrize("module", [PACKAGE, f"{PACKAGE}.core.encodings"])
def test_a_deferred_name_is_the_one_that_type_checkers_see(module: str) -> None:
    """The same names from the same modules; and a name that is not there is missing as anywhere."""
    tree = ast.parse(MODULES[module].read_text("utf-8"))
    [condition] = [node for node in tree.body if isinstance(node, ast.If)]
    checked = {
        (each.module, alias.name) for each in condition.body if isinstance(each, ast.ImportFrom) for alias in each.names
    }
    [call] = [node for node in ast.walk(condition) if isinstance(node, ast.Call)]
    run = {(f"{module}.{below}", name) for below, names in ast.literal_eval(call.args[1]).items() for name in names}
    assert checked == run
    with pytest.raises(AttributeError, match=f"module '{module}' has no attribute 'nonsense'"):
        importlib.import_module(module).nonsense  # noqa: B018 - the reading is what fails


def test_importing_the_package_does_not_load_opentelemetry() -> None:
    """Nor fail without it. Where it is installed redis-py loads it by itself, so it is taken away here."""
    loaded = loaded_by(f"import sys; sys.modules['opentelemetry'] = None; from {PACKAGE} import OpenTelemetrySpans")
    assert f"{PACKAGE}.observability.spans" in loaded
    assert not any(name.startswith("opentelemetry.") for name in loaded)


def test_decoding_a_good_event_does_not_load_pydantic() -> None:
    """It is loaded to explain a record that was refused, and only then."""
    event = {"Records": [stream_record({"id": "a"}, {"id": "a", "n": 1})]}
    program = f"import {PACKAGE} as d; assert len(d.decode_stream_event({event!r})) == 1"
    assert "pydantic" not in loaded_by(program)
    event["Records"][0]["dynamodb"]["NewImage"] = {"n": {"N": "x"}}
    program = (
        f"import {PACKAGE} as d, contextlib\nwith contextlib.suppress(d.RecordError): d.decode_stream_event({event!r})"
    )
    assert "pydantic" in loaded_by(program)


@pytest.mark.parametrize("module", [PACKAGE, f"{PACKAGE}.estimate", f"{PACKAGE}.observability", f"{PACKAGE}.testing"])
def test_public_names_are_sorted_and_there(module: str) -> None:
    """A table of contents that can be trusted: nothing else public is in it."""
    imported = importlib.import_module(module)
    names = list(imported.__all__)
    assert names == sorted(set(names))
    assert all(getattr(imported, name) is not None for name in names)
    tree = ast.parse(Path(str(imported.__file__)).read_text("utf-8"))
    exported = {
        alias.asname or alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module not in {"typing", f"{PACKAGE}.deferred"}
        for alias in node.names
    }
    assert exported == set(names)
