"""The tutorial, followed to the letter."""

import os
import shlex
import shutil
import signal
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest
from tests.cli.programs import COMMAND, Program
from tests.docs.markdown import ROOT, blocks

PAGE = ROOT / "docs" / "tutorial.md"


@pytest.mark.long
@pytest.mark.servers
def test_the_tutorial_does_what_it_says(tmp_path: Path) -> None:
    """Its files are saved, its commands typed in order, and their output compared with the page's."""
    folder, temporary = tmp_path / "clone", tmp_path / "temporary"
    temporary.mkdir()
    shutil.copytree(ROOT / "examples", folder / "examples")
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    steps = blocks(PAGE)
    ran = 0
    with ExitStack() as stack:
        first_terminal = None
        for step, following in zip(steps, [*steps[1:], None], strict=True):
            match (step.marker or "").split(": ", 1):
                case ["file", name]:
                    (folder / name).write_text(step.code, encoding="utf-8")
                case ["run", "first terminal"]:
                    program, *arguments = shlex.split(step.code)
                    assert program == "ddb-cache-sync"
                    first_terminal = stack.enter_context(Program(COMMAND, *arguments, temporary=temporary))
                    lines = first_terminal.lines_until(lambda line: line.startswith("export DDB_CACHE_SYNC_REDIS_URL="))
                    exports = [line.removeprefix("export ").strip() for line in lines if line.startswith("export ")]
                    environment |= dict(line.split("=", 1) for line in exports)
                case ["run"]:
                    done = subprocess.run(
                        ["bash", "-euo", "pipefail", "-c", step.code],
                        cwd=folder,
                        env=environment,
                        capture_output=True,
                        text=True,
                        check=False,
                    )
                    assert (done.returncode, done.stderr) == (0, ""), step.code
                    assert following is not None
                    assert (following.language, done.stdout) == ("text", following.code), step.code
                    ran += 1
        assert first_terminal is not None
        first_terminal.send(signal.SIGINT)
        assert first_terminal.end()[0] == 0
    assert ran == sum(step.language == "text" for step in steps) >= 5
    assert list(temporary.iterdir()) == []
