"""Daily bars and adjustment factors."""

from __future__ import annotations

from typing import Final

import polars as pl

from quant.warehouse.contracts.columns import (
    AMOUNT,
    ID,
    INSTANT,
    SESSION,
    RowRule,
    TableContract,
    column,
    flag,
    price,
    provenance,
)
from quant.warehouse.contracts.units import unit_rules


def _bar_rules() -> tuple[RowRule, ...]:
    c = pl.col
    traded = c("volume") > 0
    return (
        RowRule(
            "ohlc.order",
            "low <= open, close <= high must hold",
            (c("low") <= c("open"))
            & (c("low") <= c("close"))
            & (c("high") >= c("open"))
            & (c("high") >= c("close"))
            & (c("low") <= c("high")),
        ),
        RowRule(
            "ohlc.missing",
            "a session with volume must have open, high, low and close",
            ~traded | pl.all_horizontal(c(n).is_not_null() for n in ("open", "high", "low", "close")),
        ),
        RowRule(
            "amount.sign",
            "amount must be positive where volume is, and zero where it is not",
            traded == (c("amount") > 0),
        ),
        unit_rules()[0],
        RowRule("limit.order", "limit_down < limit_up must hold", c("limit_down") < c("limit_up")),
        RowRule(
            "limit.exceeded",
            "high and low must lie within the price limits",
            (c("no_limit").fill_null(value=False))
            | ((c("high") <= c("limit_up")) & (c("low") >= c("limit_down"))),
        ),
        RowRule("suspended.traded", "a suspended session has no volume", ~(c("suspended") & traded)),
    )


TABLES: Final = (
    TableContract(
        "bars_1d",
        "Daily bars, unadjusted, one row per instrument and session.",
        (
            ID,
            SESSION,
            column("ts", INSTANT, "end of the bar: the close instant"),
            price("open", "first price", "open"),
            price("high", "highest price", "close"),
            price("low", "lowest price", "close"),
            price("close", "closing price", "close"),
            price("pre_close", "exchange reference price", "preopen"),
            price("limit_up", "highest allowed price", "preopen"),
            price("limit_down", "lowest allowed price", "preopen"),
            column("volume", pl.Int64(), "shares traded", available="close", low=0),
            column("amount", AMOUNT, "yuan traded", available="close", low=0),
            flag("suspended", "no trading on this session"),
            flag("st", "under special treatment"),
            flag("delisting", "in its delisting period"),
            flag("no_limit", "a session without price limits"),
            *provenance(),
        ),
        key=("instrument_id", "session"),
        time="session",
        rules=_bar_rules(),
        group="bars",
    ),
    TableContract(
        "adjustment_factors",
        "Cumulative post-adjustment factors: adjusted price = price * factor.",
        (
            ID,
            SESSION,
            column("factor", pl.Float64(), "cumulative factor", available="preopen", low=1e-9, high=1e9),
            column("inferred", pl.Boolean(), "derived by us, not stated by the source"),
            *provenance(),
        ),
        key=("instrument_id", "session"),
        time="session",
        rules=(RowRule("factor.finite", "the factor must be a finite number", pl.col("factor").is_finite()),),
        group="factors",
        after=("bars_1d", "corporate_actions"),
    ),
)
