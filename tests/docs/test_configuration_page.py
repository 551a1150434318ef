"""The guide to the configuration file: its keys, its file, its commands."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from pydantic.fields import FieldInfo
from tests.docs.markdown import ROOT, code_span, marked, rows

from ddb_cache_sync.config import RouteSettings
from ddb_cache_sync.settings import FILE_KEYS, Settings

PAGE = ROOT / "docs" / "how-to" / "configuration.md"
FILE = {name: Settings.model_fields[name] for name in FILE_KEYS}


@pytest.mark.parametrize(("heading", "fields"), [("key", FILE), ("key of a route", RouteSettings.model_fields)])
def test_the_keys_are_those_of_the_code(heading: str, fields: dict[str, FieldInfo]) -> None:
    """Names in order, and defaults."""
    table = rows(PAGE, heading)
    assert [code_span(key) for key, _, _ in table] == [*fields]
    for (_, _, default), field in zip(table, fields.values(), strict=True):
        if field.default in (None, ()):
            assert "`" not in default
        else:
            assert code_span(default) == str(field.default).lower()


@pytest.mark.long
def test_the_commands_of_the_guide_work_on_its_file(tmp_path: Path) -> None:
    """The check finds nothing wrong; the schema is JSON."""
    (tmp_path / "config.toml").write_text(marked(PAGE, "file: config.toml"), encoding="utf-8")
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    for marker in ("run: check", "run: schema"):
        subprocess.run(
            ["bash", "-euo", "pipefail", "-c", marked(PAGE, marker)],
            cwd=tmp_path,
            env={**os.environ, "PATH": path},
            check=True,
            timeout=60,
        )
    assert "routes" in json.loads((tmp_path / "config.schema.json").read_bytes())["properties"]


def test_the_example_of_a_mistake_is_real(tmp_path: Path) -> None:
    """Word for word."""
    (tmp_path / "config.toml").write_text('[[routes]]\ntable = "a"\n[[routes]]\nmod = "refresh"', encoding="utf-8")
    with pytest.raises(Exception, match="key") as caught:
        Settings.from_file(tmp_path / "config.toml")
    said = str(caught.value).partition(": ")[2]
    assert f"`{said}`" in " ".join(PAGE.read_text(encoding="utf-8").split())
