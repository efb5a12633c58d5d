"""The loop driven from Python and the fused C++ run are one: same chain, and so is a session that was cut."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from session_case import Plan, case_config, case_data, declarative, run_case

from quant.core.time import from_epoch_days
from quant.native.kernel import run_fused
from quant.trading import PaperOptions, run_paper, run_replay

WAYS = [
    {"decide": "after_close", "fill_at": "open"},
    {"decide": "after_close", "fill_at": "open", "on_insufficient_cash": "reject", "slippage_ticks": 2},
    {"decide": "after_close", "fill_at": "vwap", "participation": 100_000_000},
    {"decide": "before_close", "fill_at": "close"},
    {"decide": "before_close", "fill_at": "close", "participation": 50_000_000, "locked": "by_target"},
]


@pytest.mark.parametrize("way", WAYS, ids=lambda way: "-".join(str(v) for v in way.values()))
def test_the_stepped_loop_gives_the_fused_chain(way: dict[str, Any]) -> None:
    data = case_data(sessions=80, instruments=12, seed=3)
    config = case_config(data.market.T, **way)
    rows = np.arange(0, data.market.T, 3, dtype="i4")
    construct, scores, eligible, strategy = declarative(data, rows)
    fused = run_fused(config, data.market, construct, scores, eligible, rows).kernel
    stepped = run_replay(Plan(decide=way["decide"]), data, config, strategy, rows=rows)
    assert len(fused.fills()["order_id"]) > 20
    assert [(from_epoch_days(d), h) for d, h in fused.chain()] == list(stepped.chain)
    assert stepped.state_hash == fused.state_hash()


def test_a_paper_session_gives_the_fused_chain(tmp_path: Path) -> None:
    data = case_data()
    config = case_config(data.market.T)
    rows = np.arange(0, data.market.T, 5, dtype="i4")
    construct, scores, eligible, strategy = declarative(data, rows)
    fused = run_fused(config, data.market, construct, scores, eligible, rows).kernel
    paper = run_paper(Plan(), data, config, strategy, tmp_path / "s", options=PaperOptions(rows=rows))
    assert paper.state_hash == fused.state_hash()


@pytest.mark.parametrize("decide", ["after_close", "before_close"])
def test_running_a_finished_session_again_changes_nothing(tmp_path: Path, decide: str) -> None:
    first = run_case(tmp_path / "s", decide=decide)
    before = (tmp_path / "s" / "journal.bin").read_bytes()
    again = run_case(tmp_path / "s", decide=decide)
    assert again.chain == first.chain
    assert again.resumed_after is not None
    assert (tmp_path / "s" / "journal.bin").read_bytes() == before
