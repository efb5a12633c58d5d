"""Which dates a plan is about: each source by the calendar of its own market, not one calendar for all."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from quant.core.market.calendar import ALWAYS, calendar
from quant.warehouse.coverage import Interval, hull
from quant.warehouse.sources.settings import SourceSettings


@dataclass(frozen=True, slots=True)
class Scope:
    """``spans`` are the wanted dates by calendar: of a source whose calendar is not there, nothing is wanted.
    ``recent``: nobody has said from when, so that a dataset goes back only as far as its ``history`` says.
    """

    spans: Mapping[str, Interval]
    recent: bool = False

    @property
    def hull(self) -> Interval:
        """The shortest interval that holds the dates of every calendar."""
        return hull(self.spans.values())

    def of(self, source: SourceSettings, dataset: str) -> Interval | None:
        """The dates wanted of one dataset of a source."""
        span = self.spans.get(source.calendar)
        known = source.datasets.get(dataset)
        if span is None or not self.recent or known is None or known.history is None:
            return span
        back = 1 - known.history
        start = calendar(source.calendar).offset(span.end, back) if back else span.end
        return Interval(max(span.start, start), span.end)

    def whole(self) -> Scope:
        """The same dates for datasets that keep only a short history: somebody asked for all of them."""
        return replace(self, recent=False)


def market_of(sources: Iterable[SourceSettings]) -> str:
    """The calendar that a table of these sources is measured by: one that never closes holds every other."""
    calendars = [source.calendar for source in sources]
    return ALWAYS if ALWAYS in calendars else calendars[0]


def place_of(source: SourceSettings) -> tuple[str, str]:
    """Where what a source tells of is traded: an exchange of its own, or the market of its calendar. Sources
    of two places have no instrument in common.
    """
    return source.calendar, str(source.options.get("exchange", ""))


def clipped(span: Interval | None, within: Interval) -> Interval | None:
    """The part of an interval that lies inside another; None where there is none."""
    if span is None or span.start > within.end or span.end < within.start:
        return None
    return Interval(max(span.start, within.start), min(span.end, within.end))
