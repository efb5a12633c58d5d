"""A running paper session steered and watched by another process, on the real kernel."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from session_case import Plan, Restless, case_config, case_data, python_rows, run_case
from test_kill9_session import start

from quant.core.errors import StateConflict
from quant.trading import (
    ControlFiles,
    PaperOptions,
    PythonStrategy,
    SessionStatus,
    View,
    read_status,
    request,
    run_paper,
)
from quant.trading.strategies import StrategyError


def wait(folder: Path, ready: Callable[[SessionStatus], bool], seconds: float = 30.0) -> SessionStatus:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if (folder / "status.json").exists():
            status = read_status(folder)
            if ready(status):
                return status
        time.sleep(0.01)
    raise AssertionError(f"not reached: {read_status(folder)}")


@pytest.fixture
def running(tmp_path: Path) -> tuple[Path, subprocess.Popen[bytes]]:
    folder = tmp_path / "s"
    child = start(folder, "after_close", 5, pace=0.05)
    wait(folder, lambda s: s.done > 3)
    return folder, child


def test_halt_reset_pause_resume_reach_a_running_session(
    running: tuple[Path, subprocess.Popen[bytes]],
) -> None:
    folder, child = running
    files = ControlFiles.in_folder(folder)
    request(files, "pause", actor="ann", reason="lunch")
    assert wait(folder, lambda s: s.state == "paused").paused
    request(files, "resume", actor="ann")
    wait(folder, lambda s: s.state == "running")
    request(files, "halt", actor="ann", reason="wrong prices")
    halted = wait(folder, lambda s: s.state == "halted")
    assert (halted.halted, halted.halt_reason) == (True, "wrong prices")
    request(files, "reset", actor="bob", reason="right again")
    wait(folder, lambda s: s.state == "running" and s.orders > 0 and s.halt_reason is None)
    output, errors = child.communicate(timeout=60)
    assert child.returncode == 0, errors.decode()
    journal = (folder / "journal.bin").read_bytes()
    for word in ("lunch", "wrong prices", "right again"):
        assert word.encode() in journal
    again = run_case(folder, snapshot_every=0)
    assert again.state_hash == output.decode().strip()


def test_a_halt_file_alone_stops_all_orders(running: tuple[Path, subprocess.Popen[bytes]]) -> None:
    folder, child = running
    (folder / "HALT").write_text("stop")
    seen = wait(folder, lambda s: s.state == "halted")
    output, _ = child.communicate(timeout=60)
    assert child.returncode == 0
    final = read_status(folder)
    assert (final.state, final.halted, final.done) == ("finished", True, 60)
    assert final.orders == 0
    assert final.fills == 0
    assert seen.done < 60
    assert run_case(folder).state_hash == output.decode().strip()


def test_a_second_process_may_not_run_the_same_session(
    running: tuple[Path, subprocess.Popen[bytes]],
) -> None:
    folder, child = running
    with pytest.raises(StateConflict) as caught:
        run_case(folder)
    assert caught.value.fault.code == "session.running"
    child.kill()
    child.communicate()
    assert json.loads((folder / "plan.json").read_text())["name"] == "case"
    assert run_case(folder, snapshot_every=5).sessions == 60


def test_a_halted_session_that_was_killed_stays_halted(
    running: tuple[Path, subprocess.Popen[bytes]],
) -> None:
    folder, child = running
    request(ControlFiles.in_folder(folder), "halt", actor="ann", reason="drill")
    wait(folder, lambda s: s.state == "halted")
    child.kill()
    child.communicate()
    fills = len(run_case(folder, snapshot_every=5).kernel.fills()["order_id"])
    result = run_case(folder, snapshot_every=5)
    assert result.state == "halted"
    assert len(result.kernel.fills()["order_id"]) == fills


def test_a_session_may_begin_halted_and_is_reset_later(tmp_path: Path) -> None:
    folder = tmp_path / "s"
    folder.mkdir()
    files = ControlFiles.in_folder(folder)
    request(files, "halt", actor="ann", reason="not yet")
    child = start(folder, "before_close", 5, pace=0.05)
    begun = wait(folder, lambda s: s.done > 2)
    assert (begun.state, begun.orders, begun.fills) == ("halted", 0, 0)
    request(files, "reset", actor="ann", reason="go")
    wait(folder, lambda s: s.fills > 0)
    output, errors = child.communicate(timeout=60)
    assert child.returncode == 0, errors.decode()
    assert run_case(folder, decide="before_close", snapshot_every=0).state_hash == output.decode().strip()


class BreaksOnDayTen(Restless):
    def decide(self, view: View) -> None:
        if view.t >= 10:
            raise ZeroDivisionError("ten")
        super().decide(view)


def test_a_strategy_that_fails_leaves_a_status_and_a_journal_to_go_on_from(tmp_path: Path) -> None:
    whole = run_case(tmp_path / "whole")
    data = case_data()
    options = PaperOptions(rows=python_rows(data.market.T), snapshot_every=7)
    with pytest.raises(StrategyError) as caught:
        run_paper(
            Plan(),
            data,
            case_config(data.market.T),
            PythonStrategy(BreaksOnDayTen()),
            tmp_path / "s",
            options=options,
        )
    assert str(caught.value.fault.where).startswith("integration/test_session_control.py:")
    failed = read_status(tmp_path / "s")
    assert (failed.state, failed.done) == ("failed", 10)
    assert "ZeroDivisionError: ten" in (failed.error or "")
    assert run_case(tmp_path / "s").chain == whole.chain
