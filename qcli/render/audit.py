"""Screens of ``quant data audit`` and ``diff``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from quant.qcli.screen import is_wide, note, print_table

if TYPE_CHECKING:
    from quant.pipelines.flows.audit import AuditOutcome, TableAudit


def print_audit(outcome: AuditOutcome, limit: int) -> None:
    """Counts by pair and field, the causes, and the findings that nobody can call agreement."""
    for table in outcome.tables:
        _print_table_audit(table, limit)
    reasons: dict[str, list[str]] = {}
    for name, why in outcome.skipped.items():
        reasons.setdefault(why.removeprefix(f"{name}: "), []).append(name)
    for why, names in reasons.items():
        note(f"skipped ({why}): {', '.join(names)}")


def _print_table_audit(table: TableAudit, limit: int) -> None:
    import polars as pl

    report = table.report
    for row in report.rows:
        note(
            f"{row['table']}: {row['a']} against {row['b']}: {row['matched']:,} common rows of "
            f"{row['instruments']:,} instruments; {row['only_a']:,} rows only in {row['a']}, "
            f"{row['only_b']:,} only in {row['b']}"
        )
    for line in report.alignment:
        note(f"  {line}")
    sums = report.summary.group_by("a", "b", "field", maintain_order=True).agg(
        pl.col("cells", "equal", "tolerated", "explained", "defects", "open").sum()
    )
    if len(report.rows) == 1:  # the line above says which two
        sums = sums.drop("a", "b")
    print_table(
        sums.columns,
        [tuple(f"{c:,}" if isinstance(c, int) else c for c in row) for row in sums.iter_rows()],
    )
    causes = report.causes
    if causes.height:
        named = {"field": "field", "cause": "cause", "verdict": "verdict", "suspect": "against",
                 "findings": "findings", "cells": "cells", "from_session": "from", "to_session": "to",
                 "detail": "recognised by"}  # fmt: skip
        if not is_wide():
            named = {key: name for key, name in named.items() if key not in ("from_session", "to_session")}
        print_table(tuple(named.values()), [[r[key] for key in named] for r in causes.head(limit).to_dicts()])
    for row in report.coverage.iter_rows(named=True):
        note(f"  {row['cause']}: {row['detail']}")
    for row in report.offenders:
        if row["suspected"] or row["alone"]:
            note(f"  {row['source']}: {row['suspected']} findings against it, {row['alone']} times alone")
    note(f"{report.table}: {table.verdict}")


def print_diff(table: TableAudit, limit: int) -> None:
    """Single differences, a line each."""
    rows = table.report.findings
    print_table(
        ("code", "session", "to", "field", "a", "b", "cause", "detail"),
        [
            (r["code"], r["session"], r["to_session"] if r["to_session"] != r["session"] else None,
             r["field"], r["value_a"], r["value_b"], r["cause"], r["detail"])
            for r in rows.head(limit).iter_rows(named=True)
        ],
    )  # fmt: skip
    for row in table.report.rows:
        lone = f"{row['only_a']:,} only in {row['a']}, {row['only_b']:,} only in {row['b']}"
        note(f"{row['matched']:,} common rows, {lone}")
    if rows.height > limit:
        note(f"{rows.height:,} differences, {limit:,} shown; --limit shows more, --json all")
