"""RiceQuant's data functions, over what is known at the instant of the call.

``history_bars`` ends with the newest bar that is over: today's in ``handle_bar`` after the close, yesterday's
before it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from quant.core.errors import UsageError
from quant.core.market.instrument import LISTED, Board
from quant.native.batch import Phase
from quant.native.market import DAILY
from quant.trading.strategies.platforms.facts import About
from quant.trading.view import data_of

if TYPE_CHECKING:
    from quant.trading.strategies.platforms.ricequant import RiceQuant

FIELDS: Final = {
    "open": "open",
    "close": "close",
    "high": "high",
    "low": "low",
    "volume": "volume",
    "total_turnover": "amount",
    "prev_close": "pre_close",
    "limit_up": "limit_up",
    "limit_down": "limit_down",
}
_DEFAULT: Final = ("datetime", "open", "high", "low", "close", "volume")
_KINDS: Final = {"etf": "ETF", "conbond": "Convertible", "stock": "CS"}
_ADJUST: Final = {"pre": "pre", "post": "post", "none": None, None: None}
_BOARDS: Final = {Board.STAR: "KSH", Board.CHINEXT: "GEM", Board.BSE: "BJS"}


class RiceData:
    """The functions, bound to one running file."""

    def __init__(self, host: RiceQuant) -> None:
        self._host = host
        self.about = About(host)

    def names(self) -> dict[str, Any]:
        """What the file finds."""
        own = (
            "history_bars",
            "get_price",
            "current_snapshot",
            "is_suspended",
            "is_st_stock",
            "instruments",
            "all_instruments",
            "index_components",
            "get_trading_dates",
            "get_previous_trading_date",
            "get_next_trading_date",
        )
        return {name: getattr(self, name) for name in own}

    def name_of(self, thing: Any) -> str:
        """The code of a code or an instrument."""
        return str(getattr(thing, "order_book_id", thing))

    # --- bars ---------------------------------------------------------------------------------------------

    def history_bars(
        self,
        order_book_id: Any,
        bar_count: int,
        frequency: str = "1d",
        fields: Any = None,
        skip_suspended: bool = True,
        include_now: bool = False,
        adjust_type: str | None = "pre",
    ) -> Any:
        """The last bars of a name: an array for one field, a structured one for several."""
        del include_now
        if frequency != "1d":
            raise UsageError(
                "platform.frequency", f"this run has daily bars, not {frequency!r}", expected="1d"
            )
        if adjust_type not in _ADJUST:
            raise UsageError(
                "platform.field", f"{adjust_type!r} is no adjustment", expected="pre, post or none"
            )
        bars, at = self._host.bars, self._host.instrument(self.name_of(order_book_id))
        names = [fields] if isinstance(fields, str) else list(fields or _DEFAULT)
        for name in names:
            _field(name)
        begin = bars.last(bar_count, bars.end)
        rows = np.arange(begin, bars.end)
        if skip_suspended:
            rows = bars.traded_rows(at, bar_count, bars.end)
        columns = {name: self._column(name, at, rows, _ADJUST[adjust_type]) for name in names}
        if isinstance(fields, str):
            return columns[fields]
        out = np.empty(len(rows), dtype=[(n, v.dtype) for n, v in columns.items()])
        for name, values in columns.items():
            out[name] = values
        return out

    def get_price(
        self,
        order_book_ids: Any,
        start_date: Any,
        end_date: Any = None,
        frequency: str = "1d",
        fields: Any = None,
        adjust_type: str | None = "pre",
        skip_suspended: bool = False,
        expect_df: bool = True,
        **_named: Any,
    ) -> Any:
        """Bars between two days; only those that are over."""
        del expect_df
        import pandas as pd

        if frequency != "1d":
            raise UsageError(
                "platform.frequency", f"this run has daily bars, not {frequency!r}", expected="1d"
            )
        bars = self._host.bars
        day = self.about.day(end_date) if end_date is not None else self._host.previous
        end = bars.row(day + timedelta(days=1))
        if end > bars.end:
            raise UsageError(
                "platform.future",
                f"the bar of {day} is not over at {self._host.clock():%Y-%m-%d %H:%M}",
                found=str(day),
                hint="end at get_previous_trading_date(context.now)",
            )
        begin = min(bars.row(self.about.day(start_date)), end)
        names = [fields] if isinstance(fields, str) else list(fields or FIELDS)
        many = not isinstance(order_book_ids, str)
        frames = []
        for code in order_book_ids if many else [order_book_ids]:
            at = self._host.instrument(self.name_of(code))
            rows = np.arange(begin, end)
            rows = rows[bars.traded(at, begin, end)] if skip_suspended else rows
            columns = {n: self._column(n, at, rows, _ADJUST[adjust_type]) for n in names}
            index = pd.to_datetime(self._days(rows))
            if many:
                index = pd.MultiIndex.from_product([[code], index], names=["order_book_id", "date"])
            frames.append(pd.DataFrame(columns, index=index))
        frame = pd.concat(frames)
        return frame[fields] if isinstance(fields, str) else frame

    def _column(self, name: str, at: int, rows: Any, fq: str | None) -> Any:
        field = _field(name)
        if field == "datetime":
            return np.array([int(f"{d:%Y%m%d}000000") for d in self._days(rows)], dtype=np.int64)
        if not len(rows):
            return np.zeros(0)
        first, last = int(rows[0]), int(rows[-1]) + 1
        return self._host.bars.cells(field, first, last, fq, at)[rows - first]

    def _days(self, rows: Any) -> list[date]:
        if not len(rows):
            return []
        first = int(rows[0])
        days = self._host.bars.days(first, int(rows[-1]) + 1)
        return [days[int(row) - first] for row in rows]

    def current_snapshot(self, id_or_symbol: Any) -> Bar:
        return Bar(self, self._host.instrument(self.name_of(id_or_symbol)))

    # --- status, instruments, days ------------------------------------------------------------------------

    def is_suspended(self, order_book_id: Any, count: int = 1) -> Any:
        """Of today, or of the last ``count`` days, today the last."""
        return self._status(order_book_id, count, "suspended")

    def is_st_stock(self, order_book_id: Any, count: int = 1) -> Any:
        """Of today, or of the last ``count`` days, today the last."""
        return self._status(order_book_id, count, "is_st")

    def _status(self, order_book_id: Any, count: int, field: str) -> Any:
        bars, at = self._host.bars, self._host.instrument(self.name_of(order_book_id))
        end = bars.today + 1
        values = bars.cells(field, bars.last(count, end), end, at=at) == 1.0
        return bool(values[0]) if count == 1 else values

    def instruments(self, id_or_symbols: Any) -> Any:
        if isinstance(id_or_symbols, str):
            return self._about(self._host.instrument(id_or_symbols))
        return [self._about(self._host.instrument(code)) for code in id_or_symbols]

    def _about(self, at: int) -> Any:
        listed, today = self.about.listed(at), self._host.today
        known = listed is not None and listed <= today
        return SimpleNamespace(
            order_book_id=self._host.code(at),
            symbol=self.about.name(at),
            type=_KINDS[self.about.kind(at)],
            listed_date=listed,
            de_listed_date=None,
            exchange=self._host.code(at).rpartition(".")[2],
            round_lot=self._host.account.lots(at).buy_step,
            board_type=_BOARDS.get(Board(self._host.account.board(at)), "MainBoard"),
            status="Active" if self.about.flag(at, LISTED) else "Unknown",
            days_from_listed=lambda: (today - listed).days if known and listed is not None else -1,
            days_to_expire=lambda: -1,
        )

    def all_instruments(self, type: Any = None, market: str = "cn", date: Any = None) -> Any:
        """Listed instruments as a frame, or of the kinds in ``type`` (CS, ETF, Convertible)."""
        del market
        import pandas as pd

        kinds = None if type is None else {type} if isinstance(type, str) else set(type)
        kinds = kinds | {"CS"} if kinds and "Stock" in kinds else kinds
        found = [self._about(i) for i in self.about.alive(date)]
        rows = [row for row in found if kinds is None or row.type in kinds]
        names = ("order_book_id", "symbol", "type", "listed_date", "exchange", "board_type")
        return pd.DataFrame({n: [getattr(row, n) for row in rows] for n in names}, columns=list(names))

    def index_components(self, order_book_id: Any, date: Any = None) -> list[str]:
        return [self._host.code(i) for i in self.about.members(self.name_of(order_book_id), date)]

    def get_trading_dates(self, start_date: Any, end_date: Any) -> Sequence[date]:
        dates = self._host.terms.dates
        first, last = self.about.day(start_date), self.about.day(end_date)
        return dates.sessions(max(first, dates.first), min(last, dates.last))

    def get_previous_trading_date(self, date: Any, n: int = 1) -> date:
        return self._host.terms.dates.offset(self.about.day(date), -n)

    def get_next_trading_date(self, date: Any, n: int = 1) -> date:
        return self._host.terms.dates.offset(self.about.day(date), n)


class Bar:
    """Today's bar of one name as far as it is over: NaN for what is not known yet."""

    def __init__(self, data: RiceData, at: int) -> None:
        self._data, self._at = data, at
        self.order_book_id = data._host.code(at)

    def _price(self, name: str, known: Phase) -> float:
        view = self._data._host.view
        if view.phase < known:
            return float("nan")
        market = data_of(view).market
        row = market.session_of(view.t) if name in DAILY else view.t
        price = int(market.arrays[name][row, self._at])
        return price / 10_000 if price > 0 else float("nan")

    @property
    def open(self) -> float:
        return self._price("open", Phase.OPEN)

    @property
    def close(self) -> float:
        return self._price("close", Phase.CLOSE)

    @property
    def high(self) -> float:
        return self._price("high", Phase.CLOSE)

    @property
    def low(self) -> float:
        return self._price("low", Phase.CLOSE)

    @property
    def last(self) -> float:
        """The last price known now."""
        return self._data._host.account.price(self._at)

    @property
    def prev_close(self) -> float:
        return self._price("pre_close", Phase.PREOPEN)

    @property
    def limit_up(self) -> float:
        return self._price("limit_up", Phase.PREOPEN)

    @property
    def limit_down(self) -> float:
        return self._price("limit_down", Phase.PREOPEN)

    @property
    def volume(self) -> float:
        view = self._data._host.view
        if view.phase < Phase.CLOSE:
            return float("nan")
        return float(data_of(view).market.arrays["volume"][view.t, self._at])

    @property
    def total_turnover(self) -> float:
        host = self._data._host
        if host.view.phase < Phase.CLOSE:
            return float("nan")
        return float(host.bars.cells("amount", host.bars.today, host.bars.today + 1)[0, self._at])

    @property
    def suspended(self) -> bool:
        return self._data._host.account.suspended(self._at)

    @property
    def is_trading(self) -> bool:
        return not self.suspended

    @property
    def isnan(self) -> bool:
        return bool(np.isnan(self.last))

    @property
    def symbol(self) -> str:
        return self._data.about.name(self._at)

    @property
    def datetime(self) -> Any:
        return self._data._host.clock()

    def mavg(self, intervals: int, frequency: str = "1d") -> float:
        """The mean of the last closes."""
        return float(np.mean(self._data.history_bars(self.order_book_id, intervals, frequency, "close")))


class BarMap:
    """``bar_dict``: a bar for each code that is asked for."""

    def __init__(self, data: RiceData) -> None:
        self._data = data

    def __getitem__(self, code: Any) -> Bar:
        return Bar(self._data, self._data._host.instrument(self._data.name_of(code)))

    def __contains__(self, code: object) -> bool:
        try:
            self._data._host.instrument(str(code))
        except UsageError:
            return False
        return True

    def __iter__(self) -> Iterator[str]:
        return iter(self.keys())

    def keys(self) -> list[str]:
        """The codes of the universe."""
        return self._data._host.context.universe

    def items(self) -> list[tuple[str, Bar]]:
        return [(code, self[code]) for code in self.keys()]


def _field(name: str) -> str:
    if name == "datetime":
        return name
    found = FIELDS.get(name)
    if found is None:
        expected = ", ".join(("datetime", *FIELDS))
        raise UsageError("platform.field", f"there is no field {name!r}", expected=expected, found=name)
    return found
