"""On a terminal, in a pipe, and stopped: what only a process of its own can show."""

import os
import pty
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from tests.cli.conftest import Cli
from tests.cli.programs import COMMAND, PROC, Program

EVENT = Path(__file__).parents[2] / "examples" / "event.json"


def on_a_terminal(*arguments: str, **environment: str) -> bytes:
    """What a command writes when its output is a terminal."""
    ours, theirs = pty.openpty()
    variables = {**os.environ, "TERM": "xterm-256color", **environment}
    process = subprocess.Popen([COMMAND, *arguments], stdin=theirs, stdout=theirs, stderr=theirs, env=variables)
    os.close(theirs)
    written = b""
    try:
        while piece := os.read(ours, 4096):
            written += piece
    except OSError:  # Linux's way to say that the terminal's other end was closed
        pass
    finally:
        os.close(ours)
        process.wait()
    return written


def test_a_terminal_gets_colour() -> None:
    """What went wrong catches the eye."""
    assert b"\x1b[1;31mwrong usage: \x1b[0m" in on_a_terminal("apply", "none.json", NO_COLOR="")


def test_no_color_is_obeyed() -> None:
    """See https://no-color.org."""
    assert b"\x1b" not in on_a_terminal("apply", "none.json", NO_COLOR="1")


@pytest.mark.parametrize("options", [[], ["--json"]], ids=["text", "json"])
def test_a_reader_that_leaves_early_is_no_crash(options: list[str]) -> None:
    """As with `| head -0`: exit code 1 and no traceback."""
    with subprocess.Popen(
        [COMMAND, "apply", str(EVENT), "--dry-run", *options], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 1


@pytest.mark.parametrize("options", [[], ["--json"]], ids=["text", "json"])
def test_a_closed_stdout_is_no_crash(cli: Cli, monkeypatch: pytest.MonkeyPatch, options: list[str]) -> None:
    """As with `>&-`, of which Python makes no stdout at all: nobody wants the results."""
    monkeypatch.setattr(sys, "stdout", None)
    assert cli("config", "schema", *options) == (0, "", "")
    assert cli("apply", str(EVENT), "--dry-run", *options) == (0, "", "")


@pytest.mark.skipif(not PROC.is_dir(), reason="finds processes by /proc")
@pytest.mark.servers
@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), pytest.param(signal.SIGTERM, 143, marks=pytest.mark.long)]
)
def test_a_stopped_demo_leaves_nothing_behind(number: signal.Signals, code: int, tmp_path: Path) -> None:
    """Its servers end and their folders go, however it is told to stop; the exit code says how."""
    with Program(COMMAND, "demo", "--changes", "1000000", "--chaos", "--verbose", temporary=tmp_path) as demo:
        assert "InjectedFault" in demo.line(stream="stderr")
        assert len(demo.processes()) > 2
        assert list(tmp_path.iterdir()) != []
        demo.send(number)
        assert demo.end()[:2] == (code, "")
        assert demo.processes() == []
    assert list(tmp_path.iterdir()) == []
