"""Bars within the day: what belongs to a bar, what to its session, and the order of their slices."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from kernel_market import Stepped, bars_market, config, instants, order, reasons, weights

from quant.core.errors import InvariantBroken, UsageError
from quant.native.kernel import (
    Batch,
    BatchKind,
    ConstructConfig,
    FeeTables,
    KernelConfig,
    LedgerKind,
    Market,
    Phase,
    Reason,
    RuleTables,
    construct,
    run_fused,
)
from quant.native.market import bar_instants

MINUTE = 60 * 10**9


def minutes(
    prices: list[list[list[int]]],
    *,
    pre_close: list[list[int]] | None = None,
    actions: dict[str, Any] | None = None,
) -> Market:
    """Sessions of bars whose open and close are ``prices`` [D][bars][S]; limits bind nowhere."""
    days, _ = instants(len(prices))
    close = np.array([bar for session in prices for bar in session], "i8")
    day = np.repeat(np.arange(len(prices), dtype="i4"), [len(session) for session in prices])
    begin = (days.astype("i8")[day] * 86_400 + 5_400) * 10**9 + np.arange(len(close)) * MINUTE
    before = [session[0] for session in prices] if pre_close is None else pre_close
    shape = (len(prices), close.shape[1])
    return Market.from_arrays(
        sessions=days,
        day=day,
        instants=bar_instants(begin, begin + MINUTE),
        open=close.copy(),
        high=close.copy(),
        low=close.copy(),
        close=close,
        vwap=close.copy(),
        volume=np.full(close.shape, 10**6, "i8"),
        pre_close=np.array(before, "i8"),
        limit_up=np.full(shape, 10**9, "i8"),
        limit_down=np.ones(shape, "i8"),
        flags=np.full(shape, 1 | 2 | 1 << 8, "u4"),
        actions=actions,
    )


def give(loop: Stepped, t: int, phase: Phase, columns: dict[str, Any]) -> None:
    loop.give(Batch.of(BatchKind.INTENTS, loop.market.instant(t, phase), phase, t, **columns))


TWO_DAYS = [[[100_000], [110_000], [120_000]], [[130_000], [140_000]]]


def test_an_intent_after_a_bar_trades_at_the_open_of_the_next() -> None:
    loop = Stepped(config(2), minutes(TWO_DAYS))
    loop.session(0)
    give(loop, 0, Phase.CLOSE, order(1, 1000))
    assert len(loop.kernel.orders()["order_id"]) == 0
    loop.session(1)
    fills = loop.kernel.fills()
    assert (fills["row"].tolist(), fills["price"].tolist()) == ([1], [110_000])
    assert loop.kernel.nav == 100_000 * 10**6
    loop.session(2)
    assert loop.kernel.nav == (100_000 + 1000) * 10**6


def test_shares_bought_today_are_sellable_from_the_next_session_on_not_from_the_next_bar() -> None:
    loop = Stepped(config(2), minutes(TWO_DAYS))
    loop.session(0, Batch.of(BatchKind.INTENTS, 0, Phase.CLOSE, 0, **order(1, 1000)))
    loop.session(1, Batch.of(BatchKind.INTENTS, 0, Phase.CLOSE, 1, **order(-1, 1000)))
    loop.session(2, Batch.of(BatchKind.INTENTS, 0, Phase.CLOSE, 2, **order(-1, 1000)))
    assert loop.kernel.positions()["sellable"].tolist() == [0]
    loop.session(3)
    assert reasons(loop) == [Reason.NONE, Reason.NOT_SELLABLE, Reason.NONE]
    assert loop.kernel.fills()["row"].tolist() == [1, 3]


def test_without_settlement_days_a_bar_later_is_enough() -> None:
    rules = RuleTables.uniform(2, settlement_days=0)
    loop = Stepped(config(2, rules=rules), minutes(TWO_DAYS))
    for t, side in ((0, 1), (1, -1), (2, 1), (3, -1)):
        loop.session(t, Batch.of(BatchKind.INTENTS, 0, Phase.CLOSE, t, **order(side, 500)))
    loop.session(4)
    assert loop.kernel.fills()["row"].tolist() == [1, 2, 3, 4]
    assert loop.kernel.nav == (100_000 + 5 * 100 + 5 * 100) * 10**6


def test_nav_and_chain_have_one_entry_a_session() -> None:
    loop = Stepped(config(2), minutes(TWO_DAYS))
    for t in range(5):
        loop.session(t, Batch.of(BatchKind.INTENTS, 0, Phase.CLOSE, t, **order(1, 100)) if t == 0 else None)
    history = loop.kernel.nav_history()
    assert history["row"].tolist() == [2, 4]
    assert history["session"].tolist() == loop.market.arrays["sessions"].tolist()
    assert history["nav"].tolist() == [(100_000 + 100) * 10**6, (100_000 + 300) * 10**6]
    assert len(loop.kernel.chain()) == 2


def test_actions_are_booked_when_their_session_opens() -> None:
    actions = {
        "ex_index": np.array([1], "i4"),
        "pay_index": np.array([2], "i4"),
        "instrument": np.array([0], "i4"),
        "cash_per_share": np.array([1_000_000], "i8"),
        "bonus_ratio": np.array([100_000_000], "i8"),
        "inferred": np.zeros(1, "u1"),
    }
    prices = [*TWO_DAYS, [[60_000], [60_000]]]
    loop = Stepped(config(3), minutes(prices, pre_close=[[100_000], [55_000], [60_000]], actions=actions))
    loop.session(0, Batch.of(BatchKind.INTENTS, 0, Phase.CLOSE, 0, **order(1, 1000)))
    loop.session(1)
    loop.session(2)
    assert loop.kernel.receivable == 0
    loop.slice(3, Phase.PREOPEN)
    assert loop.kernel.positions()["quantity"].tolist() == [2000]
    assert loop.kernel.receivable == 1000 * 10**6
    for phase in (Phase.OPEN, Phase.CLOSE):
        loop.slice(3, phase)
    loop.session(4)
    assert loop.kernel.receivable == 1000 * 10**6
    loop.session(5)
    assert loop.kernel.receivable == 0
    entries = loop.kernel.ledger()
    paid = entries["kind"] == int(LedgerKind.DIVIDEND_PAID)
    assert entries["row"][paid].tolist() == [5]


def test_targets_are_sized_by_the_last_close_of_the_session() -> None:
    loop = Stepped(config(2), minutes([[[100_000], [200_000], [200_000]], [[200_000]]]))
    loop.session(0)
    loop.session(1, Batch.of(BatchKind.INTENTS, 0, Phase.CLOSE, 1, **weights(0.5)))
    loop.session(2)
    assert loop.kernel.fills()["quantity"].tolist() == [2500]


def test_a_bar_without_a_trade_keeps_the_last_close() -> None:
    loop = Stepped(config(2), minutes([[[100_000], [120_000], [0], [0]], [[130_000]]]))
    loop.session(0, Batch.of(BatchKind.INTENTS, 0, Phase.CLOSE, 0, **weights(0.5)))
    loop.session(1)
    loop.session(2, Batch.of(BatchKind.INTENTS, 0, Phase.CLOSE, 2, **order(1, 100)))
    loop.session(3)
    assert reasons(loop)[1] is Reason.NO_BAR
    assert loop.kernel.positions()["price"].tolist() == [120_000]


@pytest.mark.parametrize("steps", [
    [(0, Phase.OPEN)],
    [(1, Phase.PREOPEN)],
    [(0, Phase.PREOPEN), (1, Phase.OPEN)],
    [(0, Phase.PREOPEN), (0, Phase.OPEN), (0, Phase.CLOSE), (1, Phase.PREOPEN)],
    [(0, Phase.PREOPEN), (0, Phase.OPEN), (0, Phase.CLOSE), (3, Phase.OPEN)],
    [(0, Phase.PREOPEN), (0, Phase.OPEN), (0, Phase.CLOSE), (3, Phase.PREOPEN)],
    [(0, Phase.PREOPEN), (0, Phase.OPEN), (0, Phase.CLOSE), (1, Phase.CLOSE)],
])  # fmt: skip
def test_slices_out_of_order_stop_the_session(steps: list[tuple[int, Phase]]) -> None:
    loop = Stepped(config(2), minutes(TWO_DAYS))
    with pytest.raises(InvariantBroken, match="slices must come in order"):
        for t, phase in steps:
            loop.slice(t, phase)


@pytest.mark.parametrize("day", [[0, 0, 0, 2, 2], [1, 1, 1, 2, 2], [0, 1, 0, 1, 1], [0, 0, 0, 0, 0]])
def test_a_market_refuses_bars_that_have_no_session(day: list[int]) -> None:
    arrays = minutes(TWO_DAYS).arrays | {"day": np.array(day, "i4")}
    with pytest.raises(UsageError, match="assigned to sessions"):
        Market.from_arrays(**arrays)


def test_a_market_refuses_a_bar_that_opens_before_the_one_before_has_closed() -> None:
    arrays = dict(minutes(TWO_DAYS).arrays)
    arrays["instants"] = arrays["instants"].copy()
    arrays["instants"][1, 1] = arrays["instants"][0, 3]
    with pytest.raises(UsageError, match="do not ascend"):
        Market.from_arrays(**arrays)


def test_a_run_may_end_within_a_session() -> None:
    market = bars_market(4, 10, 3, seed=5, wild=0.1)
    rows = np.array([3, 14], "i4")
    scores, eligible = np.ones((2, 3)), np.ones((2, 3), bool)
    settings = KernelConfig(10**12, RuleTables.uniform(4), FeeTables.uniform(4))
    part = run_fused(settings, market, ConstructConfig("equal", 3), scores, eligible, rows, last=17).kernel
    loop = Stepped(settings, market)
    plan = ConstructConfig("equal", 3)
    for t in range(18):
        loop.session(t)
        if t in rows:
            loop.give(construct(plan, scores[0], eligible[0], loop.kernel))
    assert part.nav == loop.kernel.nav
    assert part.snapshot() == loop.kernel.snapshot()
