"""An applier in a process of its own, that works when told to: for what several do at once."""

import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnContext
from typing import Final, TypeAlias

from benchmarks import contenders
from benchmarks.workload import users
from ddb_cache_sync import connect

Span: TypeAlias = tuple[float, float]
"""When it began and ended, on the clock of `time.monotonic()`, which all processes share."""


class Applier:
    """A process with a connection and keys of its own.

    Args:
        context: How to start it.
        url: Of the cache.
        number: Tells it from the others.
        records: In its event.
    """

    def __init__(self, context: SpawnContext, url: str, number: int, records: int) -> None:
        self._pipe, theirs = context.Pipe()
        self._process: Final = context.Process(target=_work, args=(theirs, url, number, records), daemon=True)
        self._process.start()
        self._pipe.recv()  # ready

    def started(self, times: int) -> Callable[[], Span]:
        """Let it apply its event this many times, and give what waits for its end."""
        self._pipe.send(times)
        return self._pipe.recv

    def close(self) -> None:
        """End it."""
        self._pipe.send(0)
        self._process.join()


def _work(pipe: Connection, url: str, number: int, records: int) -> None:
    work = users(records, start=20_000_000 + number * records)
    with connect(url) as client:
        apply = contenders.ours(client)
        apply(work)
        pipe.send("ready")
        while times := pipe.recv():
            started = time.monotonic()
            for _ in range(times):
                apply(work)
            pipe.send((started, time.monotonic()))
