"""Adjustment factors computed from stored bars and events, as a source like any other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from pathlib import Path

import polars as pl
import pytest

from quant.core.errors import CheckFailed, SpecError
from quant.pipelines.flows.why import payload_of, why
from quant.pipelines.sources import data_specs
from quant.pipelines.workspace import Workspace
from quant.warehouse.arbitrate import ArbitrationSettings
from quant.warehouse.lake import VENDOR, Lake
from quant.warehouse.sources.settings import SourceSettings, TableSettings
from quant.warehouse.sync import IngestReport, SyncItem, plan_sync, sync

START, END = date(2021, 6, 1), date(2022, 6, 30)
SIM = SourceSettings("sim", "simulated", params={"seed": 3, "instruments": 20, "dividends": 3.0})
EVENTS = SourceSettings("events", "events", known_at="preopen")
SOURCES = {"sim": SIM, "events": EVENTS}
INPUTS = [TableSettings(n, n, ("sim",)) for n in ("instruments", "bars_1d", "corporate_actions")]
FACTORS = TableSettings("adjustment_factors", "adjustment_factors", ("events",))
KEYS = ["instrument_id", "session"]


def run(
    lake: Lake,
    *tables: TableSettings,
    sources: Mapping[str, SourceSettings] = SOURCES,
    start: date = START,
    end: date = END,
) -> list[IngestReport]:
    return list(sync(plan_sync(tables, sources, lake, start, end), lake, run="r"))


def factors(lake: Lake, source: str | None = None) -> pl.DataFrame:
    layer = VENDOR if source else None
    return lake.read("adjustment_factors", layer=layer, source=source).sort(KEYS).select(*KEYS, "factor")


def growth(rows: pl.DataFrame) -> pl.Series:
    return rows.select(pl.col("factor") / pl.col("factor").first().over("instrument_id")).to_series()


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """Everything at once, factors of both the market and the events beside each other."""
    lake = Lake(tmp_path_factory.mktemp("whole") / "lake")
    both = replace(FACTORS, sources=("events", "sim"), arbitrate=ArbitrationSettings(rule="priority"))
    run(lake, both, *INPUTS)
    return lake


def test_computed_factors_come_after_what_they_are_computed_from(whole: Lake) -> None:
    plan = plan_sync([FACTORS, *INPUTS], SOURCES, Lake(whole.root / "none"), START, END)
    assert [*plan.by_table()] == ["instruments", "calendar", "bars_1d", "corporate_actions", FACTORS.name]
    rows = whole.read("adjustment_factors", layer=VENDOR, source="events")
    assert rows.height == whole.count("bars_1d") > 3_000
    assert rows["source"].unique().to_list() == ["events"]
    assert (
        growth(factors(whole, "events")) - growth(factors(whole, "sim"))
    ).abs().max() < 2e-6  # the market states six digits
    assert growth(factors(whole)).n_unique() > 5


def test_a_second_sync_computes_nothing(whole: Lake) -> None:
    both = replace(FACTORS, sources=("events", "sim"), arbitrate=ArbitrationSettings(rule="priority"))
    assert run(whole, both, *INPUTS) == []


def test_days_that_follow_are_computed_with_the_history_before_them(tmp_path: Path, whole: Lake) -> None:
    lake = Lake(tmp_path / "lake")
    for end in (date(2021, 12, 31), date(2022, 3, 31), END):
        reports = run(lake, FACTORS, *INPUTS, end=end)
        computed = [r for r in reports if r.table == FACTORS.name]
        first = START if end.year == 2021 else date(2022, 1, 1)
        assert [(r.start, r.end) for r in computed] == [(first, end)]
    assert factors(lake).equals(factors(whole, "events"))


def test_what_changes_in_an_input_is_computed_again_from_that_year_on(tmp_path: Path) -> None:
    lake = Lake(tmp_path / "lake")
    run(lake, FACTORS, *INPUTS)
    fewer = {**SOURCES, "sim": replace(SIM, params={**SIM.params, "dividends": 0.0})}
    before = factors(lake)
    run(lake, INPUTS[2], sources=fewer, start=date(2022, 1, 4))
    stale = plan_sync([FACTORS], fewer, lake, START, END)
    items = [i for i in stale.items if isinstance(i, SyncItem)]
    assert [(i.start, i.end, i.label) for i in items] == [(date(2022, 1, 1), END, "events")]
    list(sync(stale, lake, run="again"))
    after = factors(lake)
    old = pl.col("session") < date(2022, 1, 1)
    assert after.filter(old).equals(before.filter(old))
    assert not after.equals(before)


def test_without_events_there_are_no_factors_and_the_fix_is_named(tmp_path: Path) -> None:
    lake = Lake(tmp_path / "lake")
    run(lake, *INPUTS[:2])
    with pytest.raises(CheckFailed) as raised:
        run(lake, FACTORS)
    assert raised.value.fault.code == "derive.inputs"
    assert raised.value.fault.hint == "quant data sync corporate_actions --start 2021-06-01 --end 2021-12-31"
    assert not lake.exists("adjustment_factors")


def test_nothing_else_is_computed_from_events(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="does not compute bars_1d"):
        plan_sync([TableSettings("bars_1d", "bars_1d", ("events",))], SOURCES, Lake(tmp_path), START, END)


PROJECT = """apiVersion = "quant/v1"
kind = "project"
name = "computed"
format = 1
[defaults]
profile = "demo"
[profiles.demo]
sources = ["small"]
from = "2021-06-01"
to = "2022-06-30"
"""
SPECS = """apiVersion: quant/v1
kind: source
name: small
provider: simulated
license: synthetic
params: {seed: 3, instruments: 20, dividends: 3}
---
apiVersion: quant/v1
kind: table
name: adjustment_factors
dataset: adjustment_factors
from: [events, small]
arbitrate: {rule: vote, tolerance: {factor: {rel: 1bp}}}
checks: [{check: contract}, {check: unique}, {check: factors_vs_events, severity: warn}]
"""


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    root = tmp_path_factory.mktemp("desk")
    (root / "specs").mkdir()
    (root / "quant.toml").write_text(PROJECT, encoding="utf-8")
    (root / "specs" / "data.yaml").write_text(SPECS, encoding="utf-8")
    return Workspace.find(root)


@pytest.mark.slow
def test_a_sync_through_dagster_has_the_computed_factors_in_lineage_votes_and_checks(
    desk: Workspace,
) -> None:
    from quant.assets import golden_key, vendor_key
    from quant.pipelines.dagster import build_definitions
    from quant.pipelines.flows.sync import SyncRequest
    from quant.pipelines.flows.sync import sync as sync_flow

    outcome = sync_flow(desk, SyncRequest())
    assert outcome.failures == ()
    checks = {c.name: c for c in outcome.checks if c.table == "adjustment_factors"}
    assert checks["factors_vs_events"].passed, checks["factors_vs_events"].detail
    graph = build_definitions(desk, data_specs(desk)).resolve_asset_graph()
    before = graph.get(vendor_key("events", "adjustment_factors")).parent_keys
    assert before == {golden_key(n) for n in ("instruments", "bars_1d", "corporate_actions")}
    lake = Lake(desk.lake)
    steps = factors(lake).filter(pl.col("factor") != pl.col("factor").shift(1).over("instrument_id"))
    number, day, factor = steps.row(0)
    code = lake.read("instruments").filter(pl.col("instrument_id") == number)["code"][0]
    cell = why(desk, "adjustment_factors", code, day, "factor")
    assert float(cell.value or 0) == factor
    votes = {vote.source: vote for vote in cell.votes}
    assert votes["events"].there and votes["events"].request is not None
    assert b'"corporate_actions"' in payload_of(desk, cell, "events")
    assert sync_flow(desk, SyncRequest()).tables == ()
