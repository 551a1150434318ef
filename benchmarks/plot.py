"""The figures as an SVG: a bar each, as long as the figure is on its way to its target.

Every target stands at the same line, so bars that cross it are met, whatever they count and in whichever direction.
"""

from collections.abc import Mapping, Sequence
from html import escape
from typing import Final

from benchmarks.report import number
from benchmarks.results import Figure, Result, Spread

_WIDTH: Final = 960
_LEFT: Final = 24
_BARS: Final = 470
"""Where bars begin."""
_LINE: Final = 210
"""How far from there the line of the targets is."""
_LONGEST: Final = 320
"""How long a bar can be; longer ones are cut, and say so."""
_ROW: Final = 44
_TOP: Final = 92
_COLOURS: Final = {True: "#2a7f62", False: "#c2571a", None: "#8a8f98"}
_WORDS: Final = {True: "met", False: "not met", None: "not measured"}


def svg(machine: Mapping[str, str], results: Sequence[Result]) -> str:
    """The plot of all figures among these results."""
    figures = [result for result in results if isinstance(result, Figure)]
    height = _TOP + _ROW * len(figures) + 64
    line = _BARS + _LINE
    parts = [
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" width="{_WIDTH}" '
            f'height="{height}" font-family="system-ui, -apple-system, Segoe UI, Arial, sans-serif" role="img">'
        ),
        "<title>ddb-cache-sync: figures against their targets</title>",
        f'<rect width="{_WIDTH}" height="{height}" fill="#ffffff"/>',
        _text(_LEFT, 36, "Figures against their targets", size=20, weight=600),
        _text(
            _LEFT,
            58,
            "A bar that crosses the line reaches its target. Bars are medians, thin lines lowest to highest.",
            size=13,
            colour="#5b616b",
        ),
        _text(line, _TOP - 12, "target", size=12, colour="#3a3f47", anchor="middle"),
    ]
    for place, figure in enumerate(figures):
        parts += _bar(figure, _TOP + _ROW * place)
    bottom = _TOP + _ROW * len(figures)
    parts.append(f'<line x1="{line}" y1="{_TOP - 6}" x2="{line}" y2="{bottom}" stroke="#1d2127" stroke-width="1.5"/>')
    names = ("processor", "cores", "server", "Python", "redis", "hiredis")
    said = ", ".join(f"{name} {machine[name]}" if name != "processor" else machine[name] for name in names)
    parts.append(_text(_LEFT, bottom + 30, f"{said}. {machine['started']}.", size=12, colour="#5b616b"))
    return "\n".join([*parts, "</svg>", ""])


def _bar(figure: Figure, top: int) -> list[str]:
    middle = top + _ROW // 2
    colour = _COLOURS[figure.is_met]
    name, _, detail = figure.title.partition(": ")
    parts = [
        _text(_LEFT, middle - 3, name, size=14, weight=600),
        _text(_LEFT, middle + 13, detail, size=12, colour="#5b616b"),
    ]
    if figure.value is None:
        return [*parts, _text(_BARS, middle + 5, f"not measured: {figure.skipped}", size=12, colour=colour)]
    reached = figure.target.reached_by(figure.value.median)
    length = _length(reached)
    parts.append(
        f'<rect x="{_BARS}" y="{middle - 11}" width="{length:.1f}" height="22" rx="2" fill="{colour}">'
        f"<title>{escape(figure.title)}: {number(figure.value.median)} {figure.unit}</title></rect>"
    )
    parts.append(_span(figure, figure.value, middle))
    value = f"{number(figure.value.median)} {figure.unit}".replace(" x", "\N{MULTIPLICATION SIGN}")
    parts.append(_text(_WIDTH - _LEFT - 62, middle - 2, value, size=14, weight=600, anchor="end", colour=colour))
    parts.append(
        _text(_WIDTH - _LEFT - 62, middle + 13, f"target {figure.target}", size=11, anchor="end", colour="#5b616b")
    )
    parts.append(_text(_WIDTH - _LEFT, middle + 5, _WORDS[figure.is_met], size=12, anchor="end", colour=colour))
    return parts


def _span(figure: Figure, value: Spread, middle: int) -> str:
    ends = sorted(_BARS + _length(figure.target.reached_by(each)) for each in (value.lowest, value.highest))
    return (
        f'<line x1="{ends[0]:.1f}" y1="{middle}" x2="{ends[1]:.1f}" y2="{middle}" stroke="#1d2127" '
        'stroke-opacity="0.55" stroke-width="1.2"/>'
    )


def _length(reached: float) -> float:
    return min(_LONGEST, max(2.0, reached * _LINE))


def _text(
    x: int, y: int, said: str, *, size: int, weight: int = 400, colour: str = "#1d2127", anchor: str = "start"
) -> str:
    return (
        f'<text x="{x}" y="{y}" font-size="{size}" font-weight="{weight}" fill="{colour}" text-anchor="{anchor}">'
        f"{escape(said)}</text>"
    )
