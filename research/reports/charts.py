"""Light SVG charts: readable without a script, printed as they are, with the data of the crosshair beside.

Coordinates are those of the view box. Every text that reaches the markup is escaped.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Literal

import numpy as np
from markupsafe import Markup, escape

from quant.research.reports.folder import Floats

WIDE, HALF = 1120, 552
LEFT, RIGHT, TOP, BOTTOM = 56, 12, 10, 24

Unit = Literal["level", "percent", "ratio", "count"]
Style = Literal["line", "area", "bars"]


@dataclass(frozen=True, slots=True)
class Trace:
    """One series of a chart; NaN breaks the line. ``css`` names its colour in the style sheet."""

    label: str
    values: Floats
    css: str
    style: Style = "line"


@dataclass(frozen=True, slots=True)
class Chart:
    """Series over the same dates."""

    key: str
    dates: Sequence[date]
    traces: Sequence[Trace]
    unit: Unit
    height: int = 260
    width: int = WIDE
    log: bool = False
    zero: bool = False  # the value axis includes zero
    band: tuple[int, int] | None = None  # rows to shade


@dataclass(frozen=True, slots=True)
class Axis:
    """Value axis: data limits and ticks; ``place`` gives the height on the page."""

    low: float
    high: float
    ticks: tuple[float, ...]
    log: bool
    top: float
    bottom: float

    def place(self, value: float) -> float:
        """Height of one value."""
        return float(self.place_all(np.array([value]))[0])

    def place_all(self, values: Floats) -> Floats:
        """Heights of many values."""
        low, high = (math.log(v) if self.log else v for v in (self.low, self.high))
        at = np.log(values) if self.log else values
        heights: Floats = self.bottom - (at - low) / (high - low) * (self.bottom - self.top)
        return heights


def draw(chart: Chart) -> Markup:
    """The chart as an ``<svg>`` element."""
    axis = value_axis(chart)
    parts = [_grid(chart, axis), _dates(chart), _band(chart)]
    parts += [_trace(trace, chart, axis) for trace in chart.traces]
    label = escape(", ".join(trace.label for trace in chart.traces))
    return Markup(
        f'<svg class="chart" viewBox="0 0 {chart.width} {chart.height}" role="img" aria-label="{label}" '
        f'data-chart="{escape(chart.key)}"{" data-log" if chart.log else ""}>{"".join(parts)}'
        f'<g class="cross"></g></svg>'
    )


def hover_data(chart: Chart) -> dict[str, Any]:
    """What the crosshair needs: the plot's box, the axis and the values, rounded to what is shown."""
    axis = value_axis(chart)
    digits = {"level": 4, "percent": 4, "ratio": 2, "count": 0}[chart.unit]
    return {
        "box": [LEFT, TOP, chart.width - LEFT - RIGHT, chart.height - TOP - BOTTOM],
        "unit": chart.unit,
        "bars": any(trace.style == "bars" for trace in chart.traces),
        "axis": [axis.low, axis.high],
        "dates": [str(day) for day in chart.dates],
        "traces": [
            {"label": trace.label, "css": trace.css, "values": _rounded(trace.values, digits)}
            for trace in chart.traces
        ],
    }


def value_axis(chart: Chart) -> Axis:
    """Limits around the data with round ticks; a flat series gets room."""
    known = np.concatenate(
        [trace.values[np.isfinite(trace.values)] for trace in chart.traces] or [np.empty(0)]
    )
    if chart.log:
        known = known[known > 0]
    if chart.zero or not known.size:
        known = np.append(known, 0.0 if not chart.log else 1.0)
    low, high = float(known.min()), float(known.max())
    if low == high:
        spread = abs(low) * 0.1 or 0.01
        low, high = (low / 1.1, high * 1.1) if chart.log else (low - spread, high + spread)
    room = (high - low) * 0.04
    if chart.log:
        low, high = low / (high / low) ** 0.04, high * (high / low) ** 0.04
    else:
        low, high = (low - room if low else low), (high + room if high else high)
    ticks = _log_ticks(low, high) if chart.log else _ticks(low, high)
    return Axis(low, high, ticks, chart.log, TOP, chart.height - BOTTOM)


def _ticks(low: float, high: float, wanted: int = 5) -> tuple[float, ...]:
    raw = (high - low) / wanted
    unit = 10.0 ** math.floor(math.log10(raw))
    step = next(s * unit for s in (1, 2, 2.5, 5, 10) if s * unit >= raw)
    first = math.ceil(low / step)
    return tuple(round(k * step, 10) for k in range(first, math.floor(high / step + 1e-9) + 1))


def _log_ticks(low: float, high: float) -> tuple[float, ...]:
    if high / low < 4:
        return _ticks(low, high)
    steps = (1, 2, 5) if high / low < 200 else (1,)
    span = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    return tuple(s * 10.0**k for k in span for s in steps if low <= s * 10.0**k <= high)


def tick_label(value: float, unit: Unit) -> str:
    """The value as its axis writes it."""
    text = f"{value * 100:.10g}%" if unit == "percent" else f"{value:.10g}"
    return text.replace("-", "−")


def _grid(chart: Chart, axis: Axis) -> str:
    rows = []
    for tick in axis.ticks:
        y = axis.place(tick)
        strong = ' class="zero"' if tick == (1.0 if chart.unit == "level" else 0.0) else ""
        rows.append(f'<line{strong} x1="{LEFT}" x2="{chart.width - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>')
        rows.append(
            f'<text x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{tick_label(tick, chart.unit)}</text>'
        )
    return f'<g class="grid">{"".join(rows)}</g>'


def _dates(chart: Chart) -> str:
    """Year marks; months where the chart is shorter than two years."""
    days, labels = list(chart.dates), []
    monthly = bool(days) and (days[-1] - days[0]).days < 730
    step = max(1, len({(d.year, d.month) for d in days}) * 100 // chart.width) if monthly else 1
    years = len({d.year for d in days})
    skip = max(1, math.ceil(years * 80 / chart.width))
    previous, seen = None, 0
    for row, day in enumerate(days):
        mark = (day.year, day.month) if monthly else (day.year, 0)
        if mark == previous:
            continue
        previous, seen = mark, seen + 1
        if (seen - 1) % (step if monthly else skip):
            continue
        x = _x(row, len(days), chart.width)
        if x > chart.width - RIGHT - 30:
            continue
        text = f"{day:%Y-%m}" if monthly else f"{day:%Y}"
        labels.append(f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{TOP}" y2="{chart.height - BOTTOM}"/>')
        labels.append(f'<text x="{x + 3:.1f}" y="{chart.height - 8}">{text}</text>')
    return f'<g class="dates">{"".join(labels)}</g>'


def _band(chart: Chart) -> str:
    if chart.band is None:
        return ""
    first, last = (_x(row, len(chart.dates), chart.width) for row in chart.band)
    height = chart.height - TOP - BOTTOM
    return f'<rect class="band" x="{first:.1f}" y="{TOP}" width="{last - first:.1f}" height="{height}"/>'


def _trace(trace: Trace, chart: Chart, axis: Axis) -> str:
    if trace.style == "bars":
        return _bars(trace, chart.width, axis)
    runs = _runs(trace.values, chart.width, axis)
    paths = []
    for run in runs:
        line = "L".join(f"{x:.1f} {y:.1f}" for x, y in run)
        if trace.style == "area":
            base = axis.place(min(max(0.0, axis.low), axis.high))
            area = f"M{run[0][0]:.1f} {base:.1f}L{line}L{run[-1][0]:.1f} {base:.1f}Z"
            paths.append(f'<path class="area {trace.css}" d="{area}"/>')
        paths.append(f'<path class="line {trace.css}" d="M{line}"/>')
    return "".join(paths)


def _bars(trace: Trace, width: int, axis: Axis) -> str:
    n = len(trace.values)
    slot = (width - LEFT - RIGHT) / max(n, 1)
    base = axis.place(max(0.0, axis.low))
    rects = []
    for row, value in enumerate(trace.values):
        if not math.isfinite(value):
            continue
        y = axis.place(float(value))
        x, wide = LEFT + slot * (row + 0.12), max(slot * 0.76, 0.5)
        rects.append(
            f'<rect x="{x:.1f}" y="{min(y, base):.1f}" width="{wide:.1f}" height="{abs(base - y):.1f}"/>'
        )
    return f'<g class="bars {trace.css}">{"".join(rects)}</g>'


def _x(row: int, rows: int, width: int) -> float:
    return LEFT + (width - LEFT - RIGHT) * (row / (rows - 1) if rows > 1 else 0.5)


def _runs(values: Floats, width: int, axis: Axis) -> list[list[tuple[float, float]]]:
    """Unbroken stretches as points, thinned to what a pixel column can show."""
    rows = len(values)
    usable = np.isfinite(values) & ((values > 0) | (not axis.log))
    gaps = np.cumsum(~usable).tolist()
    heights = axis.place_all(np.where(usable, values, axis.high)).tolist()
    shown = usable.tolist()
    runs: list[list[tuple[float, float]]] = []
    before: int | None = None
    for row in _visible(values, usable, width - LEFT - RIGHT):
        if not shown[row]:
            continue
        if before is None or gaps[before] != gaps[row]:
            runs.append([])
        runs[-1].append((_x(row, rows, width), heights[row]))
        before = row
    return runs


def _visible(values: Floats, usable: np.ndarray[Any, np.dtype[np.bool_]], columns: int) -> list[int]:
    """First, lowest, highest and last row of every pixel column, so that no extreme is lost."""
    rows = len(values)
    if rows <= 2 * columns:
        return list(range(rows))
    kept: set[int] = {0, rows - 1}
    for part in np.array_split(np.arange(rows), columns):
        inside = part[usable[part]]
        if inside.size:
            kept |= {int(inside[0]), int(inside[-1])}
            kept |= {int(inside[values[inside].argmin()]), int(inside[values[inside].argmax()])}
        kept |= {int(row) for row in part[~usable[part]][:1]}
    return sorted(kept)


def _rounded(values: Floats, digits: int) -> list[float | None]:
    return [round(float(v), digits) if math.isfinite(v) else None for v in values]
