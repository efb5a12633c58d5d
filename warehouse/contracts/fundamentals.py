"""What is known about companies and indices: valuations, statements by announcement, dated membership."""

from __future__ import annotations

from typing import Final

import polars as pl

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
    return column(name, pl.Int64(), f"{meaning}, shares", nullable=True, available="close+2h", low=0)


TABLES: Final = (
    TableContract(
        "daily_basics",
        "Valuation and share counts of a session, as a vendor computes them after the close.",
        (
            ID,
            SESSION,
            _ratio("turnover", "volume / float shares, 1 = all of them"),
            _ratio("turnover_free", "volume / free-float shares"),
            _ratio("volume_ratio", "volume per minute / its mean over the five sessions before"),
            _ratio("pe", "price / earnings of the last year; null for losses"),
            _ratio("pe_ttm", "price / earnings of the last four quarters; null for losses"),
            _ratio("pb", "price / book value"),
            _ratio("ps", "price / sales of the last year"),
            _ratio("ps_ttm", "price / sales of the last four quarters"),
            _ratio("pcf_ttm", "price / net cash flow of the last four quarters"),
            _ratio("dividend_yield", "dividends of the last year / price"),
            _ratio("dividend_yield_ttm", "dividends of the last twelve months / price"),
            _shares("total_shares", "issued"),
            _shares("float_shares", "that may be traded"),
            _shares("free_shares", "that are traded in fact"),
            _ratio("total_cap", "total_shares * close, yuan"),
            _ratio("float_cap", "float_shares * close, yuan"),
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
            column("item", pl.String(), "what is reported: revenue, net_profit, eps, roe, ..."),
            column("period_end", pl.Date(), "last day of the period that is reported"),
            column("announced", pl.Date(), "date on which this value was published"),
            column(
                "first_announced", pl.Date(), "date on which the period was first published", nullable=True
            ),
            column("report", pl.String(), "the report it stands in: income, indicator, balance, cash_flow"),
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
