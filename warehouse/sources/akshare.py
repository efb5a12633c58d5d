"""akshare: daily prices as traded from Eastmoney, factors from Sina, lists of stocks from the exchanges.

These are public web pages, not a service with a promise: they change, and who asks too much is turned away.
Sessions without trading have no row, reference prices are not said, and factors come as events.
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
from quant.warehouse.sources.isolated import PROXIES, IsolatedSdk
from quant.warehouse.sources.port import Payload
from quant.warehouse.sources.settings import SourceSettings
from quant.warehouse.sources.spans import Want, halves
from quant.warehouse.sources.vendor import Answer, Call, VendorWorld

ENDPOINTS: Final[Mapping[str, str]] = {
    "instruments": "stock_info_a_code_name",
    "bars_1d": "stock_zh_a_hist",
    "adjustment_factors": "stock_zh_a_daily",
}
"""What is asked for a dataset when its spec names no endpoint."""
_HISTORY: Final = (
    "日期", "股票代码", "开盘", "收盘", "最高", "最低", "成交量", "成交额",
    "振幅", "涨跌幅", "涨跌额", "换手率",
)  # fmt: skip
LISTS: Final = ("sh_main", "sh_star", "sh_gone", "sz", "sz_gone", "bj")
_LONG: Final = 120
"""Sessions after which a listed name without a single row is a doubt: halts were shorter but for a few."""
_BEFORE_ALL: Final = "1900-01-01"


class AkshareAdapter:
    """The calls of one source spec; ``options.url`` stands before every host, for a mirror."""

    def __init__(self, settings: SourceSettings, world: VendorWorld) -> None:
        self._settings, self._world = settings, world
        self._sdk = IsolatedSdk("akshare", lambda: dict(settings.options), environment=PROXIES)

    def calls(self, dataset: str, start: date, end: date) -> Iterator[Call]:
        """A call a code; factors come whole."""
        wanted = self._settings.dataset(dataset)
        endpoint = wanted.endpoint or ENDPOINTS.get(dataset, "")
        if not endpoint:
            raise UsageError(
                "source.dataset",
                f"akshare has no {dataset} here",
                expected=", ".join(ENDPOINTS),
                found=dataset,
            )
        for name in dict.fromkeys([endpoint, *(part.endpoint for part in wanted.parts)]):
            yield from self._plan(name)(Want(name, dataset, start, end))

    def ask(self, call: Call, timeout: float) -> Answer:
        return self._sdk.ask(call, timeout)

    def split(self, call: Call) -> Sequence[Call]:
        """The halves of a call's dates."""
        if "start_date" not in call.params:
            return ()
        first, last = (_date(str(call.params[key])) for key in ("start_date", "end_date"))
        return tuple(
            Call(call.endpoint, {**call.params, "start_date": _digits(a), "end_date": _digits(b)})
            for a, b in halves(first, last)
        )

    def parse(self, payload: Payload) -> pl.DataFrame:
        """akshare's columns. Lists of the spec's ``codes``; factors with ``code`` and without the first of
        all, which is 1 and dated 1900.
        """
        frame = _table(payload)
        endpoint = str(payload.request.get("endpoint", ""))
        if not frame.width:  # akshare's empty frames have no columns
            told = _HISTORY if endpoint == "stock_zh_a_hist" else ()
            frame = pl.DataFrame(schema=dict.fromkeys(told, pl.String))
        if endpoint == "stock_info_a_code_name":
            frame = frame.with_columns(pl.col("code").cast(pl.String).str.zfill(6))
            chosen = [parse_code(code).symbol for code in self._settings.codes]
            frame = frame.filter(pl.col("code").is_in(chosen)) if chosen else frame
        if endpoint == "stock_zh_a_daily":
            code = str(parse_code(str(payload.request["symbol"])))
            frame = frame.filter(pl.col("date") != _BEFORE_ALL).with_columns(pl.lit(code).alias("code"))
        return frame

    def close(self) -> None:
        self._sdk.close()

    def _plan(self, endpoint: str) -> Callable[[Want], Iterator[Call]]:
        plans: dict[str, Callable[[Want], Iterator[Call]]] = {
            "stock_info_a_code_name": self._lists,
            "stock_zh_a_hist": self._bars,
            "stock_zh_a_daily": self._sina,
        }
        if endpoint not in plans:
            raise SpecError(
                "source.endpoint",
                f"source {self._settings.name}: akshare has no endpoint {endpoint!r} here",
                expected=", ".join(sorted(plans)),
                found=endpoint,
            )
        return plans[endpoint]

    def _lists(self, want: Want) -> Iterator[Call]:
        for name in LISTS:
            yield Call(want.endpoint, {"list": name})

    def _bars(self, want: Want) -> Iterator[Call]:
        certain = set(self._world.codes(want.start, want.start)) & set(self._world.codes(want.end, want.end))
        long = len(calendar(self._settings.calendar).sessions(want.start, want.end)) >= _LONG
        dates = {"start_date": _digits(want.start), "end_date": _digits(want.end)}
        for code in sorted(self._world.codes(want.start, want.end)):
            params = {"symbol": parse_code(code).symbol, "period": "daily", **dates, "adjust": ""}
            yield Call(want.endpoint, params, int(long and code in certain))

    def _sina(self, want: Want) -> Iterator[Call]:
        """Prices without a factor where bars are wanted, else the factors alone."""
        for code in sorted(self._world.codes(want.start, want.end)):
            symbol = {"symbol": parse_code(code).show("akshare")}
            if want.dataset == "adjustment_factors":
                yield Call(want.endpoint, {**symbol, "adjust": "hfq-factor"})
                continue
            dates = {"start_date": _digits(want.start), "end_date": _digits(want.end)}
            yield Call(want.endpoint, {**symbol, **dates, "adjust": ""})


def open_akshare(settings: SourceSettings, world: VendorWorld) -> AkshareAdapter:
    """The adapter of a source spec."""
    return AkshareAdapter(settings, world)


def _digits(day: date) -> str:
    return day.strftime("%Y%m%d")


def _date(digits: str) -> date:
    return date(int(digits[:4]), int(digits[4:6]), int(digits[6:]))


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
