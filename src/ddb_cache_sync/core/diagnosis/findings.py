"""Findings: what a check says of one part of a pipeline, and how to mend it.

Rules:

1. A check is a function from facts to a `Verdict`, and does no I/O.
2. A fact that could not be had is an `Unknown`, which says what to allow; it is taken for neither good nor bad.
3. Whatever can lose a change, or keeps changes from the cache altogether, is `LOSES_DATA`; nothing else is.
"""

from collections.abc import Iterable
from enum import StrEnum
from typing import NamedTuple, TypeAlias, TypeVar


class Level(StrEnum):
    """How bad a finding is; in order, the worst first."""

    LOSES_DATA = "loses-data"
    """Changes are lost, or do not reach the cache."""
    WARNING = "warning"
    """It goes wrong when something else does: an outage, a poison record, a full cache."""
    CANNOT_TELL = "cannot-tell"
    """The fact could not be had."""
    NOTE = "note"
    """Not wrong, and could be better."""
    OK = "ok"
    """As it should be."""


class Unknown(NamedTuple):
    """A fact that could not be had."""

    why: str
    """What was tried and what came of it: an error's code, no more."""
    mend: str
    """What to do so that it can be had, one sentence."""


_T = TypeVar("_T")
Known: TypeAlias = _T | Unknown
"""A fact, or why there is none."""


class Verdict(NamedTuple):
    """What a check says."""

    level: Level
    what: str
    """What was found; names, settings and figures only, no contents of an item."""
    mend: str = ""
    """What to do about it; empty where nothing is to be done."""


class Finding(NamedTuple):
    """What a check says of one part of the pipeline."""

    check: str
    """The check's name."""
    level: Level
    about: str
    """Which part: the table, a function, the cache."""
    what: str
    """As in `Verdict`."""
    mend: str
    """As in `Verdict`."""


def fine(what: str) -> Verdict:
    """The verdict that all is well."""
    return Verdict(Level.OK, what)


def note(what: str, mend: str) -> Verdict:
    """The verdict that it could be better."""
    return Verdict(Level.NOTE, what, mend)


def warning(what: str, mend: str) -> Verdict:
    """The verdict that it goes wrong when something else does."""
    return Verdict(Level.WARNING, what, mend)


def loses_data(what: str, mend: str) -> Verdict:
    """The verdict that changes are lost, or do not reach the cache."""
    return Verdict(Level.LOSES_DATA, what, mend)


def cannot_tell(unknown: Unknown) -> Verdict:
    """The verdict that the fact is missing."""
    return Verdict(Level.CANNOT_TELL, unknown.why, unknown.mend)


def worst_first(findings: Iterable[Finding]) -> list[Finding]:
    """The findings by level; within a level in the order given."""
    order = [*Level]
    return sorted(findings, key=lambda finding: order.index(finding.level))


def span(seconds: float) -> str:
    """A length of time for a person: `25 h`, `90 s`."""
    for unit, name in ((86_400, "days"), (3600, "h"), (60, "min")):
        if seconds >= 2 * unit:
            return f"{seconds / unit:.3g} {name}"
    return f"{seconds:.3g} s"
