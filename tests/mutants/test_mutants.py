"""The mutants are still what they say, and some of them are shown to the tests; all: `python -m tests.mutants`."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from tests.mutants.__main__ import main
from tests.mutants.explained import EXPLAINED
from tests.mutants.generated import population, sample
from tests.mutants.hand_made import HAND_MADE
from tests.mutants.mutant import Mutant
from tests.mutants.operators import edits
from tests.mutants.running import PACKAGE, ROOT, Copy, Verdict


@pytest.mark.parametrize("mutant", HAND_MADE, ids=lambda mutant: mutant.name)
def test_each_can_still_be_made(mutant: Mutant) -> None:
    """Its text is in its file, once, and the tests that it names are there."""
    source = mutant.put_into((PACKAGE / mutant.path).read_text("utf-8"))
    if mutant.path.endswith(".py"):
        compile(source, mutant.path, "exec")
    files = [ROOT / test.partition("::")[0] for test in mutant.tests if test.startswith("tests/")]
    assert files
    assert all(file.exists() for file in files)


def test_each_has_a_name_of_its_own() -> None:
    """So that one can be asked for."""
    assert len({mutant.name for mutant in HAND_MADE}) == len(HAND_MADE) > 60


def test_what_is_explained_can_still_be_made() -> None:
    """Each is an edit of the sources as they are."""
    files = {path for path, _, _ in EXPLAINED}
    possible = Counter((mutant.path, *mutant.shown) for mutant in population() if mutant.path in files)
    assert [edit for edit in EXPLAINED if edit not in possible] == []


def test_every_operator_is_used() -> None:
    """On a source that has something for each."""
    source = '''
LIMIT: Final = 5
if TYPE_CHECKING:
    from some import one

@cached(1)
def numbers(one: Literal[1] = 2) -> Literal[3]:
    """No 4."""
    for each in range(one):
        if not one < each or f"{1 + 1}":
            continue
        several(each)
        raise ValueError
    return (one) is not None
'''
    made = [edit.shown(source) for edit in edits(source)]
    line = 'if not one < each or f"{1 + 1}":'
    assert sorted(made) == sorted(
        [
            (line, 'if one < each or f"{1 + 1}":'),
            (line, 'if not one <= each or f"{1 + 1}":'),
            (line, 'if not one < each and f"{1 + 1}":'),
            ("continue", "break"),
            ("several(each)", "pass"),
            ("raise ValueError", "pass"),
            ("return (one) is not None", "return None"),
            ("return (one) is not None", "return (one) is None"),
        ]
    )


def test_a_seed_draws_the_same_mutants_again() -> None:
    """And every one of them is Python."""
    drawn = sample(40, seed=7)
    assert drawn == sample(40, seed=7) != sample(40, seed=8)
    for mutant in drawn:
        ast.parse(mutant.edit.made((PACKAGE / mutant.path).read_text("utf-8")))
        before, after = mutant.shown
        assert before != after


def test_they_can_be_listed(capsys: pytest.CaptureFixture[str]) -> None:
    """By words of their names, which breaks nothing."""
    assert main(["--list", "--only", "leading zeros"]) == 0
    assert capsys.readouterr().out == "leading zeros count\n"
    assert main(["--list", "--generated", "3", "--seed", "7"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 3


def test_one_that_no_test_notices_is_told(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """By name, and by the exit code."""
    verdicts = iter([Verdict(True, "tests/a.py::test_b", 1.0), Verdict(False, "", 2.0)])
    monkeypatch.setattr(Copy, "judge", lambda *_: next(verdicts))
    monkeypatch.setattr(Copy, "run", lambda *_: (0, ""))
    assert main(["--only", "zeros count"]) == 0
    assert capsys.readouterr().out.startswith(
        "core/versions.py: leading zeros count\n    killed by tests/a.py::test_b (1.0 s)\n1 mutants: 1 killed"
    )
    assert main(["--only", "zeros count"]) == 1
    assert "    SURVIVED (2.0 s)" in capsys.readouterr().out


@pytest.mark.long
@pytest.mark.timeout(1200)
def test_some_are_killed(tmp_path: Path) -> None:
    """Those of the guard; all of them: `python -m tests.mutants`."""
    written = tmp_path / "mutants.json"
    command = [sys.executable, "-m", "tests.mutants", "--only", "guard", "--json", str(written)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    found = json.loads(written.read_text("utf-8"))["mutants"]
    assert len(found) > 8
    assert all(mutant["killed"] and "::test_" in mutant["by"] for mutant in found)
