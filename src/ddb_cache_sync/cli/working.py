"""Progress of long work on stderr: a bar on a terminal, nothing elsewhere."""

from __future__ import annotations

import contextlib
import threading
from typing import TYPE_CHECKING

import rich.progress as bars

from ddb_cache_sync.cli.console import messages

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@contextlib.contextmanager
def working() -> Iterator[Callable[[str, int, int], None]]:
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
