"""What a benchmark gives: figures, which have a target, and tables, which have none.

Rule: a figure compares contenders that were measured in turn, within the same minute, on the same servers. It is the
median over the rounds of one round's ratio, so that whatever slows this machine down for a while slows both down.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any, Literal, Self, TypeAlias

Cell: TypeAlias = str | float | int


@dataclass(frozen=True, slots=True)
class Spread:
    """Some measurements of one thing."""

    median: float
    lowest: float
    highest: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Self:
        """The spread of these values, at least one."""
        return cls(median(values), min(values), max(values))


@dataclass(frozen=True, slots=True)
class Target:
    """What a figure has to reach."""

    bound: float
    direction: Literal["at least", "at most"]

    def __str__(self) -> str:
        return f"{'≥' if self.direction == 'at least' else '≤'} {self.bound:g}"

    def is_met_by(self, value: float) -> bool:
        """Say whether this value reaches the target."""
        return value >= self.bound if self.direction == "at least" else value <= self.bound

    def reached_by(self, value: float) -> float:
        """How far this value is on its way: 1 is the target, more is better."""
        return value / self.bound if self.direction == "at least" else self.bound / value


@dataclass(frozen=True, slots=True)
class Contender:
    """What one side of a figure came to."""

    name: str
    value: Spread
    unit: str


@dataclass(frozen=True, slots=True)
class Figure:
    """One number with a target."""

    name: str
    title: str
    target: Target
    value: Spread | None
    """None where it could not be measured."""
    unit: Literal["x", "B"] = "x"
    contenders: Sequence[Contender] = ()
    notes: Sequence[str] = ()
    skipped: str | None = None
    """Why it could not be measured."""

    @property
    def is_met(self) -> bool | None:
        """Whether the median reaches the target; None where it could not be measured."""
        return None if self.value is None else self.target.is_met_by(self.value.median)


@dataclass(frozen=True, slots=True)
class Table:
    """Numbers without a target."""

    name: str
    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    notes: Sequence[str] = ()


Result: TypeAlias = Figure | Table


def as_json(results: Sequence[Result]) -> dict[str, Any]:
    """The results as JSON has them."""
    figures = [result for result in results if isinstance(result, Figure)]
    tables = [result for result in results if isinstance(result, Table)]
    return {
        "figures": [asdict(figure) | {"target": str(figure.target), "is_met": figure.is_met} for figure in figures],
        "tables": [asdict(table) for table in tables],
    }
