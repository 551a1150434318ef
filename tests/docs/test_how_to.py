"""The how-to guides work."""

import json
import logging
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.docs.markdown import ROOT, Block, blocks, code_span, marked, rows

from ddb_cache_sync.observability.emf import METRICS

HOW_TO = ROOT / "docs" / "how-to"
EVENT = ROOT / "examples" / "event.json"


@pytest.mark.long
@pytest.mark.servers
def test_the_tests_of_the_testing_guide_pass(tmp_path: Path) -> None:
    """Its blocks, put into one file, are run by pytest as a user would."""
    code = [block.code for block in blocks(HOW_TO / "test-your-handler.md")]
    handler = marked(ROOT / "docs" / "tutorial.md", "file: my_handler.py")
    (tmp_path / "my_handler.py").write_text(handler, encoding="utf-8")
    file = tmp_path / "test_mine.py"
    file.write_text("\n\n".join(code), encoding="utf-8")
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "-p",
        "no:randomly",
        "--rootdir",
        ".",
        file.name,
    ]
    run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout
    assert f"{file.read_text(encoding='utf-8').count('def test_')} passed" in run.stdout


BY_THEMSELVES = [
    block
    for page in ("transforms.md", "lookup-keys.md", "routing.md")
    for block in blocks(HOW_TO / page)
    if (block.marker or "").startswith("run: ")
]


@pytest.mark.parametrize("block", BY_THEMSELVES, ids=lambda block: block.marker)
def test_each_block_of_these_guides_runs_by_itself(block: Block) -> None:
    """Its assertions hold."""
    assert "assert " in block.code
    exec(compile(block.code, "guide.md", "exec"), {"__name__": "guide_md"})


def test_the_hooks_of_the_guide_work(capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture) -> None:
    """Its blocks are run in order, as one program."""
    namespace: dict[str, Any] = {}
    page = HOW_TO / "observe.md"
    with caplog.at_level(logging.INFO):
        exec(compile(marked(page, "run: log"), "observe.md", "exec"), namespace)
    shown = next(block.code for block in blocks(page) if block.language == "text")
    [logged] = caplog.messages
    without_times = [re.sub(r"(lag_seconds|duration_ms)=[\d.]+", r"\1=", text) for text in (shown.strip(), logged)]
    assert without_times[0] == without_times[1]
    exec(compile(marked(page, "run: emf"), "observe.md", "exec"), namespace)
    line = json.loads(capsys.readouterr().out)
    assert (line["service"], line["stage"], line["Records"]) == ("users-cache", "prod", 2)
    exec(compile(marked(page, "run: otel"), "observe.md", "exec"), namespace)
    exec(compile(marked(page, "run: own"), "observe.md", "exec"), namespace)
    assert re.fullmatch(r"2 records are \d+ s behind\n", capsys.readouterr().out)


def test_the_metrics_of_the_guide_are_those_of_the_code() -> None:
    """Names and units, in order."""
    described = [(code_span(name), unit) for name, unit, _ in rows(HOW_TO / "observe.md", "metric")]
    assert described == [(each.name, each.unit) for each in METRICS]


def test_the_kinesis_handler_of_the_guide_is_the_example() -> None:
    """Without its docstring."""
    source = (ROOT / "examples" / "kinesis_handler.py").read_text(encoding="utf-8")
    assert marked(HOW_TO / "other-sources.md", "file: kinesis_handler.py") == source.split('"""\n\n', 1)[1]


def test_the_test_of_the_kinesis_guide_passes() -> None:
    """As the page writes it."""
    namespace: dict[str, Any] = {}
    exec(marked(HOW_TO / "other-sources.md", "run: tests/docs/test_how_to.py"), namespace)
    namespace["test_the_newest_name_is_found"]()
