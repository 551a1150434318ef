"""Progress of long work on stderr: a bar on a terminal, nothing elsewhere."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias

import rich.progress as bars

from ddb_cache_sync.cli.console import messages, print_problem
from ddb_cache_sync.cli.stopping import Stopped
from ddb_cache_sync.errors import CacheSyncError

if TYPE_CHECKING:
    from collections.abc import Iterator

Told: TypeAlias = Callable[[str, int, int], None]
"""Is told what is being done, how much of it more, and about how much there is (0: unknown)."""


@contextlib.contextmanager
def working() -> Iterator[Told]:
    """Give a function that is told what is being done, how much of it more, and about how much there is (0: unknown).

    Threads may call it.
    """
    columns = [
        bars.TextColumn("{task.description}"),
        bars.BarColumn(),
        bars.MofNCompleteColumn(),
        bars.TimeElapsedColumn(),
    ]
    with bars.Progress(*columns, console=messages(), transient=True, disable=not messages().is_terminal) as progress:
        tasks: dict[str, bars.TaskID] = {}
        lock = threading.Lock()

        def told(what: str, more: int, about: int) -> None:
            with lock:
                if what not in tasks:
                    tasks[what] = progress.add_task(what, total=about or None)
            progress.advance(tasks[what], more)

        yield told


@contextlib.contextmanager
def saying_stopped(text: str) -> Iterator[None]:
    """Say, where a signal ends what is done within, that it was stopped, and what that leaves."""
    try:
        yield
    except Stopped:
        print_problem("stopped", text)
        raise


def ended_by(run: Callable[[Told], object]) -> CacheSyncError | Stopped | None:
    """Run something with a progress bar; gives what ended it before its time, for its report to be shown first."""
    try:
        with working() as told:
            run(told)
    except (CacheSyncError, Stopped) as error:
        return error
    return None
