"""JoinQuant's data functions, over what is known at the instant of the call.

``attribute_history`` and ``history`` end yesterday, as they do there. ``get_price`` and ``get_bars`` end
where they are told to; a bar that is not over yet is an error, not a look ahead.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from quant.core.errors import UsageError
from quant.core.ids import parse_code
from quant.trading.strategies.platforms.facts import About
from quant.trading.strategies.platforms.joinquant_quotes import FIELDS, BarsOfYesterday, CurrentData

if TYPE_CHECKING:
    from quant.trading.strategies.platforms.joinquant import JoinQuant

_DEFAULT: Final = ("open", "close", "high", "low", "volume", "money")
_DAILY: Final = ("1d", "daily", "day", "1D", "d")
_FAR: Final = date(2200, 1, 1)


class FieldFrames(dict[str, Any]):
    """Frames by field, in place of pandas' old Panel: ``frames["close"]`` has a column for each code."""

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(name) from None


class JoinData:
    """The functions, bound to one running file."""

    def __init__(self, host: JoinQuant) -> None:
        self._host = host
        self.about = About(host)

    def names(self) -> dict[str, Any]:
        """What the file finds."""
        own = (
            "attribute_history",
            "history",
            "get_price",
            "get_bars",
            "get_current_data",
            "get_index_stocks",
            "get_all_securities",
            "get_security_info",
            "get_trade_days",
            "get_all_trade_days",
            "get_extras",
            "normalize_code",
        )
        return {name: getattr(self, name) for name in own}

    # --- bars ---------------------------------------------------------------------------------------------

    def attribute_history(
        self,
        security: str,
        count: int,
        unit: str = "1d",
        fields: Any = ("open", "close", "high", "low", "volume", "money"),
        skip_paused: bool = True,
        df: bool = True,
        fq: str | None = "pre",
    ) -> Any:
        """The last ``count`` bars of one name before today; with ``skip_paused`` those on which it traded."""
        _daily(unit)
        at, end = self._host.instrument(security), self._host.bars.today
        rows = self._rows(at, count, end, skip_paused)
        columns = {name: self._column(name, at, rows, fq) for name in _names(fields)}
        return self._frame(columns, rows) if df else columns

    def history(
        self,
        count: int,
        unit: str = "1d",
        field: str = "avg",
        security_list: Any = None,
        df: bool = True,
        skip_paused: bool = False,
        fq: str | None = "pre",
    ) -> Any:
        """The last ``count`` bars before today of several names."""
        _daily(unit)
        codes = self._codes(security_list)
        places, end = [self._host.instrument(code) for code in codes], self._host.bars.today
        if skip_paused:
            rows = {i: self._rows(i, count, end, True) for i in places}
            found = {c: self._column(field, i, rows[i], fq) for c, i in zip(codes, places, strict=True)}
            short = {c: np.concatenate([np.full(count - len(v), np.nan), v]) for c, v in found.items()}
            return self._table(short, range(count)) if df else found
        name, begin = _field(field), self._host.bars.last(count, end)
        cells = self._host.bars.cells(name, begin, end, fq, places)
        columns = {code: cells[:, k] for k, code in enumerate(codes)}
        return self._frame(columns, np.arange(begin, end)) if df else columns

    def get_price(
        self,
        security: Any,
        start_date: Any = None,
        end_date: Any = None,
        frequency: str = "daily",
        fields: Any = None,
        skip_paused: bool = False,
        fq: str | None = "pre",
        count: int | None = None,
        panel: bool = True,
        fill_paused: bool = True,
        **_round: Any,
    ) -> Any:
        """Bars between two days, or ``count`` bars up to a day."""
        _daily(frequency)
        del fill_paused
        end = self._until(end_date)
        bars, names = self._host.bars, _names(fields or _DEFAULT)
        begin = bars.last(count, end) if count is not None else min(bars.row(self._start(start_date)), end)
        if isinstance(security, str):
            at = self._host.instrument(security)
            rows = np.arange(begin, end)
            if skip_paused:
                rows = bars.traded_rows(at, count, end) if count else rows[bars.traded(at, begin, end)]
            return self._frame({n: self._column(n, at, rows, fq) for n in names}, rows)
        codes = list(security)
        places = [self._host.instrument(code) for code in codes]
        cells = {n: bars.cells(_field(n), begin, end, fq, places) for n in names}
        rows = np.arange(begin, end)
        if panel:
            frames = {
                n: self._frame({c: v[:, k] for k, c in enumerate(codes)}, rows) for n, v in cells.items()
            }
            return FieldFrames(frames)
        import pandas as pd

        days = pd.to_datetime(bars.days(begin, end))
        parts = [
            pd.DataFrame({"time": days, "code": code, **{n: v[:, k] for n, v in cells.items()}})
            for k, code in enumerate(codes)
        ]
        return (
            pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=["time", "code", *names])
        )

    def get_bars(
        self,
        security: Any,
        count: int,
        unit: str = "1d",
        fields: Any = ("date", "open", "high", "low", "close"),
        include_now: bool = False,
        end_dt: Any = None,
        fq_ref_date: Any = None,
        df: bool = False,
    ) -> Any:
        """The last ``count`` bars on which a name traded, as a structured array or a frame."""
        _daily(unit)
        if not isinstance(security, str):
            options = (count, unit, fields, include_now, end_dt, fq_ref_date, df)
            return {code: self.get_bars(code, *options) for code in security}
        bars = self._host.bars
        end = bars.end if include_now else bars.today
        end = min(end, self._until(end_dt)) if end_dt is not None else end
        at = self._host.instrument(security)
        rows = self._rows(at, count, end, True)
        names = _names(fields)
        fq = None if fq_ref_date is None else "pre"
        columns: dict[str, Any] = {
            n: np.array(self._days(rows), dtype=object) if n == "date" else self._column(n, at, rows, fq)
            for n in names
        }
        if df:
            import pandas as pd

            return pd.DataFrame(columns)
        kinds = [(n, object if n == "date" else np.float64) for n in names]
        out = np.empty(len(rows), dtype=kinds)
        for name in names:
            out[name] = columns[name]
        return out

    def yesterday(self) -> BarsOfYesterday:
        """The ``data`` of ``handle_data``: the newest bar that is over, by code."""
        return BarsOfYesterday(self)

    def get_extras(
        self,
        info: str,
        security_list: Any,
        start_date: Any = None,
        end_date: Any = None,
        df: bool = True,
        count: int | None = None,
    ) -> Any:
        """``is_st`` of several names by day."""
        if info != "is_st":
            raise UsageError("platform.missing", f"get_extras has no {info!r} here", expected="is_st")
        bars = self._host.bars
        last = self.about.past(end_date)
        end = min(bars.row(last + timedelta(days=1)), bars.today + 1)
        begin = bars.last(count, end) if count is not None else min(bars.row(self._start(start_date)), end)
        cells = bars.cells("is_st", begin, end) == 1.0
        codes = self._codes(security_list)
        columns = {code: cells[:, self._host.instrument(code)] for code in codes}
        return self._frame(columns, np.arange(begin, end)) if df else columns

    def _rows(self, at: int, count: int, end: int, skip_paused: bool) -> Any:
        begin = self._host.bars.last(count, end)
        return self._host.bars.traded_rows(at, count, end) if skip_paused else np.arange(begin, end)

    def _column(self, name: str, at: int, rows: Any, fq: str | None) -> Any:
        if not len(rows):
            return np.zeros(0)
        first, last = int(rows[0]), int(rows[-1]) + 1
        return self._host.bars.cells(_field(name), first, last, fq, at)[rows - first]

    def _days(self, rows: Any) -> list[date]:
        if not len(rows):
            return []
        first = int(rows[0])
        days = self._host.bars.days(first, int(rows[-1]) + 1)
        return [days[int(row) - first] for row in rows]

    def _frame(self, columns: Mapping[str, Any], rows: Any) -> Any:
        import pandas as pd

        return pd.DataFrame(dict(columns), index=pd.to_datetime(self._days(rows)))

    def _table(self, columns: Mapping[str, Any], index: Iterable[int]) -> Any:
        import pandas as pd

        return pd.DataFrame(dict(columns), index=list(index))

    def _until(self, value: Any) -> int:
        """One past the row of the last bar asked for. Raises UsageError for a bar that is not over."""
        bars = self._host.bars
        asked = value if value is not None else self._host.previous
        day = self.about.day(asked)
        end = bars.row(day + timedelta(days=1))
        midnight = isinstance(asked, datetime) and asked.time() == time(0)
        if end > bars.end and not (midnight and day == self._host.today):
            raise UsageError(
                "platform.future",
                f"the bar of {day} is not over at {self._host.clock():%Y-%m-%d %H:%M}",
                expected=f"end_date up to {bars.days(bars.end - 1, bars.end)[0] if bars.end else 'nothing'}",
                found=str(day),
                hint="end at context.previous_date",
            )
        return min(end, bars.end)

    def _start(self, value: Any) -> date:
        return self.about.day(value) if value is not None else date(2015, 1, 1)

    def _codes(self, given: Any) -> list[str]:
        if given is None:
            return self._host.context.universe
        return [given] if isinstance(given, str) else list(given)

    # --- status, instruments, days ------------------------------------------------------------------------

    def get_current_data(self, security_list: Any = None) -> CurrentData:
        """Today's status and quotes by code."""
        del security_list
        return CurrentData(self._host, self.about)

    def get_index_stocks(self, index_symbol: str, date: Any = None) -> list[str]:
        return [self._host.code(i) for i in self.about.members(index_symbol, date)]

    def get_all_securities(self, types: Any = ("stock",), date: Any = None) -> Any:
        """Listed instruments of the session's data; the last day of one that still trades is not known."""
        import pandas as pd

        kinds = {types} if isinstance(types, str) else set(types)
        kinds |= {"etf"} if kinds & {"fund", "etf"} else set()
        chosen = [i for i in self.about.alive(date) if self.about.kind(i) in kinds]
        rows = [self._info(i) for i in chosen]
        columns = ("display_name", "name", "start_date", "end_date", "type")
        return pd.DataFrame(
            {n: [getattr(r, n) for r in rows] for n in columns}, index=[r.code for r in rows], columns=columns
        )

    def get_security_info(self, code: str, date: Any = None) -> Any:
        del date
        return self._info(self._host.instrument(code))

    def _info(self, at: int) -> Any:
        return SimpleNamespace(
            code=self._host.code(at),
            display_name=self.about.name(at),
            name=self.about.name(at),
            start_date=self.about.listed(at),
            end_date=_FAR,
            type=self.about.kind(at),
            parent=None,
        )

    def get_trade_days(self, start_date: Any = None, end_date: Any = None, count: int | None = None) -> Any:
        """Sessions between two days, or ``count`` up to a day; the calendar is known beforehand."""
        dates = self._host.terms.dates
        last = min(self.about.day(end_date), dates.last)
        first = self.about.day(start_date) if start_date is not None else dates.first
        found = dates.sessions(max(first, dates.first), last)
        return np.array(found[-count:] if count is not None else found)

    def get_all_trade_days(self) -> Any:
        dates = self._host.terms.dates
        return np.array(dates.sessions(dates.first, dates.last))

    def normalize_code(self, code: Any) -> Any:
        if not isinstance(code, str):
            return [self.normalize_code(c) for c in code]
        return parse_code(code).show("joinquant")


def _daily(unit: str) -> None:
    if unit not in _DAILY:
        raise UsageError(
            "platform.frequency",
            f"this run has daily bars, not {unit!r}",
            expected="1d",
            found=repr(unit),
        )


def _names(fields: Any) -> Sequence[str]:
    return [fields] if isinstance(fields, str) else list(fields)


def _field(name: str) -> str:
    found = FIELDS.get(name)
    if found is None:
        raise UsageError(
            "platform.field", f"there is no field {name!r}", expected=", ".join(FIELDS), found=name
        )
    return found
