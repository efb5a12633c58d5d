"""Distributions read off the reference price, for sources that have factors but no events."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

import polars as pl

from quant.core.market.corporate_actions import infer_distribution

SCHEMA: Final = pl.Schema(
    {
        "code": pl.String(),
        "ex_session": pl.Date(),
        "cash_per_share": pl.Decimal(18, 6),
        "bonus_ratio": pl.Decimal(18, 8),
        "payload": pl.String(),
        "row": pl.UInt32(),
    }
)


def infer_events(bars: pl.DataFrame) -> pl.DataFrame:
    """Inferred distributions of raw bars with code, session, close, pre_close, payload, row and, where the
    source has it, factor.

    An event is a session whose reference price is below the close before it and, with factors, on which the
    factor changed. A reference above the close before it is no distribution and is left out.
    """
    ordered = bars.unique(["code", "session"], keep="first", maintain_order=True).sort("code", "session")
    before = pl.col("close").shift(1).over("code")
    jumped = pl.col("pre_close") < before
    if "factor" in bars.columns:
        jumped &= pl.col("factor") != pl.col("factor").shift(1).over("code")
    found = ordered.with_columns(before=before).filter(jumped.fill_null(value=False))
    rows = [
        (
            row["code"],
            row["session"],
            *_distribution(row["before"], row["pre_close"]),
            row["payload"],
            row["row"],
        )
        for row in found.iter_rows(named=True)
    ]
    return pl.DataFrame(rows, schema=SCHEMA, orient="row")


def _distribution(before: Decimal, reference: Decimal) -> tuple[Decimal, Decimal]:
    event = infer_distribution(before, reference)
    return event.cash_per_share, event.bonus_ratio
