"""Vendors' adjustment factors against those that follow from the golden bars and events, as findings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final

import polars as pl

from quant.warehouse.adjust import compare_factors
from quant.warehouse.audit.compare import AuditReport
from quant.warehouse.audit.compare.report import SUMMARY
from quant.warehouse.contracts.tables import contract
from quant.warehouse.lake import VENDOR, Lake, table_ref

TABLE: Final = "adjustment_factors"
WITH: Final = "events"
"""What stands as the other side of a finding."""
BEFORE: Final = timedelta(days=60)
"""How far bars and factors are read before the first session, so that a step there has a close before it."""
_KEY: Final = ["instrument_id", "session"]
_KINDS: Final = {
    "rounding": "rounding",
    "additive": "convention",
    "share_reform": "convention",
    "unknown": "unknown",
}
_COLUMNS: Final = {"rounding": "tolerated", "convention": "explained", "defect": "defects", "unknown": "open"}
"""Kinds of findings and the columns of a summary that count them."""


@dataclass(frozen=True, slots=True)
class FactorAudit:
    """``findings`` as rows of audit_findings; ``compared``: cells and instruments by vendor (b) and year."""

    findings: pl.DataFrame
    compared: pl.DataFrame

    @property
    def cells(self) -> int:
        return int(self.compared["cells"].sum())

    @property
    def open(self) -> pl.DataFrame:
        return self.findings.filter(pl.col("verdict") == "open")


    def report(self) -> AuditReport:
        """The same as an audit of sources says it: the events are one side, each vendor is the other."""
        kinds = self.findings.group_by("b", pl.col("session").dt.year().cast(pl.Int64).alias("year")).agg(
            (pl.col("kind") == kind).sum().cast(pl.Int64).alias(column) for kind, column in _COLUMNS.items()
        )
        counts = self.compared.join(kinds, on=["b", "year"], how="left").with_columns(
            pl.col(list(_COLUMNS.values())).fill_null(0)
        )
        told = pl.sum_horizontal(_COLUMNS.values())
        summary = counts.with_columns(
            cells=pl.max_horizontal("cells", told),
            table=pl.lit(TABLE), a=pl.lit(WITH), field=pl.lit("factor"),
        ).with_columns(equal=pl.col("cells") - told)  # fmt: skip
        rows = tuple(
            {"table": TABLE, "a": WITH, "b": name, "matched": cells, "instruments": instruments,
             "only_a": 0, "only_b": 0}
            for name, cells, instruments in self.compared.group_by("b", maintain_order=True)
            .agg(pl.col("cells").sum(), pl.col("instruments").max()).iter_rows()
        )  # fmt: skip
        none = self.findings.clear()
        return AuditReport(TABLE, summary.select(SUMMARY.names()), self.findings, none, (), rows)


def audit_factors(
    lake: Lake,
    sources: Sequence[str],
    start: date | None,
    end: date | None,
    *,
    audit_id: str,
    stamp: datetime,
) -> FactorAudit | None:
    """Compare what sources have stored between two dates, by default those of the bars, and keep the
    findings. None where there are no bars, events or factors to compare.
    """
    there = [name for name in sources if lake.exists(TABLE, layer=VENDOR, source=name)]
    if not there or not lake.exists("bars_1d") or not lake.exists("corporate_actions"):
        return None
    if start is None or end is None:
        days = lake.read("bars_1d", columns=["session"])["session"]
        if not len(days):
            return None
        start, end = start or pl.select(days.min()).item(), end or pl.select(days.max()).item()
    since = start - BEFORE
    columns = ["instrument_id", "session", "close", "volume", "suspended"]
    bars = lake.read("bars_1d", start=since, end=end, columns=columns)
    events = lake.read("corporate_actions", start=since, end=end)
    found, compared = [], []
    for name in there:
        rows = lake.read(TABLE, layer=VENDOR, source=name, end=end, columns=[*_KEY, "factor"])
        told = rows.filter(pl.col("session") >= since)
        first = rows.clear()
        if _sparse(told, bars):
            told, first = _on_every_session(rows, bars)
        inside = told.filter(pl.col("session") >= start)
        compared.append(
            inside.group_by(pl.col("session").dt.year().cast(pl.Int64).alias("year"))
            .agg(cells=pl.len().cast(pl.Int64), instruments=pl.col("instrument_id").n_unique())
            .sort("year")
            .with_columns(pl.lit(name).alias("b"))
        )
        differ = compare_factors(bars, events, told).filter(pl.col("session") >= start)
        differ = differ.join(first, on=_KEY, how="anti")
        found.append(differ.with_columns(pl.lit(name).alias("b")))
    findings = _as_findings(pl.concat(found), lake, audit_id, stamp)
    if findings.height:
        lake.append(table_ref("audit_findings"), findings)
    return FactorAudit(findings, pl.concat(compared))


def _sparse(factors: pl.DataFrame, bars: pl.DataFrame) -> bool:
    """Whether a vendor has factors on ex-dates only: those in between are as before."""
    rows, sessions = (f.group_by("instrument_id").len()["len"].median() for f in (factors, bars))
    return isinstance(sessions, float) and (not isinstance(rows, float) or rows * 2 < sessions)


def _on_every_session(factors: pl.DataFrame, bars: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Sparse factors on every bar, and the first row of each instrument: by how much the factor grew there
    nobody knows.
    """
    days = bars.select(_KEY).sort("session")
    dense = days.join_asof(
        factors.sort("session"), on="session", by="instrument_id", check_sortedness=False
    )  # fmt: skip
    first = factors.sort("session").group_by("instrument_id").first()
    return dense.filter(pl.col("factor").is_not_null()), first


def _as_findings(found: pl.DataFrame, lake: Lake, audit_id: str, stamp: datetime) -> pl.DataFrame:
    codes = lake.read("instruments", columns=["instrument_id", "code"])
    target = contract("audit_findings")
    kind = pl.col("cause").replace_strict(_KINDS, default="defect", return_dtype=pl.String)
    return (
        found.join(codes, on="instrument_id", how="left", maintain_order="left")
        .with_columns(
            pl.lit(audit_id).alias("audit"),
            pl.lit(TABLE).alias("table"),
            pl.lit(WITH).alias("a"),
            pl.lit(None, pl.Date).alias("to_session"),
            pl.lit("factor").alias("field"),
            pl.col("ours").cast(pl.String).alias("value_a"),
            pl.col("theirs").cast(pl.String).alias("value_b"),
            (pl.col("theirs") - pl.col("ours")).abs().alias("difference"),
            pl.col("relative").abs(),
            pl.lit(1, pl.Int64).alias("cells"),
            kind.alias("kind"),
            pl.when(kind == "defect").then("b").alias("suspect"),
            pl.lit(stamp).alias("recorded_at"),
        )
        .select(pl.col(name).cast(dtype) for name, dtype in target.schema.items())
    )
