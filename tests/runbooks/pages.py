"""A runbook, followed to the letter: its commands run in a shell, in the order in which they stand."""

from __future__ import annotations

import os
import shlex
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

from tests.docs.markdown import ROOT, blocks
from tests.runbooks.serving import LOOKS

if TYPE_CHECKING:
    from collections.abc import Mapping

RUNBOOKS: Final = ROOT / "docs" / "how-to" / "runbooks"


class Shell:
    """Runs commands as bash does, with the programs of a folder before all others."""

    def __init__(self, programs: Path, folder: Path, environment: Mapping[str, str]) -> None:
        self._folder = folder
        self._state = folder / ".state"
        clean = {name: text for name, text in os.environ.items() if not name.startswith(("DDB_CACHE_SYNC_", "AWS_"))}
        self.environment = {**clean, "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}", **environment}

    def run(self, code: str) -> subprocess.CompletedProcess[str]:
        """Run some lines; they end with the first that fails. What variables hold then, they hold in the next lines."""
        state = shlex.quote(str(self._state))
        # But when to look again: that is the test's to say, at each step anew.
        around = f"[ ! -f {state} ] || . {state}; set -a; trap 'unset {LOOKS}; export -p > {state}' EXIT\n{code}"
        return subprocess.run(
            ["bash", "-euo", "pipefail", "-c", around],
            cwd=self._folder,
            env=self.environment,
            capture_output=True,
            encoding="utf-8",
            check=False,
            timeout=60,
        )


class Runbook:
    """The steps of a page: its blocks marked `run: <name>`. Whoever leaves the block must have followed them all."""

    def __init__(self, name: str, shell: Shell) -> None:
        self._steps = [block for block in blocks(RUNBOOKS / name) if (block.marker or "").startswith("run: ")]
        self._shell = shell
        self._at = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            assert self._at == len(self._steps), f"not followed: {self._steps[self._at].marker}"

    def skip(self, name: str) -> None:
        """Leave out the next step, which has this name, as the page allows here."""
        assert self._steps[self._at].marker == f"run: {name}"
        self._at += 1

    def follow(self, name: str, *, exits: int = 0) -> str:
        """Do the next step, which has this name; gives what it printed."""
        step = self._steps[self._at]
        assert step.marker == f"run: {name}"
        self._at += 1
        done = self._shell.run(step.code)
        assert done.returncode == exits, f"{step.code}\nexits {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stdout
