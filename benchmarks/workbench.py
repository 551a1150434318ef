"""What every benchmark works with: how much to do, and the servers, each started by the first that asks."""

import contextlib
from dataclasses import dataclass
from types import TracebackType
from typing import Final, Self

from ddb_cache_sync.local.embedded import EmbeddedCluster, EmbeddedValkey, embedded_cluster, embedded_valkey


class Unmeasurable(Exception):  # noqa: N818 - says what it is
    """A figure can't be measured here; its text says why, for the report."""


@dataclass(frozen=True, slots=True)
class Scale:
    """How much to do.

    The size of the work is the same in a full and a quick run: only the rounds differ, and how far the scaling goes.
    """

    name: str
    rounds: int
    """Rounds of a comparison that takes a second a round; cheaper ones may have more."""
    records: int = 1_000
    """In one event."""
    events: int = 4
    """In one round."""
    large_event_records: int = 10_000
    guards: int = 50_000
    """Keys to fill in for their guards' memory."""
    seconds: float = 0.1
    """How long one measurement of a table's row takes, about."""
    batch_sizes: tuple[int, ...] = (1, 10, 100, 1_000, 10_000)
    item_sizes: tuple[int, ...] = (100, 1_000, 10_000, 100_000, 400_000)
    attributes: tuple[int, ...] = (2, 5, 10, 20, 40)
    appliers: tuple[int, ...] = (1, 2, 4)


FULL: Final = Scale("full", rounds=50)
QUICK: Final = Scale(
    "quick",
    rounds=5,
    guards=10_000,
    seconds=0.03,
    batch_sizes=(1, 100, 10_000),
    item_sizes=(100, 10_000, 400_000),
    attributes=(5, 20),
    appliers=(1, 2),
)
SMOKE: Final = Scale(
    "smoke",
    rounds=1,
    records=20,
    events=1,
    large_event_records=200,
    guards=500,
    seconds=0.001,
    batch_sizes=(1, 10),
    item_sizes=(100, 1_000),
    attributes=(2, 5),
    appliers=(1, 2),
)
"""Shows that everything runs; the numbers mean nothing."""


class Workbench:
    """The scale and the servers. Leave it as a context, and the servers end."""

    def __init__(self, scale: Scale) -> None:
        self.scale: Final = scale
        self._servers = contextlib.ExitStack()
        self._standalone: EmbeddedValkey | None = None
        self._cluster: EmbeddedCluster | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._servers.__exit__(kind, error, trace)

    def standalone(self) -> EmbeddedValkey:
        """A server that all share. It may hold another benchmark's keys."""
        if self._standalone is None:
            self._standalone = self._servers.enter_context(embedded_valkey())
        return self._standalone

    def cluster(self) -> EmbeddedCluster:
        """A cluster of three primaries that all share."""
        if self._cluster is None:
            self._cluster = self._servers.enter_context(embedded_cluster(3))
        return self._cluster
