"""Commands in process: results, ``--json``, errors and exit codes."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from quant.pipelines.workspace import Workspace
from quant.qcli.main import run


def call(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    code = run(words)
    out, err = capsys.readouterr()
    return code, out, err


def call_json(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, dict[str, Any]]:
    code, out, _ = call(capsys, *words, "--json")
    body = json.loads(out)
    assert body["schema_version"] == 1
    return code, body


@pytest.fixture
def at(small_desk: Workspace) -> tuple[str, str]:
    return "-w", str(small_desk.root)


def test_backtest_prints_metrics_and_the_report(
    capsys: pytest.CaptureFixture[str], at: tuple[str, str]
) -> None:
    code, out, err = call(capsys, "backtest", "momentum", "n=10", *at)
    assert code == 0, err
    assert "Sharpe ratio" in out
    report = re.search(r"^report (\S+)", err, re.MULTILINE)
    assert report and Path(report[1]).is_file()


def test_backtest_json_and_run_commands_agree(
    capsys: pytest.CaptureFixture[str], at: tuple[str, str]
) -> None:
    code, made = call_json(capsys, "backtest", "momentum", "n=10", *at)
    assert code == 0
    _, shown = call_json(capsys, "run", "show", "last", *at)
    _, listed = call_json(capsys, "run", "ls", *at)
    assert shown["state_hash"] == made["state_hash"]
    assert listed["runs"][0]["run_id"] == made["run"]
    code, verdict = call_json(capsys, "run", "replay", made["run"], *at)
    assert code == 0 and verdict["same"] and verdict["differences"] == []


def test_the_same_command_gives_the_same_hash(
    capsys: pytest.CaptureFixture[str], at: tuple[str, str]
) -> None:
    first, second = (call_json(capsys, "backtest", "momentum", "n=12", *at)[1] for _ in range(2))
    other = call_json(capsys, "backtest", "momentum", "n=15", *at)[1]
    assert first["state_hash"] == second["state_hash"] != other["state_hash"]
    assert first["run"] != second["run"]


def test_explain_prints_the_plan_and_runs_nothing(
    capsys: pytest.CaptureFixture[str], small_desk: Workspace, at: tuple[str, str]
) -> None:
    before = sorted(small_desk.runs.glob("*")) if small_desk.runs.is_dir() else []
    code, out, _ = call(capsys, "backtest", "momentum", "--explain", *at)
    assert code == 0 and "sessions before the start" in out and "costs" in out
    assert (sorted(small_desk.runs.glob("*")) if small_desk.runs.is_dir() else []) == before


def test_reports_come_in_two_languages(capsys: pytest.CaptureFixture[str], at: tuple[str, str]) -> None:
    call(capsys, "backtest", "momentum", *at)
    code, body = call_json(capsys, "run", "report", "last", "--lang", "zh", *at)
    assert code == 0 and "夏普" in Path(body["report"]).read_text(encoding="utf-8")
    code, _, err = call(capsys, "run", "report", "last", "--lang", "fr", *at)
    assert code == 2 and "en or zh" in err


@pytest.mark.parametrize(
    "words",
    [
        ("backtest", "momentm"),
        ("backtest", "momentum", "m=3"),
        ("backtest", "momentum", "n=zero"),
        ("backtest", "nowhere.yaml"),
        ("backtest", "momentum", "as_of=2024-01-01"),
        ("run", "show", "nothing-like-it"),
        ("data", "sync", "--start", "2022-02-30"),
        ("data", "sync", "no_such_table"),
        ("data", "sql", "select 1 from bars_1d", "--engine", "oracle"),
        ("data", "sql", "select 1", "--at", "bars_1d"),
        ("spec", "show", "factor", "momentun_20"),
        ("live", "status"),
        ("nonsense",),
    ],
)
def test_what_is_wrong_is_said_with_exit_two(
    capsys: pytest.CaptureFixture[str], at: tuple[str, str], words: tuple[str, ...]
) -> None:
    code, _, err = call(capsys, *words, *at)
    assert code == 2, err
    assert "Traceback" not in err and err.strip()


def test_an_unknown_backtest_names_the_nearest(
    capsys: pytest.CaptureFixture[str], at: tuple[str, str]
) -> None:
    _, body = call_json(capsys, "backtest", "momentm", *at)
    assert "momentum" in body["error"]["hint"]
    assert body["partial"] == []


def test_missing_data_names_the_sync_command(capsys: pytest.CaptureFixture[str], at: tuple[str, str]) -> None:
    code, body = call_json(capsys, "backtest", "momentum", "range.to=2024-06-28", *at)
    assert code == 2
    assert "quant data sync" in body["error"]["hint"]


def test_an_environment_that_is_not_there_is_refused_by_policy(
    capsys: pytest.CaptureFixture[str], at: tuple[str, str]
) -> None:
    code, _, err = call(capsys, "deploy", "--env", "live", *at)
    assert code == 6 and "paper" in err


def test_sql_reads_the_lake(capsys: pytest.CaptureFixture[str], at: tuple[str, str]) -> None:
    query = "select count(*) as n, min(session) as first from bars_1d"
    answers = [
        call_json(capsys, "data", "sql", query, "--engine", e, *at)[1] for e in ("clickhouse", "duckdb")
    ]
    assert answers[0]["rows"][0][0] == answers[1]["rows"][0][0] > 10_000
    assert answers[0]["versions"] == answers[1]["versions"]


def test_paper_session_then_status_and_controls(
    capsys: pytest.CaptureFixture[str], at: tuple[str, str]
) -> None:
    code, done = call_json(capsys, "deploy", "--env", "paper", *at)
    assert code == 0 and done["state"] == "finished"
    code, status = call_json(capsys, "live", "status", *at)
    assert code == 0 and status["state"] == "finished" and status["state_hash"] == done["state_hash"]
    code, _, err = call(capsys, "live", "halt", "--reason", " ", *at)
    assert code == 2 and "reason" in err
    code, _, err = call(capsys, "live", "pause", *at)
    assert code == 5 and "finished" in err
    code, again = call_json(capsys, "deploy", "--env", "paper", *at)
    assert code == 0 and again["state_hash"] == done["state_hash"]


def test_init_makes_a_workspace_that_lints(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    folder = tmp_path / "my-desk"
    assert call(capsys, "init", str(folder), "--template", "ashare")[0] == 0
    assert call(capsys, "spec", "lint", "-w", str(folder))[0] == 0
    assert call(capsys, "init", str(folder))[0] == 5
    coins = tmp_path / "coins"
    assert "Binance, OKX and Bybit" in "".join(call(capsys, "init", str(coins), "--template", "crypto")[1:])
    assert call(capsys, "spec", "lint", "-w", str(coins))[0] == 0
    assert call(capsys, "init", str(tmp_path / "x"), "--template", "mars")[0] == 2
    assert not (tmp_path / "x").exists()


def test_upgrade_declares_the_format_and_keeps_a_backup(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    text = 'apiVersion = "quant/v1"\nkind = "project"\nname = "old"\n[profiles.demo]\nsources = ["sim"]\n'
    (tmp_path / "quant.toml").write_text(text)
    code, body = call_json(capsys, "upgrade", "-w", str(tmp_path))
    assert code == 0 and body["steps"]
    assert Path(body["backup"]).read_text() == text
    assert (tmp_path / "quant.toml").read_text().startswith("format = 1\n")
    assert call_json(capsys, "upgrade", "-w", str(tmp_path))[1]["steps"] == []


def test_version_and_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert call(capsys, "--version")[1].strip()
    code, out, _ = call(capsys, "--help")
    assert code == 0 and all(name in out for name in ("init", "data", "backtest", "deploy", "live", "ui"))


def test_doctor_and_config(capsys: pytest.CaptureFixture[str], at: tuple[str, str]) -> None:
    code, body = call_json(capsys, "doctor", *at)
    assert code == 0, body
    assert {"native kernel", "workspace", "specs"} <= {f["check"] for f in body["findings"]}
    code, out, _ = call(capsys, "config", "show", "--origin", *at)
    assert code == 0 and "quant.toml" in out


def test_a_halt_is_said_with_its_session(capsys: pytest.CaptureFixture[str], at: tuple[str, str]) -> None:
    code, body = call_json(capsys, "backtest", "momentum", "risk.halt.drawdown=2%", *at)
    assert code == 0
    assert "halt stopped the account after the close of 202" in body["assumptions"][0]


def test_gc_leaves_old_runs_replayable(capsys: pytest.CaptureFixture[str], at: tuple[str, str]) -> None:
    _, made = call_json(capsys, "backtest", "momentum", "n=11", *at)
    code, body = call_json(capsys, "data", "gc", *at)
    assert code == 0, body
    assert call_json(capsys, "run", "replay", made["run"], *at)[1]["same"]


def test_a_range_may_be_overridden_as_it_is_written(
    capsys: pytest.CaptureFixture[str], at: tuple[str, str]
) -> None:
    pair = call_json(capsys, "backtest", "momentum", "range=[2022-01-04,2022-06-30]", *at)[1]
    ends = call_json(capsys, "backtest", "momentum", "range.from=2022-01-04", "range.to=2022-06-30", *at)[1]
    assert pair["state_hash"] == ends["state_hash"]


def test_the_workspace_names_its_own_backtest(
    capsys: pytest.CaptureFixture[str], at: tuple[str, str]
) -> None:
    code, body = call_json(capsys, "backtest", *at)
    assert code == 0 and body["name"] == "momentum"


def test_a_run_of_a_newer_format_is_refused_everywhere(
    capsys: pytest.CaptureFixture[str], small_desk: Workspace, at: tuple[str, str]
) -> None:
    _, made = call_json(capsys, "backtest", "momentum", "n=13", *at)
    receipt = Path(made["folder"]) / "receipt.json"
    text = receipt.read_text(encoding="utf-8")
    receipt.write_text(text.replace('"format": 1', '"format": 99'), encoding="utf-8")
    for command in ("show", "report", "replay"):
        assert call(capsys, "run", command, made["run"], *at)[0] == 5
    receipt.write_text(text, encoding="utf-8")


def test_overrides_reach_a_deployment(capsys: pytest.CaptureFixture[str], at: tuple[str, str]) -> None:
    code, body = call_json(capsys, "deploy", "momentum_paper", "strategy.construct.top=12", "--fresh", *at)
    assert code == 0, body
    assert call(capsys, "deploy", "momentum_paper", "strategy.construct.top=zero", *at)[0] == 2


def test_a_universe_that_is_never_filled_is_said(
    capsys: pytest.CaptureFixture[str], at: tuple[str, str]
) -> None:
    code, body = call_json(capsys, "backtest", "momentum", "universe.where=['$close < 0']", *at)
    assert code == 0, body
    assert "No name was ever eligible" in body["assumptions"][0]
