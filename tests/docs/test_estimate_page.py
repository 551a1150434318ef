"""The guide to estimates shows what the code says."""

import re
import shlex
import subprocess
from pathlib import Path
from typing import Any

from tests.cli.programs import COMMAND
from tests.docs.markdown import ROOT, blocks, rows

from ddb_cache_sync.estimate import Workload, default_prices, estimate, read_prices
from ddb_cache_sync.estimate.formulas import FORMULAS

PAGE = ROOT / "docs" / "how-to" / "estimate.md"


def block(language: str) -> str:
    [code] = [each.code for each in blocks(PAGE) if each.language == language]
    return code


def test_the_output_is_the_commands() -> None:
    """Line by line."""
    program, *arguments = shlex.split(block("sh"))
    assert program == "ddb-cache-sync"
    run = subprocess.run([COMMAND, *arguments], capture_output=True, encoding="utf-8", check=True, timeout=60)
    assert run.stdout == block("text")


def test_the_formulas_are_those_of_the_code() -> None:
    """In order."""
    assert rows(PAGE, "what") == [[formula.name, formula.text] for formula in FORMULAS]


def test_the_numbers_are_those_of_the_file() -> None:
    """With dates and sources, in order."""
    numbers = default_prices().numbers.values()
    assert rows(PAGE, "number") == [
        [f"`{it.kind}.{it.name}`", f"{it.value:.10g}", it.unit, it.as_of, it.source] for it in numbers
    ]


def test_every_number_is_in_a_formula_and_every_name_in_a_formula_is_a_number() -> None:
    """None is there for show."""
    named = {name for formula in FORMULAS for name in re.findall(r"`(\w+)`", formula.text)}
    assert named == set(default_prices().numbers)


def test_the_file_of_the_guide_is_taken(tmp_path: Path) -> None:
    """Its values and its words."""
    file = tmp_path / "mine.toml"
    file.write_text(block("toml"), encoding="utf-8")
    mine = read_prices(file)
    assert (mine["elasticache_gb_hour"], mine["runtime_ms"]) == (0.125, 0.6)
    assert mine.numbers["runtime_ms"].source == "REPORT lines of our function"


def test_the_program_of_the_guide_runs() -> None:
    """Its assertions hold."""
    code = block("python")
    assert code.count("assert ") == 2
    namespace: dict[str, Any] = {}
    exec(compile(code, "estimate.md", "exec"), namespace)


def test_the_original_without_a_runtimes_time_is_as_the_page_says(tmp_path: Path) -> None:
    """The number that decides most about it is assumed, so the page gives the other end."""
    file = tmp_path / "mine.toml"
    file.write_text("[measured.runtime_ms]\nvalue = 0\n")
    original = estimate(Workload(), read_prices(file)).original
    assert original.keeps_up
    page = " ".join(PAGE.read_text(encoding="utf-8").split())
    assert f"would apply {original.writes_per_second_at_most:,.0f} writes a second and keep up" in page
    assert f"would cost ${original.cost.function:,.0f} a month, most of it for requests and logs" in page
    assert original.cost.requests + original.cost.logs > original.cost.function / 2


def test_a_script_takes_as_many_times_a_plain_set_as_the_page_says() -> None:
    """And is reckoned as so many ECPUs."""
    prices = default_prices()
    times = prices["script_thread_micros"] / prices["set_thread_micros"]
    ecpus = prices["script_micros"] / prices["ecpu_micros"]
    page = " ".join(PAGE.read_text(encoding="utf-8").split())
    assert f"about {times:.0f} times the server's time of a plain `SET`" in page
    assert f"billed as {times:.0f} ECPUs where {ecpus:.1f} are reckoned here" in page
