"""Replay: the same hash, or the part and the first session that differ."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quant.pipelines.flows.backtest import backtest
from quant.pipelines.flows.replay import first_difference, replay_run
from quant.pipelines.workspace import Workspace


@pytest.fixture
def copy(small_desk: Workspace, tmp_path: Path) -> Workspace:
    """The small workspace, free to be changed."""
    shutil.copytree(small_desk.root, tmp_path / "desk")
    return Workspace.find(tmp_path / "desk")


@given(st.integers(1, 60), st.integers(0, 60), st.integers(0, 60))
def test_bisection_finds_the_first_difference(length: int, at: int, cut: int) -> None:
    """A chain that differs once differs ever after; a shorter chain differs where it ends."""
    recorded = [(f"d{i:03}", f"h{i}") for i in range(length)]
    at = min(at, length)
    now = recorded[:at] + [(day, h + "x") for day, h in recorded[at:]]
    assert first_difference(recorded, now) == (recorded[at][0] if at < length else None)
    short = recorded[: min(cut, length)]
    assert first_difference(recorded, short) == (recorded[len(short)][0] if len(short) < length else None)


def test_a_moved_workspace_replays_to_the_same_hash(copy: Workspace) -> None:
    run = backtest(copy, "momentum")
    verdict = replay_run(copy, run.run_id)
    assert verdict.same and verdict.state_hash == run.state_hash and verdict.differences == ()


def test_a_changed_spec_is_named_but_the_recorded_plan_still_holds(copy: Workspace) -> None:
    run = backtest(copy, "momentum")
    spec = copy.specs / "small.yaml"
    spec.write_text(spec.read_text().replace("cash: 10_000_000\nparams", "cash: 9_000_000\nparams"))
    verdict = replay_run(copy, run.run_id)
    assert verdict.same
    assert [d.part for d in verdict.differences] == ["spec"]


def test_a_changed_table_is_named_with_the_first_session_it_moves(copy: Workspace) -> None:
    import polars as pl

    from quant.warehouse.lake import Lake, table_ref

    run = backtest(copy, "momentum")
    fills = pl.read_parquet(run.folder / "fills.parquet").filter(pl.col("side") == "buy")
    code, day = fills.row(len(fills) // 2, named=True)["code"], fills["session"][len(fills) // 2]
    lake = Lake(copy.lake)
    names = lake.read("instruments").filter(pl.col("code") == code)
    bars = lake.read("bars_1d", start=day, end=day)
    changed = bars.with_columns(
        pl.when(pl.col("instrument_id") == names["instrument_id"][0])
        .then(pl.col("open") - pl.lit("0.01").cast(pl.Decimal(18, 4)))
        .otherwise(pl.col("open"))
        .cast(pl.Decimal(18, 4))
        .alias("open")
    )
    with lake.lock.hold("test"):
        lake.write_interval(table_ref("bars_1d"), changed, day, day, note={"quant": "test"})
    plan = json.loads((run.folder / "plan.json").read_text())
    for table in plan["tables"]:
        if table["name"] == "bars_1d":
            table["version"] = lake.version("bars_1d")
    (run.folder / "plan.json").write_text(json.dumps(plan))
    verdict = replay_run(copy, run.run_id)
    assert not verdict.same
    assert verdict.first_difference == day.isoformat()
    assert "table bars_1d" in [d.part for d in verdict.differences]


def test_a_tampered_chain_is_found(copy: Workspace) -> None:
    run = backtest(copy, "momentum")
    path = run.folder / "chain.json"
    chain = json.loads(path.read_text())
    for entry in chain[100:]:
        entry[1] = "0" * 64
    path.write_text(json.dumps(chain))
    verdict = replay_run(copy, run.run_id)
    assert not verdict.same and verdict.first_difference == chain[100][0]
