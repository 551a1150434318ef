"""Which tests run which lines: so a mutant is shown to these alone, the most specific ones first."""

from __future__ import annotations

import hashlib
import json
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import coverage
from tests.mutants.running import FAILED, PACKAGE, ROOT, Copy

TESTS: Final = (
    "tests/core",
    "tests/fundamentals",
    "tests/sync",
    "tests/convergence",
    "tests/cli/test_doctor.py",
    "tests/cli/test_verify.py",
    "tests/local/test_deadlines.py",
    "tests/test_aws_lambda.py",
    "tests/test_hooks.py",
    "tests/test_kinesis_batch.py",
    "tests/test_new_layout.py",
)


class Covering:
    """Tests by the lines that they run.

    Args:
        lines: Of each file, below the package, and each line: the tests.
    """

    def __init__(self, lines: dict[str, dict[int, list[str]]]) -> None:
        self._lines = lines
        self._cost = Counter(test for file in lines.values() for tests in file.values() for test in tests)

    @classmethod
    def measured(cls, kept: Path | None) -> Covering:
        """Run all of them once.

        Args:
            kept: Where to keep it, for the next time that neither sources nor tests have changed.

        Raises:
            RuntimeError: Tests fail without any mutant.
        """
        state = _state()
        if kept is not None and kept.exists():
            found = json.loads(kept.read_text("utf-8"))
            if found["state"] == state:
                return cls({path: {int(line): tests for line, tests in file.items()} for path, file in found["lines"]})
        lines = _lines()
        if kept is not None:
            kept.write_text(json.dumps({"state": state, "lines": [*lines.items()]}), "utf-8")
        return cls(lines)

    def of(self, path: str, line: int, *, in_function: bool) -> list[str]:
        """The tests that run a line; of one that runs when its file is imported, those that run any line of it."""
        file = self._lines.get(path, {})
        tests: Iterable[str] = file.get(line, ())
        if not in_function:
            tests = {test for tests in file.values() for test in tests}
        return sorted(tests, key=lambda test: (self._cost[test], test))


def _lines() -> dict[str, dict[int, list[str]]]:
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
        copy, file = Copy(Path(folder)), Path(folder) / "coverage"
        options = ["--dist=no", "--cov=ddb_cache_sync", "--cov-config=", "--cov-context=test", "--cov-report="]
        status, shown = copy.run([*options, "--maxfail=20", *TESTS], seconds=3600, COVERAGE_FILE=str(file))
        failed = set(FAILED.findall(shown))
        if status not in (0, 1) or len(failed) >= 20:
            raise RuntimeError(f"tests fail without any mutant:\n{shown}")
        for test in failed:  # on a machine that is too busy, say
            sys.stderr.write(f"fails without any mutant, so it is left out: {test}\n")
        data = coverage.CoverageData(str(file))
        data.read()
        package = Path(folder) / "src" / PACKAGE.name
        if len(data.measured_contexts()) < 2:
            raise RuntimeError("the tests were not told apart")
        return {
            str(Path(each).relative_to(package)): {
                line: sorted({test.rpartition("|")[0] for test in tests if test} - failed)
                for line, tests in data.contexts_by_lineno(each).items()
            }
            for each in data.measured_files()
            if Path(each).is_relative_to(package)
        }


def _state() -> str:
    files = [
        file for folder in (PACKAGE, ROOT / "tests") for file in folder.rglob("*") if file.suffix in (".py", ".lua")
    ]
    seen = [file.read_bytes() for file in sorted(files) if file.parent != Path(__file__).parent]
    return hashlib.sha256(b"".join(seen)).hexdigest()
