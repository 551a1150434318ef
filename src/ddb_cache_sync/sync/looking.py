"""A closer look at suspects: both sides read anew, and what is left of the suspicion."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ddb_cache_sync.core.expectations import Expected, expected_at
from ddb_cache_sync.errors import RecordError
from ddb_cache_sync.sync.lookup_sights import Asked, lookup_sights
from ddb_cache_sync.sync.sides import key_of_text, state_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ddb_cache_sync.sync.sides import Sides
    from ddb_cache_sync.sync.suspects import Suspect


class Looking:
    """Looks at suspects.

    Attributes:
        failed: How many looks met an item that can't be carried.
    """

    def __init__(self, sides: Sides) -> None:
        self._sides = sides
        self.failed = 0

    def at(self, suspects: Sequence[Suspect]) -> Iterator[tuple[Suspect, Suspect | None]]:
        """Each suspect with what it is now; None: it is none any more."""
        yield from self._at_own([each for each in suspects if not each.lookup])
        yield from self._at_lookups([each for each in suspects if each.lookup])

    def _at_own(self, suspects: Sequence[Suspect]) -> Iterator[tuple[Suspect, Suspect | None]]:
        """The item first, then guard and value."""
        sides = self._sides
        with_item = [each for each in suspects if each.item is not None]
        read = sides.items([key_of_text(each.item or "") for each in with_item])
        items = {suspect.key: item for suspect, item in zip(with_item, read, strict=True)}
        now = sides.clock()
        expected: dict[str, Expected] = {}
        for suspect in suspects:
            projection = sides.known.projections[suspect.projection]
            try:
                each = expected_at(sides.router, projection, suspect.key, items.get(suspect.key), now)
                expected[suspect.key] = each
            except RecordError:
                self.failed += 1
        guards = dict(zip(expected, sides.guards([it.write.guard for it in expected.values()]), strict=True))
        values = sides.values([*expected.values()])
        for suspect in suspects:
            key = suspect.key
            kind = expected[key].drift(values[key]) if key in expected else None
            if kind is None:
                yield suspect, None
            else:
                state = state_of(items.get(key), guards[key], values[key])
                yield suspect, suspect._replace(kind=kind, guard=guards[key], state=state)

    def _at_lookups(self, suspects: Sequence[Suspect]) -> Iterator[tuple[Suspect, Suspect | None]]:
        """Words and value, then the items that have to do with it."""
        asked = [
            Asked(
                each.key,
                self._sides.known.projections[each.projection],
                () if each.item is None else (key_of_text(each.item),),
            )
            for each in suspects
        ]
        for suspect, sight in zip(suspects, lookup_sights(self._sides, asked), strict=True):
            self.failed += sight.fault is not None
            if sight.drift is None:
                yield suspect, None
            else:
                item = suspect.item or sight.leads_to
                yield suspect, suspect._replace(kind=sight.drift, item=item, state=sight.state)
