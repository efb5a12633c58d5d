"""Definitions of a workspace: the same for the command line, the webserver and the daemon."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import partial
from typing import TYPE_CHECKING

import dagster as dg

from quant.assets import (
    DeclaredFactor,
    DeclaredTable,
    Observer,
    Unobserved,
    Warehouse,
    Years,
    build_assets,
    build_factor_assets,
    declare,
)
from quant.core.market.calendar import calendar
from quant.pipelines.actor import current_actor
from quant.pipelines.dagster.jobs import group_jobs
from quant.pipelines.dagster.schedules import daily_schedules
from quant.pipelines.dagster.sensors import sensors
from quant.pipelines.flows.factor import store_factor, workspace_factors
from quant.pipelines.flows.sync import SyncRequest, sync_scope
from quant.warehouse.contracts.tables import contract
from quant.warehouse.coverage import hull
from quant.warehouse.lake import Lake

if TYPE_CHECKING:
    from quant.pipelines.sources import DataSpecs
    from quant.pipelines.workspace import Workspace
    from quant.warehouse.sync import SyncPlan


@dataclass(frozen=True, slots=True)
class Execution:
    """One sync of the command line: what it stores, and who is told."""

    planned: SyncPlan
    observer: Observer = field(default_factory=Unobserved)


def build_definitions(
    desk: Workspace, specs: DataSpecs, *, lake: Lake | None = None, execution: Execution | None = None
) -> dg.Definitions:
    """Assets, checks, jobs, schedules and sensors of a workspace under its profile.

    With an ``execution`` runs store its planned items; without one each run plans for its own partitions.
    """
    store = lake or Lake(desk.lake)
    tables = declared_tables(specs)
    warehouse = Warehouse(
        lake=store,
        sources=specs.sources,
        span=lambda: sync_scope(SyncRequest(), specs),
        actor=_actor(desk, served=execution is None),
        commit=current_actor(desk.root).commit,
        planned=execution.planned.by_table() if execution else None,
        observer=execution.observer if execution else Unobserved(),
    )
    factors = declared_factors(desk, tables) if execution is None else ()
    return dg.Definitions(
        assets=[
            *build_assets(tables, partition_years(specs, store, execution)),
            *build_factor_assets(factors),
        ],
        jobs=group_jobs(tables),
        schedules=daily_schedules(tables, warehouse),
        sensors=sensors(tables, factors, warehouse),
        resources={"warehouse": warehouse, "factors": partial(store_factor, desk)},
        executor=dg.in_process_executor,
    )


def declared_tables(specs: DataSpecs) -> tuple[DeclaredTable, ...]:
    """The tables that the profile's sources can fill, and the calendar."""
    offered = [table for table in specs.tables if specs.is_offered(table)]
    return declare(offered, specs.sources, specs.table_specs, specs.source_specs)


def declared_factors(desk: Workspace, tables: Sequence[DeclaredTable]) -> tuple[DeclaredFactor, ...]:
    """The factors whose tables the profile's sources can fill."""
    there = {table.name for table in tables}
    return tuple(
        DeclaredFactor(f.name, f.description, f.expression, tuple(t for t in f.tables if t in there))
        for f in workspace_factors(desk)
        if "bars_1d" in there
    )


def partition_years(specs: DataSpecs, lake: Lake, execution: Execution | None) -> Years:
    """The profile's years, widened by what is stored and by what is about to be."""
    scope = sync_scope(SyncRequest(), specs)
    timed = [t for t in specs.tables if specs.is_offered(t) and contract(t.dataset).time is not None]
    spans = [scope.of(specs.sources[name], table.dataset) for table in timed for name in table.sources]
    whole = hull([span for span in spans if span is not None] or [scope.hull])
    log = lake.read("sync_log", columns=["start", "end"])
    days = [log["start"].min(), log["end"].max()] if log.height else []
    if execution:
        days += [execution.planned.start, execution.planned.end]
    known = [calendar(market) for market in specs.calendars]
    inside = [d for d in days if isinstance(d, date) and any(c.first <= d <= c.last for c in known)]
    return Years(whole.start.year, whole.end.year if specs.end else None).including(inside)


def _actor(desk: Workspace, *, served: bool) -> Mapping[str, str]:
    found = {key: value for key, value in current_actor(desk.root).as_dict().items() if value is not None}
    return {**found, "command": "quant ui"} if served else found
