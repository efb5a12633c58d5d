"""What an audit says: counts by pair, field and year; causes; findings as rows of ``audit_findings``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

import polars as pl

from quant.warehouse.audit.compare.causes import cause
from quant.warehouse.audit.compare.found import Found, as_date
from quant.warehouse.audit.compare.relation import Instruments
from quant.warehouse.contracts.tables import contract

SUMMARY: Final = pl.Schema(
    {
        "table": pl.String(),
        "a": pl.String(),
        "b": pl.String(),
        "field": pl.String(),
        "year": pl.Int64(),
        "cells": pl.Int64(),
        "equal": pl.Int64(),
        "tolerated": pl.Int64(),
        "explained": pl.Int64(),
        "defects": pl.Int64(),
        "open": pl.Int64(),
    }
)
"""Cells by how they compare: explained by a convention, by a recognised defect, or open."""
COVERAGE: Final = frozenset({"coverage", "suspended_rows", "suspended_prices", "not_listed"})
"""Typed absence: told beside the findings, since nobody disagrees."""
Schema = pl.Schema


def findings_schema() -> pl.Schema:
    """The columns of ``audit_findings``."""
    return pl.Schema(contract("audit_findings").schema)


@dataclass(frozen=True, slots=True)
class AuditReport:
    """``summary`` has the columns of ``SUMMARY``, ``findings`` those of the table ``audit_findings``,
    ``coverage`` the same for rows that only one source has for a good reason. ``alignment`` says how the
    relations were brought together, ``rows`` counts rows of a, b and matched ones by pair.
    """

    table: str
    summary: pl.DataFrame
    findings: pl.DataFrame
    coverage: pl.DataFrame
    alignment: tuple[str, ...] = ()
    rows: tuple[Mapping[str, Any], ...] = ()
    offenders: tuple[Mapping[str, Any], ...] = field(default=())

    @property
    def causes(self) -> pl.DataFrame:
        """Findings by pair, field and cause, the most cells first."""
        return (
            self.findings.group_by("a", "b", "field", "cause", "kind", "verdict", "suspect")
            .agg(
                pl.len().cast(pl.Int64).alias("findings"),
                pl.col("cells").sum(),
                pl.col("session").min().alias("from_session"),
                pl.max_horizontal("session", "to_session").max().alias("to_session"),
                pl.col("difference").max(),
                pl.col("relative").max(),
                pl.col("detail").first(),
            )
            .sort(["cells", "field", "cause", "a", "b"], descending=[True, False, False, False, False])
        )

    def rates(self) -> pl.DataFrame:
        """The share of cells that are defects or open, by pair and field."""
        return (
            self.summary.group_by("a", "b", "field", maintain_order=True)
            .agg(pl.col("cells", "defects", "open").sum())
            .with_columns(
                rate=pl.when(pl.col("cells") > 0)
                .then((pl.col("defects") + pl.col("open")) / pl.col("cells"))
                .otherwise(((pl.col("defects") + pl.col("open")) > 0).cast(pl.Float64))
            )
        )

    def beyond(self, most: float) -> pl.DataFrame:
        """The pairs and fields whose rate is above ``most``, the worst first."""
        return self.rates().filter(pl.col("rate") > most).sort("rate", descending=True)


def findings_frame(
    found: Sequence[Found],
    instruments: Instruments,
    table: str,
    a: str,
    b: str,
    audit: str,
    stamp: datetime,
    *,
    dated: bool = True,
) -> pl.DataFrame:
    """Findings as rows; those about many instruments have neither id nor code, those of a table without dates
    no session.
    """
    names = {"a": a, "b": b, "": None}
    rows = [
        {
            "audit": audit,
            "table": table,
            "a": a,
            "b": b,
            "instrument_id": instruments.id(one.instrument) if one.instrument >= 0 else None,
            "code": instruments.codes[one.instrument] if one.instrument >= 0 else one.market or None,
            "session": as_date(one.first) if dated else None,
            "to_session": as_date(one.last) if dated else None,
            "field": one.field,
            "value_a": _text(one.value_a),
            "value_b": _text(one.value_b),
            "difference": one.difference,
            "relative": one.relative,
            "cells": one.cells,
            "cause": one.cause,
            "kind": one.nature,
            "verdict": one.verdict,
            "suspect": names[one.suspect],
            "detail": one.detail.replace("{a}", a).replace("{b}", b),
            "recorded_at": stamp,
        }
        for one in found
    ]
    frame = pl.DataFrame(rows, schema=findings_schema())
    return frame.sort("verdict", "cause", "field", "code", "session", nulls_last=True, maintain_order=True)


def combined(reports: Sequence[AuditReport], offenders: Sequence[Mapping[str, Any]] = ()) -> AuditReport:
    """Several pairs of one table, or several tables, as one report."""
    return AuditReport(
        ", ".join(dict.fromkeys(r.table for r in reports)),
        pl.concat([r.summary for r in reports]) if reports else pl.DataFrame(schema=SUMMARY),
        pl.concat([r.findings for r in reports]) if reports else pl.DataFrame(schema=findings_schema()),
        pl.concat([r.coverage for r in reports]) if reports else pl.DataFrame(schema=findings_schema()),
        tuple(dict.fromkeys(line for r in reports for line in r.alignment)),
        tuple(row for r in reports for row in r.rows),
        tuple(offenders) or tuple(o for r in reports for o in r.offenders),
    )


def about(name: str) -> str:
    """A cause in a sentence."""
    return cause(name).about


def _text(value: float | None) -> str | None:
    if value is None or value != value:
        return None
    return f"{value:.12g}"
