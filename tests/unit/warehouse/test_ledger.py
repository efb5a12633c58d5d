from __future__ import annotations

import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from quant.core.errors import QuantError, StateConflict
from quant.warehouse.ledger import Ledger
from quant.warehouse.ledger.migrations import MIGRATIONS

ACTOR = {"user": "li", "host": "desk", "command": "quant backtest", "commit": None}


@pytest.fixture
def ledger(tmp_path: Path, clock: Callable[[], int]) -> Ledger:
    return Ledger(tmp_path / "state" / "ledger.db", now=clock)


def record(ledger: Ledger, run_id: str, started: str = "2026-01-01T00:00:00Z") -> None:
    ledger.record_run(
        run_id=run_id, kind="backtest", name="momentum", started=started, actor=ACTOR,
        plan_fingerprint="p" * 64, state_hash="s" * 64, folder=f"runs/{run_id}",
    )  # fmt: skip


def test_reading_an_absent_ledger_makes_none(ledger: Ledger) -> None:
    assert ledger.runs() == []
    assert ledger.audit_log() == []
    assert not ledger.path.exists()


def test_runs_are_listed_newest_first_with_their_actor(ledger: Ledger) -> None:
    record(ledger, "a", "2026-01-01T00:00:00Z")
    record(ledger, "b", "2026-01-02T00:00:00Z")
    record(ledger, "b", "2026-01-02T00:00:00Z")
    assert [run.run_id for run in ledger.runs()] == ["b", "a"]
    assert [run.run_id for run in ledger.runs(limit=1)] == ["b"]
    run = ledger.run("a")
    assert run is not None
    assert (run.status, run.state_hash, run.finished) == ("done", "s" * 64, "2026-01-01T00:00:00Z")
    assert run.as_dict()["actor"] == ACTOR
    assert ledger.run("c") is None


def test_a_run_begins_and_ends(ledger: Ledger) -> None:
    ledger.start_run(run_id="a", kind="backtest", name="m", actor=ACTOR, pid=1)
    assert ledger.runs()[0].status == "running"
    ledger.finish_run("a", status="done", actor=ACTOR, state_hash="h", folder="runs/a")
    run = ledger.runs()[0]
    assert (run.status, run.state_hash, run.pid) == ("done", "h", None)
    with pytest.raises(QuantError, match="no run x"):
        ledger.finish_run("x", status="done", actor=ACTOR)


def test_orphans_of_a_kill_are_marked_failed(ledger: Ledger) -> None:
    ledger.start_run(run_id="dead", kind="backtest", name="m", actor=ACTOR, pid=1)
    ledger.start_run(run_id="alive", kind="backtest", name="m", actor=ACTOR, pid=2)
    ledger.start_session(session_id="s", deployment="d", mode="paper", folder="f", actor=ACTOR, pid=1)
    assert sorted(ledger.fail_orphans(lambda pid: pid == 2, ACTOR)) == ["dead", "s"]
    assert {run.run_id: run.status for run in ledger.runs()} == {"dead": "failed", "alive": "running"}
    assert ledger.sessions()[0].status == "failed"
    assert ledger.fail_orphans(lambda pid: pid == 2, ACTOR) == []


def test_sessions_are_paused_halted_and_started_again(ledger: Ledger) -> None:
    ledger.start_session(session_id="s", deployment="d", mode="paper", folder="f", actor=ACTOR, pid=1)
    ledger.set_session("s", status="halted", actor=ACTOR, reason="daily loss")
    ledger.start_session(session_id="s", deployment="d", mode="paper", folder="f", actor=ACTOR, pid=2)
    ledger.set_session("s", status="done", actor=ACTOR, state_hash="h")
    (session,) = ledger.sessions(deployment="d")
    assert (session.status, session.state_hash, session.pid) == ("done", "h", 2)
    verbs = [entry.verb for entry in ledger.audit_log()]
    assert verbs == ["session.done", "session.start", "session.halted", "session.start"]
    assert ledger.audit_log(verb="session.halted")[0].detail == {"reason": "daily loss"}
    with pytest.raises(QuantError, match="no session x"):
        ledger.set_session("x", status="done", actor=ACTOR)


def test_a_refused_change_leaves_no_audit_entry(ledger: Ledger) -> None:
    ledger.start_session(session_id="s", deployment="d", mode="paper", folder="f", actor=ACTOR)
    with pytest.raises(sqlite3.IntegrityError):
        ledger.set_session("s", status="asleep", actor=ACTOR)
    assert len(ledger.audit_log()) == 1


def test_the_audit_log_is_only_appended_to(ledger: Ledger) -> None:
    ledger.audit("data.sync", "bars_1d", ACTOR, rows=3)
    entry = ledger.audit_log()[0]
    assert (entry.verb, entry.object, entry.detail, entry.at) == (
        "data.sync", "bars_1d", {"rows": 3}, "2026-01-01T00:00:00Z",
    )  # fmt: skip
    with sqlite3.connect(ledger.path) as db:
        for change in ("delete from audit_log", "update audit_log set verb = 'x'"):
            with pytest.raises(sqlite3.IntegrityError, match="only appended"):
                db.execute(change)
    db.close()


def test_many_writers_lose_nothing(ledger: Ledger) -> None:
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda i: Ledger(ledger.path).audit("v", str(i), ACTOR), range(40)))
    assert sorted(int(entry.object) for entry in ledger.audit_log(limit=100)) == list(range(40))


def test_a_newer_ledger_is_refused_with_the_fix(ledger: Ledger) -> None:
    record(ledger, "a")
    with sqlite3.connect(ledger.path) as db:
        db.execute(f"pragma user_version = {len(MIGRATIONS) + 1}")
    db.close()
    with pytest.raises(StateConflict) as caught:
        Ledger(ledger.path).runs()
    assert (caught.value.exit_code, caught.value.fault.code) == (5, "ledger.newer")
