"""The checks that compare: what the sources of a table say, two by two, and factors with the events."""

from __future__ import annotations

from typing import Any, Final

import dagster as dg
import polars as pl

from quant.assets.declared import DeclaredTable
from quant.assets.keys import golden_key
from quant.assets.metadata import records
from quant.assets.warehouse import Warehouse
from quant.core.time import to_datetime, utc_now
from quant.warehouse.audit import CheckResult, TableRule
from quant.warehouse.coverage import Interval
from quant.warehouse.lake import VENDOR
from quant.warehouse.sources.registry import provider

SHOWN: Final = 50
"""Findings shown with a check; all of them are in the table audit_findings."""
ABOUT: Final = "cells differ without a good reason"
_ROWS: Final = (
    *("code", "session", "field", "a", "value_a", "b", "value_b", "cause", "suspect", "detail"),
    *("to_session", "cells", "kind", "verdict"),
)
_CAUSES: Final = (
    *("a", "b", "field", "cause", "suspect", "detail", "findings", "cells", "kind", "verdict"),
    *("from_session", "to_session"),
)
"""What is told first is seen without scrolling."""
OF_EVENTS: Final = "factors step otherwise than the events say"


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
    failing = report.findings.filter(pl.col("kind").is_in(["defect", "unknown"]))
    failing = failing.sort(pl.col("verdict") != "open", maintain_order=True)
    metadata: dict[str, Any] = {
        "audit": audit_id,
        "cells": result.total,
        "differing": result.failing,
        "max_diff_rate": rule.tolerance,
        "findings": report.findings.height,
        "from": scope.start.isoformat(),
        "to": scope.end.isoformat(),
    }
    shown = (rates, report.causes.select(_CAUSES), failing.select(_ROWS))
    for name, rows in zip(("rates", "causes", "failing_rows"), shown, strict=True):
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


def compare_with_events(
    warehouse: Warehouse, table: DeclaredTable, rule: TableRule, scope: Interval, audit_id: str
) -> dg.AssetCheckResult | None:
    """The check ``factors_vs_events``: compare each vendor's factors with the events, and keep the findings.
    None while there is nothing to compare.
    """
    from quant.warehouse.audit.factors import audit_factors

    vendors = [source.name for source in table.sources if not provider(source).computed]
    stamp = to_datetime(utc_now())
    with warehouse.lake.lock.hold("audit"):
        found = audit_factors(warehouse.lake, vendors, scope.start, scope.end, audit_id=audit_id, stamp=stamp)
    if found is None:
        return None
    open_ = found.open
    share = open_.height / found.cells if found.cells else 0.0
    causes = open_.group_by("b", "cause").len("findings").sort("findings", descending=True)
    detail = f"{open_.height:,} of {found.cells:,} {OF_EVENTS}"
    if causes.height:
        detail += "; the most: {b} {cause} ({findings})".format(**causes.row(0, named=True))
    passed = share <= rule.tolerance
    result = CheckResult(rule.check, passed, open_.height, found.cells, open_.head(5), OF_EVENTS, detail)
    warehouse.observer.checked(table.name, rule, result)
    metadata: dict[str, Any] = {
        "audit": audit_id,
        "cells": found.cells,
        "findings": found.findings.height,
        "open": open_.height,
        "tolerance": rule.tolerance,
        "from": scope.start.isoformat(),
        "to": scope.end.isoformat(),
    }
    for name, rows in (("causes", causes), ("failing_rows", open_.select(_ROWS))):
        if rows.height:
            metadata[name] = dg.MetadataValue.table(records(rows.head(SHOWN)))
    return dg.AssetCheckResult(
        check_name=rule.check,
        asset_key=golden_key(table.name),
        passed=passed,
        severity=dg.AssetCheckSeverity.ERROR if rule.severity == "error" else dg.AssetCheckSeverity.WARN,
        description=detail,
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
