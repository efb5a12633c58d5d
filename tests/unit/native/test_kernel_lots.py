"""Lots with dates: tax on dividends by holding period, settlement of more than a day, cash that may leave."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from kernel_market import Stepped, config, flat_market, order, reasons

from quant.native.kernel import Batch, BatchKind, DividendTaxTables, LedgerKind, Phase, Reason, RuleTables

YUAN = 10**6
T = 20


def dividend(cash: int, *, session: int = 2, bonus: int = 0) -> dict[str, Any]:
    return {"ex_index": np.array([session], "i4"), "pay_index": np.array([session], "i4"),
            "instrument": np.array([0], "i4"), "cash_per_share": np.array([cash], "i8"),
            "bonus_ratio": np.array([bonus], "i8"), "inferred": np.zeros(1, "u1")}


def play(orders: dict[int, dict[str, Any]], *, days: list[int] | None = None, actions: Any = None,
         **changes: Any) -> Stepped:
    """Orders are given at PREOPEN of their session and fill at its open; prices stay at 10 yuan."""
    market = flat_market([[100_000]] * T, actions=actions)
    if days is not None:
        market.arrays["sessions"][:] = days
    loop = Stepped(config(T, **changes), market)
    for t in range(T):
        for phase in Phase:
            loop.slice(t, phase)
            if phase is Phase.PREOPEN and t in orders:
                loop.give(Batch.of(BatchKind.INTENTS, 0, phase, t, **orders[t]))
    return loop


RATES = {"upto_month": 200_000_000, "upto_year": 100_000_000, "beyond": 0}
TAX = {"dividend_tax": DividendTaxTables.uniform(T, **RATES)}


def taxes(loop: Stepped) -> list[tuple[int, int]]:
    entries = loop.kernel.ledger()
    rows = entries["kind"] == int(LedgerKind.DIVIDEND_TAX)
    return list(zip(entries["row"][rows].tolist(), (-entries["amount"][rows]).tolist(), strict=True))


@pytest.mark.parametrize(("sold_on", "tax"), [(30, 100), (31, 100), (32, 50), (365, 50), (366, 50), (367, 0)])
def test_the_tax_is_due_at_the_sale_by_calendar_months_held(sold_on: int, tax: int) -> None:
    """Bought on 1 January 1972 (a leap year): a month later is 31 days, a year later 366."""
    days = [730, 731, 732, *range(730 + sold_on, 730 + sold_on + T - 3)]
    orders = {0: order(1, 1000), 3: order(-1, 1000)}
    loop = play(orders, days=days, actions=dividend(500_000), **TAX)
    assert taxes(loop) == ([(3, tax * YUAN)] if tax else [])
    assert loop.kernel.cash == (100_000 + 500 - tax) * YUAN
    assert int(loop.kernel.nav_history()["fees"].sum()) == tax * YUAN


def test_the_oldest_lots_are_sold_first_and_only_those_that_received_it_are_taxed() -> None:
    orders = {0: order(1, 400), 1: order(1, 600), 2: order(1, 1000), 3: order(-1, 500), 4: order(-1, 1500)}
    loop = play(orders, actions=dividend(330_000), **TAX)
    assert taxes(loop) == [(3, 500 * 66_000), (4, 500 * 66_000)]
    assert loop.kernel.snapshot() == type(loop.kernel).restore(loop.config, loop.market,
                                                              loop.kernel.snapshot()).snapshot()


def test_bonus_shares_are_lots_of_the_ex_date() -> None:
    loop = play({0: order(1, 1000), 3: order(-1, 1000), 4: order(-1, 500)},
                actions=dividend(1_000_000, bonus=50_000_000), **TAX)
    assert taxes(loop) == [(3, 200 * YUAN)]
    assert len(loop.kernel.positions()["quantity"]) == 0


def test_a_rate_that_no_holding_period_changes_is_withheld_from_the_payment() -> None:
    flat = DividendTaxTables.uniform(T, upto_month=100_000_000, upto_year=100_000_000, beyond=100_000_000)
    loop = play({0: order(1, 1000), 4: order(-1, 1000)}, actions=dividend(333_330), dividend_tax=flat)
    assert taxes(loop) == [(2, 33_330_000)]  # 10 % of 333.33 yuan is 33.333, half up to the cent
    assert loop.kernel.cash == 100_000 * YUAN + 333_330_000 - 33_330_000
    entries = loop.kernel.ledger()
    paid = entries["kind"] == int(LedgerKind.DIVIDEND_PAID)
    assert entries["amount"][paid].tolist() == [300_000_000]


def test_without_a_table_nothing_is_taxed() -> None:
    loop = play({0: order(1, 1000), 3: order(-1, 1000)}, actions=dividend(500_000))
    assert taxes(loop) == []
    assert loop.kernel.cash == 100_500 * YUAN


@pytest.mark.parametrize("days", [0, 1, 2, 3])
def test_shares_are_sellable_after_the_settlement_days_of_their_market(days: int) -> None:
    rules = RuleTables.uniform(T, settlement_days=days)
    orders = {0: order(1, 1000), 1: order(1, 500), **{t: order(-1, 1000) for t in range(2, 5)}}
    loop = play(orders, rules=rules)
    first = max(days, 2)
    assert loop.kernel.fills()["row"].tolist() == [0, 1, first]
    assert [r for r in reasons(loop) if r is not Reason.NONE] == [Reason.NOT_SELLABLE] * (3 - 1)


def test_proceeds_of_the_day_buy_today_and_leave_tomorrow() -> None:
    market = flat_market([[100_000]] * 4)
    loop = Stepped(config(4, rules=RuleTables.uniform(4, settlement_days=0)), market)
    loop.session(0, Batch.of(BatchKind.INTENTS, 0, Phase.CLOSE, 0, **order(1, 5000)))
    loop.session(1, Batch.of(BatchKind.INTENTS, 0, Phase.CLOSE, 1, **order(-1, 2000)))
    loop.session(2)
    kernel = loop.kernel
    assert (kernel.available, kernel.withdrawable, kernel.frozen) == (70_000 * YUAN, 50_000 * YUAN, 0)
    loop.slice(3, Phase.PREOPEN)
    assert kernel.withdrawable == 70_000 * YUAN
