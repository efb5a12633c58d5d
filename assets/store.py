"""The step behind a table's assets: store what is missing, say what is stored now, judge it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import dagster as dg

from quant.assets.declared import DeclaredTable
from quant.assets.judge import Judged, judge
from quant.assets.keys import golden_key, vendor_key
from quant.assets.metadata import inspect, table_metadata
from quant.assets.partitions import interval_of, year_range
from quant.assets.warehouse import Warehouse
from quant.core.errors import CheckFailed, QuantError
from quant.warehouse.coverage import Interval, hull
from quant.warehouse.fetching import ingest_table
from quant.warehouse.sync import IngestReport

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

    A source that fails does not stop the others; the step fails after everything else is stored. Expected
    failures reach the UI in our words.
    """
    try:
        yield from _stored(context, config, warehouse, table)
    except QuantError as error:
        warehouse.observer.failed(table.name, error)
        raise _failure(error) from error


def _stored(
    context: dg.AssetExecutionContext, config: SyncConfig, warehouse: Warehouse, table: DeclaredTable
) -> Iterator[Results]:
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
        chosen_checks = {key.name for key in context.selected_asset_check_keys}
        rules = [rule for rule in table.rules if rule.check in chosen_checks]
        yield from judge(warehouse, table, rules, Judged(step.years, _stored_dates(step), context.run.run_id))
    if step.failures:
        raise _failure(next(iter(step.failures.values())), ", ".join(sorted(step.failures)))


def _stored_dates(step: _Step) -> Interval | None:
    return hull(Interval(r.start, r.end) for r in step.reports) if step.reports else None


def _ingest(step: _Step, *, restate: bool) -> None:
    """Store what is missing, vendors side by side. Rows that break the contract cost only their own interval;
    any other failure ends the source's turn.
    """
    warehouse, observer = step.warehouse, step.warehouse.observer
    wanted = interval_of(step.years, warehouse.span().hull)
    items = warehouse.items(step.table, wanted, step.sources, golden=step.golden, restate=restate)
    stored = ingest_table(
        items, warehouse.lake, run=step.context.run.run_id, actor=warehouse.actor, begun=observer.begun
    )
    for item, outcome in stored:
        if isinstance(outcome, QuantError):
            observer.failed(step.table.name, outcome)
            step.failures.setdefault(item.label, outcome)
            continue
        observer.stored(outcome)
        step.reports.append(outcome)
    _say_what_waits(step)


def _say_what_waits(step: _Step) -> None:
    """Dates that too few sources have delivered fail the step, unless a source's own failure says why."""
    waiting = [dates for report in step.reports for dates in report.waiting]
    if not waiting or step.failures:
        return
    settings = step.table.settings
    error = CheckFailed(
        "arbitrate.waiting",
        f"{settings.name} was not agreed from {min(d[0] for d in waiting)} to {max(d[1] for d in waiting)}: "
        "too few sources have delivered",
        expected=f"{settings.arbitrate.needs if settings.arbitrate else 1} of {', '.join(settings.sources)}",
        found="fewer; the table is unchanged there",
        hint=f"quant data sync {settings.name}, or lower needs: in the table's spec",
    )
    step.warehouse.observer.failed(settings.name, error)
    step.failures.setdefault(settings.label, error)


def _materialized(step: _Step) -> Iterator[dg.MaterializeResult]:  # type: ignore[type-arg]
    """A result for each asset, with metadata for each of its years; only the years that were stored count
    for an asset whose source failed.
    """
    label, dataset = step.table.settings.label, step.table.settings.dataset
    for source in sorted(step.sources):
        mine = [r for r in step.reports if r.source == source]
        key = vendor_key(source, dataset)
        yield from _result(step, key, source, mine, failed=source in step.failures)
    if step.golden:
        mine = [r for r in step.reports if r.source == label]
        last = {(r.start, r.end): r for r in step.reports if r.delivered}
        key, failed = golden_key(step.table.name), label in step.failures
        yield from _result(step, key, None, mine, failed=failed, told=list(last.values()))


def _result(
    step: _Step,
    key: dg.AssetKey,
    source: str | None,
    reports: Sequence[IngestReport],
    *,
    failed: bool,
    told: Sequence[IngestReport] = (),
) -> Iterator[dg.MaterializeResult]:  # type: ignore[type-arg]
    """``told`` are the reports that say what the sources disagree about."""
    context = step.context
    if failed and not reports:
        return
    stored = inspect(step.warehouse, step.table.contract, source, step.partitions)
    for year in step.partitions:
        part = [r for r in reports if r.start.year <= year <= r.end.year]
        about = [r for r in told if r.start.year <= year <= r.end.year]
        metadata = table_metadata(stored, year, part, step.warehouse, about)
        if not failed:
            context.add_asset_metadata(metadata, asset_key=key, partition_key=str(year))
        elif part:
            context.log_event(dg.AssetMaterialization(key, partition=str(year), metadata=metadata))
    if not failed:
        whole = {} if step.years else table_metadata(stored, None, reports, step.warehouse, told)
        yield dg.MaterializeResult(
            asset_key=key, metadata=whole, data_version=dg.DataVersion(stored.content_hash)
        )


def _failure(error: QuantError, sources: str = "") -> dg.Failure:
    fault = error.fault
    stated = {
        "code": fault.code,
        "expected": fault.expected,
        "found": fault.found,
        "hint": fault.hint,
        "sources": sources,
    }
    return dg.Failure(
        description=str(error),
        metadata={name: value for name, value in stated.items() if value},
        allow_retries=False,
    )
