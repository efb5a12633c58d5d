"""What the spec compiler may ask about the lake."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import Final

import polars as pl

from quant.core.market.calendar import calendar
from quant.specs.compile.catalog import Column, TableState
from quant.warehouse.contracts.tables import CONTRACTS, TableContract
from quant.warehouse.coverage import Interval, logged, merged
from quant.warehouse.lake import Lake

ABSENT: Final = {"benchmark": "absent"}
"""What no source of this version delivers: an index to compare with."""
_DAY: Final = timedelta(days=1)
_NEAR: Final = timedelta(days=30)


class DeltaCatalog:
    """The Catalog port over a lake: latest versions, covered dates, columns, facts. ``markets`` are the
    calendars of tables that do not follow ``mic``.
    """

    def __init__(self, lake: Lake, mic: str = "XSHG", markets: Mapping[str, str] | None = None) -> None:
        self._lake = lake
        self._mic, self._markets = mic, dict(markets or {})
        self._log: pl.DataFrame | None = None

    def table(self, name: str, as_of: datetime | None = None) -> TableState | None:
        """The newest state of a golden table; None when it was never written. With ``as_of``, what it said
        and how far it went then.
        """
        table = CONTRACTS.get(name)
        if table is None or table.system:
            return None
        version = self._lake.version(name)
        if version is None:
            return None
        log = self._logged(name)
        covered = self._covered(table, log)
        return TableState(
            name=name,
            version=version,
            content_hash=self._lake.content_hash(name, version, as_of=as_of),
            start=covered.start if covered else None,
            end=self._known_end(table, covered.end, as_of) if covered else None,
            columns=_columns(table),
            facts=_facts(name, log),
        )

    def _known_end(self, table: TableContract, end: date, as_of: datetime | None) -> date:
        """The last covered date of which something was known; the covered end for tables without dates."""
        if as_of is None or table.time is None:
            return end
        day = min(as_of.date() + _DAY, end)
        near = self._lake.read(table.name, start=day - _NEAR, end=day, columns=[table.time], as_of=as_of)[
            table.time
        ]
        newest = near.max()
        return newest if isinstance(newest, date) and day < end + _DAY and newest < end else end

    def _logged(self, name: str) -> pl.DataFrame:
        """What the golden table took in, newest last, from the source as it is now set."""
        if self._log is None:
            self._log = self._lake.read("sync_log").filter(pl.col("golden")).sort("recorded_at")
        mine = self._log.filter(pl.col("table") == name)
        return mine.filter(pl.col("source_hash") == mine["source_hash"][-1]) if mine.height else mine

    def _covered(self, table: TableContract, log: pl.DataFrame) -> Interval | None:
        """The last unbroken run of covered dates, cut to the sessions in it."""
        dates = calendar(self._markets.get(table.name, self._mic))
        runs = merged(logged(log), dates, every_day=table.every_day)
        if not runs:
            return None
        sessions = dates.sessions(runs[-1].start, runs[-1].end)
        return Interval(sessions[0], sessions[-1]) if sessions else None


def _columns(table: TableContract) -> tuple[Column, ...]:
    return tuple(Column(c.name, str(c.dtype), c.available or "preopen") for c in table.columns)


def _facts(name: str, log: pl.DataFrame) -> dict[str, str]:
    facts: dict[str, str] = dict(ABSENT) if name == "bars_1d" else {}
    for text in log["facts"].to_list():
        facts.update(json.loads(text))
    return facts
