"""`python -m tests.mutants`: break each rule in turn, and see which test notices. Exits with 1 if none does."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from tests.mutants.covering import Covering
from tests.mutants.explained import reason
from tests.mutants.generated import sample
from tests.mutants.hand_made import HAND_MADE
from tests.mutants.running import PACKAGE, Copy, Verdict, copied


def main(arguments: Sequence[str] | None = None) -> int:
    """Run it; None takes the command line's arguments."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__)
    parser.add_argument("--generated", type=int, metavar="N", help="N mutants that a program makes of core/ and sync/")
    parser.add_argument("--seed", type=int, default=1, help="which (1)")
    parser.add_argument("--only", metavar="WORDS", default="", help="mutants whose name has these words")
    parser.add_argument("--list", action="store_true", help="name them, and break nothing")
    parser.add_argument("--json", type=Path, metavar="FILE", help="where to write what became of them")
    parser.add_argument("--map", type=Path, metavar="FILE", help="where to keep which test runs which line")
    given = parser.parse_args(arguments)
    if given.list:
        names = [each.name for each in (HAND_MADE if given.generated is None else sample(given.generated, given.seed))]
        print("\n".join(name for name in names if given.only in name))
        return 0
    judged = _hand_made(given.only) if given.generated is None else _generated(given)
    rows: list[dict[str, object]] = []
    for name, verdict, why in judged:
        rows.append({"name": name, **verdict._asdict(), "explained": why})
        said = f"killed by {verdict.by}" if verdict.killed else "survived: " + why if why else "SURVIVED"
        print(f"{name}\n    {said} ({verdict.seconds} s)", flush=True)
        if given.json is not None:
            given.json.write_text(json.dumps({"seed": given.seed, "mutants": rows}, indent=1), "utf-8")
    killed, explained = (sum(bool(row[word]) for row in rows) for word in ("killed", "explained"))
    survived = len(rows) - killed - explained
    print(f"{len(rows)} mutants: {killed} killed, {explained} survived and change nothing, {survived} survived")
    return 1 if survived else 0


def _hand_made(words: str) -> Iterator[tuple[str, Verdict, str]]:
    chosen = [mutant for mutant in HAND_MADE if words in mutant.name]
    with copied() as copy:
        _make_sure_they_pass(copy, dict.fromkeys(mutant.tests for mutant in chosen))
        for mutant in chosen:
            source = mutant.put_into((PACKAGE / mutant.path).read_text("utf-8"))
            yield f"{mutant.path}: {mutant.name}", copy.judge(mutant.path, source, mutant.tests), ""


def _make_sure_they_pass(copy: Copy, tests: Iterable[tuple[str, ...]]) -> None:
    for each in tests:
        status, shown = copy.run(each)
        if status != 0:
            sys.exit(f"{' '.join(each)} fails without any mutant:\n{shown}")


def _generated(given: argparse.Namespace) -> Iterator[tuple[str, Verdict, str]]:
    chosen = [mutant for mutant in sample(given.generated, given.seed) if given.only in mutant.name]
    covering = Covering.measured(given.map)
    with copied() as copy:
        for mutant in chosen:
            verdict = mutant.judge(copy, covering)
            yield mutant.name, verdict, "" if verdict.killed else reason(mutant)


if __name__ == "__main__":
    sys.exit(main())
