"""Coarse partitions: a year of sessions, never a day or an instrument."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import Final

import dagster as dg

from quant.warehouse.coverage import Interval

TIMEZONE: Final = "Asia/Shanghai"


@dataclass(frozen=True, slots=True)
class Years:
    """The years that have partitions; without ``last`` up to and including the current one."""

    first: int
    last: int | None = None

    def including(self, dates: Iterable[date]) -> Years:
        """These years, widened to hold the dates."""
        years = [day.year for day in dates]
        last = self.last if self.last is None else max([self.last, *years])
        return Years(min([self.first, *years]), last)


def yearly(years: Years) -> dg.TimeWindowPartitionsDefinition:
    """One partition a year, keyed ``2024``, in the exchange's time zone."""
    return dg.TimeWindowPartitionsDefinition(
        start=str(years.first),
        end=None if years.last is None else str(years.last + 1),
        fmt="%Y",
        cron_schedule="0 0 1 1 *",
        timezone=TIMEZONE,
        end_offset=0 if years.last is not None else 1,
    )


def year_range(context: dg.AssetExecutionContext) -> tuple[int, int] | None:
    """First and last year that a run covers; None for a table without partitions."""
    if not context.has_partition_key_range and not context.has_partition_key:
        return None
    chosen = context.partition_key_range
    return int(chosen.start), int(chosen.end)


def interval_of(years: tuple[int, int] | None, span: Interval) -> Interval:
    """The dates to store for a range of years: cut where the workspace's span begins or ends inside it."""
    if years is None:
        return span
    start, end = date(years[0], 1, 1), date(years[1], 12, 31)
    start = max(start, span.start) if span.start.year == start.year else start
    return Interval(start, min(end, span.end) if span.end >= start else end)
