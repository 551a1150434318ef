"""An estimate as an SVG: cost, invocations at once and lag, over writes a second or over the batch size.

Both axes are logarithmic. A line ends where its way falls behind, for a lag that grows without end has no value.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from html import escape
from typing import Final, Literal, NamedTuple, TypeAlias

from ddb_cache_sync.estimate.estimating import estimate
from ddb_cache_sync.estimate.prices import Prices
from ddb_cache_sync.estimate.results import Estimate, Way
from ddb_cache_sync.estimate.workload import Workload

Over: TypeAlias = Literal["writes-per-second", "batch-size"]
"""What changes along the plot."""

_WIDTH: Final = 1080
_HEIGHT: Final = 400
_PANEL: Final = 280
"""Width of a panel's inside."""
_LEFT: Final = 60
_GAP: Final = 70
_TOP: Final = 90
_BOTTOM: Final = 330
_STEPS: Final = 41
_BATCH_SIZES: Final = (1.0, 10_000.0)
_DECADES: Final = 2
"""How far the plot goes to either side of the workload's writes a second, in powers of ten."""
_GREY: Final = "#5b616b"


class _Line(NamedTuple):
    name: str
    colour: str
    way: Callable[[Estimate], Way]


class _Panel(NamedTuple):
    title: str
    value: Callable[[Way], float | None]


_LINES: Final = (
    _Line("ddb-cache-sync", "#2a7f62", lambda it: it.ours),
    _Line("original sample", "#c2571a", lambda it: it.original),
)
_PANELS: Final = (
    _Panel("USD a month, serverless cache", lambda it: it.cost.serverless),
    _Panel("invocations at once", lambda it: it.concurrency if it.keeps_up else None),
    _Panel("lag at most, s", lambda it: it.lag_seconds),
)


def plot(workload: Workload, prices: Prices | None = None, over: Over = "writes-per-second") -> str:
    """The SVG.

    Args:
        workload: The one in the middle; a thin line marks it.
        prices: The numbers to reckon with; None: those that come with the library.
        over: What changes along it.
    """
    here = workload.writes_per_second if over == "writes-per-second" else float(workload.batch_size)
    estimates = {_x(each.workload, over): each for each in _estimates(workload, prices, over)}
    title = f"Estimate over {over.replace('-', ' ')}"
    said = (
        f"{workload.writes_per_second:,g} writes/s, items of {workload.item_bytes:,} B, batch size "
        f"{workload.batch_size:,}, parallelization {workload.parallelization}. A line ends where it falls behind."
    )
    parts = [
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" width="{_WIDTH}" '
            f'height="{_HEIGHT}" font-family="system-ui, -apple-system, Segoe UI, Arial, sans-serif" role="img">'
        ),
        f"<title>{escape(title)}</title>",
        f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="#ffffff"/>',
        _text(24, 32, title, size=18),
        _text(24, 52, said, colour=_GREY),
    ]
    for place, panel in enumerate(_PANELS):
        parts += _panel(panel, _LEFT + place * (_PANEL + _GAP), estimates, here)
    for place, line in enumerate(_LINES):
        parts.append(_text(_LEFT + place * 150, _HEIGHT - 14, f"— {line.name}", colour=line.colour))
    return "\n".join([*parts, "</svg>", ""])


def _x(workload: Workload, over: Over) -> float:
    return workload.writes_per_second if over == "writes-per-second" else float(workload.batch_size)


def _estimates(workload: Workload, prices: Prices | None, over: Over) -> Iterator[Estimate]:
    for step in range(_STEPS):
        share = step / (_STEPS - 1)
        if over == "batch-size":
            low, high = _BATCH_SIZES
            yield estimate(replace(workload, batch_size=round(low * (high / low) ** share)), prices)
        else:
            # Bounds of a workload: the plot of an extreme one is cut, not refused.
            writes = workload.writes_per_second * 10 ** (_DECADES * (2 * share - 1))
            yield estimate(replace(workload, writes_per_second=min(max(writes, 0.001), 1e8)), prices)


def _panel(panel: _Panel, left: int, estimates: dict[float, Estimate], here: float) -> list[str]:
    values = [(line, [(x, panel.value(line.way(each))) for x, each in estimates.items()]) for line in _LINES]
    known = [y for _, points in values for _, y in points if y is not None]
    across = _Axis.over(list(estimates), left, left + _PANEL)
    up = _Axis.over(known, _BOTTOM, _TOP)
    parts = [
        _text(left, _TOP - 12, panel.title, size=13),
        (
            f'<rect x="{left}" y="{_TOP}" width="{_PANEL}" height="{_BOTTOM - _TOP}" fill="none" stroke="#d0d3d8"/>'
            f'<line x1="{across.at(here):.1f}" y1="{_TOP}" x2="{across.at(here):.1f}" y2="{_BOTTOM}" '
            f'stroke="{_GREY}" stroke-opacity="0.4"/>'
        ),
    ]
    parts += [_text(across.at(tick), _BOTTOM + 16, _short(tick), size=11, anchor="middle") for tick in across.ticks]
    for tick in up.ticks:
        height = up.at(tick)
        parts.append(f'<line x1="{left}" y1="{height:.1f}" x2="{left + _PANEL}" y2="{height:.1f}" stroke="#eceef1"/>')
        parts.append(_text(left - 6, height + 4, _short(tick), size=11, anchor="end"))
    for line, points in values:
        drawn = [f"{across.at(x):.1f},{up.at(y):.1f}" for x, y in points if y is not None]
        parts.append(
            f'<polyline points="{" ".join(drawn)}" fill="none" stroke="{line.colour}" stroke-width="2">'
            f"<title>{escape(line.name)}: {escape(panel.title)}</title></polyline>"
        )
    return parts


class _Axis(NamedTuple):
    """A logarithmic axis, from one place to another."""

    low: int
    high: int
    start: float
    end: float

    @classmethod
    def over(cls, values: Sequence[float], start: float, end: float) -> "_Axis":
        """Whole powers of ten that hold all values."""
        logs = [math.log10(max(value, 1e-6)) for value in values] or [0.0]
        low = math.floor(min(logs))
        return cls(low, max(low + 1, math.ceil(max(logs))), start, end)

    @property
    def ticks(self) -> Sequence[float]:
        """The powers of ten, some left out where there are many."""
        return [10.0**power for power in range(self.low, self.high + 1, 1 + (self.high - self.low) // 6)]

    def at(self, value: float) -> float:
        """Where a value lies."""
        share = (math.log10(max(value, 1e-6)) - self.low) / (self.high - self.low)
        return self.start + share * (self.end - self.start)


def _short(value: float) -> str:
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= size:
            return f"{value / size:g}{letter}"
    return f"{value:g}"


def _text(x: float, y: float, said: str, *, size: int = 12, colour: str = "#1d2127", anchor: str = "start") -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" fill="{colour}" text-anchor="{anchor}">{escape(said)}</text>'
    )
