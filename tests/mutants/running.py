"""Runs tests against a mutant: a copy of the sources, one file of it edited, and pytest in a process of its own."""

from __future__ import annotations

import itertools
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final, NamedTuple

ROOT: Final = Path(__file__).parents[2]
PACKAGE: Final = ROOT / "src/ddb_cache_sync"
_OPTIONS: Final = ("-q", "-n", "0", "-p", "no:randomly", "-p", "no:cacheprovider", "--tb=no", "--hypothesis-seed=1")
_MOST_SECONDS: Final = 600

FAILED: Final = re.compile(r"^(?:FAILED|ERROR) (\S+?\.py.*?)(?: - .*)?$", re.MULTILINE)
"""What pytest says of a test that failed."""


class Verdict(NamedTuple):
    """What became of a mutant."""

    killed: bool
    by: str
    """The test that noticed, or why none could; empty: it survived."""
    seconds: float


class Copy:
    """A copy of the sources, of which one file at a time is edited.

    Args:
        folder: Where to; it has to be empty.
    """

    def __init__(self, folder: Path) -> None:
        self._sources = folder / "src"
        self._bytecode = folder / "bytecode"
        self._arguments = folder / "arguments"
        self._times = itertools.count(1_000_000_000)
        shutil.copytree(ROOT / "src", self._sources, ignore=shutil.ignore_patterns("__pycache__"))

    def judge(self, path: str, source: str, tests: Sequence[str], *options: str) -> Verdict:
        """Run tests against the sources with this in the place of one of them.

        Args:
            path: Below the package.
            source: What the file holds.
            tests: What pytest is given, beside its options.
            options: More of them.
        """
        started = time.monotonic()
        self._write(path, source)
        try:
            status, shown = self.run(["-x", *options, *tests])
        finally:
            self._write(path, (PACKAGE / path).read_text("utf-8"))
        found = FAILED.search(shown)
        if status in (0, 5):
            by = ""
        elif status is None:
            by = "it takes too long"
        else:
            by = found[1] if found else f"pytest ended with {status}"
        return Verdict(status not in (0, 5), by, round(time.monotonic() - started, 1))

    def run(
        self, arguments: Sequence[str], *, seconds: float = _MOST_SECONDS, **environment: str
    ) -> tuple[int | None, str]:
        """Run tests; pytest's exit code, None where they had to be stopped, and what it showed."""
        self._arguments.write_text("\n".join(arguments), "utf-8")  # there may be more than a command line takes
        command = [sys.executable, "-m", "pytest", *_OPTIONS, f"@{self._arguments}"]
        places = {"PYTHONPATH": str(self._sources), "PYTHONPYCACHEPREFIX": str(self._bytecode)}
        with subprocess.Popen(
            command,
            cwd=ROOT,
            env=os.environ | places | environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        ) as running:
            try:
                shown, _ = running.communicate(timeout=seconds)
            except subprocess.TimeoutExpired:
                os.killpg(running.pid, signal.SIGKILL)  # servers that its tests started too
                return None, ""
        return running.returncode, shown

    def _write(self, path: str, source: str) -> None:
        """Write a file, with a time that no other version of it has: its bytecode is told by that."""
        file = self._sources / PACKAGE.name / path
        file.write_text(source, "utf-8")
        moment = next(self._times)
        os.utime(file, (moment, moment))


@contextmanager
def copied() -> Iterator[Copy]:
    """Give a copy of the sources."""
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
        yield Copy(Path(folder))
