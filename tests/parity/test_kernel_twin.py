"""The kernel against its slow twin: every fill, fee, cash balance and NAV, exactly; 60 names, 250 days."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from kernel_market import Stepped, board_rules, random_market, stock_fees
from twin import Twin, TwinFill

from quant.native.kernel import (
    ConstructConfig,
    DividendTaxTables,
    KernelConfig,
    LedgerKind,
    Reason,
    run_fused,
)

T, S = 250, 60
MARKET = random_market(T, S, seed=11)
PLAN = ConstructConfig("equal", top=12, cash_buffer=20_000_000)
CASES: dict[str, dict[str, Any]] = {
    "real": {},
    "by target, rejects": {"locked": "by_target", "on_insufficient_cash": "reject"},
    "before the close": {"fill_at": "close", "decide": "before_close"},
    "vwap with participation": {"fill_at": "vwap", "participation": 100_000_000},
    "slippage, no rounding": {"slippage_ticks": 2, "rounding": "none"},
    "small account": {"cash_micro": 60_000 * 10**6},
    "large account": {"cash_micro": 900_000_000 * 10**6},
    "dividend tax": {"dividend_tax": DividendTaxTables.uniform(T, upto_month=200_000_000,
                                                               upto_year=100_000_000, beyond=50_000_000)},
}


def decisions() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(5)
    rows = np.arange(4, T, 5, dtype="i4")
    scores = np.round(rng.normal(0, 1, (len(rows), S)), 1)  # ties on purpose
    scores[rng.random(scores.shape) < 0.1] = np.nan
    return rows, scores, rng.random(scores.shape) < 0.9


def config(changes: dict[str, Any]) -> KernelConfig:
    given: dict[str, Any] = {"cash_micro": 5_000_000 * 10**6, "rules": board_rules(T), "fees": stock_fees(T)}
    return KernelConfig(**(given | changes))


@pytest.mark.parametrize("name", CASES)
def test_every_fill_and_daily_total_equals_the_twin(name: str) -> None:
    settings = config(CASES[name])
    rows, scores, eligible = decisions()
    kernel = run_fused(settings, MARKET, PLAN, scores, eligible, rows).kernel
    given = {int(row): list(map(float, scores[k])) for k, row in enumerate(rows)}
    allowed = {int(row): list(eligible[k]) for k, row in enumerate(rows)}
    twin = Twin(settings, MARKET, PLAN).run(given, allowed)
    fills, history = kernel.fills(), kernel.nav_history()
    columns = ("row", "instrument", "side", "quantity", "price", "commission", "stamp", "transfer")
    ours = [TwinFill(*map(int, row)) for row in zip(*(fills[c] for c in columns), strict=True)]
    assert len(ours) > 200
    assert ours == twin.fills
    assert history["cash"].tolist() == twin.cash_history
    assert history["nav"].tolist() == twin.nav


@pytest.mark.parametrize("name", CASES)
def test_the_stepped_loop_has_the_fused_chain(name: str) -> None:
    settings = config(CASES[name])
    rows, scores, eligible = decisions()
    fused = run_fused(settings, MARKET, PLAN, scores, eligible, rows).kernel
    stepped = Stepped(settings, MARKET).run(PLAN, scores, eligible, rows)
    assert stepped.chain() == fused.chain()
    assert len(fused.chain()) == T


def test_the_cases_meet_what_they_are_meant_to_meet() -> None:
    rows, scores, eligible = decisions()
    reasons: set[int] = set()
    kinds: set[int] = set()
    for changes in CASES.values():
        kernel = run_fused(config(changes), MARKET, PLAN, scores, eligible, rows).kernel
        reasons |= set(kernel.orders()["reason"].tolist())
        kinds |= set(kernel.ledger()["kind"].tolist())
    expected = {
        Reason.LIMIT_UP,
        Reason.LIMIT_DOWN,
        Reason.SUSPENDED,
        Reason.PARTICIPATION,
        Reason.CASH,
        Reason.REDUCED_TO_CASH,
    }
    assert expected <= {Reason(code) for code in reasons}
    assert kinds == {int(kind) for kind in LedgerKind}
