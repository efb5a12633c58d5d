"""The warehouse's own tables: ids, quarantine, sync log."""

from __future__ import annotations

from typing import Final

import polars as pl

from quant.warehouse.contracts.columns import (
    ID,
    INSTANT,
    TableContract,
    column,
)

TABLES: Final = (
    TableContract(
        "identities",
        "Instrument ids as minted: one row per code and holder; an id is never changed.",
        (
            column("code", pl.String(), "exchange code"),
            column("first_session", pl.Date(), "first session of the instrument, 1900-01-01 = unknown"),
            column("until", pl.Date(), "first date the code was no longer its; null = none", nullable=True),
            ID,
            column("recorded_at", INSTANT, "UTC instant of minting"),
        ),
        key=("code", "first_session"),
        system=True,
    ),
    TableContract(
        "quarantine",
        "Rows that broke a contract, with the rule and the reason.",
        (
            column("table", pl.String(), "table the row was meant for"),
            column("source", pl.String(), "source it came from"),
            column("session", pl.Date(), "date of the row, if it has one", nullable=True),
            column("code", pl.String(), "code as far as known", nullable=True),
            column("rule", pl.String(), "rule that was broken"),
            column("reason", pl.String(), "what the rule demands"),
            column("row_json", pl.String(), "the row"),
            column("payload", pl.String(), "SHA-256 of the raw payload"),
            column("interval_start", pl.Date(), "first date of the interval it was fetched with"),
            column("interval_end", pl.Date(), "last date of that interval"),
            column("recorded_at", INSTANT, "UTC instant of the check"),
        ),
        key=("table", "source", "payload", "row_json", "rule"),
        system=True,
    ),
    TableContract(
        "sync_log",
        "What was synchronised, when, by whom.",
        (
            column("run", pl.String(), "id of the sync"),
            column("source", pl.String(), "source"),
            column("source_hash", pl.String(), "fingerprint of the source's settings and data"),
            column("table", pl.String(), "table"),
            column("start", pl.Date(), "first date of the interval"),
            column("end", pl.Date(), "last date of the interval"),
            column("status", pl.String(), "ok; refused: too many rows set aside; failed: facts say why"),
            column("golden", pl.Boolean(), "whether the interval was taken into the golden table"),
            column("calls", pl.Int64(), "payloads fetched"),
            column("rows", pl.Int64(), "rows stored"),
            column("quarantined", pl.Int64(), "rows set aside"),
            column("facts", pl.String(), "JSON: what is known about the data"),
            column("actor", pl.String(), "JSON: who asked for it"),
            column("recorded_at", INSTANT, "UTC instant of the end"),
            column(
                "settings",
                pl.String(),
                "fingerprint of the source's settings alone, or of the rules of an agreed table",
                nullable=True,
            ),
        ),
        key=("run", "source", "table", "start", "end", "recorded_at"),
        system=True,
    ),
)
