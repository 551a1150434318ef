"""Where output goes: results to stdout, messages to stderr; plain where it is no terminal or `NO_COLOR` is set.

On a terminal text is wrapped to its width; elsewhere a line is never broken, whatever its length.
"""

import logging
import os
import sys
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any, Final, TextIO

import orjson
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

_GAP: Final = "  "
_SAME_AGAIN_SECONDS: Final = 60.0


@lru_cache(maxsize=1)
def results() -> Console:
    """The console for results."""
    return _console(stderr=False)


@lru_cache(maxsize=1)
def messages() -> Console:
    """The console for messages and progress."""
    return _console(stderr=True)


def print_json(value: Any) -> None:
    """Write one JSON object, in UTF-8 whatever the locale, as a line of its own, at once."""
    print_text(orjson.dumps(value, default=str))


def print_text(text: bytes) -> None:
    """Write UTF-8 text, whatever the locale, and end its last line."""
    stdout: TextIO | None = sys.stdout
    if stdout is None:  # closed from the start, as by `>&-`; rich writes nothing then either
        return
    stdout.flush()
    stdout.buffer.write(text + b"\n")
    stdout.buffer.flush()


def print_line(console: Console, text: Text | str, style: str = "") -> None:
    """Write one line, not broken by us."""
    console.print(Text(printable(text), style) if isinstance(text, str) else text, soft_wrap=True)


def print_rows(console: Console, rows: Iterable[Sequence[Text | str]], *, wrap: bool = True) -> None:
    """Write rows with their columns aligned.

    Args:
        console: Where to.
        rows: All of one length.
        wrap: On a terminal, wrap the last column within itself; False for what is there to be copied.
    """
    cells = [[Text(printable(cell)) if isinstance(cell, str) else cell for cell in row] for row in rows]
    if wrap and console.is_terminal:
        grid = Table.grid(padding=(0, len(_GAP), 0, 0))
        for row in cells:
            grid.add_row(*row)
        for column in grid.columns:
            column.overflow = "fold"
        console.print(grid)
        return
    widths = [max(cell_len(cell.plain) for cell in column) for column in zip(*cells, strict=True)]
    for *padded, last in cells:
        starts = [
            cell.plain + " " * (width - cell_len(cell.plain)) + _GAP
            for cell, width in zip(padded, widths, strict=False)
        ]
        console.print(Text("".join([*starts, last.plain]).rstrip()), soft_wrap=True)


def print_problem(kind: str, text: str) -> None:
    """Write what went wrong, as a message."""
    print_line(messages(), Text.assemble((f"{kind}: ", "bold red"), printable(text)))


def printable(text: str) -> str:
    """The text with its control characters escaped: what it quotes must not steer the terminal."""
    if text.isprintable():
        return text
    return "".join(
        each if each.isprintable() or each == "\n" else each.encode("unicode_escape").decode() for each in text
    )


class MessageHandler(logging.Handler):
    """Writes log records as messages, in step with a progress bar that may be on the terminal.

    What was said is not said again for a minute: several threads meet one outage at the same time.
    """

    def __init__(self) -> None:
        super().__init__()
        self._said: dict[str, float] = {}  # when, by what

    def emit(self, record: logging.LogRecord) -> None:
        """Write one log record, unless it was just written."""
        said = f"{record.levelname.lower()}: {self.format(record)}"
        self._said = {text: at for text, at in self._said.items() if record.created - at < _SAME_AGAIN_SECONDS}
        if said not in self._said:
            self._said[said] = record.created
            print_line(messages(), said, "yellow")


def _console(*, stderr: bool) -> Console:
    # Without a color system no style is written at all, bold ones included.
    return Console(stderr=stderr, highlight=False, color_system=None if os.environ.get("NO_COLOR") else "auto")
