"""Checkpoints: how far a long job has come, in a file, so that it goes on where it was killed.

Rules: a position is written when everything up to it is done, and never before; the file is replaced in one step, so
that a kill leaves the old one or the new one. A file of another job is refused.

The file may hold primary keys of items: it is made readable for its owner alone.
"""

import contextlib
import os
import tempfile
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import orjson

from ddb_cache_sync.errors import ConfigurationError

_FORMAT: Final = 1


class Checkpoint:
    """How far each piece of a job has come. Safe to share between threads.

    Args:
        path: The file; made if it is not there. None: nothing is kept, and the job begins anew each time.
        job: What tells this job from others, such as its table and its number of segments.

    Raises:
        ConfigurationError: The file is of another job, can't be read or can't be written.
    """

    def __init__(self, path: Path | None, job: Mapping[str, Any]) -> None:
        self._path = path
        self._job = dict(job)
        self._lock = threading.Lock()
        self._positions: dict[str, Any] = {}
        self._done: set[str] = set()
        if path is not None and not self._read(path):
            self._write(path)  # so that a place that can't be written is found before the work begins

    @property
    def begun(self) -> bool:
        """Whether there is something to go on from."""
        return bool(self._positions or self._done)

    @property
    def done(self) -> int:
        """How many pieces are done."""
        return len(self._done)

    def is_done(self, piece: str) -> bool:
        """Whether all of this piece is done."""
        return piece in self._done

    def position(self, piece: str) -> Any:
        """The last position of this piece up to which everything is done; None: it has not begun."""
        return self._positions.get(piece)

    def reached(self, piece: str, position: Any) -> None:
        """Everything of this piece is done up to this position, which JSON can write."""
        with self._lock:
            self._positions[piece] = position
            if self._path is not None:
                self._write(self._path)

    def finished(self, piece: str) -> None:
        """All of this piece is done."""
        with self._lock:
            self._positions.pop(piece, None)
            self._done.add(piece)
            if self._path is not None:
                self._write(self._path)

    def remove(self) -> None:
        """The job is done: nothing is left to go on from."""
        if self._path is not None:
            with contextlib.suppress(OSError):  # it says that all is done: at worst it is in the way of the next job
                self._path.unlink()

    def _read(self, path: Path) -> bool:
        """Take what the file has; False: there is none."""
        try:
            found = orjson.loads(path.read_bytes())
        except FileNotFoundError:
            return False
        except OSError as error:
            raise ConfigurationError(f"checkpoint {path} can't be read: {error.strerror}") from None
        except orjson.JSONDecodeError:
            found = None
        if not isinstance(found, dict) or found.get("format") != _FORMAT:
            raise ConfigurationError(f"{path} is no checkpoint", hint="Name another file, or delete it.")
        if found.get("job") != self._job:
            raise ConfigurationError(
                f"checkpoint {path} is of another job",
                hint="Go on with the same arguments, or delete it to begin anew.",
            )
        positions, done = found.get("positions"), found.get("done")
        if (
            not isinstance(positions, dict)
            or not isinstance(done, list)
            or any(type(piece) is not str for piece in done)
        ):
            raise ConfigurationError(f"{path} is no checkpoint", hint="Name another file, or delete it.")
        self._positions, self._done = positions, set(done)
        return True

    def _write(self, path: Path) -> None:
        content = {"format": _FORMAT, "job": self._job, "positions": self._positions, "done": sorted(self._done)}
        try:
            # Made by mkstemp, so with permissions for the owner alone.
            handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
            try:
                with os.fdopen(handle, "wb") as file:
                    file.write(orjson.dumps(content))
                    file.flush()
                    os.fsync(file.fileno())
                os.replace(name, path)  # noqa: PTH105 - as os made it
            except BaseException:
                with contextlib.suppress(OSError):
                    os.unlink(name)  # noqa: PTH108 - same
                raise
        except OSError as error:
            raise ConfigurationError(f"checkpoint {path} can't be written: {error.strerror}") from None
