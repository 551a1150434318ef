"""Ctrl-C and SIGTERM: the command unwinds, ends what it started, and exits with 128 and the signal's number."""

import signal
from types import FrameType
from typing import Final

_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)


class Stopped(BaseException):
    """A signal asked the command to stop. No KeyboardInterrupt, which typer has an exit code of its own for.

    Attributes:
        exit_code: What a shell would report: 130 for Ctrl-C, 143 for SIGTERM.
    """

    def __init__(self, number: int) -> None:
        super().__init__()
        self.exit_code = 128 + number


def stop_on_signals() -> None:
    """Raise `Stopped` at the first signal and ignore those after it, so that nothing cuts the ending short.

    A signal that is ignored already stays so, as for a job that a script put into the background.
    """
    for number in _SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _stop)


def _stop(number: int, _frame: FrameType | None) -> None:
    for each in _SIGNALS:
        signal.signal(each, signal.SIG_IGN)
    raise Stopped(number)
