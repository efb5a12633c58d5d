"""``quant data resample`` in a workspace of real minutes: bars, exit codes, vendors' rows left alone."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from quant.pipelines.flows.sync import SyncRequest, plan_sync
from quant.pipelines.sources import data_specs
from quant.pipelines.workspace import Workspace
from quant.qcli.main import run as quant
from quant.warehouse.lake import Lake
from quant.warehouse.sync import sync

PROJECT = """
apiVersion = "quant/v1"
kind = "project"
name = "copper"
format = 1
[defaults]
profile = "demo"
[profiles.demo]
sources = ["copper"]
from = "2022-01-04"
to = "2022-02-15"
"""
SPECS = """
apiVersion: quant/v1
kind: source
name: copper
provider: files
license: MIT
root: files
datasets:
  instruments: {files: names.csv, fields: {code: {as: code}, name: {as: name}}}
  bars_1m:
    files: SHFE.CU.2202_m1.csv.gz
    constants: {code: cu2202.SHFE}
    fields:
      code: {as: code}
      date: {as: date}
      time: {as: time}
      open: {as: open}
      high: {as: high}
      low: {as: low}
      close: {as: close}
      volume: {as: volume}
      turnover: {as: amount}
      hold: {as: open_interest}
---
{apiVersion: quant/v1, kind: table, name: instruments, dataset: instruments, from: [copper]}
---
{apiVersion: quant/v1, kind: table, name: bars_1m, dataset: bars_1m, from: [copper]}
"""


@pytest.fixture(scope="module")
def desk(shared: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    root = tmp_path_factory.mktemp("copper")
    for folder in ("specs", "strategies", "files"):
        (root / folder).mkdir()
    (root / "quant.toml").write_text(PROJECT, encoding="utf-8")
    (root / "specs/copper.yaml").write_text(SPECS, encoding="utf-8")
    shutil.copy(shared("data/cnfut_20*/csv/SHFE.CU.2202_m1.csv.gz"), root / "files")
    (root / "files/names.csv").write_text("code,name\ncu2202.SHFE,copper\n", encoding="utf-8")
    found = Workspace.find(root)
    for _ in sync(plan_sync(found, SyncRequest(), data_specs(found)), Lake(found.lake), run="fixture"):
        pass
    return found


Run = Callable[..., tuple[int, dict[str, Any]]]


@pytest.fixture
def resample(desk: Workspace, capsys: pytest.CaptureFixture[str]) -> Run:
    def call(*words: str) -> tuple[int, dict[str, Any]]:
        capsys.readouterr()
        code = quant(["data", "resample", *words, "--json", "--workspace", str(desk.root)])
        return code, json.loads(capsys.readouterr().out)

    return call


def test_bars_of_every_length_hold_what_the_minutes_traded(desk: Workspace, resample: Run) -> None:
    lake = Lake(desk.lake)
    minutes = lake.read("bars_1m")
    for table, bars in (("bars_5m", 2322), ("bars_1h", 200), ("bars_1d", 26)):
        code, said = resample("bars_1m", "--to", table)
        assert code == 0 and said["bars"] == bars
        made = lake.read(table)
        assert made.height == bars and made["source"].unique().to_list() == ["resampled"]
        for name in ("volume", "amount"):
            assert float(made[name].sum()) == float(minutes[name].sum())
    assert resample("bars_1m", "--to", "bars_5m")[1]["changed"] is False
    days = lake.read("bars_1d")
    assert days["high"].cast(pl.Float64).max() == minutes["high"].cast(pl.Float64).max()


@pytest.mark.parametrize(
    ("words", "code", "name"),
    [
        (("bars_5m", "--to", "bars_1m"), 2, "resample.tables"),
        (("bars_1m", "--to", "nothing"), 2, "resample.tables"),
        (("ticks", "--to", "bars_1m"), 3, "resample.absent"),
        (
            ("bars_1m", "--to", "bars_5m", "--start", "2023-01-03", "--end", "2023-01-04"),
            3,
            "resample.absent",
        ),
    ],
)
def test_what_cannot_be_made_is_said_with_its_exit_code(
    resample: Run, words: tuple[str, ...], code: int, name: str
) -> None:
    found, said = resample(*words)
    assert found == code and said["error"]["code"] == name


def test_rows_of_a_vendor_are_never_overwritten(desk: Workspace, resample: Run) -> None:
    from quant.warehouse.lake import table_ref

    lake = Lake(desk.lake)
    minutes = lake.read("bars_1m").head(5).with_columns(source=pl.lit("copper"))
    day = minutes["session"][0]
    lake.write_interval(table_ref("bars_1h"), minutes, day, day)
    code, said = resample("bars_1m", "--to", "bars_1h")
    assert code == 3 and said["error"]["code"] == "resample.filled"
