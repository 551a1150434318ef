"""`python -m benchmarks.publish`: puts the figures of both published runs into README.md and benchmarks/README.md.

What the pages show of them stands between two comments, and is made of docs/benchmarks/results.json (pure Python) and
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
README: Final = Path(__file__).parents[1] / "README.md"
_SHORT: Final = {
    "plain-pipeline": "redis-py's pipeline of plain `SET`, which decodes nothing and guards nothing",
    "cluster": "the same on a cluster of three",
    "powertools": "Powertools, `json` and a pipeline of `SET`, unguarded",
    "one-by-one": "one `SET` a record, each awaited",
}


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


def short_table() -> str:
    """The figures that README shows."""
    lines = ["| against | with [the compiled part](docs/how-to/speedups.md) | in pure Python |", "|---|---:|---:|"]
    pure, compiled = ({each["name"]: each for each in figures_of(file)} for file in (PURE, COMPILED))
    for name, words in _SHORT.items():
        ratios = [number(each[name]["value"]["median"]) for each in (compiled, pure)]
        lines.append(f"| {words} | {' | '.join(ratios)} |")
    return "\n".join(lines)


def pages() -> dict[Path, str]:
    """The pages with the figures of the files."""
    shown = ((PAGE, "both runs", table()), (README, "short", short_table()))
    return {page: replaced(page.read_text(encoding="utf-8"), name, content) for page, name, content in shown}


def replaced(text: str, name: str, content: str) -> str:
    """The page with another content between two comments."""
    opening, closing = f"<!-- figures: {name} -->\n", f"\n<!-- end: {name} -->"
    before, begins, rest = text.partition(opening)
    _, ends, after = rest.partition(closing)
    assert begins, f"the page has no place for {name}"
    assert ends, f"the place for {name} has no end"
    return before + opening + content + closing + after


def _cell(figure: dict[str, Any]) -> str:
    if figure["value"] is None:
        return "not measured"
    return f"{number(figure['value']['median'])} {figure['unit']}{'' if figure['is_met'] else ', **not met**'}"


if __name__ == "__main__":
    for page, content in pages().items():
        page.write_text(content, encoding="utf-8")
