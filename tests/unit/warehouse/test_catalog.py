from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path

from tiny_market import files_source, tables

from quant.warehouse.catalog import DeltaCatalog
from quant.warehouse.lake import Lake
from quant.warehouse.sources.settings import SourceSettings
from quant.warehouse.sync import plan_sync, sync

SIMULATED = SourceSettings("a", "simulated", params={"seed": 3, "instruments": 12})


def run(lake: Lake, source: SourceSettings, start: date, end: date) -> None:
    list(sync(plan_sync(tables(source.name), {source.name: source}, lake, start, end), lake, run="r"))


def test_nothing_is_known_about_tables_that_were_never_written(lake: Lake) -> None:
    catalog = DeltaCatalog(lake)
    assert [catalog.table(name) for name in ("bars_1d", "nope", "sync_log")] == [None, None, None]


def test_state_names_version_content_dates_columns_and_facts(lake: Lake, vendor_folder: Path) -> None:
    source = replace(files_source(vendor_folder), facts={"vendor": "tiny"})
    run(lake, source, date(2024, 1, 1), date(2024, 1, 31))
    state = DeltaCatalog(lake).table("bars_1d")
    assert state is not None
    assert (state.version, state.content_hash) == (lake.version("bars_1d"), lake.content_hash("bars_1d"))
    assert (state.start, state.end) == (date(2024, 1, 2), date(2024, 1, 31))
    assert dict(state.facts) == {
        "benchmark": "absent",
        "limits": "derived",
        "st_history": "absent",
        "suspensions": "absent",
        "vendor": "tiny",
    }
    known = {column.name: column.available for column in state.columns}
    assert (known["open"], known["close"], known["volume"]) == ("open", "close", "close")
    assert (known["limit_up"], known["pre_close"], known["st"]) == ("preopen", "preopen", "preopen")
    actions = DeltaCatalog(lake).table("corporate_actions")
    assert actions is not None
    assert dict(actions.facts) == {"events": "inferred", "vendor": "tiny"}


def test_coverage_is_the_last_unbroken_stretch(lake: Lake) -> None:
    run(lake, SIMULATED, date(2020, 1, 2), date(2020, 2, 28))
    run(lake, SIMULATED, date(2020, 6, 1), date(2020, 6, 30))
    state = DeltaCatalog(lake).table("bars_1d")
    assert state is not None
    assert (state.start, state.end) == (date(2020, 6, 1), date(2020, 6, 30))
    run(lake, SIMULATED, date(2020, 2, 3), date(2020, 6, 10))
    state = DeltaCatalog(lake).table("bars_1d")
    assert state is not None
    assert (state.start, state.end) == (date(2020, 1, 2), date(2020, 6, 30))


def test_intervals_of_other_settings_do_not_count_as_covered(lake: Lake) -> None:
    run(lake, SIMULATED, date(2020, 1, 2), date(2020, 6, 30))
    run(lake, replace(SIMULATED, params={"seed": 4, "instruments": 12}), date(2020, 6, 1), date(2020, 6, 30))
    state = DeltaCatalog(lake).table("bars_1d")
    assert state is not None
    assert (state.start, state.end) == (date(2020, 6, 1), date(2020, 6, 30))
