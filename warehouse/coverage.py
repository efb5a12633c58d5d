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


def merged(intervals: Sequence[Interval], calendar: Calendar, *, every_day: bool = False) -> list[Interval]:
    """Intervals in order, joined where no session lies between them; with ``every_day`` only where no day
    does, as of tables whose rows are dated on closed days too.
    """
    joined: list[Interval] = []
    for each in sorted(intervals):
        last = joined[-1] if joined else None
        if last is not None and not _left_between(calendar, last.end, each.start, every_day=every_day):
            joined[-1] = Interval(last.start, max(last.end, each.end))
        else:
            joined.append(each)
    return joined


def missing(
    wanted: Interval, covered: Sequence[Interval], calendar: Calendar, *, every_day: bool = False
) -> list[Interval]:
    """The parts of ``wanted`` with sessions that no covered interval holds. With ``every_day`` also those
    without, and the closed days between ``wanted`` and the covered intervals next to it: the weekend before
    a Monday is missing where Friday is covered.
    """
    if every_day:
        wanted = _up_to_neighbours(wanted, covered, calendar)
    gaps, start = [], wanted.start
    for each in merged(covered, calendar, every_day=every_day):
        if each.end < start or each.start > wanted.end:
            continue
        if each.start > start:
            gaps.append(Interval(start, each.start - _DAY))
        start = each.end + _DAY
    if start <= wanted.end:
        gaps.append(Interval(start, wanted.end))
    return [gap for gap in gaps if every_day or calendar.sessions(gap.start, gap.end)]


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


def settled(log: pl.DataFrame, wanted: Interval, zone: str) -> list[Interval]:
    """The intervals of sync log rows of a table whose rows come at any hour of a day, as announcements do.

    The last day of an interval that was asked for before that day was over counts as missing as soon as a
    later day is wanted: what came in the evening is then fetched as well.
    """
    asked_on = log["recorded_at"].dt.convert_time_zone(zone).dt.date()
    days = log.select("start", "end").with_columns(asked_on.alias("asked")).unique(maintain_order=True)
    found = []
    for start, end, asked in days.iter_rows():
        last = end - _DAY if asked <= end < wanted.end else end
        if start <= last:
            found.append(Interval(start, last))
    return found


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


def _up_to_neighbours(wanted: Interval, covered: Sequence[Interval], calendar: Calendar) -> Interval:
    start, end = wanted.start, wanted.end
    for each in covered:
        if each.end < start and not _left_between(calendar, each.end, start):
            start = each.end + _DAY
        if each.start > end and not _left_between(calendar, end, each.start):
            end = each.start - _DAY
    return Interval(start, end)


def _left_between(calendar: Calendar, end: date, start: date, *, every_day: bool = False) -> bool:
    """Whether a session, or any day, lies between two dates."""
    first, last = end + _DAY, start - _DAY
    return first <= last and (every_day or bool(calendar.sessions(first, last)))
