"""Intervals cut into the pieces that a vendor answers at once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TypeVar

Item = TypeVar("Item")
Span = tuple[date, date]


@dataclass(frozen=True, slots=True)
class Want:
    """What an adapter is asked to cut into calls."""

    endpoint: str
    dataset: str
    start: date
    end: date


def by_years(start: date, end: date, years: int = 1) -> Iterator[Span]:
    """Spans of ``years`` calendar years, aligned so that the same day always falls into the same one."""
    first = start
    while first <= end:
        last = min(end, date(first.year - first.year % years + years - 1, 12, 31))
        yield first, last
        first = last + timedelta(days=1)


def by_months(start: date, end: date, months: int = 1) -> Iterator[Span]:
    """Spans of ``months`` calendar months; ``months`` divides twelve."""
    first = start
    while first <= end:
        index = first.year * 12 + first.month - 1
        after = index - index % months + months
        last = min(end, date(after // 12, after % 12 + 1, 1) - timedelta(days=1))
        yield first, last
        first = last + timedelta(days=1)


def by_days(start: date, end: date, days: int) -> Iterator[Span]:
    """Spans of ``days`` days."""
    first = start
    while first <= end:
        last = min(end, first + timedelta(days=days - 1))
        yield first, last
        first = last + timedelta(days=1)


def halves(start: date, end: date) -> tuple[Span, ...]:
    """An interval in two; () when it is one day."""
    if start >= end:
        return ()
    middle = start + (end - start) // 2
    return (start, middle), (middle + timedelta(days=1), end)


def bunches(items: Sequence[Item], size: int) -> Iterator[Sequence[Item]]:
    """Runs of at most ``size`` items."""
    for first in range(0, len(items), size):
        yield items[first : first + size]
