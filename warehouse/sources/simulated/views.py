"""How vendors print the same market: column names, codes, units and dates of each view.

| | view a, as Tushare prints it | views b and c, as JoinQuant prints it |
|---|---|---|
| codes | 605999.SH | 605999.XSHG |
| dates | 20240603 | 2024-06-03 |
| volume | vol, lots of 100 shares | volume, shares |
| amount | amount, thousand yuan | money, yuan |
| cash dividend | cash_div_tax, per share | bonus_ratio_rmb, per 10 shares |
| bonus shares | stk_div, per share | dividend_ratio, per 10 shares |
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from quant.core.errors import UsageError
from quant.core.ids import CodeStyle, parse_code
from quant.core.market.instrument import Board
from quant.warehouse.sources.simulated.attributes import attributes, listed_until
from quant.warehouse.sources.simulated.disagreements import ShownMarket
from quant.warehouse.sources.simulated.market import SimulatedMarket
from quant.warehouse.sources.simulated.roster import BSE_ALL_CODES

_PRICES = ("open", "high", "low", "close", "pre_close", "limit_up", "limit_down")
_FLAGS = ("suspended", "st", "delisting", "no_limit")

DATASETS = ("instruments", "instrument_attributes", "bars_1d", "adjustment_factors", "corporate_actions")


@dataclass(frozen=True, slots=True)
class Style:
    """A vendor's spelling of codes and dates."""

    code: CodeStyle
    date: str


STYLES = {
    "a": Style("tushare", "%Y%m%d"),
    "b": Style("joinquant", "%Y-%m-%d"),
    "c": Style("joinquant", "%Y-%m-%d"),
}


def frame(dataset: str, view: str, shown: ShownMarket, first: int, last: int) -> pl.DataFrame:
    """A dataset as a vendor prints it, of sessions ``first`` to ``last`` (indices, inclusive).

    Instruments are those listed by ``last``; attributes those that held at any time in the range; both as
    known at the market's last session. Rows are sorted by session and instrument.

    Raises:
        UsageError: the source does not offer the dataset.
    """
    match dataset:
        case "instruments":
            table = _instruments(shown.market)
        case "instrument_attributes":
            table = _attributes(shown.market, first, last)
        case "bars_1d":
            table = _bars(shown, first, last)
        case "adjustment_factors":
            table = _factors(shown.market, first, last)
        case "corporate_actions":
            table = _actions(shown.market, first, last)
        case _:
            raise UsageError("source.dataset", f"the simulated source has no dataset {dataset!r}",
                             expected=", ".join(DATASETS), found=dataset)
    return _printed(dataset, view, table)


def _instruments(market: SimulatedMarket) -> pl.DataFrame:
    listed = np.flatnonzero(market.listed.any(axis=0)).tolist()
    last = market.sessions[-1]
    first_row = market.listed.argmax(axis=0)
    return pl.DataFrame({
        "code": [market.code(s, last) for s in listed],
        "name": [market.roster.name[s] for s in listed],
        "board": [Board(int(market.board[first_row[s], s])).name for s in listed],
        "currency": ["CNY"] * len(listed),
        "list_date": [market.roster.list_date[s] for s in listed],
        "delist_date": pl.Series([listed_until(market, s) for s in listed], dtype=pl.Date),
    })


def _attributes(market: SimulatedMarket, first: int, last: int) -> pl.DataFrame:
    start, end = market.sessions[first], market.sessions[last]
    rows = [a for a in attributes(market) if a.start <= end and (a.end is None or a.end >= start)]
    return pl.DataFrame({
        "code": [market.code(a.instrument, market.sessions[-1]) for a in rows],
        "attribute": pl.Series([a.attribute for a in rows], dtype=pl.String),
        "value": pl.Series([a.value for a in rows], dtype=pl.String),
        "from_session": pl.Series([a.start for a in rows], dtype=pl.Date),
        "to_session": pl.Series([a.end for a in rows], dtype=pl.Date),
        "announced": pl.Series([a.known for a in rows], dtype=pl.Date),
    })


def _cells(keep: NDArray[np.bool_], first: int, last: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Row and column indices of the kept cells in ``[first, last]``, by session and instrument."""
    t, s = np.nonzero(keep[first : last + 1])
    return t + first, s


def _keys(market: SimulatedMarket, t: NDArray[np.int64], s: NDArray[np.int64]) -> dict[str, pl.Series]:
    """The code and session of each cell; a code is the one in force on the session."""
    count = len(market.roster.code)
    later = [new or old for old, new in zip(market.roster.code, market.roster.later_code, strict=True)]
    changed = np.array([day >= BSE_ALL_CODES for day in market.sessions])
    codes = pl.Series([*market.roster.code, *later], dtype=pl.String)
    days = pl.Series(market.sessions, dtype=pl.Date)
    return {"code": codes.gather(s + count * changed[t]), "session": days.gather(t)}


def _bars(shown: ShownMarket, first: int, last: int) -> pl.DataFrame:
    market = shown.market
    t, s = _cells(market.listed & ~shown.hidden, first, last)
    return pl.DataFrame({
        **_keys(market, t, s),
        **{name: _yuan(getattr(market, name)[t, s]) for name in _PRICES},
        "volume": market.volume[t, s],
        "lots": market.volume[t, s] // 100,
        "amount": market.amount[t, s],
        "thousands": market.amount[t, s] / 1_000.0,
        **{name: getattr(market, name)[t, s].astype(np.int8) for name in _FLAGS},
    })


def _yuan(cents: NDArray[np.int64]) -> pl.Series:
    """Prices in yuan, null for none. NumPy divides, so that the printed text is the shortest one."""
    return pl.Series(np.where(cents > 0, cents / 100.0, np.nan), nan_to_null=True)


def _factors(market: SimulatedMarket, first: int, last: int) -> pl.DataFrame:
    t, s = _cells(market.listed, first, last)
    return pl.DataFrame({**_keys(market, t, s), "factor": market.factor[t, s]})


def _actions(market: SimulatedMarket, first: int, last: int) -> pl.DataFrame:
    rows = [d for d in market.distributions if first <= d.ex <= last]
    rows.sort(key=lambda d: (d.ex, d.instrument))
    days = market.all_sessions
    return pl.DataFrame({
        "code": pl.Series([market.code(d.instrument, days[d.ex]) for d in rows], dtype=pl.String),
        "announced": pl.Series([days[d.announced] for d in rows], dtype=pl.Date),
        "record_session": pl.Series([days[d.ex - 1] for d in rows], dtype=pl.Date),
        "ex_session": pl.Series([days[d.ex] for d in rows], dtype=pl.Date),
        "pay_session": pl.Series([days[d.pay] for d in rows], dtype=pl.Date),
        "cash": pl.Series([d.cash_milli / 1_000 for d in rows], dtype=pl.Float64),
        "cash_of_ten": pl.Series([d.cash_milli / 100 for d in rows], dtype=pl.Float64),
        "bonus": pl.Series([d.bonus_percent / 100 for d in rows], dtype=pl.Float64),
        "bonus_of_ten": pl.Series([d.bonus_percent / 10 for d in rows], dtype=pl.Float64),
    })


def _printed(dataset: str, view: str, table: pl.DataFrame) -> pl.DataFrame:
    style = STYLES[view]
    spelled = {code: parse_code(code).show(style.code) for code in table["code"].unique().to_list()}
    dates = [name for name, dtype in table.schema.items() if dtype == pl.Date]
    table = table.with_columns(
        pl.col("code").replace_strict(spelled, default=None, return_dtype=pl.String),
        *(pl.col(name).dt.strftime(style.date) for name in dates),
    )
    return table.select(pl.col(ours).alias(theirs) for theirs, ours in COLUMNS[view][dataset].items())


def _columns(**names: str) -> dict[str, str]:
    return names


_STATUS = {"is_st": "st", "is_delisting": "delisting", "no_limit": "no_limit"}

COLUMNS: dict[str, dict[str, dict[str, str]]] = {
    "a": {
        "instruments": _columns(
            ts_code="code", name="name", board="board", curr_type="currency", list_date="list_date",
            delist_date="delist_date"),
        "instrument_attributes": _columns(
            ts_code="code", attribute="attribute", value="value", start_date="from_session",
            end_date="to_session", ann_date="announced"),
        "bars_1d": _columns(
            ts_code="code", trade_date="session", open="open", high="high", low="low", close="close",
            pre_close="pre_close", vol="lots", amount="thousands", up_limit="limit_up",
            down_limit="limit_down", suspended="suspended", **_STATUS),
        "adjustment_factors": _columns(ts_code="code", trade_date="session", adj_factor="factor"),
        "corporate_actions": _columns(
            ts_code="code", ann_date="announced", record_date="record_session", ex_date="ex_session",
            pay_date="pay_session", cash_div_tax="cash", stk_div="bonus"),
    },
    "b": {
        "instruments": _columns(
            code="code", display_name="name", board="board", currency="currency", start_date="list_date",
            end_date="delist_date"),
        "instrument_attributes": _columns(
            code="code", attribute="attribute", value="value", start_date="from_session",
            end_date="to_session", pub_date="announced"),
        "bars_1d": _columns(
            code="code", date="session", open="open", close="close", low="low", high="high",
            volume="volume", money="amount", pre_close="pre_close", high_limit="limit_up",
            low_limit="limit_down", paused="suspended", **_STATUS),
        "adjustment_factors": _columns(code="code", date="session", factor="factor"),
        "corporate_actions": _columns(
            code="code", pub_date="announced", a_registration_date="record_session",
            a_xr_date="ex_session", a_bonus_date="pay_session", bonus_ratio_rmb="cash_of_ten",
            dividend_ratio="bonus_of_ten"),
    },
}
"""The vendor's columns in its order, and the column here that each shows."""
COLUMNS["c"] = COLUMNS["b"]
