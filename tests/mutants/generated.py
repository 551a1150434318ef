"""Mutants that a program makes: a random sample of the edits of core/ and sync/ that `operators` knows."""

from __future__ import annotations

import functools
import random
from collections.abc import Sequence
from typing import Final, NamedTuple

from tests.mutants.covering import Covering
from tests.mutants.operators import Edit, edits
from tests.mutants.running import PACKAGE, Copy, Verdict

FOLDERS: Final = ("core", "sync")
_FIRST: Final = 25
"""How many tests are run before the others are even collected."""
_MOST: Final = 150
"""How many are run at the most, the most specific ones."""
_TEST_SECONDS: Final = 60
"""After which a test counts as failed: the mutant runs for ever."""


class Generated(NamedTuple):
    """An edit of a file of `src/ddb_cache_sync`."""

    path: str
    """Below the package."""
    edit: Edit

    @property
    def name(self) -> str:
        """Its line, before and after."""
        before, after = self.shown
        return f"{self.path}:{self.edit.line}: {before} -> {after}"

    @property
    def shown(self) -> tuple[str, str]:
        """Its line, before and after."""
        return self.edit.shown(_source(self.path))

    def judge(self, copy: Copy, covering: Covering) -> Verdict:
        """Run the tests that run its line."""
        source = self.edit.made(_source(self.path))
        tests = covering.of(self.path, self.edit.line, in_function=self.edit.in_function)
        verdict = Verdict(False, "", 0.0)
        for some in (tests[:_FIRST], tests[_FIRST:_MOST]):
            if some and not verdict.killed:
                before = verdict.seconds
                verdict = copy.judge(self.path, source, some, f"--timeout={_TEST_SECONDS}")
                verdict = verdict._replace(seconds=round(before + verdict.seconds, 1))
        return verdict


@functools.cache
def population() -> Sequence[Generated]:
    """Every mutant there is."""
    files = [file for folder in FOLDERS for file in sorted((PACKAGE / folder).rglob("*.py"))]
    return [
        Generated(str(file.relative_to(PACKAGE)), edit) for file in files for edit in edits(file.read_text("utf-8"))
    ]


def sample(number: int, seed: int) -> list[Generated]:
    """So many of them, file by file."""
    every = population()
    return sorted(random.Random(seed).sample(every, min(number, len(every))))


@functools.cache
def _source(path: str) -> str:
    return (PACKAGE / path).read_text("utf-8")
