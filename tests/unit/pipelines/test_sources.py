"""Sources of a profile: a table is fed by those that offer it; one table alone brings the instruments."""

from __future__ import annotations

from pathlib import Path

import pytest

from quant.pipelines.flows.sync import SyncRequest, plan_sync
from quant.pipelines.sources import data_specs
from quant.pipelines.workspace import Workspace

PROJECT = """
apiVersion = "quant/v1"
kind = "project"
name = "two"
format = 1
[profiles.demo]
sources = ["basics", "prices"]
from = "2024-01-02"
to = "2024-01-31"
"""
SPECS = """
apiVersion: quant/v1
kind: source
name: basics
provider: files
license: own
root: basics
datasets:
  instruments:
    files: names.csv
    fields: {code: {as: code}, name: {as: name}}
---
apiVersion: quant/v1
kind: source
name: prices
provider: files
license: own
root: prices
datasets:
  bars_1d:
    files: "*.csv"
    fields:
      code: {as: code}
      day: {as: session}
      open: {as: open}
      high: {as: high}
      low: {as: low}
      close: {as: close}
      last: {as: pre_close}
      shares: {as: volume}
      yuan: {as: amount}
"""


@pytest.fixture
def desk(tmp_path: Path) -> Workspace:
    (tmp_path / "quant.toml").write_text(PROJECT, encoding="utf-8")
    (tmp_path / "specs").mkdir()
    (tmp_path / "specs" / "sources.yaml").write_text(SPECS, encoding="utf-8")
    (tmp_path / "basics").mkdir()
    (tmp_path / "basics" / "names.csv").write_text("code,name\n600519.SH,a\n", encoding="utf-8")
    (tmp_path / "prices").mkdir()
    (tmp_path / "prices" / "a.csv").write_text(
        "code,day,open,high,low,close,last,shares,yuan\n"
        "600519.SH,2024-01-02,10,10,10,10,10,100,1000\n"
        "600519.SH,,10,10,10,10,10,100,1000\n"
        "600519.SH,garbage,10,10,10,10,10,100,1000\n",
        encoding="utf-8",
    )
    return Workspace.find(tmp_path)


def test_each_table_is_fed_by_the_source_that_offers_it(desk: Workspace) -> None:
    specs = data_specs(desk)
    fed = {t.name: t.sources for t in specs.tables if specs.is_offered(t)}
    assert fed == {"instruments": ("basics",), "bars_1d": ("prices",)}
    planned = plan_sync(desk, SyncRequest(), specs)
    assert {item.table.name for item in planned.items} == {"instruments", "calendar", "bars_1d"}


def test_one_table_alone_brings_the_instruments(desk: Workspace) -> None:
    planned = plan_sync(desk, SyncRequest(tables=("bars_1d",)), data_specs(desk))
    assert [i.table.name for i in planned.items if i.table.name != "calendar"] == ["instruments", "bars_1d"]


def test_rows_without_a_date_are_set_aside_and_the_rest_is_kept(desk: Workspace) -> None:
    from dataclasses import replace

    from quant.warehouse.lake import Lake
    from quant.warehouse.sync import sync

    lake = Lake(desk.lake)
    planned = plan_sync(desk, SyncRequest(), data_specs(desk))
    tolerant = tuple(replace(i, source=replace(i.source, quarantine_max=1.0)) for i in planned.items)
    reports = {r.table: r for r in sync(replace(planned, items=tolerant), lake, run="t")}
    assert (reports["bars_1d"].rows, reports["bars_1d"].quarantined) == (1, 2)
