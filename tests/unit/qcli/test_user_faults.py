"""What a user met: damaged runs, odd paths, stopped commands, full disks, settings from the environment."""

from __future__ import annotations

import errno
import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from quant.pipelines.flows.backtest import backtest
from quant.pipelines.workspace import Workspace
from quant.qcli import main
from quant.qcli.main import Terminated, run


def call(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    code = run(words)
    out, err = capsys.readouterr()
    return code, out, err


@pytest.fixture
def desk(small_desk: Workspace, tmp_path: Path) -> Workspace:
    shutil.copytree(small_desk.root, tmp_path / "desk")
    return Workspace.find(tmp_path / "desk")


def test_a_spec_file_is_found_however_its_path_is_written(
    capsys: pytest.CaptureFixture[str], desk: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(desk.root)
    for path in ("specs/small.yaml", "./specs/small.yaml", "specs/../specs/small.yaml#momentum"):
        code, out, err = call(capsys, "backtest", path, "--explain")
        assert code == 0, err
        assert "momentum" in out


def test_a_date_that_was_typed_beyond_the_calendar_is_a_fault_of_usage(
    capsys: pytest.CaptureFixture[str], desk: Workspace
) -> None:
    words = ("universe", "show", "all_listed", "--on", "2199-01-04", "-w", str(desk.root), "--json")
    code, out, _ = call(capsys, *words)
    assert (code, json.loads(out)["error"]["code"]) == (2, "calendar.range")


def test_names_that_do_not_exist_are_refused_with_what_to_do(
    capsys: pytest.CaptureFixture[str], desk: Workspace, tmp_path: Path
) -> None:
    here = ("-w", str(desk.root), "--json")
    code, out, _ = call(capsys, "data", "quarantine", "ls", "--source", "nosuch", *here)
    assert (code, json.loads(out)["error"]["code"]) == (2, "source.unknown")
    code, out, _ = call(capsys, "data", "snapshot", "rm", "nosuch", *here)
    assert code == 2 and "snapshot ls" in json.loads(out)["error"]["hint"]
    code, out, _ = call(capsys, "init", str(tmp_path / "x"), "-t", "nosuch", "--json")
    assert code == 2 and json.loads(out)["error"]["hint"].startswith("quant init")


def test_a_folder_that_an_export_makes_is_named(
    capsys: pytest.CaptureFixture[str], desk: Workspace, tmp_path: Path
) -> None:
    words = ("data", "export", "instruments", "-w", str(desk.root), "--to")
    new = tmp_path / "new" / "names.csv"
    code, _, err = call(capsys, *words, str(new))
    assert code == 0 and str(new.parent) in err and "made the folder" in err
    code, _, err = call(capsys, *words, str(new))
    assert code == 0 and "made the folder" not in err


@pytest.mark.parametrize(("error", "code"), [(KeyboardInterrupt(), 130), (Terminated(), 143)])
def test_a_stopped_command_says_so(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, error: BaseException, code: int
) -> None:
    def stop(**_: Any) -> None:
        raise error

    monkeypatch.setattr(main, "build", lambda: stop)
    found, out, err = call(capsys, "data", "sync", "--json")
    assert found == code and "Traceback" not in err
    assert json.loads(out)["error"]["code"] == "process.stopped"


def test_a_folder_that_cannot_be_written_is_no_bug_of_ours(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(**_: Any) -> None:
        raise OSError(errno.EROFS, "Read-only file system", "/mnt/desk/.quant")

    monkeypatch.setattr(main, "build", lambda: refuse)
    code, _, err = call(capsys, "data", "sync")
    assert code == 1 and "/mnt/desk/.quant" in err and "[disk.refused]" in err and "fix:" in err


def test_the_environment_chooses_the_profile(desk: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    (desk.root / "quant.toml").open("a").write('\n[profiles.other]\nsources = ["sim"]\n')
    monkeypatch.setenv("QUANT__DEFAULTS__PROFILE", "other")
    assert Workspace.find(desk.root).profile == "other"
    assert Workspace.find(desk.root, profile=desk.profile).profile == desk.profile


def test_a_run_that_was_changed_afterwards_does_not_replay_as_the_same(
    capsys: pytest.CaptureFixture[str], desk: Workspace
) -> None:
    folder = backtest(desk, "momentum").folder
    at = ("-w", str(desk.root))
    chain = json.loads((folder / "chain.json").read_text())
    changed = [*chain[:50], [chain[50][0], "0" * 64], *chain[51:]]
    (folder / "chain.json").write_text(json.dumps(changed))
    code, _, err = call(capsys, "run", "replay", folder.name, *at)
    assert code == 3 and f"first session that differs: {chain[50][0]}" in err

    (folder / "chain.json").write_text(json.dumps(chain))
    receipt = json.loads((folder / "receipt.json").read_text())
    (folder / "receipt.json").write_text(json.dumps(receipt | {"state_hash": "0" * 64}))
    code, out, _ = call(capsys, "run", "replay", folder.name, *at)
    assert code == 3 and "receipt and chain" in out

    (folder / "receipt.json").write_text("junk")
    for words in (("run", "show"), ("run", "replay")):
        code, _, err = call(capsys, *words, folder.name, *at)
        assert code == 3 and "[run.damaged]" in err and "receipt.json" in err


def test_wrong_names_are_named(capsys: pytest.CaptureFixture[str], desk: Workspace) -> None:
    at = ("-w", str(desk.root))
    for words, expected in (
        (("data", "quarantine", "nosuch"), "bars_1d"),
        (("spec", "show", "nokind", "x"), "backtest"),
        (("spec", "show", "strategy", "momentum_topn", "--resolved"), "backtest or deployment"),
    ):
        code, _, err = call(capsys, *words, *at)
        assert code == 2 and expected in err, words
