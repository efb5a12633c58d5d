"""The dated calendar that ships with core, as a source: the calendar is a table like any other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import date
from typing import Final

import polars as pl

from quant.core.hashing import canonical_json
from quant.core.market.calendar import ALWAYS, calendar
from quant.warehouse.sources.port import Payload
from quant.warehouse.sources.settings import SourceSettings

CALENDAR_SOURCE = SourceSettings(name="core_calendar", provider="calendar", license="own", known_at="preopen")
ALWAYS_SOURCE = replace(CALENDAR_SOURCE, name="core_calendar_24x7", calendar=ALWAYS, timezone="UTC")
CALENDAR_SOURCES: Final[Mapping[str, SourceSettings]] = {
    source.calendar: source for source in (CALENDAR_SOURCE, ALWAYS_SOURCE)
}
"""The calendar of each market that sources may follow."""


class CalendarSource:
    """Sessions and their instants from core's calendar table."""

    def __init__(self, mic: str) -> None:
        self._calendar = calendar(mic)

    def fetch(self, dataset: str, start: date, end: date) -> Iterator[Payload]:
        request = {"mic": self._calendar.mic, "start": start, "end": end, "table": self._calendar.fingerprint}
        yield Payload(dataset, canonical_json(request), "application/json", request)

    def parse(self, payload: Payload) -> pl.DataFrame:
        import json

        request = json.loads(payload.content)
        sessions = self._calendar.sessions(
            date.fromisoformat(request["start"]), date.fromisoformat(request["end"])
        )
        rows = self._calendar.instant_rows(sessions)
        instants = {
            name: [row[i] // 1000 for row in rows] for i, name in ((0, "preopen"), (1, "open"), (3, "close"))
        }
        frame = pl.DataFrame({"session": pl.Series(sessions, dtype=pl.Date), **instants})
        return frame.with_columns(
            pl.lit(request["mic"]).alias("mic"),
            *(pl.col(name).cast(pl.Int64).cast(pl.Datetime("us", "UTC")) for name in instants),
        )


def open_calendar(settings: SourceSettings) -> CalendarSource:
    return CalendarSource(settings.calendar)
