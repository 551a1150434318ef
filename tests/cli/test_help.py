import inspect
import runpy
import sys
from importlib.metadata import version

import pytest
from tests.cli.commands import COMMANDS
from tests.cli.conftest import Cli


def test_there_are_commands() -> None:
    """The tests below are about something."""
    assert set(COMMANDS) >= {
        "apply",
        "backfill",
        "config check",
        "config schema",
        "decode",
        "demo",
        "doctor",
        "estimate",
        "inspect",
        "repair",
        "verify",
    }


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_explains_itself(cli: Cli, command: str) -> None:
    """Its help gives what it does, --json, and goes to stdout with exit code 0."""
    shown = cli(*command.split(), "--help")
    assert (shown.code, shown.err) == (0, "")
    summary = (inspect.getdoc(COMMANDS[command]) or "").split("\n")[0]
    assert summary.split()[0] in shown.out
    assert "--json" in shown.out
    assert cli(*command.split(), "-h").out == shown.out


@pytest.mark.parametrize("command", ["", "config", *COMMANDS])
def test_a_flag_is_shown_as_one(cli: Cli, command: str) -> None:
    """Nothing beside it that looks like a value to give; and what may be left out is in one pair of brackets."""
    shown = cli(*command.split(), "--help").out
    assert "--help" in shown
    assert "bool" not in shown
    assert "[[" not in shown


def test_it_runs_as_a_module_too(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """`python -m ddb_cache_sync` is the same program, by the same name."""
    monkeypatch.setattr(sys, "argv", ["__main__.py", "nonsense"])
    with pytest.raises(SystemExit) as leaving:
        runpy.run_module("ddb_cache_sync", run_name="__main__")
    assert leaving.value.code == 2
    assert "Usage: ddb-cache-sync" in capsys.readouterr().err


def test_the_help_lists_every_command_and_the_exit_codes(cli: Cli) -> None:
    """The first thing that a new user sees."""
    shown = cli("--help")
    assert shown.code == 0
    assert all(f" {command.split()[0]} " in shown.out for command in COMMANDS)
    assert "3: drift found" in " ".join(shown.out.split())


def test_the_version_is_the_packages(cli: Cli) -> None:
    """It is what pip installed."""
    assert cli("--version") == (0, version("ddb-cache-sync") + "\n", "")


@pytest.mark.parametrize(
    "arguments",
    [["nonsense"], ["apply"], ["apply", "x.json", "--nonsense"], ["demo", "--seed", "x"], ["estimate", "--items", "x"]],
)
def test_wrong_usage_is_told_on_stderr_with_exit_code_2(cli: Cli, arguments: list[str]) -> None:
    """A mistyped command, argument or option does nothing else."""
    result = cli(*arguments)
    assert (result.code, result.out) == (2, "")
    assert "Usage: ddb-cache-sync" in result.err


def test_no_arguments_show_the_help_with_exit_code_2(cli: Cli) -> None:
    """Nothing was asked for, so nothing went well."""
    result = cli()
    assert result.code == 2
    assert "Usage: ddb-cache-sync" in result.out + result.err
