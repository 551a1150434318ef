"""Mutants that change nothing anybody could see, and why."""

from __future__ import annotations

from typing import Final

from tests.mutants.generated import Generated

EXPLAINED: Final[dict[tuple[str, str, str], str]] = {}
"""By file, and the line before and after."""


def reason(mutant: Generated) -> str:
    """Why nothing can tell a mutant from what it was made of; empty: something should."""
    return EXPLAINED.get((mutant.path, *mutant.shown), "")
