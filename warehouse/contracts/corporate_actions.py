"""Distributions by ex-date."""

from __future__ import annotations

from typing import Final

import polars as pl

from quant.warehouse.contracts.columns import (
    CASH,
    ID,
    RATIO,
    RowRule,
    TableContract,
    column,
    provenance,
)

TABLES: Final = (
    TableContract(
        "corporate_actions",
        "Distributions by ex-date.",
        (
            ID,
            column("ex_session", pl.Date(), "first session without the entitlement"),
            column(
                "record_session", pl.Date(), "last session with it", nullable=True, available="announcement"
            ),
            column(
                "pay_session",
                pl.Date(),
                "cash is paid; null = on the ex-date",
                nullable=True,
                available="announcement",
            ),
            column(
                "cash_per_share",
                CASH,
                "yuan per share before tax",
                available="announcement",
                low=0,
                high=100_000,
            ),
            column(
                "bonus_ratio", RATIO, "new shares per share held", available="announcement", low=0, high=1000
            ),
            column("kind", pl.String(), "what it is", values=("cash", "bonus", "mixed", "inferred", "none")),
            column("inferred", pl.Boolean(), "derived by us from a factor jump"),
            *provenance(),
        ),
        key=("instrument_id", "ex_session"),
        time="ex_session",
        rules=(
            RowRule(
                "action.empty",
                "an action must pay cash or shares",
                (pl.col("cash_per_share") > 0) | (pl.col("bonus_ratio") > 0),
            ),
            RowRule(
                "dates.order",
                "record_session < ex_session <= pay_session must hold",
                (pl.col("record_session").fill_null(pl.date(1900, 1, 1)) < pl.col("ex_session"))
                & (pl.col("pay_session").fill_null(pl.date(9999, 1, 1)) >= pl.col("ex_session")),
            ),
        ),
        group="corporate_actions",
    ),
)
