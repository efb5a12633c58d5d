"""The step behind a table's assets: store what is missing, say what is stored now, judge it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date

import dagster as dg
import polars as pl

from quant.assets.declared import DeclaredTable
from quant.assets.keys import VENDOR, golden_key, vendor_key
from quant.assets.metadata import check_metadata, inspect, table_metadata
from quant.assets.partitions import interval_of, year_range
from quant.assets.warehouse import Warehouse
from quant.core.errors import CheckFailed, QuantError
from quant.warehouse.audit import Listing, TableRule, run_check
from quant.warehouse.coverage import Interval
from quant.warehouse.sync import IngestReport, ingest

Results = dg.MaterializeResult | dg.AssetCheckResult  # type: ignore[type-arg]


class SyncConfig(dg.Config):
    """How a run treats what is stored already."""

    restate: bool = True
    """Fetch the interval again even if it is stored; scheduled runs fetch only what is missing."""


@dataclass(slots=True)
class _Step:
    """One execution: which sources were asked for, what was stored, what failed."""

    context: dg.AssetExecutionContext
    warehouse: Warehouse
    table: DeclaredTable
    sources: set[str]
    golden: bool
    years: tuple[int, int] | None
    reports: list[IngestReport] = field(default_factory=list)
    failures: dict[str, QuantError] = field(default_factory=dict)
    """The first failure of each source."""

    @property
    def partitions(self) -> list[int]:
        return list(range(self.years[0], self.years[1] + 1)) if self.years else []


def store(
    context: dg.AssetExecutionContext, config: SyncConfig, warehouse: Warehouse, table: DeclaredTable
) -> Iterator[Results]:
    """Store the table's interval from the selected sources, then run its selected checks.

    A source that fails does not stop the others; the step fails after everything else is stored.
    """
    chosen = context.selected_asset_keys
    step = _Step(
        context,
        warehouse,
        table,
        {s.name for s in table.sources if vendor_key(s.name, table.settings.dataset) in chosen},
        golden_key(table.name) in chosen,
        year_range(context),
    )
    with warehouse.lake.lock.hold(f"sync {table.name}"):
        if step.sources or step.golden:
            _ingest(step, restate=config.restate)
            yield from _materialized(step)
    if step.golden or not step.sources:
        yield from _checked(step)
    if step.failures:
        raise _failure(step)


def _ingest(step: _Step, *, restate: bool) -> None:
    """Store item by item. Rows that break the contract cost only their own interval; any other failure ends
    the source's turn.
    """
    warehouse, observer = step.warehouse, step.warehouse.observer
    wanted = interval_of(step.years, warehouse.span())
    stopped: set[str] = set()
    for item in warehouse.items(step.table, wanted, step.sources, golden=step.golden, restate=restate):
        if item.source.name in stopped:
            continue
        observer.begun(item)
        try:
            report = ingest(item, warehouse.lake, run=step.context.run_id, actor=warehouse.actor)
        except QuantError as error:
            observer.failed(step.table.name, error)
            step.failures.setdefault(item.source.name, error)
            if not isinstance(error, CheckFailed):
                stopped.add(item.source.name)
            continue
        observer.stored(report)
        step.reports.append(report)


def _materialized(step: _Step) -> Iterator[dg.MaterializeResult]:  # type: ignore[type-arg]
    """A result for each asset, with metadata for each of its years; only the years that were stored count
    for an asset whose source failed.
    """
    prefer, dataset = step.table.settings.prefer, step.table.settings.dataset
    for source in sorted(step.sources):
        mine = [r for r in step.reports if r.source == source]
        key = vendor_key(source, dataset)
        yield from _result(step, key, source, mine, failed=source in step.failures)
    if step.golden:
        mine = [r for r in step.reports if r.source == prefer]
        yield from _result(step, golden_key(step.table.name), None, mine, failed=prefer in step.failures)


def _result(
    step: _Step, key: dg.AssetKey, source: str | None, reports: Sequence[IngestReport], *, failed: bool
) -> Iterator[dg.MaterializeResult]:  # type: ignore[type-arg]
    context = step.context
    if failed and not reports:
        return
    stored = inspect(step.warehouse, step.table.contract, source, step.partitions)
    for year in step.partitions:
        part = [r for r in reports if r.start.year <= year <= r.end.year]
        metadata = table_metadata(stored, year, part, step.warehouse)
        if not failed:
            context.add_asset_metadata(metadata, asset_key=key, partition_key=str(year))
        elif part:
            context.log_event(dg.AssetMaterialization(key, partition=str(year), metadata=metadata))
    if not failed:
        whole = {} if step.years else table_metadata(stored, None, reports, step.warehouse)
        yield dg.MaterializeResult(
            asset_key=key, metadata=whole, data_version=dg.DataVersion(stored.content_hash)
        )


def _checked(step: _Step) -> Iterator[dg.AssetCheckResult]:
    """Judge the golden table: the years of this run, or all of it."""
    chosen = {key.name for key in step.context.selected_asset_check_keys}
    rules = [rule for rule in step.table.rules if rule.check in chosen]
    lake, dataset = step.warehouse.lake, step.table.settings.dataset
    if not rules or not lake.exists(step.table.name):
        return
    scope = _scope(step)
    timed = step.table.contract.time is not None
    rows = lake.read(step.table.name, start=scope.start if timed else None, end=scope.end if timed else None)
    listing = Listing(lake.read("instruments"), scope.start, scope.end, step.table.market)
    for rule in rules:
        result = run_check(rule, dataset, rows, listing)
        step.warehouse.observer.checked(step.table.name, rule, result)
        yield dg.AssetCheckResult(
            check_name=rule.check,
            asset_key=golden_key(step.table.name),
            passed=result.passed,
            severity=_severity(rule),
            description=result.detail,
            metadata={
                **check_metadata(rule, result),
                "from": scope.start.isoformat(),
                "to": scope.end.isoformat(),
            },
        )


def _scope(step: _Step) -> Interval:
    """The dates that are judged: inside what is stored, so that a year not synced yet is no gap."""
    log = step.warehouse.lake.read("sync_log").filter(
        (pl.col("status") == "ok")
        & pl.col("golden")
        & (pl.col("table") == step.table.name)
        & (pl.col("source") == step.table.settings.prefer)
    )
    span = step.warehouse.span()
    first, last = log["start"].min(), log["end"].max()
    start = first if isinstance(first, date) else span.start
    end = last if isinstance(last, date) else span.end
    if step.years:
        start, end = max(start, date(step.years[0], 1, 1)), min(end, date(step.years[1], 12, 31))
    return Interval(start, end)


def _severity(rule: TableRule) -> dg.AssetCheckSeverity:
    return dg.AssetCheckSeverity.ERROR if rule.severity == "error" else dg.AssetCheckSeverity.WARN


def _failure(step: _Step) -> dg.Failure:
    error = next(iter(step.failures.values()))
    fault = error.fault
    stated = {
        "code": fault.code,
        "expected": fault.expected,
        "found": fault.found,
        "hint": fault.hint,
        "sources": ", ".join(sorted(step.failures)),
        "layer": VENDOR,
    }
    return dg.Failure(
        description=str(error),
        metadata={name: value for name, value in stated.items() if value},
        allow_retries=False,
    )
