"""What is known about companies and indices: valuations, statements by announcement, dated membership."""

from __future__ import annotations

from typing import Final

import polars as pl

from quant.core.market.statements import BASICS, ITEMS
from quant.warehouse.contracts.columns import (
    ID,
    SESSION,
    ColumnContract,
    RowRule,
    TableContract,
    column,
    provenance,
)

_INDEX: Final = column("index_code", pl.String(), "code of the index, 000300.SH")


def _ratio(name: str, meaning: str) -> ColumnContract:
    return column(name, pl.Float64(), meaning, nullable=True, available="close+2h")


def _shares(name: str, meaning: str) -> ColumnContract:
    return column(name, pl.Int64(), meaning, nullable=True, available="close+2h", low=0)


TABLES: Final = (
    TableContract(
        "daily_basics",
        "Valuation and share counts of a session, as a vendor computes them after the close.",
        (
            ID,
            SESSION,
            *(
                _shares(name, meaning) if name.endswith("_shares") else _ratio(name, meaning)
                for name, meaning in BASICS.items()
            ),
            *provenance(),
        ),
        key=("instrument_id", "session"),
        time="session",
        group="fundamentals",
    ),
    TableContract(
        "fundamentals",
        "Items of financial reports, one row per item, period and announcement: a restatement is a further "
        "row, never a change of the first.",
        (
            ID,
            column("item", pl.String(), "what is reported, one of the list below", values=tuple(ITEMS)),
            column("period_end", pl.Date(), "last day of the period that is reported"),
            column("announced", pl.Date(), "date on which this value was published"),
            column(
                "first_announced", pl.Date(), "date on which the period was first published", nullable=True
            ),
            column(
                "report",
                pl.String(),
                "the report it stands in",
                values=("income", "balance", "cash_flow", "indicator"),
            ),
            column(
                "value",
                pl.Float64(),
                "its value, yuan, yuan per share or a ratio",
                nullable=True,
                available="announcement",
            ),
            *provenance(),
        ),
        key=("instrument_id", "report", "item", "period_end", "announced"),
        time="announced",
        rules=(
            RowRule(
                "announced.order",
                "a period can only be announced after it ended",
                pl.col("announced") > pl.col("period_end"),
            ),
        ),
        group="fundamentals",
    ),
    TableContract(
        "index_members",
        "Which instruments an index held, from one session to another.",
        (
            _INDEX,
            ID,
            column("from_session", pl.Date(), "first session as a member"),
            column("to_session", pl.Date(), "last session as a member; null = still", nullable=True),
            *provenance(),
        ),
        key=("index_code", "instrument_id", "from_session"),
        rules=(
            RowRule(
                "dates.order",
                "to_session must not be before from_session",
                pl.col("to_session") >= pl.col("from_session"),
            ),
        ),
        group="indices",
    ),
    TableContract(
        "index_weights",
        "Weights of an index's members as published on a session.",
        (
            _INDEX,
            ID,
            SESSION,
            column(
                "weight",
                pl.Float64(),
                "share of the index, 1 = all of it",
                available="close+2h",
                low=0,
                high=1,
            ),
            *provenance(),
        ),
        key=("index_code", "instrument_id", "session"),
        time="session",
        group="indices",
    ),
)
