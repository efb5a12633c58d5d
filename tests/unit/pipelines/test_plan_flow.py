"""``quant plan``: what is said to be stale is what is then done again, and nothing else is."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from quant.pipelines.flows.backtest import backtest
from quant.pipelines.flows.plan import CHANGED, MISSING, blast_radius
from quant.pipelines.flows.sync import SyncRequest, plan_sync
from quant.pipelines.sources import data_specs
from quant.pipelines.workspace import Workspace
from quant.warehouse.lake import Lake
from quant.warehouse.sync import sync

RANGE = "range=[2022-03-01, 2022-06-30]"


def fetch(desk: Workspace) -> int:
    """Bring the tables up to date; how many rows were stored."""
    plan = plan_sync(desk, SyncRequest(), data_specs(desk))
    return sum(report.rows for report in sync(plan, Lake(desk.lake), run="again"))


@pytest.fixture
def desk(small_desk: Workspace, tmp_path: Path) -> Workspace:
    """The small workspace with one run, free to be changed."""
    root = tmp_path / "small"
    shutil.copytree(small_desk.root, root)
    copied = Workspace.find(root)
    backtest(copied, "momentum", [RANGE])
    return copied


def edit(desk: Workspace, file: str, old: str, new: str) -> Workspace:
    """The workspace after a change of one of its files."""
    path = desk.root / file
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")
    return Workspace.find(desk.root)


def test_nothing_is_stale_after_a_run(desk: Workspace) -> None:
    found = blast_radius(desk)
    assert not found.pending, found.as_dict()


def test_another_source_is_planned_then_done(desk: Workspace) -> None:
    changed = edit(desk, "specs/small.yaml", "seed: 11", "seed: 12")
    found = blast_radius(changed)
    tables = {a.table for a in found.assets}
    assert {"bars_1d", "adjustment_factors"} <= tables
    assert {a.reason for a in found.assets} == {CHANGED}
    lake = Lake(desk.lake)
    stored = sum(lake.count(name, layer="vendor", source="small") for name in tables)
    assert found.rows == stored, "the rows that are stored now are those that are written again"
    assert [r.name for r in found.runs] == ["momentum"]
    assert any("bars_1d: will be fetched" in reason for reason in found.runs[0].reasons)
    assert any("bars_1d" in f.reason for f in found.factors)
    before = {name: lake.version(name) for name in tables}
    fetch(changed)
    assert {n for n in tables if Lake(desk.lake).version(n) != before[n]} == tables
    after = blast_radius(changed)
    assert after.assets == () and after.factors == ()
    assert after.runs[0].rows > 0, "the run's own rows have changed"


def test_new_sessions_leave_an_old_run_alone(desk: Workspace) -> None:
    longer = edit(desk, "quant.toml", "2022-12-30", "2023-03-31")
    found = blast_radius(longer)
    bars = [a for a in found.assets if a.table == "bars_1d"]
    assert {(a.reason, a.rows) for a in bars} == {(MISSING, 0)}
    fetch(longer)
    assert blast_radius(longer).runs == ()


def test_a_changed_spec_makes_its_run_stale(desk: Workspace) -> None:
    poorer = edit(desk, "specs/small.yaml", "cash: 10_000_000\nparams", "cash: 1_000_000\nparams")
    found = blast_radius(poorer)
    assert found.assets == ()
    assert [(r.name, r.reasons[0].split(":")[0]) for r in found.runs] == [("momentum", "spec")]
