"""Checkpoints: what is done stays done, and nothing else is taken for it."""

import os
import stat
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ddb_cache_sync import ConfigurationError
from ddb_cache_sync.sync.checkpoint import Checkpoint

JOB = {"source": "scan", "table": "T", "segments": 2}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "checkpoint.json"


def test_a_job_goes_on_where_it_was(path: Path) -> None:
    """What was reached is where each piece goes on, and what is finished is done."""
    first = Checkpoint(path, JOB)
    assert not first.begun
    first.reached("0", {"id": {"S": "a"}})
    first.reached("0", {"id": {"S": "b"}})
    first.reached("1", 500)
    first.finished("1")
    again = Checkpoint(path, JOB)
    assert again.begun
    assert (again.position("0"), again.is_done("0")) == ({"id": {"S": "b"}}, False)
    assert (again.position("1"), again.is_done("1"), again.done) == (None, True, 1)


def test_without_a_file_nothing_is_kept(path: Path) -> None:
    """The job begins anew each time."""
    Checkpoint(None, JOB).reached("0", 1)
    assert not Checkpoint(None, JOB).begun
    assert not path.exists()
    Checkpoint(None, JOB).remove()


def test_a_job_that_is_done_leaves_no_file(path: Path) -> None:
    """Nor one beside it; removing it again does no harm."""
    checkpoint = Checkpoint(path, JOB)
    checkpoint.finished("0")
    checkpoint.remove()
    checkpoint.remove()
    assert list(path.parent.iterdir()) == []


def test_a_checkpoint_of_another_job_is_refused(path: Path) -> None:
    """It says what to do, and the file stays as it is."""
    Checkpoint(path, JOB).reached("0", 1)
    with pytest.raises(ConfigurationError, match=r"of another job\. Go on with the same arguments"):
        Checkpoint(path, {**JOB, "segments": 3})
    assert Checkpoint(path, JOB).position("0") == 1


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b"nonsense",
        b"\xff",
        b"{}",
        b'{"format":1,"job":{"source":"scan","table":"T","segments":2}}',
        b'{"format":1,"job":{"source":"scan","table":"T","segments":2},"positions":{},"done":[["0"],1]}',
    ],
)
def test_a_file_that_is_no_checkpoint_is_refused(path: Path, content: bytes) -> None:
    """It is somebody else's: nothing is written over it."""
    path.write_bytes(content)
    with pytest.raises(ConfigurationError, match=r"is no checkpoint\. Name another file"):
        Checkpoint(path, JOB)
    assert path.read_bytes() == content


def test_a_place_that_can_not_be_written_is_found_at_once(tmp_path: Path) -> None:
    """Before the work begins."""
    with pytest.raises(ConfigurationError, match="can't be written: No such file or directory"):
        Checkpoint(tmp_path / "none" / "checkpoint.json", JOB)
    with pytest.raises(ConfigurationError, match="can't be read: Is a directory"):
        Checkpoint(tmp_path, JOB)


def test_only_its_owner_can_read_it(path: Path) -> None:
    """It may hold keys of items."""
    Checkpoint(path, JOB).reached("0", 1)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_kill_while_it_is_written_leaves_the_old_one(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The new one takes its place in one step, once it is on the disk."""
    checkpoint = Checkpoint(path, JOB)
    checkpoint.reached("0", 1)

    def full(*_: object) -> Any:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(ConfigurationError, match="can't be written: No space left on device"):
        checkpoint.reached("0", 2)
    assert Checkpoint(path, JOB).position("0") == 1
    assert list(path.parent.iterdir()) == [path]


positions = st.integers(1, 10) | st.fixed_dictionaries({"id": st.fixed_dictionaries({"S": st.text(max_size=3)})})
steps = st.lists(st.tuples(st.sampled_from(["0", "1", "2"]), st.none() | positions), max_size=10)


@given(steps=steps)
def test_what_was_said_is_what_is_found(tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, Any]]) -> None:
    """After each step, whatever came before."""
    path = tmp_path_factory.mktemp("steps") / "checkpoint.json"
    checkpoint = Checkpoint(path, JOB)
    for piece, position in steps:
        if position is None:
            checkpoint.finished(piece)
        else:
            checkpoint.reached(piece, position)
        found = Checkpoint(path, JOB)
        assert [(found.position(each), found.is_done(each)) for each in "012"] == [
            (checkpoint.position(each), checkpoint.is_done(each)) for each in "012"
        ]
