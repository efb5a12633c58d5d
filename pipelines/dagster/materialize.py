"""A sync as Dagster runs: one run a table, in this process, on the workspace's persistent instance."""

from __future__ import annotations

import errno
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import dagster as dg

from quant.assets import DeclaredTable, golden_key, group_of, vendor_key
from quant.core.errors import QuantError
from quant.pipelines.dagster.instance import (
    COMMAND_LINE,
    ORIGIN,
    fail_orphans,
    kept_open,
    nobody_serves,
    open_instance,
)
from quant.pipelines.dagster.jobs import job_name
from quant.pipelines.dagster.location import Execution, build_definitions, declared_tables
from quant.pipelines.dagster.notices import quiet_run
from quant.pipelines.dagster.schedules import range_tags
from quant.pipelines.dagster.signals import delivered_after
from quant.pipelines.flows.sync import CheckOutcome, Progress, SyncOutcome, TableFailure, outcome_of
from quant.pipelines.unreported import Span, Unreported, joined
from quant.warehouse.files import DATABASE_FULL, explained_database, no_room

if TYPE_CHECKING:
    from quant.pipelines.sources import DataSpecs
    from quant.pipelines.workspace import Workspace
    from quant.warehouse.audit import CheckResult, TableRule
    from quant.warehouse.lake import Lake
    from quant.warehouse.sync import IngestReport, Item, SyncPlan

NO_YEARS: Final = (0, 0)
"""In the note of what is unreported: a table without partitions."""


@dataclass(frozen=True, slots=True)
class TableRun:
    """One table's part of a sync. ``years`` are those whose partitions the run reports, None for a table
    without partitions. No items: what a killed sync stored is reported and judged.
    """

    table: DeclaredTable
    items: tuple[Item, ...]
    years: Span | None

    @property
    def selection(self) -> list[dg.AssetKey]:
        """The assets that the items fill; all of the table's where something is left to report."""
        dataset = self.table.settings.dataset
        sources = [i.label for i in self.items if i.fetch] or [s.name for s in self.table.sources]
        golden = not self.items or any(item.golden for item in self.items)
        keys = [vendor_key(name, dataset) for name in sources]
        return [*dict.fromkeys(keys), *([golden_key(self.table.name)] if golden else [])]


def materialize_plan(
    desk: Workspace, specs: DataSpecs, planned: SyncPlan, *, lake: Lake, progress: Progress
) -> SyncOutcome:
    """Store a plan as one run a table and say what became of it. A table that fails does not stop the others.

    While ``lake``'s writer lock is held no other sync is running: unfinished runs of earlier ones are marked
    as failed, and what they stored without saying so is reported now. Raises StateConflict when the lock
    cannot be had.
    """
    with lake.lock.hold("quant data sync"):
        watch = _Watch(progress, total=len(planned.items))
        note = Unreported.of(desk)
        runs = table_runs(declared_tables(specs), planned, note.read())
        note.write({run.table.name: run.years or NO_YEARS for run in runs})
        definitions = build_definitions(desk, specs, lake=lake, execution=Execution(planned, watch))
        home = desk.dagster_home
        with explained_database(home), open_instance(desk) as instance, kept_open(desk):
            fail_orphans(instance, command_line=True, served=nobody_serves(desk))
            for run in runs:
                _execute(desk, definitions, instance, run, watch)
                note.remove(run.table.name)
    order = {(item.table.name, item.label): n for n, item in reversed([*enumerate(planned.items)])}
    reports = sorted(watch.reports, key=lambda r: order.get((r.table, r.source), 0))
    return SyncOutcome(outcome_of(reports), tuple(watch.checks), tuple(watch.failures))


def table_runs(
    tables: Sequence[DeclaredTable], planned: SyncPlan, unreported: Mapping[str, Span]
) -> list[TableRun]:
    """The runs of a sync in the plan's order, then those of tables that only have something to report."""
    by_name = {table.name: table for table in tables}
    items = planned.by_table()
    names = [*items, *(name for name in unreported if name not in items and name in by_name)]
    runs = []
    for name in names:
        mine = items.get(name, ())
        years = unreported.get(name, NO_YEARS)
        if mine:
            own = (min(i.start for i in mine).year, max(i.end for i in mine).year)
            years = joined(own, unreported.get(name))
        runs.append(TableRun(by_name[name], mine, years if by_name[name].contract.partitioned else None))
    return runs


@dataclass(slots=True)
class _Watch:
    """Collects what runs tell, and shows how far they are."""

    progress: Progress
    total: int
    done: int = 0
    reports: list[IngestReport] = field(default_factory=list)
    checks: list[CheckOutcome] = field(default_factory=list)
    failures: list[TableFailure] = field(default_factory=list)

    def begun(self, _item: Item) -> None:
        self.progress.count(self.done, self.total, "intervals")
        self.done += 1

    def stored(self, report: IngestReport) -> None:
        self.reports.append(report)

    def failed(self, table: str, error: QuantError) -> None:
        self.failures.append(TableFailure.of(table, error))

    def checked(self, table: str, rule: TableRule, result: CheckResult) -> None:
        self.checks.append(CheckOutcome(table, rule.check, result.passed, rule.severity, result.detail))


def _execute(
    desk: Workspace, definitions: dg.Definitions, instance: dg.DagsterInstance, run: TableRun, watch: _Watch
) -> None:
    """One table's run; whatever stops it is in ``watch`` afterwards."""
    name = run.table.name
    watch.progress(f"sync {name}")
    job = definitions.resolve_job_def(job_name(group_of(run.table.settings.dataset)))
    known = len(watch.failures)
    with delivered_after():
        result = job.execute_in_process(
            instance=instance,
            asset_selection=run.selection,
            tags={ORIGIN: COMMAND_LINE, **(range_tags(run.years) if run.years else {})},
            run_config=quiet_run(),
            raise_on_error=False,
        )
    broken = any(c.table == name and not c.passed and c.severity == "error" for c in watch.checks)
    if not result.success and len(watch.failures) == known and not broken:
        watch.failures.append(_unexpected(desk, name, result))


def _unexpected(desk: Workspace, table: str, result: dg.ExecuteInProcessResult) -> TableFailure:
    """A bug of ours that ended a run; the traceback is in the run's log."""
    said = "it did not say why"
    for event in result.all_events:
        if event.is_step_failure and (error := event.step_failure_data.error) is not None:
            while error.cause is not None:
                error = error.cause
            said = f"{error.cls_name or 'error'}: {error.message.strip().removeprefix(f'{error.cls_name}: ')}"
    if DATABASE_FULL in said or os.strerror(errno.ENOSPC) in said:
        return TableFailure.of(table, no_room(desk.dagster_home, said.splitlines()[0][:200]))
    fault = QuantError(
        "internal",
        f"the run of {table} failed: {said.splitlines()[0][:300]}",
        hint=f"quant ui shows the traceback of run {result.run_id}; please report it",
    )
    return TableFailure.of(table, fault)
