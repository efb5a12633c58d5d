"""Distributions and rights issues by ex-date."""

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
        "Distributions and rights issues by ex-date.",
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
                "bonus_ratio",
                RATIO,
                "new shares per share held for nothing: bonus (送股) and converted (转增) together",
                available="announcement",
                low=0,
                high=1000,
            ),
            column(
                "conversion_ratio",
                RATIO,
                "of these, converted from reserves, which are not taxed; null = unknown",
                nullable=True,
                available="announcement",
                low=0,
                high=1000,
            ),
            column(
                "rights_ratio",
                RATIO,
                "shares offered per share held (配股), as subscribed; null = none",
                nullable=True,
                available="announcement",
                low=0,
                high=100,
            ),
            column(
                "rights_price",
                CASH,
                "yuan per share offered; null = none",
                nullable=True,
                available="announcement",
                low=0,
                high=100_000,
            ),
            column(
                "kind",
                pl.String(),
                "what it is; reform: compensation of the share reform, which sets no reference price",
                values=("cash", "bonus", "conversion", "rights", "mixed", "reform", "inferred", "none"),
            ),
            column("inferred", pl.Boolean(), "derived by us from a factor jump"),
            *provenance(),
        ),
        key=("instrument_id", "ex_session"),
        time="ex_session",
        rules=(
            RowRule(
                "action.empty",
                "an action must pay cash or shares, or offer some",
                (pl.col("cash_per_share") > 0)
                | (pl.col("bonus_ratio") > 0)
                | (pl.col("rights_ratio").fill_null(0) > 0),
            ),
            RowRule(
                "rights.price",
                "shares that are offered must have a price",
                (pl.col("rights_ratio").fill_null(0) == 0) | (pl.col("rights_price").fill_null(0) > 0),
            ),
            RowRule(
                "conversion.share",
                "converted shares are part of the new shares",
                pl.col("conversion_ratio") <= pl.col("bonus_ratio"),
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
