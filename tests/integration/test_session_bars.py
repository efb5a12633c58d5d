"""A session on bars within the day: the loop from Python gives the fused chain, cut or whole."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from kernel_market import bars_market, board_rules, stock_fees
from session_case import Plan, Rebalance, declarative

from quant.native.batch import Phase
from quant.native.kernel import KernelConfig, run_fused
from quant.trading import PaperOptions, run_paper, run_replay
from quant.trading.clocks import ReplayClock
from quant.trading.feeds.replay import SliceCursor
from quant.trading.market_data import MarketData
from quant.trading.strategies.poison import PoisonCase, check_poison
from quant.trading.strategies.python import PythonStrategy
from quant.trading.view import View

D, BARS = 12, 9
MARKET = bars_market(D, BARS, 6, seed=9)
DATA = MarketData.of(MARKET, [f"60{i:04d}.SH" for i in range(MARKET.S)])


def settings(**changes: Any) -> KernelConfig:
    return KernelConfig(**({"cash_micro": 10**12, "rules": board_rules(D), "fees": stock_fees(D)} | changes))


@pytest.mark.parametrize(("decide", "fill_at"), [("after_close", "open"), ("before_close", "close")])
def test_the_session_loop_gives_the_fused_chain_on_bars(decide: Any, fill_at: Any) -> None:
    rows = np.arange(1, MARKET.T, 4, dtype="i4")
    config = settings(decide=decide, fill_at=fill_at)
    construct, scores, eligible, strategy = declarative(DATA, rows)
    fused = run_fused(config, MARKET, construct, scores, eligible, rows).kernel
    days: list[Any] = []
    stepped = run_replay(Plan(decide=decide), DATA, config, strategy, rows=rows, on_day=days.append)
    assert len(fused.fills()["row"]) > 20
    assert stepped.state_hash == fused.state_hash()
    assert [day.index for day in days] == list(range(D))
    assert {day.total for day in days} == {D}


class Counting:
    """Decides on what it sees and keeps what it saw."""

    def __init__(self) -> None:
        self.seen: list[list[Any]] = []

    def decide(self, view: View) -> None:
        past = view.history("close", 4, code=view.codes[0])
        known = int(np.isfinite(past).sum())
        self.seen.append([view.t, len(view.sessions(3)), known, str(view.session)])
        best = int(np.nanargmax(np.nan_to_num(view.last("close"))))
        view.target_weight(view.codes[best], 0.5)
        assert (
            view.last("pre_close", code=view.codes[0])
            == MARKET.arrays["pre_close"][MARKET.session_of(view.t), 0] / 10_000
        )


def test_a_session_cut_within_a_day_goes_on_with_the_same_chain(tmp_path: Path) -> None:
    rows = np.arange(2, MARKET.T, 5, dtype="i4")
    whole = run_replay(Plan(), DATA, settings(), PythonStrategy(Counting()), rows=rows)
    options = PaperOptions(rows=rows, snapshot_every=2)
    assert (
        run_paper(
            Plan(), DATA, settings(), PythonStrategy(Counting()), tmp_path / "s", options=options
        ).state_hash
        == whole.state_hash
    )
    again = run_paper(Plan(), DATA, settings(), PythonStrategy(Counting()), tmp_path / "s", options=options)
    assert again.state_hash == whole.state_hash
    assert again.resumed_after is not None


def test_a_view_counts_sessions_and_bars_apart() -> None:
    strategy = Counting()
    rows = np.array([0, 5, BARS + 1, 3 * BARS], "i4")
    run_replay(Plan(), DATA, settings(), PythonStrategy(strategy), rows=rows)
    assert [(t, sessions) for t, sessions, _, _ in strategy.seen] == [(0, 1), (5, 1), (10, 2), (27, 3)]
    assert strategy.seen[0][3] != strategy.seen[2][3]


@pytest.mark.parametrize("decide", ["after_close", "before_close"])
def test_a_strategy_on_bars_sees_nothing_of_later_ones(decide: Any) -> None:
    plan = Plan(decide=decide)
    config = settings(decide=decide, fill_at="open" if decide == "after_close" else "close")
    case = PoisonCase(
        plan, DATA, config, np.arange(1, MARKET.T, 3, dtype="i4"), lambda data: PythonStrategy(Counting())
    )
    assert check_poison(case, [13], seeds=(1,)) >= 4


def test_a_plan_decides_after_the_last_bar_of_its_sessions() -> None:
    clock = ReplayClock(MARKET)
    plan = replace(Plan(), rebalance=Rebalance("day"))
    deciding = [ts for ts, decides in clock.steps(plan, -1) if decides]
    assert deciding == [MARKET.instant(int(t), Phase.CLOSE) for t in MARKET.last_bars]


@pytest.mark.parametrize("decide", ["after_close", "before_close"])
def test_a_cursor_goes_on_where_it_stood(decide: str) -> None:
    whole = SliceCursor(MARKET, decide)
    walked = []
    while (batch := whole.next(2**62)) is not None:
        walked.append((batch.t, batch.phase))
    assert len(walked) == whole.position == MARKET.T * (2 + (decide == "before_close")) + D
    for count in range(len(walked)):
        cursor = SliceCursor(MARKET, decide)
        cursor.position = count
        assert cursor.position == count
        found = cursor.next(2**62)
        assert found is not None and (found.t, found.phase) == walked[count]
        cursor.seek(*walked[count])
        assert cursor.position == count + 1
