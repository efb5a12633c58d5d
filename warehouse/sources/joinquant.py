"""JoinQuant through jqdatasdk, which runs in a process of its own (``workers.joinquant``).

Prices are asked for as traded (``fq=None``), halted sessions included; factors as those of post-adjusted
prices. Reports come by the date of their announcement. The secret is ``USER:PASSWORD``.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date
from typing import Any, Final

import polars as pl

from quant.core.errors import CheckFailed, SpecError, UsageError
from quant.core.ids import parse_code
from quant.core.market.calendar import calendar
from quant.warehouse.sources.isolated import IsolatedSdk
from quant.warehouse.sources.port import Payload
from quant.warehouse.sources.settings import SourceSettings
from quant.warehouse.sources.spans import Want, bunches, by_days, by_months, by_years, halves
from quant.warehouse.sources.vendor import Answer, Call, VendorFault, VendorWorld

DAILY_FIELDS: Final = (
    "open", "close", "high", "low", "volume", "money", "pre_close", "high_limit", "low_limit", "paused",
)  # fmt: skip
MINUTE_FIELDS: Final = ("open", "close", "high", "low", "volume", "money")
ENDPOINTS: Final[Mapping[str, tuple[str, ...]]] = {
    "instruments": ("get_all_securities",),
    "bars_1d": ("get_price",),
    "bars_1m": ("get_price",),
    "bars_5m": ("get_price",),
    "bars_1h": ("get_price",),
    "adjustment_factors": ("get_price",),
    "corporate_actions": ("finance.STK_XR_XD",),
    "fundamentals": ("finance.STK_INCOME_STATEMENT",),
    "daily_basics": ("get_valuation",),
    "index_members": ("get_index_stocks",),
    "index_weights": ("get_index_weights",),
}
"""What is asked for a dataset when its spec names no endpoint."""
STATEMENTS: Final = ("income", "balance", "cash_flow", "indicator")
DATED_BY: Final = {
    "finance.STK_XR_XD": "a_xr_date",
    "finance.STK_INCOME_STATEMENT": "pub_date",
    "finance.STK_BALANCE_SHEET": "pub_date",
    "finance.STK_CASHFLOW_STATEMENT": "pub_date",
}
"""The date column by which rows of the host's tables are asked for."""
_FREQUENCIES: Final = {"bars_1m": ("1m", 240), "bars_5m": ("5m", 48), "bars_1h": ("60m", 4)}
_MOST_ROWS: Final = 20_000
_TABLE_ROWS: Final = 5_000
_STATEMENT_ROWS: Final = 10_000
"""Where the SDK itself cuts the rows of the host's tables and of a quarter's reports."""
_MOST_CODES: Final = 200
_LATE_QUARTERS: Final = 6
_NEVER: Final = "2200-01-01"


class JoinQuantAdapter:
    """The calls of one source spec; ``options``: host, port, ``indices`` (codes of indices)."""

    def __init__(self, settings: SourceSettings, world: VendorWorld) -> None:
        self._settings, self._world = settings, world
        self._sdk = IsolatedSdk("joinquant", self._opening)

    def calls(self, dataset: str, start: date, end: date) -> Iterator[Call]:
        """Many codes a call, as far as one answer may be long."""
        wanted = self._settings.dataset(dataset)
        first = [wanted.endpoint] if wanted.endpoint else ENDPOINTS.get(dataset, ())
        if not first:
            raise UsageError(
                "source.dataset", f"jqdatasdk has no {dataset}", expected=", ".join(ENDPOINTS), found=dataset
            )
        for endpoint in dict.fromkeys([*first, *(part.endpoint for part in wanted.parts)]):
            yield from self._plan(endpoint)(Want(endpoint, dataset, start, end))

    def ask(self, call: Call, timeout: float) -> Answer:
        """The answer. A table's page that the SDK cut, and that nobody would split, is refused here."""
        answer = self._sdk.ask(call, timeout)
        page = _TABLE_ROWS if call.endpoint.startswith("finance.") else _STATEMENT_ROWS
        if call.endpoint in (*DATED_BY, *STATEMENTS) and answer.rows >= page:
            caps = [self._settings.page(name, call.endpoint) for name in ("corporate_actions", "fundamentals")
                    if self._settings.offers(name)]  # fmt: skip
            if not any(cap is not None and cap <= page for cap in caps):
                raise VendorFault(
                    "invalid",
                    f"a full page of {answer.rows} rows, and the spec does not say how long one is: "
                    f"max_rows: {page}",
                )
        return answer

    def split(self, call: Call) -> Sequence[Call]:
        """The halves of a call's codes, or of its dates when it is about one."""
        for key in ("security", "security_list", "codes"):
            codes = call.params.get(key)
            if isinstance(codes, list) and len(codes) > 1:
                middle = len(codes) // 2
                return tuple(
                    Call(call.endpoint, {**call.params, key: part}, call.rows // 2)
                    for part in (codes[:middle], codes[middle:])
                )
        if "start_date" not in call.params:
            return ()
        first, last = (date.fromisoformat(str(call.params[k])[:10]) for k in ("start_date", "end_date"))
        return tuple(
            Call(call.endpoint, {**call.params, **self._between(call, *span)}, call.rows // 2)
            for span in halves(first, last)
        )

    def parse(self, payload: Payload) -> pl.DataFrame:
        """The vendor's columns; rows of prices before listing and after delisting are left out, the date that
        means never is null, minute bars have ``ts``, milliseconds since 1970 at the bar's end.
        """
        frame = _table(payload)
        endpoint = str(payload.request.get("endpoint", ""))
        if endpoint == "get_price" and "time" in frame.columns:
            known = [name for name in ("close", "pre_close", "factor") if name in frame.columns]
            frame = frame.filter(pl.any_horizontal(pl.col(known).is_not_null()))
            if payload.dataset in _FREQUENCIES:
                local = pl.col("time").str.to_datetime("%Y-%m-%d %H:%M:%S", time_unit="ms", strict=False)
                local = local.dt.replace_time_zone(self._settings.timezone)
                frame = frame.with_columns(local.dt.epoch("ms").alias("ts"))
        if endpoint == "get_all_securities":
            chosen = [parse_code(code).show("joinquant") for code in self._settings.codes]
            frame = frame.filter(pl.col("code").is_in(chosen)) if chosen else frame
            frame = frame.with_columns(
                pl.when(pl.col("end_date") != _NEVER).then(pl.col("end_date")).alias("end_date")
            )
        if endpoint in ("get_index_stocks", "get_index_weights"):
            index = payload.request.get("index_symbol") or payload.request.get("index_id")
            frame = frame.with_columns(pl.lit(str(parse_code(str(index)))).alias("index_code"))
        return frame

    def close(self) -> None:
        self._sdk.close()

    def _opening(self) -> Mapping[str, object]:
        where = {
            name: self._settings.options[name] for name in ("host", "port") if name in self._settings.options
        }
        return {**where, "secret": self._world.secret()}

    def _plan(self, endpoint: str) -> Callable[[Want], Iterator[Call]]:
        if endpoint in STATEMENTS:
            return self._quarters
        plans: dict[str, Callable[[Want], Iterator[Call]]] = {
            "get_all_securities": self._everything,
            "get_price": self._prices,
            "get_extras": self._extras,
            "get_valuation": self._valuation,
            "get_index_stocks": self._members,
            "get_index_weights": self._members,
            **dict.fromkeys(DATED_BY, self._tables),
        }
        if endpoint not in plans:
            raise SpecError(
                "source.endpoint",
                f"source {self._settings.name}: jqdatasdk has no endpoint {endpoint!r} here",
                expected=", ".join(sorted([*plans, *STATEMENTS])),
                found=endpoint,
            )
        return plans[endpoint]

    def _everything(self, want: Want) -> Iterator[Call]:
        yield Call(want.endpoint, {"types": ["stock"]}, 1)

    def _prices(self, want: Want) -> Iterator[Call]:
        frequency, bars = _FREQUENCIES.get(want.dataset, ("daily", 1))
        fields: Sequence[str] = DAILY_FIELDS if frequency == "daily" else MINUTE_FIELDS
        adjusted: dict[str, object] = {"fq": None}
        if want.dataset == "adjustment_factors":
            fields, adjusted = ("factor",), {"fq": "post", "round": False}
        more = {
            "frequency": frequency,
            "fields": list(fields),
            "skip_paused": False,
            "panel": False,
            **adjusted,
        }
        yield from self._bunched(want, "security", more, bars)

    def _extras(self, want: Want) -> Iterator[Call]:
        yield from self._bunched(want, "security_list", {"info": "is_st", "df": True}, 1)

    def _valuation(self, want: Want) -> Iterator[Call]:
        for call in self._bunched(want, "security_list", {}, 1):
            yield Call(call.endpoint, call.params)  # only sessions with trading have a row

    def _bunched(self, want: Want, key: str, more: Mapping[str, object], bars: int) -> Iterator[Call]:
        """Codes and dates so that codes * bars stay below a page."""
        page = (self._settings.limits.max_rows or _MOST_ROWS) - 1  # one short of full: surely all
        spans = by_years(want.start, want.end)
        if bars > 1:
            spans = by_days(want.start, want.end, max(1, page // (bars * 4)))
        codes = self._codes(want.start, want.end)
        for first, last in spans:
            sessions = len(calendar(self._settings.calendar).sessions(first, last))
            if not sessions:
                continue
            size = max(1, min(_MOST_CODES, page // (sessions * bars)))
            for some in bunches(codes, size):
                params = {key: list(some), **more}
                call = Call(want.endpoint, params, len(some) * sessions * bars)
                yield Call(call.endpoint, {**params, **self._between(call, first, last)}, call.rows)

    def _tables(self, want: Want) -> Iterator[Call]:
        where = (
            {"where": {"report_type": 0}}
            if "STATEMENT" in want.endpoint or "BALANCE" in want.endpoint
            else {}
        )
        for first, last in by_years(want.start, want.end):
            for some in bunches(self._codes(want.start, want.end), _MOST_CODES):
                dates = {"start_date": first.isoformat(), "end_date": last.isoformat()}
                params = {"codes": list(some), "by": DATED_BY[want.endpoint], **dates, **where}
                yield Call(want.endpoint, params)

    def _quarters(self, want: Want) -> Iterator[Call]:
        last = want.end.year * 4 + (want.end.month - 1) // 3
        first = want.start.year * 4 + (want.start.month - 1) // 3 - _LATE_QUARTERS
        for quarter in range(first, last + 1):
            for some in bunches(self._codes(want.start, want.end), _MOST_CODES):
                params = {"codes": list(some), "statDate": f"{quarter // 4}q{quarter % 4 + 1}"}
                yield Call(want.endpoint, params)

    def _members(self, want: Want) -> Iterator[Call]:
        """The list in force at the first session of the interval and of each month in it."""
        key = "index_symbol" if want.endpoint == "get_index_stocks" else "index_id"
        told = self._settings.options.get("indices", ("000300.SH",))
        indices = [told] if isinstance(told, str) else list(told) if isinstance(told, list | tuple) else []
        for first, last in by_months(want.start, want.end):
            sessions = calendar(self._settings.calendar).sessions(first, last)
            for index in indices if sessions else ():
                params = {key: parse_code(str(index)).show("joinquant"), "date": sessions[0].isoformat()}
                yield Call(want.endpoint, params, 1)

    def _between(self, call: Call, first: date, last: date) -> dict[str, str]:
        """The dates of a call; a minute bar's day ends at its last minute, not at its first."""
        frequency = str(call.params.get("frequency", "daily"))
        hour = " 23:59:59" if frequency not in ("daily", "1d") else ""
        return {"start_date": first.isoformat(), "end_date": last.isoformat() + hour}

    def _codes(self, start: date, end: date) -> list[str]:
        found = (parse_code(code) for code in self._world.codes(start, end))
        return sorted(code.show("joinquant") for code in found)


def open_joinquant(settings: SourceSettings, world: VendorWorld) -> JoinQuantAdapter:
    """The adapter of a source spec."""
    return JoinQuantAdapter(settings, world)


def _table(payload: Payload) -> pl.DataFrame:
    try:
        columns: Mapping[str, list[Any]] = json.loads(payload.content)["columns"]
        return pl.DataFrame([pl.Series(name, values, strict=False) for name, values in columns.items()])
    except (ValueError, KeyError, TypeError, pl.exceptions.PolarsError) as error:
        raise CheckFailed(
            "payload.unreadable",
            f"{payload.request.get('endpoint', payload.digest)} gave something else than columns",
            expected="columns of equal length",
            found=str(error).splitlines()[0],
        ) from error
