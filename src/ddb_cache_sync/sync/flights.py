"""One load at a time per key within a process: who wants what is being loaded already waits for that load."""

import threading
from collections.abc import Callable, Mapping
from concurrent.futures import CancelledError, Future
from typing import Generic, TypeAlias, TypeVar

Wish = TypeVar("Wish")
Loaded = TypeVar("Loaded")
Load: TypeAlias = Callable[[Mapping[str, Wish]], Mapping[str, Loaded]]


class Flights(Generic[Wish, Loaded]):
    """The loads of one process that are under way. Safe to share between threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._flights: dict[str, Future[Loaded]] = {}

    def load(self, wanted: Mapping[str, Wish], load: Load[Wish, Loaded]) -> dict[str, Loaded]:
        """Load what nobody is loading yet, all at once, and take the rest from those who are.

        Args:
            wanted: What is wanted, by key.
            load: Loads it: given some of `wanted`, what it came to by the same keys. What it raises is raised to
                everybody who waits for it.
        """
        own: dict[str, Future[Loaded]] = {}
        others: dict[str, Future[Loaded]] = {}
        with self._lock:
            for key in wanted:
                if key in self._flights:
                    others[key] = self._flights[key]
                else:
                    own[key] = self._flights[key] = Future()
        # Nobody waits before having loaded what is theirs: so nobody waits in a circle.
        loaded = self._fly({key: wanted[key] for key in own}, own, load) if own else {}
        for key, flight in others.items():
            try:
                loaded[key] = flight.result()
            except CancelledError:  # its thread was interrupted, which is no concern of ours
                loaded |= load({key: wanted[key]})
        return loaded

    def _fly(
        self, wanted: Mapping[str, Wish], own: Mapping[str, "Future[Loaded]"], load: Load[Wish, Loaded]
    ) -> dict[str, Loaded]:
        try:
            loaded = dict(load(wanted))
            for key, flight in own.items():
                flight.set_result(loaded[key])
        except Exception as error:
            for flight in own.values():
                flight.set_exception(error)
            raise
        finally:
            for flight in own.values():
                flight.cancel()  # nothing happens to those that have ended
            with self._lock:
                for key in own:
                    del self._flights[key]
        return loaded
