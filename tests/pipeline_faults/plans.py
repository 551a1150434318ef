"""What a round does: its settings and its faults, drawn from a seed and the round's number alone."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from tests.pipeline_faults.delivery import DELIVERED, PROXIED
from tests.pipeline_faults.kinds import Kind
from tests.pipeline_faults.server_faults import SERVERS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

MOST_LANES: Final = 6
_SLOW: Final = (Kind.KILLED, Kind.NO_REPLY, Kind.THAWED_SOCKET)


@dataclass(frozen=True, slots=True)
class Plan:
    """What a round does."""

    records: int
    """So many changes at least; more while a server's fault lasts."""
    page: int = 1000
    batch_size: int = 1000
    shards: int = 2
    parallelization_factor: int = 1
    bisect: bool = False
    retries: int = 6
    removals: float = 0.2
    poison_share: float = 0.0
    mix: Mapping[Kind, float] = field(default_factory=dict)
    """The share of the invocations that meet each fault."""
    each: Sequence[Kind] = ()
    """Faults that invocations meet in turn, until each of them has struck; the round goes on until then."""
    servers: Sequence[Kind] = ()
    """The servers' faults, evenly spread."""
    split: bool = False
    recreate: bool = False
    expire_guards: int = 0
    """How many guards expire before it, their items being filled in by a backfill that races with the stream."""


def drawn_plan(seed: str, number: int, records: int) -> Plan:
    """The plan of a round of a long run."""
    chance = random.Random(f"plan:{seed}:{number}")
    batch_size = chance.choice((200, 500, 1000, 1000, 1000, 3000))
    # As many in a round, whatever the batch size; those that take seconds are the rarer.
    shares = dict.fromkeys(DELIVERED, 0.02) | dict.fromkeys(PROXIED, 0.01) | dict.fromkeys(_SLOW, 0.003)
    kinds = chance.sample(DELIVERED, 4) + chance.sample(PROXIED, 3)
    return Plan(
        records=records,
        batch_size=batch_size,
        shards=chance.choice((1, 2, 2, 3)),
        parallelization_factor=chance.choice((1, 1, 2)),
        bisect=chance.random() < 0.3,
        removals=chance.choice((0.02, 0.2, 0.5)),
        poison_share=chance.choice((0.0, 0.0, 0.005)),
        mix={kind: shares[kind] * batch_size / 1000 for kind in kinds},
        servers=chance.sample([kind for kind in SERVERS if kind is not Kind.FAILOVER_WITH_LOSS], 2)
        + ([Kind.FAILOVER_WITH_LOSS] if chance.random() < 0.15 else []),
        split=chance.random() < 0.3,
        recreate=chance.random() < 0.3,
        expire_guards=chance.choice((0, 0, 2000)),
    )
