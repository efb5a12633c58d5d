"""Minute bars, ticks and funding rates, of Chinese futures and stocks and of crypto exchanges."""

from __future__ import annotations

from typing import Final

import polars as pl

from quant.warehouse.contracts.columns import (
    FINE,
    ID,
    INSTANT,
    SESSION,
    ColumnContract,
    RowRule,
    TableContract,
    column,
    provenance,
)


def _price(name: str, meaning: str) -> ColumnContract:
    return column(name, FINE, f"{meaning}, unadjusted", nullable=True, available="close")


def _amounts(of: str) -> tuple[ColumnContract, ...]:
    return (
        column("volume", FINE, f"quantity traded {of}: shares, contracts or coins", available="close", low=0),
        column(
            "amount",
            FINE,
            f"money traded {of}, in the currency of its prices",
            nullable=True,
            available="close",
            low=0,
        ),
        column("open_interest", FINE, "contracts open at the end", nullable=True, available="close", low=0),
    )


def _bars(name: str, length: str) -> TableContract:
    prices = ("open", "high", "low", "close")
    c = pl.col
    return TableContract(
        name,
        f"Bars of {length}, unadjusted, stamped with their end.",
        (
            ID,
            SESSION,
            column("ts", INSTANT, "end of the bar: the instant from which it can be known"),
            *(
                _price(
                    n, {"open": "first", "high": "highest", "low": "lowest", "close": "last"}[n] + " price"
                )
                for n in prices
            ),
            *_amounts("in the bar"),
            *provenance(),
        ),
        key=("instrument_id", "ts"),
        time="session",
        rules=(
            RowRule(
                "ohlc.order",
                "low <= open, close <= high must hold",
                (c("low") <= c("open"))
                & (c("low") <= c("close"))
                & (c("high") >= c("open"))
                & (c("high") >= c("close")),
            ),
            RowRule(
                "ohlc.missing",
                "a bar with volume must have open, high, low and close",
                (c("volume") == 0) | pl.all_horizontal(c(n).is_not_null() for n in prices),
            ),
        ),
        group="intraday",
    )


TABLES: Final = (
    _bars("bars_1m", "one minute"),
    _bars("bars_5m", "five minutes"),
    _bars("bars_1h", "one hour"),
    TableContract(
        "ticks",
        "Trades and quotes as a feed sent them; volume and amount are of the tick, never running totals.",
        (
            ID,
            SESSION,
            column("ts", INSTANT, "instant of the exchange"),
            column("seq", pl.Int64(), "order among ticks of one instrument and session, from 0"),
            _price("price", "last price"),
            *_amounts("since the tick before"),
            _price("bid", "best bid"),
            _price("ask", "best ask"),
            column("bid_size", FINE, "quantity at the best bid", nullable=True, available="close", low=0),
            column("ask_size", FINE, "quantity at the best ask", nullable=True, available="close", low=0),
            column(
                "side",
                pl.String(),
                "who came to the other",
                nullable=True,
                available="close",
                values=("buy", "sell"),
            ),
            *provenance(),
        ),
        key=("instrument_id", "session", "seq"),
        time="session",
        group="intraday",
    ),
    TableContract(
        "funding_rates",
        "What holders of a perpetual future paid each other.",
        (
            ID,
            SESSION,
            column("ts", INSTANT, "instant of the payment"),
            column(
                "rate", pl.Float64(), "paid by longs to shorts, as a share of the position", available="close"
            ),
            *provenance(),
        ),
        key=("instrument_id", "ts"),
        time="session",
        group="intraday",
    ),
)
