"""Which intervals are stored: read from the sync log."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import polars as pl

from quant.core.market.calendar import Calendar

_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True, order=True)
class Interval:
    """Dates from ``start`` to ``end``, both inclusive."""

    start: date
    end: date


def merged(intervals: Sequence[Interval], calendar: Calendar) -> list[Interval]:
    """Intervals in order, joined where no session lies between them."""
    joined: list[Interval] = []
    for each in sorted(intervals):
        last = joined[-1] if joined else None
        if last is not None and not _sessions_between(calendar, last.end, each.start):
            joined[-1] = Interval(last.start, max(last.end, each.end))
        else:
            joined.append(each)
    return joined


def missing(wanted: Interval, covered: Sequence[Interval], calendar: Calendar) -> list[Interval]:
    """The parts of ``wanted`` with sessions that no covered interval holds."""
    gaps, start = [], wanted.start
    for each in merged(covered, calendar):
        if each.end < start or each.start > wanted.end:
            continue
        if each.start > start:
            gaps.append(Interval(start, each.start - _DAY))
        start = each.end + _DAY
    if start <= wanted.end:
        gaps.append(Interval(start, wanted.end))
    return [gap for gap in gaps if calendar.sessions(gap.start, gap.end)]


def by_year(interval: Interval) -> list[Interval]:
    """An interval cut at the ends of years."""
    years = range(interval.start.year, interval.end.year + 1)
    return [
        Interval(max(interval.start, date(year, 1, 1)), min(interval.end, date(year, 12, 31)))
        for year in years
    ]


def hull(intervals: Iterable[Interval]) -> Interval:
    """The shortest interval that holds all of them."""
    held = list(intervals)
    return Interval(min(each.start for each in held), max(each.end for each in held))


def logged(log: pl.DataFrame) -> list[Interval]:
    """The intervals of sync log rows."""
    return [Interval(start, end) for start, end in log.select("start", "end").unique().iter_rows()]


def standing(log: pl.DataFrame, made: pl.Expr, undone: pl.Expr) -> list[Interval]:
    """The dates whose last relevant log row is one that ``made`` them what they are, not one after which they
    must be made again (``undone``). Rows of one instant count as undone first.
    """
    events = (
        log.with_columns(_made=made)
        .filter(pl.col("_made") | undone)
        .sort("recorded_at", "_made", maintain_order=True)
        .select("start", "end", "_made")
    )
    found: list[Interval] = []
    for start, end, is_made in events.iter_rows():
        each = Interval(start, end)
        found = _without(found, each)
        if is_made:
            found.append(each)
    return sorted(found)


def overlap(intervals: Sequence[Interval], with_: Interval) -> list[Interval]:
    """The parts of intervals that lie inside another."""
    return [
        Interval(max(each.start, with_.start), min(each.end, with_.end))
        for each in intervals
        if each.start <= with_.end and each.end >= with_.start
    ]


def _without(intervals: list[Interval], gone: Interval) -> list[Interval]:
    left: list[Interval] = []
    for each in intervals:
        if each.end < gone.start or each.start > gone.end:
            left.append(each)
            continue
        if each.start < gone.start:
            left.append(Interval(each.start, gone.start - _DAY))
        if each.end > gone.end:
            left.append(Interval(gone.end + _DAY, each.end))
    return left


def _sessions_between(calendar: Calendar, end: date, start: date) -> bool:
    first, last = end + _DAY, start - _DAY
    return first <= last and bool(calendar.sessions(first, last))
