"""The command line, in this process: commands that talk to nothing, and wrong ones."""

from __future__ import annotations

import contextlib
import io
import sys
from typing import TYPE_CHECKING, Any, Final

from tests.fuzz.configuring import ENCODINGS, toml
from tests.fuzz.files import content_of
from tests.fuzz.making import fine_text, junk, lambda_form, record, spoilt_bytes
from tests.fuzz.scratch import written

from ddb_cache_sync.cli.app import run

if TYPE_CHECKING:
    import random

_COMMANDS: Final = (
    ("decode",), ("decode", "--json"), ("decode", "--encoding"), ("config", "check"), ("config", "check", "--json"),
    ("config", "schema"), ("apply", "--dry-run"), ("apply", "--dry-run", "--json"), ("estimate",),
    ("estimate", "--json"), ("--help",), ("verify",), ("repair",), ("inspect",), ("backfill",),
    ("demo", "--help"), ("doctor", "--help"), ("redrive",), (),
)  # fmt: skip
_OPTIONS: Final = (
    "--json", "--table", "--redis-url", "--key-template", "--encoding", "--writes-per-second", "--item-bytes",
    "--items", "--batch-size", "--prices", "--show-prices", "--explain", "--config", "--nonsense", "-", "--",
)  # fmt: skip

_TALKING: Final = {"verify", "repair", "inspect", "backfill", "redrive", "demo", "doctor", "apply"}
"""Commands that talk to servers, or start some."""


def command_line(r: random.Random) -> None:
    """A command ends with one of the documented exit codes, whatever it is given, and shows no traceback."""
    start = list(r.choice(_COMMANDS))
    tree: Any = {"Records": [lambda_form(record(r, ("id",), 1 + n)) for n in range(2)]}
    content = content_of(r, tree if r.random() < 0.7 else junk(r))
    arguments = start
    if start and start[0] in {"decode", "apply"} and r.random() < 0.9:
        if start[-1] == "--encoding":
            start.append(r.choice(ENCODINGS))
        arguments = [*start, str(written(content))]
    elif start[:2] == ["config", "check"]:
        arguments = [*start, str(written(spoilt_bytes(r, toml(r).encode("utf-8", "replace"))))]
    for _ in range(r.randrange(3)):
        arguments.insert(
            r.randrange(len(arguments) + 1), r.choice((r.choice(_OPTIONS), fine_text(r), str(r.randrange(-3, 10**7))))
        )
    if _reaches_out(arguments):
        return
    code, said = _run([each.replace("\x00", "") for each in arguments])
    assert code in {0, 1, 2, 3}, (code, arguments)
    assert "Traceback" not in said


def _reaches_out(arguments: list[str]) -> bool:
    """Whether the command could talk to a server, which would be waited for, or start one."""
    commands = [each for each in arguments if each in _TALKING]
    if "apply" in commands and "--dry-run" in arguments and "--" not in arguments:
        return False
    return bool(commands) and "--help" not in arguments[: arguments.index(commands[0]) + 2]


def _run(arguments: list[str]) -> tuple[int, str]:
    out, err = io.TextIOWrapper(io.BytesIO(), "utf-8"), io.TextIOWrapper(io.BytesIO(), "utf-8")
    before = sys.argv, sys.stdin
    sys.argv, sys.stdin = ["ddb-cache-sync", *arguments], io.TextIOWrapper(io.BytesIO(b"{}"))
    code: Any = 0
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            run()
    except SystemExit as ended:
        code = ended.code
    finally:
        sys.argv, sys.stdin = before
    out.flush()
    err.flush()
    said = err.buffer.getvalue().decode("utf-8", "replace")
    return (0 if code is None else code), said
