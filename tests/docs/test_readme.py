"""README says what is so."""

import inspect
import json
import re
import tomllib
from typing import Any

import pytest
import redis
from tests.cli.commands import COMMANDS
from tests.docs.markdown import ROOT, code_span, marked, rows

import ddb_cache_sync
from ddb_cache_sync.cli import options
from ddb_cache_sync.settings import PREFIX, VARIABLES, Settings

README = ROOT / "README.md"
TEXT = README.read_text(encoding="utf-8")
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


@pytest.mark.servers
def test_the_handler_works(redis_client: redis.Redis, redis_url: str) -> None:
    """With the URL of a cache that exists, and an event: a reader then gets what README says."""
    code = marked(README, "example: handler")
    assert code.count("rediss://my-cache.example.com:6379") == 1
    namespace: dict[str, Any] = {}
    exec(compile(code.replace("rediss://my-cache.example.com:6379", redis_url), "README.md", "exec"), namespace)
    event = json.loads((ROOT / "examples" / "event.json").read_text(encoding="utf-8"))
    assert namespace["handler"](event, None) == {"batchItemFailures": []}
    stored = redis_client.get("users:42")
    assert isinstance(stored, bytes)
    assert json.loads(stored)["name"] == "Zoë"


def test_the_settings_are_those_of_the_code() -> None:
    """Names in order, and defaults."""
    table = rows(README, "variable")
    assert [code_span(variable) for variable, _, _ in table] == [PREFIX + each.upper() for each in VARIABLES]
    for (_, _, default), name in zip(table, VARIABLES, strict=True):
        field = Settings.model_fields[name]
        if field.default is None:
            assert "`" not in default
        else:
            assert code_span(default).lower() == str(field.default).lower()


def command_in(cell: str) -> str:
    """The command that a cell names, without program and arguments."""
    return " ".join(word for word in code_span(cell).split()[1:] if word.islower())


def test_the_commands_are_those_of_the_command_line() -> None:
    """Each with the arguments that its help has."""
    named = [command_in(cell) for cell, _ in rows(README, "command")]
    assert named == [*COMMANDS]


def test_the_options_named_for_commands_exist() -> None:
    """Each is one of the command's parameters."""
    for cell, description in rows(README, "command"):
        function = COMMANDS[command_in(cell)]
        for option in re.findall(r"--([a-z-]+)", description):
            assert option.replace("-", "_") in inspect.signature(function).parameters


def test_the_exit_codes_are_those_of_the_code() -> None:
    """As README's sentence has them."""
    said = re.search(r"Exit code 0:\s+fine, (\d): failed, (\d): wrong usage, (\d): drift found, (\d+): stopped", TEXT)
    assert said is not None
    assert [*map(int, said.groups())] == [options.EXIT_FAILED, options.EXIT_USAGE, options.EXIT_DRIFT, 130]


def test_the_errors_are_the_public_ones() -> None:
    """All but their root, which the text names."""
    named = {code_span(error) for error, _, _ in rows(README, "error")}
    errors = {
        name
        for name in ddb_cache_sync.__all__
        if inspect.isclass(kind := getattr(ddb_cache_sync, name)) and issubclass(kind, Exception)
    }
    assert named == errors - {"CacheSyncError"}


@pytest.mark.parametrize("marker", ["demo line", "test line"])
def test_the_lines_to_paste_are_one_line_each_and_name_what_exists(marker: str) -> None:
    """Extras and groups are those of pyproject.toml; .ci/run runs the lines themselves."""
    line = marked(README, marker)
    assert line.count("\n") == 1
    extras = [extra for group in re.findall(r"'\.\[([\w,-]+)\]'", line) for extra in group.split(",")]
    assert extras
    assert set(extras) <= set(PROJECT["project"]["optional-dependencies"])
    assert set(re.findall(r"--group (\w+)", line)) <= set(PROJECT["dependency-groups"])


def test_every_extra_that_is_named_exists() -> None:
    """Wherever README says how to install."""
    for extra in re.findall(r"ddb-cache-sync\[(\w+)\]", TEXT):
        assert extra in PROJECT["project"]["optional-dependencies"]


@pytest.mark.parametrize("name", ddb_cache_sync.__all__)
def test_every_public_name_is_documented(name: str) -> None:
    """By a docstring of its own; a type alias has none to give."""
    public = getattr(ddb_cache_sync, name)
    if inspect.isclass(public) or inspect.isfunction(public):
        written = public.__doc__ or ""
        assert written.strip()
        assert not written.startswith(f"{name}("), "made by NamedTuple or dataclass"
