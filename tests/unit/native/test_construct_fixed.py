"""Fixed quantities: names enter when their score rises above 0 and leave when it is above 0 no more."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import pytest
from kernel_market import Stepped, bars_market, board_rules, random_market, stock_fees

from quant.native.kernel import ConstructConfig, KernelConfig, LedgerKind, Market, run_fused

PLAN = ConstructConfig("fixed", quantity=300)


def config(market: Market, cash: int = 3_000_000, **changes: Any) -> KernelConfig:
    return KernelConfig(cash * 10**6, board_rules(market.D), stock_fees(market.D), **changes)


def scores_of(market: Market, rows: np.ndarray, seed: int) -> np.ndarray:
    """Scores that keep their sign for some decisions, with unknown ones between."""
    rng = np.random.default_rng(seed)
    noise = np.cumsum(rng.normal(0, 1, (len(rows), market.S)), axis=0)
    return np.where(rng.random(noise.shape) < 0.05, np.nan, noise)


@pytest.mark.parametrize("decide", ["after_close", "before_close"])
@pytest.mark.parametrize("width", [1, 5])
@pytest.mark.parametrize("daily", [True, False])
def test_fused_and_stepped_give_the_same_chain(
    daily: bool, width: int, decide: Literal["after_close", "before_close"]
) -> None:
    for seed in range(4):
        market = random_market(80, width, seed, wild=4) if daily else bars_market(12, 9, width, seed, wild=4)
        fill: Any = {"fill_at": "close"} if decide == "before_close" else {}
        settings = config(market, cash=60_000 if seed % 2 else 3_000_000, decide=decide, **fill)
        rows = np.arange(2, market.T, 1 + seed % 3, dtype="i4")
        scores = scores_of(market, rows, seed)
        everyone = np.ones(scores.shape, bool)
        stepped = Stepped(settings, market).run(PLAN, scores, everyone, rows)
        assert len(stepped.fills()["row"]) > 0
        for eligible in (everyone, None):
            fused = run_fused(settings, market, PLAN, scores, eligible, rows).kernel
            assert fused.chain() == stepped.chain()
        some = np.random.default_rng(seed).random(scores.shape) < 0.7
        fused = run_fused(settings, market, PLAN, scores, some, rows).kernel
        assert fused.chain() == Stepped(settings, market).run(PLAN, scores, some, rows).chain()


def test_a_name_that_stays_is_left_alone() -> None:
    market = random_market(40, 1, 3, wild=0)
    rows = np.arange(0, 40, dtype="i4")
    scores = np.where((rows >= 5) & (rows < 30), 1.0 + rows, -1.0)[:, None]
    kernel = run_fused(config(market), market, PLAN, scores, None, rows).kernel
    fills = kernel.fills()
    assert list(zip(fills["row"], fills["side"], fills["quantity"], strict=True)) == [
        (6, 1, 300),
        (31, -1, 300),
    ]
    trades = kernel.ledger()["kind"] == int(LedgerKind.TRADE)
    assert trades.sum() == 2


def test_what_the_cash_does_not_pay_for_is_cut_and_not_topped_up() -> None:
    market = random_market(40, 1, 3, wild=0)
    rows = np.arange(0, 30, dtype="i4")
    price = int(market.arrays["open"][1, 0])
    cash = price * 300 // 10_000 * 2  # pays for 600 shares without fees
    kernel = run_fused(
        config(market, cash=cash),
        market,
        ConstructConfig("fixed", quantity=10_000),
        np.ones((30, 1)),
        None,
        rows,
    ).kernel
    assert kernel.fills()["quantity"].tolist() == [599]  # a STAR name: single shares
