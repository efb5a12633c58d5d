"""Workspaces whose source is a stand-in, synced without Dagster."""

from __future__ import annotations

from datetime import date
from pathlib import Path

from quant.core.errors import QuantError
from quant.pipelines.flows.sync import SyncRequest, plan_sync
from quant.pipelines.sources import data_specs
from quant.pipelines.workspace import Workspace
from quant.warehouse.lake import Lake
from quant.warehouse.sync import IngestReport, ingest

PROJECT = """\
apiVersion = "quant/v1"
kind = "project"
name = "vendors"
format = 1
[defaults]
profile = "real"
[profiles.real]
sources = ["{source}"]
from = "{start}"
to = "{end}"
"""


def write_desk(root: Path, source: str, document: str, start: date, end: date) -> Workspace:
    """A workspace with one source."""
    (root / "specs").mkdir(parents=True, exist_ok=True)
    (root / "strategies").mkdir(exist_ok=True)
    (root / "quant.toml").write_text(PROJECT.format(source=source, start=start, end=end), encoding="utf-8")
    (root / "specs" / "source.yaml").write_text(document, encoding="utf-8")
    return Workspace.find(root)


def sync_desk(desk: Workspace, *tables: str) -> tuple[list[IngestReport], list[QuantError]]:
    """Store what is missing, interval by interval as a run does; failures end only their table."""
    reports: list[IngestReport] = []
    failures: dict[str, QuantError] = {}
    lake = Lake(desk.lake)
    for item in plan_sync(desk, SyncRequest(tables=tables), data_specs(desk), lake=lake).items:
        if item.table.name in failures:
            continue
        try:
            reports.append(ingest(item, lake, run="test"))
        except QuantError as error:
            failures[item.table.name] = error
    return reports, list(failures.values())
