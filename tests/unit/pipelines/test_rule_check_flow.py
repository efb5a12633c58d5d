"""``quant rules check`` over a workspace and over files: options, refusals, exit codes."""

from __future__ import annotations

import json
import shutil
from datetime import date
from pathlib import Path

import polars as pl
import pytest
from typer.testing import CliRunner

from quant.core.errors import QuantError, UsageError
from quant.pipelines.flows.rule_check import CheckRequest, check_files, check_workspace, failure
from quant.pipelines.workspace import Workspace
from quant.qcli.commands.rules import app
from quant.warehouse.lake import Lake, table_ref

HEAD = "code,date,open,high,low,close,preclose,volume,amount\n"


def written(path: Path, *rows: str) -> str:
    path.write_text(HEAD + "".join(f"{row}\n" for row in rows), encoding="utf-8")
    return str(path)


@pytest.fixture
def wrong(tmp_path: Path) -> str:
    return written(
        tmp_path / "wrong.csv",
        "600000.SH,2024-03-04,10,10,10,10,10,100,1000",
        "600000.SH,2024-03-05,10,12,10,10,10,100,1000",
    )


def test_a_synchronised_workspace_passes(small_desk: Workspace) -> None:
    lines: list[str] = []
    found = check_workspace(small_desk, CheckRequest(), lines.append)
    stored = Lake(small_desk.lake).read("bars_1d")
    assert found.passed
    assert found.sides[0].judged > 0
    assert found.sides[0].bars == stored.filter(pl.col("volume") > 0).height
    assert lines[0] == "reading bars_1d"


def test_a_wrong_print_in_a_workspace_is_shown_by_the_source_that_has_another(
    small_desk: Workspace, tmp_path: Path
) -> None:
    shutil.copytree(small_desk.root, tmp_path / "desk")
    desk = Workspace.find(tmp_path / "desk")
    lake = Lake(desk.lake)
    bars = lake.read("bars_1d").sort("session", "instrument_id")
    day = bars.filter(pl.col("volume") > 0)["session"].to_list()[-1]
    on_day = bars.filter(
        (pl.col("session") == day) & (pl.col("volume") > 0) & pl.col("pre_close").is_not_null()
    )
    instrument = on_day["instrument_id"][0]
    hit = (pl.col("session") == day) & (pl.col("instrument_id") == instrument)
    high = pl.when(hit).then(pl.col("high") * 2).otherwise("high").cast(bars.schema["high"]).alias("high")
    free = {name: pl.lit(None, bars.schema[name]) for name in ("limit_up", "limit_down")}
    changed = bars.filter(pl.col("session") == day).with_columns(high, **free)
    with lake.lock.hold("test"):
        lake.write_interval(table_ref("bars_1d"), changed, day, day)
    found = check_workspace(desk, CheckRequest(start=day, end=day))
    prints = found.sides[0].prints
    assert prints["cause"].to_list() == ["vendor_error"]
    assert prints["print"].to_list() == ["high"]


def test_dates_and_codes_narrow_what_is_judged(wrong: str) -> None:
    assert not check_files([wrong], CheckRequest()).passed
    assert check_files([wrong], CheckRequest(end=date(2024, 3, 4))).passed
    late = check_files([wrong], CheckRequest(start=date(2024, 3, 5), codes=("sh600000",)))
    assert (late.sides[0].bars, late.passed) == (1, False)
    with pytest.raises(UsageError) as refused:
        check_files([wrong], CheckRequest(codes=("600001.SH",)))
    assert refused.value.fault.code == "rules.empty"


def test_a_second_file_is_a_witness_and_a_list_tells_listing_dates(wrong: str, tmp_path: Path) -> None:
    right = written(tmp_path / "right.csv", "600000.SH,2024-03-05,10,10.2,10,10,10,100,1000")
    found = check_files([wrong, right], CheckRequest())
    assert found.sides[0].prints["cause"].to_list() == ["vendor_error"]
    listed = tmp_path / "list.csv"
    listed.write_text("ts_code,name,list_date\n600000.SH,x,20240304\n", encoding="utf-8")
    assert check_files([wrong, str(listed)], CheckRequest()).sides[0].prints["cause"].to_list() == ["listing"]


@pytest.mark.parametrize(
    ("paths", "specs", "code"),
    [
        (["nothing.csv"], [], "audit.file"),
        (["notes.csv"], [], "audit.headers"),
        (["list.csv"], [], "rules.no_bars"),
        (["wrong.csv"], ["tdx", "-"], "rules.specs"),
        (["wrong.csv", "wrong.csv"], [], "rules.same_name"),
    ],
)
def test_files_that_cannot_be_checked_are_refused(
    wrong: str, tmp_path: Path, paths: list[str], specs: list[str], code: str
) -> None:
    (tmp_path / "notes.csv").write_text("a,b\n1,2\n", encoding="utf-8")
    (tmp_path / "list.csv").write_text("ts_code,list_date\n600000.SH,20240304\n", encoding="utf-8")
    with pytest.raises(QuantError) as refused:
        check_files([str(tmp_path / path) for path in paths], CheckRequest(), specs=specs)
    assert refused.value.fault.code == code


def test_a_check_that_judged_nothing_has_not_passed(tmp_path: Path) -> None:
    fund = written(tmp_path / "fund.csv", "510300.SH,2024-03-04,4,4,4,4,4,100,400")
    found = check_files([fund], CheckRequest())
    assert not found.passed
    refused = failure(found)
    assert refused is not None
    assert refused.fault.code == "rules.nothing_judged"
    assert "fund" in str(refused.fault.found)


def test_another_table_and_an_empty_workspace_are_refused(small_desk: Workspace, tmp_path: Path) -> None:
    with pytest.raises(UsageError) as refused:
        check_workspace(small_desk, CheckRequest(("instruments",)))
    assert refused.value.fault.code == "rules.table"
    (tmp_path / "quant.toml").write_text((small_desk.root / "quant.toml").read_text(encoding="utf-8"))
    with pytest.raises(UsageError) as empty:
        check_workspace(Workspace.find(tmp_path), CheckRequest())
    assert empty.value.fault.code == "rules.no_bars"


def test_the_command_lists_prints_and_exits_3(wrong: str, tmp_path: Path) -> None:
    right = written(tmp_path / "right.csv", "600000.SH,2024-03-05,10,10.2,10,10,10,100,1000")
    alone = CliRunner().invoke(app, ["check", "--files", wrong])
    assert alone.exit_code == 3
    assert "unexplained" in alone.output
    assert "rules.unexplained" in alone.output
    both = CliRunner().invoke(app, ["check", "--files", wrong, right, "--json", "--limit", "1"])
    assert both.exit_code == 0
    body = json.loads(both.stdout)
    assert body["passed"] is True
    assert body["sides"][0]["prints"][0]["cause"] == "vendor_error"
    assert len(body["causes"]) == 10
