"""The page about the compiled part: how to see whether it is used."""

import importlib.util
import subprocess
import sys

from tests.docs.markdown import ROOT, marked


def test_what_the_page_prints_is_whether_it_is_installed() -> None:
    """In a process of its own, as in a function."""
    code = marked(ROOT / "docs" / "how-to" / "speedups.md", "run: installed")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, encoding="utf-8")
    installed = importlib.util.find_spec("ddb_cache_sync_speedups") is not None
    assert done.stdout == ("used\n" if installed else "not installed\n")
