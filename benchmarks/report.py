"""The results as text."""

from collections.abc import Mapping, Sequence
from typing import Final

from benchmarks.results import Cell, Contender, Figure, Result, Table

_ENOUGH_ROUNDS: Final = 20


def text(machine: Mapping[str, str], results: Sequence[Result], rounds: int) -> str:
    """All of it: the machine, the figures against their targets, what they were made from, the tables."""
    figures = [result for result in results if isinstance(result, Figure)]
    tables = [result for result in results if isinstance(result, Table)]
    parts = ["\n".join(f"{name:24} {value}" for name, value in machine.items())]
    if figures:
        parts.append(_figures(figures, rounds))
        parts.append("\n\n".join(_contenders(figure) for figure in figures if figure.value is not None))
    parts += [_table(table) for table in tables]
    return "\n\n".join(parts) + "\n"


def number(value: float) -> str:
    """A number with three digits that count, at least."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}" if abs(value) < 1 else f"{value:.2f}"


def verdict(figure: Figure, rounds: int) -> str:
    """Whether the target is reached, in a word or two; nothing where the rounds are too few to tell."""
    if figure.is_met is not None and rounds < _ENOUGH_ROUNDS:
        return f"{rounds} rounds: no verdict"
    return {True: "met", False: "NOT MET", None: "not measured"}[figure.is_met]


def _figures(figures: Sequence[Figure], rounds: int) -> str:
    rows = []
    for figure in figures:
        value, span = "-", figure.skipped or ""
        if figure.value is not None:
            value = f"{number(figure.value.median)} {figure.unit}"
            span = f"{number(figure.value.lowest)} to {number(figure.value.highest)}"
        rows.append((figure.title, value, span, str(figure.target), verdict(figure, rounds)))
    return _aligned(("figure", "median", "lowest to highest", "target", ""), rows)


def _contenders(figure: Figure) -> str:
    lines = [figure.title, _aligned(None, [_contender(contender) for contender in figure.contenders])]
    return "\n".join(lines + [f"  {note}" for note in figure.notes])


def _contender(contender: Contender) -> tuple[str, ...]:
    value = contender.value
    span = "" if value.lowest == value.highest else f"({number(value.lowest)} to {number(value.highest)})"
    return (f"  {contender.name}", f"{number(value.median)} {contender.unit}", span)


def _table(table: Table) -> str:
    rows = [[_cell(cell) for cell in row] for row in table.rows]
    return "\n".join([table.title, _aligned(table.columns, rows), *(f"  {note}" for note in table.notes)])


def _cell(cell: Cell) -> str:
    return cell if isinstance(cell, str) else f"{cell:,}"


def _aligned(heads: Sequence[str] | None, rows: Sequence[Sequence[str]]) -> str:
    lines = [*([heads] if heads else []), *rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    out = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines]
    if heads:
        out.insert(1, "  ".join("-" * width for width in widths))
    return "\n".join(out)
