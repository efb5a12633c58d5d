"""What comparing sources found, and how disagreements were settled."""

from __future__ import annotations

from typing import Final

import polars as pl

from quant.warehouse.contracts.columns import INSTANT, TableContract, column

_TABLE: Final = column("table", pl.String(), "table that was compared")
_ID: Final = column(
    "instrument_id", pl.Int64(), "instrument; null = the finding is about many", nullable=True
)
_CODE: Final = column("code", pl.String(), "its code at the time", nullable=True)
_SESSION: Final = column("session", pl.Date(), "session of the cell, or the first of many", nullable=True)

TABLES: Final = (
    TableContract(
        "audit_findings",
        "Where two sources disagree: one row a finding; a systematic break is one finding.",
        (
            column("audit", pl.String(), "id of the audit"),
            _TABLE,
            column("a", pl.String(), "one source"),
            column("b", pl.String(), "the other source"),
            _ID,
            _CODE,
            _SESSION,
            column("to_session", pl.Date(), "last session of the finding", nullable=True),
            column("field", pl.String(), "column, or bar for a whole row"),
            column("value_a", pl.String(), "what one says", nullable=True),
            column("value_b", pl.String(), "what the other says", nullable=True),
            column("difference", pl.Float64(), "largest absolute difference", nullable=True),
            column("relative", pl.Float64(), "largest relative difference", nullable=True),
            column("cells", pl.Int64(), "cells that the finding covers"),
            column("cause", pl.String(), "class of the disagreement"),
            column(
                "kind",
                pl.String(),
                "rounding, a convention, a recognised defect, or unknown",
                values=("rounding", "convention", "defect", "unknown"),
            ),
            column(
                "verdict",
                pl.String(),
                "explained, tolerated or open",
                values=("explained", "tolerated", "open"),
            ),
            column("suspect", pl.String(), "the source that the evidence speaks against", nullable=True),
            column("detail", pl.String(), "how the cause was recognised"),
            column("recorded_at", INSTANT, "UTC instant of the audit"),
        ),
        key=("audit", "table", "a", "b", "code", "session", "field", "cause"),
        system=True,
    ),
    TableContract(
        "arbitrations",
        "Golden cells whose sources disagreed: the votes, the rule, who won.",
        (
            _TABLE,
            _ID,
            _CODE,
            _SESSION,
            column("row", pl.String(), "JSON: key of the golden row"),
            column("field", pl.String(), "column"),
            column("chosen", pl.String(), "the value taken; null = none", nullable=True),
            column("winner", pl.String(), "the source it was taken from; null = nobody", nullable=True),
            column("losers", pl.String(), "sources whose value does not agree with it"),
            column("rule", pl.String(), "vote, priority, tolerance or freshest, and what it found"),
            column("votes", pl.String(), "JSON: source -> value, payload, recorded_at, known_at"),
            column("recorded_at", INSTANT, "UTC instant of the arbitration"),
        ),
        key=("table", "row", "field"),
        system=True,
    ),
    TableContract(
        "quarantine_decisions",
        "Quarantined rows that someone released into their table or dropped for good.",
        (
            column("row", pl.String(), "digest of table, source, rule and row"),
            _TABLE,
            column("source", pl.String(), "source of the row"),
            column("decision", pl.String(), "what was decided", values=("release", "drop")),
            column("reason", pl.String(), "why, in the words of who decided"),
            column("actor", pl.String(), "JSON: who decided"),
            column("recorded_at", INSTANT, "UTC instant of the decision"),
        ),
        key=("row",),
        system=True,
    ),
)
