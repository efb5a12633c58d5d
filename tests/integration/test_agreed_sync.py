"""Three vendors through the whole sync: agreed tables, a vendor that fails, kills, and what the verbs say."""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
import time
from datetime import date
from pathlib import Path
from typing import Any

import dagster as dg
import polars as pl
import pytest
from three_vendors import NAMES, Market, market, with_faults

from quant.assets import golden_key, vendor_key
from quant.pipelines.dagster import build_definitions, open_instance
from quant.pipelines.flows.sync import SyncRequest, sync
from quant.pipelines.sources import data_specs
from quant.pipelines.workspace import Workspace
from quant.qcli.main import run
from quant.warehouse.lake import Lake

KILLS = 100 if os.environ.get("QUANT_SOAK") == "1" else 3
PROJECT = """apiVersion = "quant/v1"
kind = "project"
name = "three"
format = 1
[defaults]
profile = "small"
[profiles.small]
sources = ["a", "b", "c"]
from = "2024-01-02"
to = "2024-02-29"
"""
SOURCE = """apiVersion: quant/v1
kind: source
name: {name}
provider: files
license: test
root: vendors/{name}
datasets:
  instruments:
    files: names.csv
    fields: {{code: {{as: code, style: tushare}}, name: {{as: name}}, list_date: {{as: list_date}}}}
  bars_1d:
    files: bars.csv
    fields:
      code: {{as: code, style: tushare}}
      session: {{as: session}}
      open: {{as: open}}
      high: {{as: high}}
      low: {{as: low}}
      close: {{as: close}}
      pre_close: {{as: pre_close}}
      volume: {{as: volume}}
      amount: {{as: amount}}
      st: {{as: st}}
"""
TABLES = """apiVersion: quant/v1
kind: table
name: instruments
dataset: instruments
from: [a, b, c]
arbitrate: {rule: vote}
checks: [{check: contract}, {check: unique}]
---
apiVersion: quant/v1
kind: table
name: bars_1d
dataset: bars_1d
from: [a, b, c]
arbitrate: {rule: vote, quorum: 2}
audit: {max_diff_rate: 0.1%, severity: warn}
checks: [{check: contract}, {check: unique}, {check: ohlc_order}]
"""


def workspace(root: Path, told: Market) -> Workspace:
    told.write(root / "vendors")
    (root / "specs").mkdir()
    (root / "quant.toml").write_text(PROJECT, encoding="utf-8")
    documents = [*(SOURCE.format(name=name) for name in NAMES), TABLES]
    (root / "specs" / "data.yaml").write_text("---\n".join(documents), encoding="utf-8")
    return Workspace.find(root)


@pytest.fixture(scope="module")
def synced(tmp_path_factory: pytest.TempPathFactory) -> tuple[Workspace, Market, Any]:
    told = with_faults(market())
    desk = workspace(tmp_path_factory.mktemp("three"), told)
    return desk, told, sync(desk, SyncRequest())


def call(capsys: pytest.CaptureFixture[str], desk: Workspace, *words: str) -> tuple[int, dict[str, Any]]:
    code = run([*words, "-w", str(desk.root), "--json"])
    return code, json.loads(capsys.readouterr().out)


def closes(desk: Workspace) -> dict[tuple[str, date], str]:
    lake = Lake(desk.lake)
    rows = lake.read("bars_1d").join(lake.read("instruments").select("instrument_id", "code"),
                                     on="instrument_id")  # fmt: skip
    return {
        (code, day): f"{close:.2f}" for code, day, close in rows.select("code", "session", "close").rows()
    }


def test_the_golden_table_is_the_truth_and_the_check_reports_the_vendors(
    synced: tuple[Workspace, Market, Any],
) -> None:
    desk, told, outcome = synced
    assert closes(desk) == {key: bar["close"] for key, bar in told.truth.items()}
    assert outcome.exit_code == 0
    (cross,) = [c for c in outcome.checks if c.name == "cross_source"]
    assert (cross.passed, cross.severity) == (False, "warn")
    assert Lake(desk.lake).read("audit_findings").height > 0
    line = next(t for t in outcome.tables if t.source == "a+b+c" and t.table == "bars_1d")
    assert line.disagreements == Lake(desk.lake).read("arbitrations").height > 0


def test_a_golden_materialisation_says_how_the_sources_voted(synced: tuple[Workspace, Market, Any]) -> None:
    desk, told, _ = synced
    with open_instance(desk) as instance:
        record = instance.fetch_materializations(golden_key("bars_1d"), limit=1).records[0]
        key = dg.AssetCheckKey(golden_key("bars_1d"), "cross_source")
        latest = instance.event_log_storage.get_asset_check_execution_history(key, limit=1)[0]
    assert record.asset_materialization is not None
    metadata = record.asset_materialization.metadata
    votes = {row.data["source"]: row.data for row in metadata["votes"].records}
    assert {name: row["rows"] for name, row in votes.items()} == {
        name: len(told.truth) - sum(bar is None for bar in told.told[name].values()) for name in NAMES
    }
    assert metadata["disagreements"].value == sum(row["cells_lost"] for row in votes.values())
    assert latest.event is not None and latest.event.dagster_event is not None
    evaluation = latest.event.dagster_event.asset_check_evaluation_data
    assert {"rates", "causes", "failing_rows"} <= set(evaluation.metadata)


def test_why_shows_every_vote_with_its_payload(
    synced: tuple[Workspace, Market, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    desk, told, _ = synced
    name, key, bar = next(
        (n, k, b)
        for n in NAMES
        for k, b in told.told[n].items()
        if b and b["close"] != told.truth[k]["close"]
    )
    code, cell = call(capsys, desk, "data", "why", key[0], key[1].isoformat(), "close")
    assert code == 0
    assert float(cell["value"]) == float(told.truth[key]["close"])
    assert cell["losers"] == [name]
    assert cell["decision"] == "vote: 2 of 3 agree, quorum 2"
    votes = {vote["source"]: vote for vote in cell["votes"]}
    assert float(votes[name]["value"]) == float(bar["close"]) and not votes[name]["wins"]
    for vote in votes.values():
        stored = Lake(desk.lake).root / vote["payload_file"]
        assert stored.read_bytes() == (desk.root / "vendors" / vote["source"] / "bars.csv").read_bytes()
        assert vote["request"] == {"path": "bars.csv"}


@pytest.mark.parametrize(
    ("words", "fault"),
    [
        (("600000.SH", "2024-01-06", "close"), "why.absent"),
        (("600000.SH", "2031-01-06", "close"), "why.absent"),
        (("600000.SH", "2024-01-15", "closing"), "column.unknown"),
        (("601999.SH", "2024-01-15", "close"), "code.unknown"),
        (("600000.SH", "2024-01-15", "close", "--table", "nope"), "table.unknown"),
    ],
)
def test_why_says_what_is_wrong_with_a_question(
    synced: tuple[Workspace, Market, Any],
    capsys: pytest.CaptureFixture[str],
    words: tuple[str, ...],
    fault: str,
) -> None:
    code, body = call(capsys, synced[0], "data", "why", *words)
    assert (code, body["error"]["code"]) == (2, fault)


def test_status_measures_sources_and_the_golden_table(
    synced: tuple[Workspace, Market, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    _, body = call(capsys, synced[0], "data", "status")
    bars = {r["source"]: r for r in body["reach"] if r["table"] == "bars_1d"}
    assert set(bars) == {"a", "b", "c", "a+b+c"}
    assert all((r["missing"], r["behind"], r["status"]) == (0, 0, "ok") for r in bars.values())
    assert [r["golden"] for r in bars.values()].count(True) == 1


def test_a_partition_materialised_in_the_ui_is_agreed_again(synced: tuple[Workspace, Market, Any]) -> None:
    desk, _, _ = synced
    before = Lake(desk.lake).content_hash("bars_1d")
    job = build_definitions(desk, data_specs(desk)).resolve_job_def("sync_bars_tables")
    with dg.DagsterInstance.ephemeral() as instance:
        whole = job.execute_in_process(instance=instance, partition_key="2024")
        golden = job.execute_in_process(
            instance=instance, asset_selection=[golden_key("bars_1d")], partition_key="2024"
        )
        vendor = job.execute_in_process(
            instance=instance, asset_selection=[vendor_key("b", "bars_1d")], partition_key="2024"
        )
    assert [len(r.get_asset_materialization_events()) for r in (whole, golden, vendor)] == [4, 1, 1]
    assert Lake(desk.lake).content_hash("bars_1d") == before
    assert sync(desk, SyncRequest()).exit_code == 0  # the vendor's new fetch is agreed


def test_snapshots_exports_and_dry_runs(
    synced: tuple[Workspace, Market, Any], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    desk, told, _ = synced
    assert call(capsys, desk, "data", "snapshot", "create", "first")[0] == 0
    assert call(capsys, desk, "data", "snapshot", "create", "first")[0] == 0
    file = tmp_path / "out.csv"
    words = ("--to", str(file), "--snapshot", "first", "-c", "code,session,close")
    code, done = call(capsys, desk, "data", "export", "bars_1d", *words)
    assert (code, done["rows"]) == (0, len(told.truth))
    written = pl.read_csv(file, schema_overrides={"close": pl.String}, try_parse_dates=True)
    assert {(c, d): f"{float(p):.2f}" for c, d, p in written.rows()} == closes(desk)
    assert [p.name for p in tmp_path.iterdir()] == ["out.csv"]
    for words, fault in (
        (("--to", str(tmp_path / "x.xlsx")), "export.format"),
        (("--to", str(file), "--snapshot", "nope"), "snapshot.unknown"),
        (("--to", str(file), "-c", "klose"), "column.unknown"),
        (("--to", str(file), "--adjust", "pre"), "export.adjust"),
    ):
        code, body = call(capsys, desk, "data", "export", "bars_1d", *words)
        assert (code, body["error"]["code"]) == (2, fault)
    _, plan = call(capsys, desk, "data", "sync", "--dry-run", "--end", "2024-03-29")
    asked = {(i["source"], i["dataset"]): i["calls"] for i in plan["items"]}
    assert asked["a", "bars_1d"] == 1 and asked["a+b+c", "bars_1d"] == 0
    assert call(capsys, desk, "data", "snapshot", "rm", "first")[0] == 0


def test_calls_can_be_limited_and_the_next_sync_goes_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    desk = workspace(tmp_path, market())
    code, body = call(capsys, desk, "data", "sync", "--max-calls", "4")
    assert code == 0 and body["left"] > 0
    assert {t["table"] for t in body["tables"]} == {"instruments", "calendar"}
    code, body = call(capsys, desk, "data", "sync")
    assert (code, body["left"]) == (0, 0)
    assert Lake(desk.lake).read("bars_1d").height > 0


def test_a_vendor_that_fails_does_not_stop_the_others_and_the_exit_says_so(tmp_path: Path) -> None:
    told = with_faults(market())
    desk = workspace(tmp_path, told)
    away = tmp_path / "away"
    shutil.move(tmp_path / "vendors" / "c", away)
    outcome = sync(desk, SyncRequest())
    assert outcome.exit_code == 2
    assert {f.fault.code for f in outcome.failures} == {"source.root"}
    lake = Lake(desk.lake)
    expected = {k for k in told.truth if any(told.told[n].get(k, True) is not None for n in "ab")}
    assert lake.read("bars_1d").height == len(expected)
    shutil.move(away, tmp_path / "vendors" / "c")
    assert sync(desk, SyncRequest()).exit_code == 0
    assert closes(desk) == {key: bar["close"] for key, bar in told.truth.items()}


def test_restating_shows_the_cells_that_changed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    told = market()
    desk = workspace(tmp_path, told)
    sync(desk, SyncRequest())
    key = ("600003.SH", date(2024, 1, 15))
    told.truth[key]["volume"] = "12300"
    told.truth[key]["amount"] = f"{123 * float(told.truth[key]['open']) * 100:.2f}"
    told.write(desk.root / "vendors")
    words = ("data", "restate", "bars_1d", "--from", "2024-01-15", "--to", "2024-01-15")
    code, body = call(capsys, desk, *words)
    assert code == 0
    assert {(c["code"], c["day"], c["field"]) for c in body["changes"]} == {
        (key[0], str(key[1]), "volume"), (key[0], str(key[1]), "amount"),
    }  # fmt: skip
    assert next(c["after"] for c in body["changes"] if c["field"] == "volume") == "12300"
    code, body = call(capsys, desk, *words, "--source", "z")
    assert (code, body["error"]["code"]) == (2, "source.unknown")


def test_what_is_released_or_dropped_on_the_command_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told, key = market(), ("600001.SH", date(2024, 1, 15))
    told.told = {"b": {key: {**told.truth[key], "high": "1.00"}}}
    desk = workspace(tmp_path, told)
    sync(desk, SyncRequest())
    lake = Lake(desk.lake)
    _, body = call(capsys, desk, "data", "quarantine")
    (row,) = body["rows"]
    assert (row["rule"], row["source"], row["decision"]) == ("ohlc.order", "b", None)
    assert call(capsys, desk, "data", "quarantine", "bars_1d")[1]["total"] == 1
    _, shown = call(capsys, desk, "data", "quarantine", "show", row["id"])
    assert shown["row"]["high"] == "1.00"
    for fresh in (1, 0):
        code, done = call(capsys, desk, "data", "quarantine", "release", row["id"], "-m", "as announced")
        assert (code, done["fresh"], done["stored"]) == (0, fresh, 1)
    assert lake.read("bars_1d", source="b").height == len(told.truth)
    assert call(capsys, desk, "data", "quarantine")[1]["total"] == 0
    (kept,) = call(capsys, desk, "data", "quarantine", "ls", "--all")[1]["rows"]
    assert kept["because"] == "as announced" and json.loads(kept["actor"])["user"]
    _, cell = call(capsys, desk, "data", "why", *(key[0], key[1].isoformat(), "high"))
    assert (cell["losers"], float(cell["value"])) == (["b"], float(told.truth[key]["high"]))
    assert call(capsys, desk, "data", "quarantine", "drop", row["id"], "-m", "no")[0] == 0
    assert lake.read("bars_1d", source="b").height == len(told.truth) - 1
    assert sync(desk, SyncRequest(restate=True)).exit_code == 0
    assert lake.read("bars_1d", source="b").height == len(told.truth) - 1


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
def test_a_sync_of_three_vendors_killed_at_any_moment_is_completed(tmp_path: Path) -> None:
    told = with_faults(market())
    whole = workspace(tmp_path / "whole", told) if (tmp_path / "whole").mkdir() is None else None
    assert whole is not None
    began = time.perf_counter()
    sync(whole, SyncRequest())
    seconds = time.perf_counter() - began
    expected = {name: Lake(whole.lake).content_hash(name) for name in ("instruments", "bars_1d")}
    decided = decisions(whole)
    moments = random.Random(20240115)
    (tmp_path / "cut").mkdir()
    desk = workspace(tmp_path / "cut", told)
    for attempt in range(KILLS):
        process = subprocess.Popen(
            [sys.executable, "-m", "quant.qcli.main", "data", "sync", "--json"],
            cwd=desk.root, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        time.sleep(moments.uniform(0.5, 1.0 + seconds))
        process.kill()
        process.wait(30)
        if attempt % 3 == 2:
            assert sync(desk, SyncRequest()).exit_code == 0
            assert {name: Lake(desk.lake).content_hash(name) for name in expected} == expected
            assert decisions(desk) == decided
            assert sync(desk, SyncRequest()).tables == ()
            shutil.rmtree(desk.state)


def decisions(desk: Workspace) -> list[tuple[object, ...]]:
    columns = ("table", "row", "field", "chosen", "winner", "losers", "rule")
    return sorted(Lake(desk.lake).read("arbitrations").select(columns).rows())
