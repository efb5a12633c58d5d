"""A sync as Dagster runs: one run a table, in this process, on the workspace's persistent instance."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import dagster as dg

from quant.assets import golden_key, group_of, vendor_key
from quant.core.errors import QuantError
from quant.pipelines.dagster.instance import (
    COMMAND_LINE,
    ORIGIN,
    fail_orphans,
    nobody_serves,
    open_instance,
)
from quant.pipelines.dagster.jobs import job_name
from quant.pipelines.dagster.location import Execution, build_definitions
from quant.pipelines.dagster.notices import quiet_run
from quant.pipelines.dagster.schedules import range_tags
from quant.pipelines.dagster.signals import delivered_after
from quant.pipelines.flows.sync import CheckOutcome, Progress, SyncOutcome, TableFailure, outcome_of
from quant.warehouse.contracts.tables import contract

if TYPE_CHECKING:
    from quant.pipelines.sources import DataSpecs
    from quant.pipelines.workspace import Workspace
    from quant.warehouse.audit import CheckResult, TableRule
    from quant.warehouse.lake import Lake
    from quant.warehouse.sync import IngestReport, SyncItem, SyncPlan


def materialize_plan(
    desk: Workspace, specs: DataSpecs, planned: SyncPlan, *, lake: Lake, progress: Progress
) -> SyncOutcome:
    """Store a plan as one run a table and say what became of it. A table that fails does not stop the others.

    The caller holds ``lake``'s writer lock, so no other sync is running: unfinished runs of earlier ones are
    marked as failed. Raises StateConflict when the lock cannot be had.
    """
    with lake.lock.hold("quant data sync"):
        watch = _Watch(progress, total=len(planned.items))
        definitions = build_definitions(desk, specs, lake=lake, execution=Execution(planned, watch))
        with open_instance(desk) as instance:
            fail_orphans(instance, command_line=True, served=nobody_serves(desk))
            for table, items in planned.by_table().items():
                _run(definitions, instance, table, items, watch)
    return SyncOutcome(outcome_of(watch.reports), tuple(watch.checks), tuple(watch.failures))


@dataclass(slots=True)
class _Watch:
    """Collects what runs tell, and shows how far they are."""

    progress: Progress
    total: int
    done: int = 0
    reports: list[IngestReport] = field(default_factory=list)
    checks: list[CheckOutcome] = field(default_factory=list)
    failures: list[TableFailure] = field(default_factory=list)

    def begun(self, _item: SyncItem) -> None:
        self.progress.count(self.done, self.total, "intervals")
        self.done += 1

    def stored(self, report: IngestReport) -> None:
        self.reports.append(report)

    def failed(self, table: str, error: QuantError) -> None:
        self.failures.append(TableFailure.of(table, error))

    def checked(self, table: str, rule: TableRule, result: CheckResult) -> None:
        self.checks.append(CheckOutcome(table, rule.check, result.passed, rule.severity, result.detail))


def _run(
    definitions: dg.Definitions,
    instance: dg.DagsterInstance,
    table: str,
    items: tuple[SyncItem, ...],
    watch: _Watch,
) -> None:
    """One table's run; whatever stops it is in ``watch`` afterwards."""
    watch.progress(f"sync {table}")
    dataset = items[0].table.dataset
    job = definitions.resolve_job_def(job_name(group_of(dataset)))
    known = len(watch.failures)
    years = range_tags(items) if contract(dataset).partitioned else {}
    with delivered_after():
        result = job.execute_in_process(
            instance=instance,
            asset_selection=_selection(table, items),
            tags={ORIGIN: COMMAND_LINE, **years},
            run_config=quiet_run(),
            raise_on_error=False,
        )
    broken = any(c.table == table and not c.passed and c.severity == "error" for c in watch.checks)
    if not result.success and len(watch.failures) == known and not broken:
        watch.failures.append(_unexpected(table, result))


def _selection(table: str, items: tuple[SyncItem, ...]) -> list[dg.AssetKey]:
    keys = [vendor_key(item.source.name, item.table.dataset) for item in items if item.fetch]
    keys += [golden_key(table) for item in items if item.golden]
    return list(dict.fromkeys(keys))


def _unexpected(table: str, result: dg.ExecuteInProcessResult) -> TableFailure:
    """A bug of ours that ended a run; the traceback is in the run's log."""
    said = "it did not say why"
    for event in result.all_events:
        if event.is_step_failure and (error := event.step_failure_data.error) is not None:
            while error.cause is not None:
                error = error.cause
            said = f"{error.cls_name or 'error'}: {error.message.strip().removeprefix(f'{error.cls_name}: ')}"
    fault = QuantError(
        "internal",
        f"the run of {table} failed: {said.splitlines()[0][:300]}",
        hint=f"quant ui shows the traceback of run {result.run_id}; please report it",
    )
    return TableFailure.of(table, fault)
