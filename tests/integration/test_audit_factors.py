"""``quant data audit adjustment_factors``: a vendor's factors against those that the events give."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import polars as pl
import pytest

from quant.pipelines.workspace import Workspace
from quant.qcli.main import run
from quant.warehouse.lake import VENDOR, Lake, table_ref

FACTORS = table_ref("adjustment_factors", VENDOR, "small")


@pytest.fixture
def desk(small_desk: Workspace, tmp_path: Path) -> Workspace:
    shutil.copytree(small_desk.root, tmp_path / "desk")
    return Workspace.find(tmp_path / "desk")


def audited(
    capsys: pytest.CaptureFixture[str], desk: Workspace, *words: str
) -> tuple[int, dict[str, object]]:
    code = run(["data", "audit", "adjustment_factors", "-w", str(desk.root), "--json", *words])
    return code, json.loads(capsys.readouterr().out)


def test_factors_of_one_vendor_agree_with_the_events(
    capsys: pytest.CaptureFixture[str], desk: Workspace
) -> None:
    code, told = audited(capsys, desk)
    (table,) = told["tables"]
    assert (code, table["passed"]) == (0, True)
    assert [(row["a"], row["b"]) for row in table["rows"]] == [("events", "small")]
    years = {row["year"]: row for row in table["summary"]}
    assert set(years) == {2021, 2022}
    assert sum(row["cells"] for row in years.values()) == Lake(desk.lake).count("bars_1d")
    assert all(row["defects"] == row["open"] == 0 for row in years.values())


def test_a_vendor_that_has_no_steps_is_told_so(capsys: pytest.CaptureFixture[str], desk: Workspace) -> None:
    lake = Lake(desk.lake)
    events = lake.read("corporate_actions").filter(pl.col("ex_session").dt.year() == 2022)
    rows = lake.read("adjustment_factors", layer=VENDOR, source="small")
    held = rows.filter(pl.col("instrument_id").is_in(events["instrument_id"].unique().implode()))
    flat = rows.with_columns(factor=pl.lit(1.0))
    lake.write_interval(FACTORS, flat, flat["session"].min(), flat["session"].max())
    assert held.height
    code, told = audited(capsys, desk, "--from", "2022-01-01")
    (table,) = told["tables"]
    assert code == 3 and not table["passed"]
    (worst,) = (row for row in table["causes"] if row["cause"] == "missing_event")
    assert (worst["a"], worst["b"], worst["field"], worst["suspect"]) == (
        "events",
        "small",
        "factor",
        "small",
    )
    assert worst["cells"] >= events.height * 0.8
    assert {row["year"] for row in table["summary"]} == {2022}
    stored = lake.read("audit_findings").filter(pl.col("audit") == told["audit"])
    assert stored.filter(pl.col("cause") == "missing_event").height == worst["findings"]
