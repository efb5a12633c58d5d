"""What the definitions of a workspace hold: assets, lineage, checks, partitions, jobs and schedules."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import dagster as dg
import pytest

from quant.assets import DeclaredTable, Warehouse, Years, build_assets, golden_key, vendor_key
from quant.assets.partitions import interval_of, yearly
from quant.pipelines.dagster.jobs import group_jobs
from quant.pipelines.dagster.schedules import daily_schedules, schedule_name
from quant.warehouse.audit import TableRule
from quant.warehouse.contracts.tables import contract
from quant.warehouse.coverage import Interval
from quant.warehouse.lake import Lake
from quant.warehouse.scope import Scope
from quant.warehouse.sources.settings import SourceSettings, TableSettings

A = SourceSettings("a", "simulated", license="free", params={"seed": 3, "instruments": 12})
B = SourceSettings("b", "simulated", license="free", params={"seed": 3, "instruments": 12, "view": "b"})
SPAN = Interval(date(2023, 6, 1), date(2024, 3, 29))


def declared(name: str, *sources: SourceSettings, cron: str | None = "0 18 * * 1-5") -> DeclaredTable:
    return DeclaredTable(
        settings=TableSettings(name, name, tuple(s.name for s in sources)),
        sources=sources,
        description=f"About {name}.",
        rules=(TableRule("contract"), TableRule("unique", severity="warn", tolerance=0.01)),
        cron=cron,
        market="XSHG",
    )


TABLES = (
    declared("instruments", A),
    declared("bars_1d", A, B, cron="30 18 * * 1-5"),
    declared("corporate_actions", A, cron=None),
)


def warehouse(folder: Path) -> Warehouse:
    return Warehouse(
        lake=Lake(folder / "lake"),
        sources={"a": A, "b": B},
        span=lambda: Scope({"XSHG": SPAN}),
        actor={"user": "test"},
    )


def definitions(folder: Path, tables: Sequence[DeclaredTable] = TABLES) -> dg.Definitions:
    store = warehouse(folder)
    return dg.Definitions(
        assets=build_assets(tables, Years(2023, 2024)),
        jobs=group_jobs(tables),
        schedules=daily_schedules(tables, store),
        resources={"warehouse": store},
        executor=dg.in_process_executor,
    )


def test_a_source_and_a_golden_table_are_assets_of_their_group(tmp_path: Path) -> None:
    graph = definitions(tmp_path).resolve_asset_graph()
    assert graph.get_all_asset_keys() == {
        *(vendor_key("a", t.name) for t in TABLES),
        vendor_key("b", "bars_1d"),
        *(golden_key(t.name) for t in TABLES),
    }
    assert graph.get(golden_key("bars_1d")).group_name == "bars"
    assert graph.get(vendor_key("a", "instruments")).group_name == "reference"
    assert graph.get(golden_key("corporate_actions")).group_name == "corporate_actions"


def test_lineage_goes_from_the_instruments_over_the_sources_to_the_golden_table(tmp_path: Path) -> None:
    graph = definitions(tmp_path).resolve_asset_graph()
    assert graph.get(golden_key("bars_1d")).parent_keys == {
        vendor_key("a", "bars_1d"),
        vendor_key("b", "bars_1d"),
    }
    assert graph.get(vendor_key("b", "bars_1d")).parent_keys == {golden_key("instruments")}
    assert graph.get(vendor_key("a", "instruments")).parent_keys == set()


def test_checks_belong_to_the_golden_table_and_block_when_they_are_errors(tmp_path: Path) -> None:
    graph = definitions(tmp_path).resolve_asset_graph()
    found = {
        key.name: graph.get(key).blocking for key in graph.get_check_keys_for_assets({golden_key("bars_1d")})
    }
    assert found == {"contract": True, "unique": False}
    assert not graph.get_check_keys_for_assets({vendor_key("a", "bars_1d")})


def test_only_tables_with_time_have_yearly_partitions(tmp_path: Path) -> None:
    graph = definitions(tmp_path).resolve_asset_graph()
    partitions = graph.get(golden_key("bars_1d")).partitions_def
    assert partitions is not None
    assert partitions.get_partition_keys() == ["2023", "2024"]
    assert graph.get(golden_key("instruments")).partitions_def is None


def test_an_asset_says_what_it_holds(tmp_path: Path) -> None:
    node = definitions(tmp_path).resolve_asset_graph().get(vendor_key("a", "bars_1d"))
    assert node.metadata["license"] == "free"
    assert node.metadata["key"] == "instrument_id, session"
    columns = [c.name for c in node.metadata["dagster/column_schema"].columns]
    assert columns == list(contract("bars_1d").names)
    assert node.kinds == {"deltalake", "simulated", "a"}
    assert dict(node.tags)["layer"] == "vendor"
    assert node.owners == ["team:data"]
    assert node.description is not None


def test_there_is_a_job_for_each_group(tmp_path: Path) -> None:
    defs = definitions(tmp_path)
    for group, tables in {"bars": ["bars_1d"], "reference": ["instruments"]}.items():
        keys = defs.resolve_job_def(f"sync_{group}_tables").asset_layer.selected_asset_keys
        assert {golden_key(t) for t in tables} <= keys
        assert len(keys) == {"bars": 3, "reference": 2}[group]


def test_open_ended_years_include_the_current_one() -> None:
    keys = yearly(Years(2019)).get_partition_keys(current_time=datetime(2026, 3, 1, tzinfo=UTC))
    assert keys[0] == "2019"
    assert keys[-1] == "2026"


def test_years_widen_to_hold_what_is_stored() -> None:
    assert Years(2020, 2024).including([date(2018, 1, 2), date(2025, 3, 4)]) == Years(2018, 2025)
    assert Years(2020).including([date(2018, 1, 2), date(2025, 3, 4)]) == Years(2018)


@pytest.mark.parametrize(
    ("years", "expected"),
    [
        (None, SPAN),
        ((2023, 2023), Interval(date(2023, 6, 1), date(2023, 12, 31))),
        ((2024, 2024), Interval(date(2024, 1, 1), date(2024, 3, 29))),
        ((2023, 2024), SPAN),
        ((2021, 2021), Interval(date(2021, 1, 1), date(2021, 12, 31))),
        ((2025, 2025), Interval(date(2025, 1, 1), date(2025, 12, 31))),
    ],
)
def test_a_year_is_cut_where_the_span_begins_or_ends_in_it(
    years: tuple[int, int] | None, expected: Interval
) -> None:
    assert interval_of(years, SPAN) == expected


def test_there_is_a_stopped_schedule_for_each_time_of_day(tmp_path: Path) -> None:
    schedules = {s.name: s for s in daily_schedules(TABLES, warehouse(tmp_path))}
    assert set(schedules) == {"xshg_1800", "xshg_1830"}
    late = schedules["xshg_1830"]
    assert (late.cron_schedule, late.execution_timezone) == ("30 18 * * 1-5", "Asia/Shanghai")
    assert late.default_status == dg.DefaultScheduleStatus.STOPPED
    assert schedule_name("XSHG", "*/5 9 * * *") == "xshg_5_9"


def test_schedules_of_one_time_on_different_days_have_different_names(tmp_path: Path) -> None:
    tables = (declared("instruments", A), declared("bars_1d", A, cron="0 18 * * 6"))
    names = [s.name for s in daily_schedules(tables, warehouse(tmp_path))]
    assert names == ["xshg_1800", "xshg_1800_2"]


def tick(folder: Path, moment: datetime) -> dg.ScheduleExecutionData:
    defs = definitions(folder)
    context = dg.build_schedule_context(
        scheduled_execution_time=moment, repository_def=defs.get_repository_def()
    )
    schedule = next(s for s in daily_schedules(TABLES, warehouse(folder)) if s.name == "xshg_1830")
    return schedule.evaluate_tick(context)


def test_a_schedule_asks_for_the_years_that_lack_something(tmp_path: Path) -> None:
    data = tick(tmp_path, datetime(2024, 1, 31, 10, 30, tzinfo=UTC))
    (request,) = data.run_requests or []
    assert request.tags["dagster/asset_partition_range_start"] == "2023"
    assert request.tags["dagster/asset_partition_range_end"] == "2024"
    assert request.run_config == {"ops": {"sync_bars_1d": {"config": {"restate": False}}}}
    assert set(request.asset_selection or []) == {
        vendor_key("a", "bars_1d"),
        vendor_key("b", "bars_1d"),
        golden_key("bars_1d"),
    }


def test_a_schedule_skips_days_without_a_session(tmp_path: Path) -> None:
    data = tick(tmp_path, datetime(2024, 2, 13, 10, 30, tzinfo=UTC))  # spring festival
    assert not data.run_requests
    assert "2024-02-13 is not a session of XSHG" in (data.skip_message or "")


def test_stored_years_are_filled_from_the_preferred_source_only(tmp_path: Path) -> None:
    table = declared("calendar", cron=None)
    store = warehouse(tmp_path)
    bars = TABLES[1]
    wanted = Interval(date(2024, 1, 2), date(2024, 1, 31))
    both = store.items(bars, wanted, {"a", "b"}, golden=True, restate=True)
    assert [(i.source.name, i.fetch, i.golden) for i in both] == [("a", True, True), ("b", True, False)]
    vendor_only = store.items(bars, wanted, {"a", "b"}, golden=False, restate=True)
    assert [(i.fetch, i.golden) for i in vendor_only] == [(True, False), (True, False)]
    golden_only = store.items(bars, wanted, set(), golden=True, restate=True)
    assert [(i.source.name, i.fetch, i.golden) for i in golden_only] == [("a", False, True)]
    assert replace(store, planned={}).items(table, wanted, set(), golden=True, restate=True) == ()
