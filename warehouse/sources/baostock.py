"""Baostock: A-shares of Shanghai and Shenzhen without a token, through its SDK in a process of its own.

Prices are asked for unadjusted (``adjustflag`` 3), code by code or day by day, whichever costs less.
Factors come as events: a row on each ex-date.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date
from typing import Final

import polars as pl

from quant.core.errors import CheckFailed, SpecError, UsageError
from quant.core.ids import parse_code
from quant.core.market.calendar import calendar
from quant.warehouse.sources.isolated import IsolatedSdk
from quant.warehouse.sources.port import Payload
from quant.warehouse.sources.settings import SourceSettings
from quant.warehouse.sources.spans import Span, Want, by_months, by_years, halves
from quant.warehouse.sources.vendor import Answer, Call, VendorWorld

DAILY_FIELDS: Final = (
    "date,code,open,high,low,close,preclose,volume,amount,adjustflag,turn,tradestatus,pctChg,peTTM,pbMRQ,"
    "psTTM,pcfNcfTTM,isST"
)
MINUTE_FIELDS: Final = "date,time,code,open,high,low,close,volume,amount,adjustflag"
ENDPOINTS: Final[Mapping[str, tuple[str, ...]]] = {
    "instruments": ("query_stock_basic",),
    "bars_1d": ("query_history_k_data_plus",),
    "daily_basics": ("query_history_k_data_plus",),
    "bars_5m": ("query_history_k_data_plus",),
    "bars_1h": ("query_history_k_data_plus",),
    "adjustment_factors": ("query_adjust_factor",),
    "corporate_actions": ("query_dividend_data",),
    "fundamentals": ("query_profit_data",),
    "index_members": ("query_hs300_stocks",),
}
"""What is asked for a dataset when its spec names no endpoint."""
INDICES: Final = {
    "query_hs300_stocks": "000300.SH",
    "query_sz50_stocks": "000016.SH",
    "query_zz500_stocks": "000905.SH",
}
REPORTS: Final = frozenset({
    "query_profit_data", "query_operation_data", "query_growth_data", "query_dupont_data",
    "query_balance_data", "query_cash_flow_data",
})  # fmt: skip
_FREQUENCIES: Final = {"bars_5m": "5", "bars_1h": "60"}
_MARKETS: Final = ("XSHG", "XSHE")
_STOCK: Final = "1"
_MARKET: Final = 5_500
_ROWS_A_CALL: Final = 1_000
"""A call takes about as long as this many rows; a session of the whole market has that many."""
_LATE_QUARTERS: Final = 6
"""How long after its end a quarter may still be announced or restated."""
_STAMP: Final = "%Y%m%d%H%M%S%3f"


class BaostockAdapter:
    """The calls of one source spec; ``options``: host, port, and ``by``: code, day or auto."""

    def __init__(self, settings: SourceSettings, world: VendorWorld) -> None:
        self._settings, self._world = settings, world
        self._sdk = IsolatedSdk("baostock", self._opening)

    def calls(self, dataset: str, start: date, end: date) -> Iterator[Call]:
        """By code in spans that fit one page, by day, by quarter or by month, as the endpoint needs it."""
        wanted = self._settings.dataset(dataset)
        first = [wanted.endpoint] if wanted.endpoint else ENDPOINTS.get(dataset, ())
        if not first:
            raise UsageError(
                "source.dataset", f"baostock has no {dataset}", expected=", ".join(ENDPOINTS), found=dataset
            )
        for endpoint in dict.fromkeys([*first, *(part.endpoint for part in wanted.parts)]):
            yield from self._plan(endpoint)(Want(endpoint, dataset, start, end))

    def ask(self, call: Call, timeout: float) -> Answer:
        return self._sdk.ask(call, timeout)

    def split(self, call: Call) -> Sequence[Call]:
        """The halves of a call's dates."""
        if "start_date" not in call.params:
            return ()
        first, last = (date.fromisoformat(str(call.params[key])) for key in ("start_date", "end_date"))
        return tuple(
            Call(call.endpoint, {**call.params, **_between(span)}, call.rows // 2)
            for span in halves(first, last)
        )

    def parse(self, payload: Payload) -> pl.DataFrame:
        """The vendor's columns as text. Of instruments stocks only; of a day's list the spec's ``codes``;
        minute bars with ``ts``, milliseconds since 1970 at the bar's end; index members with ``index_code``.
        """
        frame = _records(payload)
        endpoint = str(payload.request.get("endpoint", ""))
        if self._settings.codes and "code" in frame.columns and endpoint not in INDICES:
            chosen = [parse_code(code).show("baostock") for code in self._settings.codes]
            frame = frame.filter(pl.col("code").is_in(chosen))
        if endpoint == "query_stock_basic" and "type" in frame.columns:
            frame = frame.filter(pl.col("type") == _STOCK)
        if endpoint in INDICES:
            frame = frame.with_columns(pl.lit(INDICES[endpoint]).alias("index_code"))
        if endpoint == "query_adjust_factor" and "date" in payload.request:  # not all that are in force
            frame = frame.filter(pl.col("dividOperateDate") == str(payload.request["date"]))
        if "time" in frame.columns:
            local = pl.col("time").str.to_datetime(_STAMP, time_unit="ms", strict=False)
            frame = frame.with_columns(
                local.dt.replace_time_zone(self._settings.timezone).dt.epoch("ms").alias("ts")
            )
        return frame

    def close(self) -> None:
        self._sdk.close()

    def _opening(self) -> Mapping[str, object]:
        return {**self._settings.options, "secret": self._world.secret()}

    def _plan(self, endpoint: str) -> Callable[[Want], Iterator[Call]]:
        if endpoint in REPORTS:
            return self._quarters
        if endpoint in INDICES:
            return self._months
        plans: dict[str, Callable[[Want], Iterator[Call]]] = {
            "query_stock_basic": self._everything,
            "query_history_k_data_plus": self._history,
            "query_adjust_factor": self._factors,
            "query_dividend_data": self._dividends,
            "query_trade_dates": self._dates,
            "query_all_stock": self._all_stock,
        }
        if endpoint not in plans:
            known = [*plans, *REPORTS, *INDICES]
            raise SpecError(
                "source.endpoint",
                f"source {self._settings.name}: baostock has no endpoint {endpoint!r} here",
                expected=", ".join(sorted(known)),
                found=endpoint,
            )
        return plans[endpoint]

    def _everything(self, want: Want) -> Iterator[Call]:
        yield Call(want.endpoint, {}, 1)

    def _history(self, want: Want) -> Iterator[Call]:
        codes = self._codes(want.start, want.end)
        if want.dataset in _FREQUENCIES:
            more = {"fields": MINUTE_FIELDS, "frequency": _FREQUENCIES[want.dataset], "adjustflag": "3"}
            bars = 240 // int(_FREQUENCIES[want.dataset])
            yield from self._by_code(want.endpoint, codes, list(by_months(want.start, want.end)), more, bars)
            return
        spans = list(by_years(want.start, want.end, 5))
        rows = len(codes) * self._count(want.start, want.end)
        if self._day_by_day(want, len(codes) * len(spans) + rows / _ROWS_A_CALL, _MARKET / _ROWS_A_CALL):
            yield from self._days(want, codes=True)
            return
        more = {"fields": DAILY_FIELDS, "frequency": "d", "adjustflag": "3"}
        yield from self._by_code(want.endpoint, codes, spans, more, 1)

    def _factors(self, want: Want) -> Iterator[Call]:
        codes = self._codes(want.start, want.end)
        if self._day_by_day(want, len(codes), 0):
            yield from self._days(want, codes=False)
            return
        yield from self._by_code(want.endpoint, codes, [(want.start, want.end)], {}, 0)

    def _by_code(
        self, endpoint: str, codes: Sequence[str], spans: Sequence[Span], more: Mapping[str, str], bars: int
    ) -> Iterator[Call]:
        """``bars`` a session are certain in months on whose first and last day a code was listed."""
        certain = [self._certain(span) for span in spans]
        for code in codes:
            for span, sessions in zip(spans, certain, strict=True):
                rows = bars * sessions[code]
                yield Call(endpoint, {"code": code, **_between(span), **more}, rows)

    def _certain(self, span: Span) -> Counter[str]:
        """Sessions of a span by code, of whole months in which it was listed."""
        found: Counter[str] = Counter()
        for first, last in by_months(*span):
            count = self._count(first, last)
            for code in set(self._codes(first, first)) & set(self._codes(last, last)):
                found[code] += count
        return found

    def _days(self, want: Want, *, codes: bool) -> Iterator[Call]:
        """Every stock of each session; ``codes``: each that is listed has a row."""
        for day in calendar(self._settings.calendar).sessions(want.start, want.end):
            rows = len(self._codes(day, day)) if codes else 0
            yield Call(want.endpoint, {"date": day.isoformat()}, rows)

    def _dividends(self, want: Want) -> Iterator[Call]:
        for code in self._codes(want.start, want.end):
            for year in range(want.start.year, want.end.year + 1):
                yield Call(want.endpoint, {"code": code, "year": str(year), "yearType": "operate"})

    def _quarters(self, want: Want) -> Iterator[Call]:
        last = want.end.year * 4 + (want.end.month - 1) // 3
        first = want.start.year * 4 + (want.start.month - 1) // 3 - _LATE_QUARTERS
        for code in self._codes(want.start, want.end):
            for quarter in range(first, last + 1):
                params = {"code": code, "year": str(quarter // 4), "quarter": str(quarter % 4 + 1)}
                yield Call(want.endpoint, params)

    def _months(self, want: Want) -> Iterator[Call]:
        """The list in force at the first session of the interval and of each month in it."""
        days = calendar(self._settings.calendar)
        for first, last in by_months(want.start, want.end):
            sessions = days.sessions(first, last)
            if sessions:
                yield Call(want.endpoint, {"date": sessions[0].isoformat()}, 1)

    def _dates(self, want: Want) -> Iterator[Call]:
        for span in by_years(want.start, want.end, 5):
            yield Call(want.endpoint, _between(span), (span[1] - span[0]).days + 1)

    def _all_stock(self, want: Want) -> Iterator[Call]:
        for day in calendar(self._settings.calendar).sessions(want.start, want.end):
            yield Call(want.endpoint, {"day": day.isoformat()}, 1)

    def _day_by_day(self, want: Want, code_by_code: float, more_a_day: float) -> bool:
        """Whether it costs less to ask for all stocks of each session than for each code, in calls."""
        chosen = self._settings.options.get("by", "auto")
        cost = self._count(want.start, want.end) * (1 + more_a_day)
        return chosen == "day" or (chosen == "auto" and cost < code_by_code)

    def _count(self, start: date, end: date) -> int:
        return len(calendar(self._settings.calendar).sessions(start, end))

    def _codes(self, start: date, end: date) -> list[str]:
        """The vendor's spelling of the codes it has: it knows no exchange but Shanghai and Shenzhen."""
        found = (parse_code(code) for code in self._world.codes(start, end))
        return [code.show("baostock") for code in found if code.mic in _MARKETS]


def open_baostock(settings: SourceSettings, world: VendorWorld) -> BaostockAdapter:
    """The adapter of a source spec."""
    return BaostockAdapter(settings, world)


def _between(span: Span) -> dict[str, str]:
    return {"start_date": span[0].isoformat(), "end_date": span[1].isoformat()}


def _records(payload: Payload) -> pl.DataFrame:
    try:
        told = json.loads(payload.content)
        fields, rows = told["fields"], told["record"]
        return pl.DataFrame(rows, schema=dict.fromkeys(fields, pl.String), orient="row")
    except (ValueError, KeyError, TypeError, pl.exceptions.PolarsError) as error:
        raise CheckFailed(
            "payload.unreadable",
            f"{payload.request.get('endpoint', payload.digest)} gave something else than rows",
            expected="fields and record",
            found=str(error).splitlines()[0],
        ) from error
