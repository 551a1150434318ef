"""A run as an SVG: its rate, what it has applied, its memory, and how often each fault struck."""

from __future__ import annotations

from html import escape
from itertools import pairwise
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.soak.figures import Figures, Sample

_WIDTH: Final = 960
_LEFT: Final = 84
_RIGHT: Final = 24
_HEIGHT: Final = 150
_GAP: Final = 52
_GREY: Final = "#5b616b"
_ROW: Final = 18


def svg(figures: Figures) -> str:
    """The plot of a run."""
    samples = figures.samples
    names = [name for name, count in figures.faults.items() if count]
    rows = (len(names) + 1) // 2
    top = 96
    charts = [
        ("guarded applies a second", _rates(samples), "#2a7f62"),
        ("guarded applies, millions", [(each.seconds, each.applies / 1e6) for each in samples], "#2456a4"),
        ("memory of all servers, MB", [(each.seconds, each.servers_mb) for each in samples], "#c2571a"),
        ("memory of the client, MB", [(each.seconds, each.client_mb) for each in samples], "#7a4fa3"),
    ]
    bottom = top + len(charts) * (_HEIGHT + _GAP)
    height = bottom + 40 + rows * _ROW + 20
    verdict = "no divergent key" if not figures.divergent else "DIVERGED"
    parts = [
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" width="{_WIDTH}" '
            f'height="{height}" font-family="system-ui, -apple-system, Segoe UI, Arial, sans-serif" role="img">'
        ),
        "<title>ddb-cache-sync: soak run</title>",
        f'<rect width="{_WIDTH}" height="{height}" fill="#ffffff"/>',
        _text(24, 36, f"{figures.applies:,} guarded applies under faults: {verdict}", size=20, weight=600),
        _text(
            24,
            60,
            f"{figures.seconds / 60:,.0f} minutes, {figures.rounds:,} rounds, {figures.keys:,} keys, "
            f"{figures.struck:,} faults of {len(names)} kinds, seed {figures.seed}; six nodes.",
            size=13,
        ),
    ]
    for place, (title, points, colour) in enumerate(charts):
        parts += _chart(title, points, colour, top + place * (_HEIGHT + _GAP))
    parts.append(_text(24, bottom + 10, "How often each fault struck", size=14, weight=600, colour="#1d2127"))
    for place, name in enumerate(names):
        x, y = 24 + (place // rows) * (_WIDTH // 2), bottom + 36 + place % rows * _ROW
        parts.append(_text(x, y, name, size=12))
        parts.append(_text(x + 380, y, f"{figures.faults[name]:,}", size=12, anchor="end", colour="#1d2127"))
    return "\n".join([*parts, "</svg>", ""])


def _rates(samples: Sequence[Sample]) -> list[tuple[float, float]]:
    return [
        (later.seconds, (later.applies - sooner.applies) / max(1e-9, later.seconds - sooner.seconds))
        for sooner, later in pairwise(samples)
    ]


def _chart(title: str, points: Sequence[tuple[float, float]], colour: str, top: int) -> list[str]:
    parts = [_text(24, top, title, size=14, weight=600, colour="#1d2127")]
    if not points:
        return parts
    span = max(x for x, _ in points) or 1.0
    most = max(y for _, y in points) or 1.0
    width = _WIDTH - _LEFT - _RIGHT
    base = top + 14 + _HEIGHT
    parts.append(f'<line x1="{_LEFT}" y1="{base}" x2="{_WIDTH - _RIGHT}" y2="{base}" stroke="#c9cdd3"/>')
    for share in (0.5, 1.0):
        y = base - share * _HEIGHT * 0.94
        parts.append(f'<line x1="{_LEFT}" y1="{y:.1f}" x2="{_WIDTH - _RIGHT}" y2="{y:.1f}" stroke="#eceef1"/>')
        parts.append(_text(_LEFT - 8, round(y) + 4, _number(most * share), size=11, anchor="end"))
    line = " ".join(f"{_LEFT + x / span * width:.1f},{base - y / most * _HEIGHT * 0.94:.1f}" for x, y in points)
    parts.append(f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="1.6"/>')
    parts.append(_text(_LEFT, base + 16, "0 min", size=11))
    parts.append(_text(_WIDTH - _RIGHT, base + 16, f"{span / 60:,.0f} min", size=11, anchor="end"))
    return parts


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 10 else f"{value:.2g}"


def _text(
    x: int, y: int, said: str, *, size: int, weight: int = 400, colour: str = _GREY, anchor: str = "start"
) -> str:
    return (
        f'<text x="{x}" y="{y}" font-size="{size}" font-weight="{weight}" fill="{colour}" text-anchor="{anchor}">'
        f"{escape(said)}</text>"
    )
