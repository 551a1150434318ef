"""`python -m benchmarks.publish`: puts the figures of both published runs into benchmarks/README.md.

What the page shows of them stands between two comments, and is made of docs/benchmarks/results.json (pure Python) and
results-speedups.json (with the compiled part).
"""

import json
from pathlib import Path
from typing import Any, Final

from benchmarks.report import number

_RESULTS: Final = Path(__file__).parents[1] / "docs" / "benchmarks"
PAGE: Final = Path(__file__).with_name("README.md")
PURE: Final = _RESULTS / "results.json"
COMPILED: Final = _RESULTS / "results-speedups.json"
_FIRST: Final = "<!-- figures: both runs -->\n"
_LAST: Final = "<!-- end: both runs -->"


def figures_of(file: Path) -> list[dict[str, Any]]:
    """The figures of a run, as `--json` writes them."""
    found: list[dict[str, Any]] = json.loads(file.read_text(encoding="utf-8"))["figures"]
    return found


def table() -> str:
    """One line a figure, what is not met marked so."""
    lines = ["| figure | target | pure Python | with `ddb-cache-sync-speedups` |", "|---|---|---:|---:|"]
    for pure, compiled in zip(figures_of(PURE), figures_of(COMPILED), strict=True):
        assert pure["name"] == compiled["name"]
        lines.append(f"| {pure['title']} | {pure['target']} | {_cell(pure)} | {_cell(compiled)} |")
    return "\n".join(lines)


def page_text() -> str:
    """The page with the figures of the files."""
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(_FIRST)
    _, _, after = rest.partition(_LAST)
    return f"{before}{_FIRST}{table()}\n{_LAST}{after}"


def _cell(figure: dict[str, Any]) -> str:
    if figure["value"] is None:
        return "not measured"
    return f"{number(figure['value']['median'])} {figure['unit']}{'' if figure['is_met'] else ', **not met**'}"


if __name__ == "__main__":
    PAGE.write_text(page_text(), encoding="utf-8")
