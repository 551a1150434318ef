"""The page on testing shows just the figures that the runs wrote, and every kind of fault."""

import json

from tests.docs.markdown import rows
from tests.fuzz.targets import TARGETS
from tests.pipeline_faults.kinds import Kind
from tests.soak.figures import Figures
from tests.soak.plot import svg
from tests.soak.publish import FUZZ, PAGE, PLOT, SOAK, page_text


def test_the_figures_are_those_of_the_files_beside_it() -> None:
    """`python -m tests.soak.publish` puts others in."""
    assert PAGE.read_text(encoding="utf-8") == page_text()
    assert PLOT.read_text(encoding="utf-8") == svg(Figures.read(SOAK))


def test_every_kind_of_fault_has_a_row() -> None:
    """In the order of the code."""
    assert [row[0] for row in rows(PAGE, "fault")] == [kind.value for kind in Kind]


def test_the_long_run_met_every_fault_and_found_nothing() -> None:
    """What is published is a run that went well."""
    figures = Figures.read(SOAK)
    assert (figures.divergent, figures.problem) == (0, "")
    assert all(figures.faults[kind.value] for kind in Kind)


def test_the_fuzzing_fed_every_target_and_found_nothing() -> None:
    """A million inputs."""
    figures = json.loads(FUZZ.read_text(encoding="utf-8"))
    assert figures["defects"] == 0
    assert figures["inputs"] >= 1_000_000
    assert figures["targets"].keys() == TARGETS.keys()
