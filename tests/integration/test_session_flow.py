"""Deployments through the flow: what a session keeps when the world around it changes."""

from __future__ import annotations

import shutil
from datetime import date
from pathlib import Path

import polars as pl
import pytest

from quant.core.errors import StateConflict
from quant.pipelines.flows.session import SessionRequest, deploy
from quant.pipelines.workspace import Workspace
from quant.warehouse.lake import Lake, table_ref


@pytest.fixture
def copy(small_desk: Workspace, tmp_path: Path) -> Workspace:
    shutil.copytree(small_desk.root, tmp_path / "desk", ignore=shutil.ignore_patterns("sessions", "runs"))
    return Workspace.find(tmp_path / "desk")


def restate(desk: Workspace, day: date) -> None:
    """A vendor changes yesterday's opening prices."""
    lake = Lake(desk.lake)
    bars = lake.read("bars_1d", start=day, end=day)
    with lake.lock.hold("test"):
        lake.write_interval(
            table_ref("bars_1d"),
            bars.with_columns(pl.col("low").alias("open")),
            day,
            day,
            note={"quant": "test"},
        )


def test_a_session_keeps_the_tables_it_began_with(copy: Workspace) -> None:
    first = deploy(copy, SessionRequest())
    restate(copy, date(2022, 8, 1))
    again = deploy(copy, SessionRequest())
    assert again.state_hash == first.state_hash and again.resumed_after is not None
    fresh = deploy(copy, SessionRequest(fresh=True))
    assert fresh.state_hash != first.state_hash and fresh.resumed_after is None


def test_a_finished_session_is_not_recorded_twice(copy: Workspace) -> None:
    first, again = deploy(copy, SessionRequest()), deploy(copy, SessionRequest())
    assert first.run == again.run
    assert len(list(copy.runs.glob("*"))) == 1


def test_a_changed_spec_refuses_the_old_journal_and_says_how_to_go_on(copy: Workspace) -> None:
    deploy(copy, SessionRequest())
    spec = copy.specs / "small.yaml"
    text = spec.read_text(encoding="utf-8")
    spec.write_text(
        text.replace("to: 2022-12-30, cash: 10_000_000", "to: 2022-12-30, cash: 9_000_000"), encoding="utf-8"
    )
    with pytest.raises(StateConflict) as caught:
        deploy(copy, SessionRequest())
    assert "fresh" in (caught.value.fault.hint or "")


def test_the_paper_session_equals_the_backtest_of_the_same_range(copy: Workspace) -> None:
    from quant.pipelines.flows.backtest import backtest

    paper = deploy(copy, SessionRequest())
    run = backtest(copy, "momentum", ["range.from=2022-07-01", "range.to=2022-12-30"])
    assert run.state_hash == paper.state_hash
