"""Mutants that change nothing anybody could see, and why."""

from __future__ import annotations

from typing import Final

from tests.mutants.generated import Generated

EXPLAINED: Final[dict[tuple[str, str, str], str]] = {
    (
        "core/diagnosis/mapping_checks.py",
        "if 0 <= found < SHORTEST_OUTAGE_SECONDS:",
        "if 1 <= found < SHORTEST_OUTAGE_SECONDS:",
    ): "Lambda knows no maximum age of 0 s: it is -1, or at least 60",
    (
        "core/route_checks.py",
        "return one.keys.apart_from(other.keys)",
        "return None",
    ): "routes are only taken to meet that never do, and looking twice for one key finds none",
    (
        "core/templates.py",
        "return range(0)",
        "return range(-1)",
    ): "both are empty",
    (
        "core/validation.py",
        "found = error.errors(include_url=False, include_context=False, include_input=False)",
        "found = error.errors(include_url=False, include_context=False, include_input=True)",
    ): "the input would be among what is found, and nothing reads it there",
    (
        "sync/batch.py",
        "if look is not None and done % _BETWEEN_LOOKS == _BETWEEN_LOOKS - 1:",
        "if look is not None and done % _BETWEEN_LOOKS == _BETWEEN_LOOKS - 2:",
    ): "the clock is looked at as often, one key earlier",
    (
        "sync/suspects.py",
        'return int(self._read("SELECT count(*) FROM seen")[0][0])',
        'return int(self._read("SELECT count(*) FROM seen")[0][-1])',
    ): "the row has one column",
    (
        "sync/verification.py",
        "for (upsert, claim), words in zip(claims, said, strict=True):",
        "for (upsert, claim), words in zip(claims, said, strict=False):",
    ): "a cache answers for each guard: that is its contract",
}
"""By file, and the line before and after."""


def reason(mutant: Generated) -> str:
    """Why nothing can tell a mutant from what it was made of; empty: something should."""
    return EXPLAINED.get((mutant.path, *mutant.shown), "")
