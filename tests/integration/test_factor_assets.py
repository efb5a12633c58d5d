"""Factors in the lineage, and the sensors that watch for new days and for restated rows."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import dagster as dg
import polars as pl
import pytest
from dagster_case import simulated_desk

from quant.assets import factor_key, golden_key
from quant.core.errors import CheckFailed, UsageError
from quant.pipelines.dagster.location import build_definitions, declared_tables
from quant.pipelines.dagster.sensors import NEW_DAY, RESTATEMENT, new_days, restated
from quant.pipelines.flows.factor import factor_values, store_factor, workspace_factors
from quant.pipelines.flows.sync import SyncRequest, plan_sync
from quant.pipelines.sources import data_specs
from quant.pipelines.workspace import Workspace
from quant.warehouse.lake import Lake
from quant.warehouse.lake.layout import TableRef
from quant.warehouse.sync import sync


@pytest.fixture
def desk(tmp_path: Path) -> Workspace:
    """A few instruments, a year and a half, not yet fetched."""
    return simulated_desk(tmp_path / "desk")


def fetch(desk: Workspace) -> None:
    plan = plan_sync(desk, SyncRequest(), data_specs(desk))
    for _ in sync(plan, Lake(desk.lake), run="case"):
        pass


def change_a_close(lake: Lake) -> None:
    """Restate one stored bar, as a vendor's correction would."""
    bars = lake.read("bars_1d").sort("session", "instrument_id")
    chosen = bars.filter(pl.col("close") < pl.col("high")).row(-1, named=True)
    day = chosen["session"]
    rows = bars.filter(pl.col("session") == day).with_columns(
        close=pl.when(pl.col("instrument_id") == chosen["instrument_id"])
        .then(pl.col("high"))
        .otherwise(pl.col("close")),
        recorded_at=pl.col("recorded_at") + timedelta(seconds=1),
    )
    assert lake.write_interval(TableRef("bars_1d"), rows, day, day).changed


def test_factors_stand_below_the_tables_they_read(desk: Workspace) -> None:
    definitions = build_definitions(desk, data_specs(desk))
    graph = definitions.get_repository_def().asset_graph
    node = graph.get(factor_key("momentum_20"))
    assert {golden_key("bars_1d"), golden_key("adjustment_factors")} <= set(node.parent_keys)
    assert node.group_name == "features"
    assert graph.get(golden_key("bars_1d")).group_name == "bars"
    names = {sensor.name for sensor in definitions.get_repository_def().sensor_defs}
    assert {NEW_DAY, RESTATEMENT} <= names


def test_a_materialised_factor_holds_the_values_of_its_program(desk: Workspace) -> None:
    fetch(desk)
    definitions = build_definitions(desk, data_specs(desk))
    with dg.DagsterInstance.ephemeral() as instance:
        job = definitions.resolve_implicit_global_asset_job_def()
        result = job.execute_in_process(instance=instance, asset_selection=[factor_key("momentum_20")])
        assert result.success
        event = instance.get_latest_materialization_event(factor_key("momentum_20"))
    assert event is not None and event.asset_materialization is not None
    lake = Lake(desk.lake)
    stored = lake.read("factor_values", source="momentum_20")
    wanted = factor_values(desk, "momentum_20")
    assert event.asset_materialization.metadata["dagster/row_count"].value == stored.height == wanted.height
    codes = lake.read("instruments", columns=["instrument_id", "code"])
    said = stored.join(codes, on="instrument_id").select("session", "code", "value").sort("session", "code")
    assert said.equals(wanted.sort("session", "code"))
    assert (stored["known_at"].dt.date() >= stored["session"]).all()
    again = store_factor(desk, "momentum_20")
    assert not again.changed and again.rows == stored.height


def test_a_factor_without_bars_or_name_is_refused(desk: Workspace) -> None:
    with pytest.raises(CheckFailed, match="no bars yet"):
        store_factor(desk, "momentum_20")
    with pytest.raises(UsageError, match="no factor"):
        store_factor(desk, "nonesuch")
    assert "momentum_20" in {factor.name for factor in workspace_factors(desk)}


def test_new_days_are_asked_for_until_they_are_stored(desk: Workspace) -> None:
    specs = data_specs(desk)
    tables = [table for table in declared_tables(specs) if table.cron]
    definitions = build_definitions(desk, specs)
    warehouse = definitions.resources["warehouse"] if definitions.resources else None
    assert warehouse is not None
    first = list(new_days(tables, warehouse))
    assert {r.run_key for r in first if isinstance(r, dg.RunRequest)}
    assert [r.run_key for r in new_days(tables, warehouse) if isinstance(r, dg.RunRequest)] == [
        r.run_key for r in first if isinstance(r, dg.RunRequest)
    ], "the same lack is the same run"
    fetch(desk)
    assert [type(r) for r in new_days(tables, warehouse)] == [dg.SkipReason]


def test_a_restated_row_asks_for_the_factors_that_read_it(desk: Workspace) -> None:
    fetch(desk)
    specs, lake = data_specs(desk), Lake(desk.lake)
    sensor = build_definitions(desk, specs).get_repository_def().get_sensor_def(RESTATEMENT)
    first = sensor.evaluate_tick(dg.build_sensor_context(cursor=None))
    assert first.run_requests == [] and first.cursor is not None
    quiet = sensor.evaluate_tick(dg.build_sensor_context(cursor=first.cursor))
    assert quiet.run_requests == [] and quiet.skip_message == "no stored row was restated"
    change_a_close(lake)
    assert restated(lake, ["bars_1d"], {})["bars_1d"][1] == 1
    seen = sensor.evaluate_tick(dg.build_sensor_context(cursor=first.cursor))
    (request,) = seen.run_requests or []
    assert factor_key("momentum_20") in (request.asset_selection or [])
    assert request.tags["quant/restated_rows"] == "bars_1d: 1"
    done = sensor.evaluate_tick(dg.build_sensor_context(cursor=seen.cursor))
    assert done.run_requests == []
