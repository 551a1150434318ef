"""A little of `python -m tests.fuzz` every day: made-up input of every kind, and no defect."""

import json
import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.fuzz import __main__ as fuzz
from tests.fuzz import items
from tests.fuzz.guided import BytesRandom
from tests.fuzz.targets import TARGETS, Target

from ddb_cache_sync import Image, JsonEncoding

EVERY_DAY = 1500
SHRINKABLE = [name for name in TARGETS if name not in {"command_line", "files", "given_up"}]


@pytest.mark.parametrize("seed", ["every day", f"{random.SystemRandom().getrandbits(32):x}"], ids=["fixed", "fresh"])
def test_made_up_input_finds_no_defect(tmp_path: Path, capsys: pytest.CaptureFixture[str], seed: str) -> None:
    """Of all targets; the fresh seed is shown where one is found."""
    report = tmp_path / "figures.json"
    code = fuzz.main(["--inputs", str(EVERY_DAY), "--seed", seed, "--json", str(report)])
    assert code == 0, (seed, capsys.readouterr().err)
    figures = json.loads(report.read_text())
    assert figures["inputs"] == EVERY_DAY
    assert figures["targets"].keys() == TARGETS.keys()


@pytest.mark.parametrize("name", SHRINKABLE)
@settings(max_examples=10, deadline=None)
@given(chance=st.randoms(use_true_random=False))
def test_hypothesis_finds_none_either(name: str, chance: random.Random) -> None:
    """With other input; what it finds it makes small."""
    TARGETS[name][0](chance)


@pytest.mark.parametrize("name", SHRINKABLE)
def test_bytes_make_input_too(name: str) -> None:
    """For a fuzzer that is guided by coverage; with none of them left all is zero."""
    for content in (b"", bytes(range(256)), b"\xff" * 600):
        TARGETS[name][0](BytesRandom(content))


class _Spoils(JsonEncoding):
    """Takes every third number for another."""

    def encode(self, item: Image) -> bytes:
        """See `Encoding.encode`."""
        return super().encode(item).replace(b"3", b"4")


def test_a_wrong_value_would_be_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """The oracle is boto3, not the library."""
    monkeypatch.setattr(items, "_JSON", _Spoils())
    run = fuzz.Run("every day", ["values"])
    for number in range(200):
        run.one(number)
    assert run.defects


@pytest.mark.parametrize("error", [IndexError("x"), RecursionError(), MemoryError()])
def test_an_undocumented_error_would_be_found(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    """Whatever it is; and it can be seen again by its number."""

    def target(_: random.Random) -> None:
        raise error

    targets: dict[str, tuple[Target, int]] = {"broken": (target, 1)}
    monkeypatch.setattr(fuzz, "TARGETS", targets)
    run = fuzz.Run("every day", [])
    run.one(7)
    assert run.defects[0].startswith(f"broken:7 {type(error).__name__}")
