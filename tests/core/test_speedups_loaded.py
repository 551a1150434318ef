"""The compiled part is used where it fits, and a warning tells where it is there and does not."""

import sys
import types
from pathlib import Path

import pytest

from ddb_cache_sync.core import speedups

NAME = "ddb_cache_sync_speedups"


def module(interface: int) -> types.ModuleType:
    made = types.ModuleType(NAME)
    made.INTERFACE = interface  # type: ignore[attr-defined]
    return made


def test_what_fits_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """And nothing is told: a warning would be an error here."""
    fitting = module(speedups._INTERFACE)
    monkeypatch.setitem(sys.modules, NAME, fitting)
    assert speedups._installed() == (fitting, speedups.Use.USED)


def test_nothing_is_told_where_it_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is a choice."""
    monkeypatch.delitem(sys.modules, NAME, raising=False)
    monkeypatch.setattr(sys, "path", [])
    assert speedups._installed() == (None, speedups.Use.NOT_INSTALLED)


def test_what_was_made_for_another_version_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """The two are installed apart."""
    monkeypatch.setitem(sys.modules, NAME, module(speedups._INTERFACE + 1))
    with pytest.warns(RuntimeWarning, match="for another version"):
        assert speedups._installed() == (None, speedups.Use.UNFIT)


def test_what_was_built_for_another_machine_is_not_used(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A wheel of another processor in a function's bundle: slower, and told, but no outage."""
    (tmp_path / f"{NAME}.abi3.so").write_bytes(b"not for this machine")
    monkeypatch.delitem(sys.modules, NAME, raising=False)
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    with pytest.warns(RuntimeWarning, match="for another kind of machine"):
        assert speedups._installed() == (None, speedups.Use.UNFIT)


def test_the_state_agrees_with_what_is_used() -> None:
    """In this process, whether it is installed or not."""
    assert (speedups.USE is speedups.Use.USED) == (speedups.item_json is not None)
