"""The fused run: its range, its checks, and how its chain tells two runs apart."""

from __future__ import annotations

import threading
import time
from typing import Any

import numpy as np
import pytest
from kernel_market import Stepped, board_rules, random_market, stock_fees

from quant.core.errors import UsageError
from quant.native.kernel import ConstructConfig, KernelConfig, Market, RiskLimits, construct, run_fused

T, S = 40, 12
MARKET = random_market(T, S, seed=2, wild=3)
PLAN = ConstructConfig("equal", 4)
ROWS = np.arange(1, T, 4, dtype="i4")
SCORES = np.random.default_rng(8).normal(0, 1, (len(ROWS), S))
ELIGIBLE = np.ones(SCORES.shape, bool)


def config(**changes: Any) -> KernelConfig:
    return KernelConfig(2_000_000 * 10**6, board_rules(T), stock_fees(T), **changes)


def test_a_range_of_sessions_is_a_run_of_its_own() -> None:
    part = run_fused(config(), MARKET, PLAN, SCORES, ELIGIBLE, ROWS, first=10, last=20).kernel
    loop = Stepped(config(), MARKET)
    where = {int(row): k for k, row in enumerate(ROWS)}
    for t in range(10, 21):
        loop.session(t)
        if t in where:
            loop.give(construct(PLAN, SCORES[where[t]], ELIGIBLE[where[t]], loop.kernel))
    assert part.chain() == loop.kernel.chain()
    assert part.nav_history()["row"].tolist() == list(range(10, 21))


def test_one_other_close_changes_the_chain_from_its_session_on() -> None:
    kernel = run_fused(config(), MARKET, PLAN, SCORES, ELIGIBLE, ROWS).kernel
    row, fills = 24, kernel.fills()
    name = int(fills["instrument"][(fills["row"] == 22) & (fills["side"] > 0)][0])
    arrays = {key: value.copy() for key, value in MARKET.arrays.items()}
    arrays["close"][row, name] += 100
    other = run_fused(
        config(), Market.from_arrays(**arrays, actions=MARKET.actions), PLAN, SCORES, ELIGIBLE, ROWS
    ).kernel
    same = [a == b for a, b in zip(kernel.chain(), other.chain(), strict=True)]
    assert same == [t < row for t in range(T)]


def test_a_limit_that_never_acts_leaves_the_chain_alone() -> None:
    plain = run_fused(config(), MARKET, PLAN, SCORES, ELIGIBLE, ROWS).kernel
    wide = run_fused(config(risk=RiskLimits(gross=2 * 10**9)), MARKET, PLAN, SCORES, ELIGIBLE, ROWS).kernel
    assert plain.chain() == wide.chain()


@pytest.mark.parametrize(("scores", "rows"), [
    (SCORES[:, :-1], ROWS), (SCORES, ROWS[:-1]), (SCORES, ROWS[::-1].copy()),
    (SCORES[:2], np.array([3, 3], "i4")),
])  # fmt: skip
def test_decisions_that_do_not_fit_are_refused(scores: np.ndarray, rows: np.ndarray) -> None:
    with pytest.raises(UsageError):
        run_fused(config(), MARKET, PLAN, np.ascontiguousarray(scores), np.ones(scores.shape, bool), rows)


def test_a_range_outside_the_market_is_refused() -> None:
    with pytest.raises(UsageError):
        run_fused(config(), MARKET, PLAN, SCORES, ELIGIBLE, ROWS, last=T)


def test_the_interpreter_runs_on_beside_a_fused_run() -> None:
    market = random_market(60, 40, seed=4)
    rows = np.arange(60, dtype="i4")
    scores = np.random.default_rng(1).normal(0, 1, (60, 40))
    settings = KernelConfig(10**12, board_rules(60), stock_fees(60))
    plan, eligible = ConstructConfig("equal", 20), np.ones(scores.shape, bool)
    counted, done = [0], threading.Event()

    def work() -> None:
        for _ in range(100):
            run_fused(settings, market, plan, scores, eligible, rows)
        done.set()

    thread = threading.Thread(target=work)
    thread.start()
    deadline = time.monotonic() + 60
    while not done.is_set() and time.monotonic() < deadline:
        counted[0] += 1
    thread.join()
    assert counted[0] > 1_000
