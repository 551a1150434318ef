"""The command line, called in this process: fast, and all that it does to the process is undone."""

from __future__ import annotations

import io
import logging
import os
import signal
import sys
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import orjson
import pytest

from ddb_cache_sync.cli import console, main

if TYPE_CHECKING:
    from collections.abc import Iterator


class Result(NamedTuple):
    """What a call of the command line came to."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, Any]:
        """The one JSON object that stdout is."""
        assert self.out.count("\n") == 1
        assert self.out.endswith("\n")
        decoded: dict[str, Any] = orjson.loads(self.out)
        assert isinstance(decoded, dict)
        return decoded


class Cli(Protocol):
    """Calls the command line with arguments and standard input."""

    def __call__(self, *arguments: str, stdin: bytes = b"") -> Result:
        """What it came to."""
        ...


@pytest.fixture(autouse=True)
def undone() -> Iterator[None]:
    """Take back what a command does to its process: signals, logging, consoles."""
    signals = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    root, ours = logging.getLogger(), logging.getLogger("ddb_cache_sync")
    handlers, level = root.handlers[:], ours.level
    yield
    for number, handler in signals.items():
        signal.signal(number, handler)
    root.handlers[:] = handlers
    ours.setLevel(level)
    console.results.cache_clear()
    console.messages.cache_clear()


@pytest.fixture
def cli(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Cli:
    """Give a function that calls the command line in this process; no setting of the machine's own is left."""
    for name in list(os.environ):
        if name.startswith("DDB_CACHE_SYNC_") or name in ("NO_COLOR", "FORCE_COLOR", "COLUMNS"):
            monkeypatch.delenv(name)

    def call(*arguments: str, stdin: bytes = b"") -> Result:
        monkeypatch.setattr(sys, "argv", ["ddb-cache-sync", *arguments])
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        code: object = 0
        try:
            main()
        except SystemExit as leaving:
            code = leaving.code or 0
        assert isinstance(code, int)
        return Result(code, *capsys.readouterr())

    return call
