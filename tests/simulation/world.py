"""Virtual time: everything that happens in a simulated world, one thing at a time, in an order that its seed decides.

Two kinds of actors. A *call* is made at its time and returns at once. A *task* runs code that blocks, such as a whole
repair, in a thread of its own: wherever it would wait for a network it calls `pause`, which hands over to whatever
comes next. Only one thread ever runs, so the same seed gives the same history to the last step.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from heapq import heappop, heappush
from random import Random
from typing import Any, Final

START: Final = 1_745_500_000.0
"""When every world begins, epoch seconds."""


class Killed(BaseException):
    """Raised inside a task whose process is killed."""


class Closed(BaseException):
    """Raised inside every task that is left when its world ends."""


class Task:
    """Blocking code in a thread of its own, which runs only while everything else stands still."""

    def __init__(self, world: World, body: Callable[[], object]) -> None:
        self.done = False
        self._world = world
        self._body = body
        self._killed = False
        self._error: BaseException | None = None
        self._go, self._stopped = threading.Lock(), threading.Lock()
        self._go.acquire()
        self._stopped.acquire()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def kill(self) -> None:
        """Let it find itself killed when it goes on."""
        self._killed = not self.done

    def resume(self) -> None:
        """Let it run until it pauses or ends; what it raises is raised here."""
        if self._thread.ident is None:
            self._world.tasks.add(self)
            self._thread.start()
        self._world.running = self
        self._go.release()
        self._stopped.acquire()
        self._world.running = None
        if self.done:
            self._thread.join()
            self._world.tasks.discard(self)
        if self._error is not None:
            raise self._error

    def wait(self) -> None:
        """Hand over, from inside, until it is resumed."""
        self._stopped.release()
        self._go.acquire()
        if self._world.closing:
            raise Closed
        if self._killed:
            self._killed = False
            raise Killed

    def _run(self) -> None:
        self._go.acquire()
        try:
            self._body()
        except BaseException as error:  # noqa: BLE001 - raised where it was resumed
            self._error = error
        self.done = True
        self._stopped.release()


class World:
    """A clock, what is to happen, and chance.

    Args:
        seed: Decides everything.

    Attributes:
        now: Epoch seconds.
        random: The only source of chance.
        counts: How often each fault, and each thing worth knowing, has happened.
        running: The task that runs; None: a call does.
        tasks: Those that have begun and not ended.
        closing: It is over: no task goes on.
    """

    def __init__(self, seed: str) -> None:
        self.now = START
        self.random = Random(seed)
        self.counts: Counter[str] = Counter()
        self.running: Task | None = None
        self.tasks: set[Task] = set()
        self.closing = False
        self._to_do: list[tuple[float, int, Callable[..., object], tuple[Any, ...]]] = []
        self._made = 0

    def clock(self) -> float:
        """The time, as code takes it that is given a clock."""
        return self.now

    def after(self, seconds: float, call: Callable[..., object], *arguments: Any) -> None:
        """Have something called in so many seconds."""
        self._made += 1
        heappush(self._to_do, (self.now + seconds, self._made, call, arguments))

    def start(self, seconds: float, body: Callable[[], object]) -> Task:
        """Have a task started in so many seconds."""
        task = Task(self, body)
        self.after(seconds, task.resume)
        return task

    def pause(self, seconds: float | None = None) -> None:
        """Let others go on, where a task runs; None: for as long as a network takes."""
        task = self.running
        if task is not None:
            self.after(self._network_seconds() if seconds is None else seconds, task.resume)
            task.wait()

    def _network_seconds(self) -> float:
        """Milliseconds mostly; sometimes a process stands still for a moment."""
        chance = self.random
        return chance.expovariate(0.5) if chance.random() < 0.25 else chance.expovariate(50.0)

    def run(self) -> None:
        """Do what is to be done until nothing is left."""
        to_do = self._to_do
        while to_do:
            self.now, _, call, arguments = heappop(to_do)
            call(*arguments)

    def close(self) -> None:
        """End every task that is left, wherever it is: their threads would wait for ever."""
        self.closing = True
        while self.tasks:
            with suppress(BaseException):
                next(iter(self.tasks)).resume()
