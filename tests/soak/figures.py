"""What a run has come to so far: kept as JSON, written again every minute, and read again to go on."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from tests.pipeline_faults.kinds import BY_PIECE

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(slots=True)
class Sample:
    """One moment of a run."""

    seconds: float
    """Since the beginning, pauses between two parts of the run left out."""
    applies: int
    """Guarded applies so far."""
    changes: int
    faults: int
    client_mb: float
    """Resident memory of the client."""
    servers_mb: float
    """Resident memory of all servers."""


@dataclass(slots=True)
class Figures:
    """All that is reported."""

    seed: str
    keys: int
    records_per_round: int
    started: str = ""
    seconds: float = 0.0
    rounds: int = 0
    applies: int = 0
    """Script calls that the servers have carried out: guarded applies, and some thousand of backfills and repairs."""
    changes: int = 0
    """Changes of the table."""
    records: int = 0
    """Records that invocations have applied or found stale, as often as they came."""
    invocations: int = 0
    failed_invocations: int = 0
    compared: int = 0
    """Keys compared between rounds."""
    divergent: int = 0
    """Rounds that ended with a wrong key which no failover took."""
    problem: str = ""
    """What ended the run before its time."""
    lost: int = 0
    """Keys that failovers took, each found by verify and healed by repair."""
    faults: dict[str, int] = field(default_factory=dict)
    held: list[int] = field(default_factory=list)
    """How many objects the client's Python held after each round."""
    samples: list[Sample] = field(default_factory=list)
    machine: dict[str, str] = field(default_factory=dict)
    complete: bool = False

    @property
    def struck(self) -> int:
        """How often faults struck, those left out that are counted in pieces."""
        return sum(count for name, count in self.faults.items() if name not in BY_PIECE)

    @property
    def rate(self) -> float:
        """Guarded applies a second."""
        return self.applies / self.seconds if self.seconds else 0.0

    def write(self, path: Path) -> None:
        """Write them; whoever reads sees the old ones or the new ones."""
        unfinished = path.with_name(f".{path.name}")
        unfinished.write_text(json.dumps(asdict(self), indent=1) + "\n", encoding="utf-8")
        unfinished.replace(path)

    @classmethod
    def read(cls, path: Path) -> Figures:
        """Read them."""
        read: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        read["samples"] = [Sample(**each) for each in read["samples"]]
        return cls(**read)


def added(before: dict[str, int], since: dict[str, int]) -> dict[str, int]:
    """Counts of two parts of a run together."""
    names = [*dict.fromkeys([*since, *before])]
    total = Counter(before)
    total.update(since)
    return {name: total[name] for name in names}
