"""What is traded and when: instruments, their dated attributes, calendars."""

from __future__ import annotations

from typing import Final

import polars as pl

from quant.warehouse.contracts.columns import (
    ID,
    INSTANT,
    SESSION,
    RowRule,
    TableContract,
    column,
    provenance,
)

TABLES: Final = (
    TableContract(
        "instruments",
        "One row per instrument: what it is and when it was listed.",
        (
            ID,
            column("code", pl.String(), "exchange code, 600519.SH"),
            column("mic", pl.String(), "market identifier code of the exchange"),
            column("name", pl.String(), "latest known name", nullable=True),
            column("board", pl.String(), "board at listing (core.market.instrument.Board)"),
            column("currency", pl.String(), "ISO 4217 currency of its prices"),
            column("list_date", pl.Date(), "first session; null = unknown", nullable=True),
            column("delist_date", pl.Date(), "first date no longer listed; null = none", nullable=True),
            *provenance(),
        ),
        key=("instrument_id",),
        rules=(
            RowRule(
                "dates.order",
                "delist_date must be after list_date",
                pl.col("delist_date") > pl.col("list_date"),
            ),
        ),
    ),
    TableContract(
        "instrument_attributes",
        "Dated attributes of instruments: names, ST spells, boards, former codes, delisting periods, halts.",
        (
            ID,
            column(
                "attribute",
                pl.String(),
                "which attribute",
                values=("name", "st", "board", "code", "delisting", "suspended"),
            ),
            column("value", pl.String(), "its value as text"),
            column("from_session", pl.Date(), "first session it holds"),
            column("to_session", pl.Date(), "last session it holds; null = still", nullable=True),
            *provenance(),
        ),
        key=("instrument_id", "attribute", "from_session"),
        rules=(
            RowRule(
                "dates.order",
                "to_session must not be before from_session",
                pl.col("to_session") >= pl.col("from_session"),
            ),
        ),
    ),
    TableContract(
        "calendar",
        "Trading sessions of an exchange with their instants.",
        (
            column("mic", pl.String(), "market identifier code of the exchange"),
            SESSION,
            column("preopen", INSTANT, "start of the opening auction"),
            column("open", INSTANT, "start of continuous trading"),
            column("close", INSTANT, "end of the closing auction"),
            *provenance(),
        ),
        key=("mic", "session"),
        time="session",
        rules=(
            RowRule(
                "instants.order",
                "preopen <= open < close must hold",
                (pl.col("preopen") <= pl.col("open")) & (pl.col("open") < pl.col("close")),
            ),
        ),
    ),
)
