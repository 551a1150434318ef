"""Programs run as a user runs them: in a process, with a folder for temporary files and a mark on all they start."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import time
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

COMMAND = str(Path(sys.executable).with_name("ddb-cache-sync"))
PROC = Path("/proc")
PATIENCE_SECONDS = 60.0


class Program:
    """A program that is running; killed at the end of the block if it still is.

    Args:
        command: The program and its arguments.
        temporary: Where it, and what it starts, puts temporary files.
        environment: Variables put over this process's own, from which this library's are left out.
    """

    def __init__(self, *command: str, temporary: Path, environment: Mapping[str, str] | None = None) -> None:
        self._mark = f"PROGRAM_UNDER_TEST={uuid.uuid4()}"
        name, value = self._mark.split("=")
        clean = {key: each for key, each in os.environ.items() if not key.startswith(("DDB_CACHE_SYNC_", "AWS_"))}
        self.temporary = temporary
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**clean, "TMPDIR": str(temporary), name: value, **(environment or {})},
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._process.poll() is None:
            self._process.kill()
        self._process.communicate()

    def line(self, *, stream: str = "stdout") -> str:
        """Wait for its next line of output."""
        pipe = self._process.stdout if stream == "stdout" else self._process.stderr
        assert pipe is not None
        # Unbuffered, so that select() and what was read agree.
        text = b""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not text.endswith(b"\n"):
            ready, _, _ = select.select([pipe], [], [], max(0.0, deadline - time.monotonic()))
            assert ready, f"no line on {stream}"
            byte = os.read(pipe.fileno(), 1)
            assert byte, f"{stream} ended"
            text += byte
        return text.decode()

    def lines_until(self, last: Callable[[str], bool]) -> list[str]:
        """Wait for a line of output, and give all lines up to it."""
        lines = [self.line()]
        while not last(lines[-1]):
            lines.append(self.line())
        return lines

    def send(self, number: signal.Signals) -> None:
        """Send it a signal."""
        self._process.send_signal(number)

    def end(self) -> tuple[int, str, str]:
        """Wait for its end: exit code, and what is left of stdout and stderr."""
        out, err = self._process.communicate(timeout=PATIENCE_SECONDS)
        return self._process.returncode, out.decode(), err.decode()

    def processes(self) -> list[int]:
        """The processes that it started, and that are running, itself included; known on Linux only."""
        return [
            int(folder.name)
            for folder in PROC.iterdir()
            if folder.name.isdigit() and self._mark.encode() in _environment(folder)
        ]


def _environment(folder: Path) -> list[bytes]:
    try:
        return (folder / "environ").read_bytes().split(b"\0")
    except OSError:  # another user's, or gone by now
        return []
