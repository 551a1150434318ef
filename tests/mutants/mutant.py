"""A mutant: an edit that breaks one rule."""

from __future__ import annotations

from typing import NamedTuple


class Mutant(NamedTuple):
    """A broken rule: a text that occurs once in a file of `src/ddb_cache_sync`, and what takes its place."""

    name: str
    path: str
    """Below `src/ddb_cache_sync`."""
    before: str
    after: str
    tests: tuple[str, ...]
    """What pytest is told to run; all of it passes without the mutant."""

    def put_into(self, source: str) -> str:
        """The source with the mutant in it.

        Raises:
            ValueError: The source has moved on: what is to be edited is not there, or in several places.
        """
        found = source.count(self.before)
        if found != 1:
            raise ValueError(f"{self.name!r}: {self.path} has {self.before!r} {found} times")
        return source.replace(self.before, self.after)
