"""README and the benchmarks' page show just the figures that were published."""

import json
from pathlib import Path

import pytest
from benchmarks.publish import COMPILED, PURE, figures_of, pages


@pytest.mark.parametrize("page", pages(), ids=["benchmarks", "README"])
def test_the_figures_are_those_of_the_files(page: Path) -> None:
    """`python -m benchmarks.publish` puts others in."""
    assert page.read_text(encoding="utf-8") == pages()[page]


def test_each_run_is_what_it_says() -> None:
    """One with the compiled part and one without it, of the same figures."""
    with_it, without = (json.loads(file.read_text(encoding="utf-8"))["machine"] for file in (COMPILED, PURE))
    assert without["ddb-cache-sync-speedups"] == "not installed"
    assert with_it["ddb-cache-sync-speedups"] != "not installed"
    same = ("cores", "Python", "server", "redis", "hiredis", "orjson")
    assert [with_it[name] for name in same] == [without[name] for name in same]
    assert [each["name"] for each in figures_of(COMPILED)] == [each["name"] for each in figures_of(PURE)]
