"""The check ``cross_source``: what the sources of a table say, compared two by two."""

from __future__ import annotations

from typing import Any, Final

import dagster as dg
import polars as pl

from quant.assets.declared import DeclaredTable
from quant.assets.keys import golden_key
from quant.assets.metadata import records
from quant.assets.warehouse import Warehouse
from quant.warehouse.audit import CheckResult, TableRule
from quant.warehouse.coverage import Interval
from quant.warehouse.lake import VENDOR

SHOWN: Final = 50
"""Findings shown with a check; all of them are in the table audit_findings."""
ABOUT: Final = "cells differ without a good reason"


def compare_sources(
    warehouse: Warehouse, table: DeclaredTable, rule: TableRule, scope: Interval, audit_id: str
) -> dg.AssetCheckResult | None:
    """Audit the rows that the sources have stored of ``scope``, keep the findings, and judge the worst pair
    and field. None while fewer than two sources have stored anything.
    """
    from quant.warehouse.audit.run import audit_table

    lake, settings = warehouse.lake, table.settings
    there = [n for n in settings.sources if lake.exists(settings.dataset, layer=VENDOR, source=n)]
    if len(there) < 2:
        return None
    timed = table.contract.time is not None
    start, end = (scope.start, scope.end) if timed else (None, None)
    report = audit_table(lake, settings, there, start, end, audit_id=audit_id)
    rates = report.rates()
    result = _judged(rule, rates, report.findings)
    warehouse.observer.checked(table.name, rule, result)
    open_ = report.findings.filter(pl.col("verdict") == "open")
    metadata: dict[str, Any] = {
        "audit": audit_id,
        "cells": result.total,
        "differing": result.failing,
        "max_diff_rate": rule.tolerance,
        "findings": report.findings.height,
        "from": scope.start.isoformat(),
        "to": scope.end.isoformat(),
    }
    for name, rows in (("rates", rates), ("causes", report.causes), ("open_findings", open_)):
        if rows.height:
            metadata[name] = dg.MetadataValue.table(records(rows.head(SHOWN)))
    if report.offenders:
        metadata["offenders"] = dg.MetadataValue.json([dict(each) for each in report.offenders])
    return dg.AssetCheckResult(
        check_name=rule.check,
        asset_key=golden_key(table.name),
        passed=result.passed,
        severity=dg.AssetCheckSeverity.ERROR if rule.severity == "error" else dg.AssetCheckSeverity.WARN,
        description=result.detail,
        metadata=metadata,
    )


def _judged(rule: TableRule, rates: pl.DataFrame, findings: pl.DataFrame) -> CheckResult:
    failing = int((rates["defects"] + rates["open"]).sum()) if rates.height else 0
    total = int(rates["cells"].sum()) if rates.height else 0
    worst = rates.sort("rate", descending=True).row(0, named=True) if rates.height else None
    detail = f"{failing:,} of {total:,} {ABOUT}"
    if worst is not None and worst["rate"] > 0:
        detail += (
            f"; the most between {worst['a']} and {worst['b']} in {worst['field']}: {worst['rate']:.3%}, "
            f"at most {rule.tolerance:.3%} allowed"
        )
    return CheckResult(
        check=rule.check,
        passed=worst is None or worst["rate"] <= rule.tolerance,
        failing=failing,
        total=total,
        sample=findings.head(5),
        about=ABOUT,
        detail=detail,
    )
