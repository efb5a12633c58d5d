"""The kernel on bars within the day against its slow twin; the fused run leaves bars out, the steps do not.

Both end with the same bytes.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from kernel_market import Stepped, bars_market, board_rules, stock_fees
from twin import Twin, TwinFill

from quant.native.kernel import ConstructConfig, KernelConfig, Market, run_fused

D, BARS, S = 20, 12, 12
MARKETS: dict[str, Market] = {
    "one name": bars_market(D, BARS, 1, seed=3, wild=0.2),
    "several names": bars_market(D, BARS, S, seed=4, wild=4),
}
CASES: dict[str, dict[str, Any]] = {
    "open": {},
    "close": {"fill_at": "close"},
    "before the close of the bar": {"fill_at": "close", "decide": "before_close"},
    "vwap with participation": {"fill_at": "vwap", "participation": 100_000_000},
    "by target, rejects, slippage": {
        "locked": "by_target",
        "on_insufficient_cash": "reject",
        "slippage_ticks": 2,
    },
}
PLAN = ConstructConfig("equal", top=4, cash_buffer=20_000_000)


def decisions(market: Market, every: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(every)
    rows = np.arange(2, market.T, every, dtype="i4")
    scores = np.round(rng.normal(0, 1, (len(rows), market.S)), 1)
    scores[rng.random(scores.shape) < 0.3] = np.nan
    return rows, scores, rng.random(scores.shape) < 0.8


@pytest.mark.parametrize("every", [1, 5, 17, 60])
@pytest.mark.parametrize("name", MARKETS)
@pytest.mark.parametrize("case", CASES)
def test_bars_give_the_twins_fills_and_the_stepped_chain(case: str, name: str, every: int) -> None:
    market = MARKETS[name]
    given: dict[str, Any] = {"cash_micro": 900_000 * 10**6, "rules": board_rules(D), "fees": stock_fees(D)}
    settings = KernelConfig(**(given | CASES[case]))
    rows, scores, eligible = decisions(market, every)
    kernel = run_fused(settings, market, PLAN, scores, eligible, rows).kernel
    allowed = {int(row): list(eligible[k]) for k, row in enumerate(rows)}
    twin = Twin(settings, market, PLAN).run(
        {int(r): list(map(float, scores[k])) for k, r in enumerate(rows)}, allowed
    )
    fills, history = kernel.fills(), kernel.nav_history()
    columns = ("row", "instrument", "side", "quantity", "price", "commission", "stamp", "transfer")
    ours = [TwinFill(*map(int, row)) for row in zip(*(fills[c] for c in columns), strict=True)]
    assert len(ours) >= 2
    assert ours == twin.fills
    assert history["cash"].tolist() == twin.cash_history
    assert history["nav"].tolist() == twin.nav
    assert len(kernel.chain()) == D
    stepped = Stepped(settings, market).run(PLAN, scores, eligible, rows)
    assert stepped.chain() == kernel.chain()
    assert stepped.snapshot() == kernel.snapshot()
