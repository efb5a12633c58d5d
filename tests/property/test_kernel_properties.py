"""Random orders on random markets: what must hold whatever a strategy does."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from kernel_market import STAR, Stepped, board_rules, random_market, stock_fees

from quant.native.kernel import (
    Batch,
    BatchKind,
    ConstructConfig,
    ControlKind,
    IntentKind,
    Kernel,
    KernelConfig,
    Market,
    OrderKind,
    Phase,
    RiskLimits,
    SimVenue,
    Tif,
    run_fused,
)

T, S = 15, 8
seeds = st.integers(0, 2**32 - 1)
intents = st.tuples(
    st.integers(0, S - 1), st.sampled_from(list(IntentKind)), st.integers(-1, 400_000_000),
    st.integers(-100, 3_000), st.sampled_from([-1, 0, 1]), st.sampled_from([0, 0, 0, 150_000, 30_000]),
    st.sampled_from([0, 0, 0, *Tif]), st.sampled_from([0, 0, *OrderKind]),
    st.sampled_from([0, 0, 0, 20_000, 300_000]), st.integers(0, 50),
)  # fmt: skip
controls = st.sampled_from([None] * 12 + list(ControlKind))
days = st.lists(
    st.tuples(st.lists(intents, max_size=6), st.sampled_from(list(Phase)), controls), min_size=T, max_size=T
)
configs = st.fixed_dictionaries({
    "fill_at": st.sampled_from(["open", "close", "vwap"]),
    "locked": st.sampled_from(["by_side", "by_target"]),
    "on_insufficient_cash": st.sampled_from(["reduce", "reject"]),
    "rounding": st.sampled_from(["cent", "none"]),
    "slippage_ticks": st.integers(0, 3),
    "cash_micro": st.sampled_from([0, 20_000 * 10**6, 3_000_000 * 10**6]),
    "participation": st.sampled_from([None, 1_000_000, 100_000_000]),
    "settlement": st.sampled_from([0, 1]),
    "risk": st.sampled_from([RiskLimits(), RiskLimits(single_name=300_000_000, gross=800_000_000,
                                                      cash_min=50_000_000, max_drawdown=30_000_000)]),
})  # fmt: skip
Days = list[tuple[list[tuple[int, ...]], Phase, ControlKind | None]]
COLUMNS = ("instrument", "kind", "weight", "quantity", "side", "price", "tif", "order_kind", "stop",
           "order_id")
AMENDS = (IntentKind.CANCEL, IntentKind.REPLACE)


def build(given_config: dict[str, Any]) -> KernelConfig:
    chosen = dict(given_config)
    rules = board_rules(T, settlement_days=chosen.pop("settlement"))
    if chosen["fill_at"] == "open":
        chosen["participation"] = None
    return KernelConfig(rules=rules, fees=stock_fees(T), forbidden=(S - 1,), **chosen)


def play(loop: Stepped, t: int, day: Days, phases: tuple[Phase, ...] = tuple(Phase)) -> None:
    rows, when, control = day[t]
    for phase in phases:
        loop.slice(t, phase)
        if phase is not when:
            continue
        instant = loop.market.instant(t, phase)
        if control is not None:
            loop.give(Batch.control(control, instant, phase, t, value=t % S, note="said so"))
        count = len(loop.kernel.orders()["order_id"])
        rows = [(*row[:-1], 1 + row[-1] % count if count else 0) for row in rows
                if count or row[1] not in AMENDS]
        if rows:
            columns = dict(zip(COLUMNS, map(list, zip(*rows, strict=True)), strict=True))
            loop.give(Batch.of(BatchKind.INTENTS, instant, phase, t, **columns))


def check_fills(kernel: Kernel, market: Market, config: KernelConfig) -> None:
    fills, arrays = kernel.fills(), market.arrays
    at = (fills["row"], fills["instrument"])
    price, quantity, side = fills["price"], fills["quantity"], fills["side"]
    assert not (arrays["flags"][at] & 4).any(), "filled while suspended"
    assert (price <= arrays["limit_up"][at]).all() and (price >= arrays["limit_down"][at]).all()
    star = (arrays["flags"][at] >> 8 & 255) == STAR
    buys = side > 0
    assert not (quantity[buys & ~star] % 100).any(), "bought an odd lot"
    if config.participation is None:
        assert (quantity[buys & star] >= 200).all(), "bought less than the board's minimum"


@given(seeds, configs, days)
def test_nothing_breaks_the_book(seed: int, given_config: dict[str, Any], day: Days) -> None:
    """Conservation is checked inside the kernel at every session; here cash, shares, limits and lots."""
    market, config = random_market(T, S, seed, wild=8), build(given_config)
    loop = Stepped(config, market)
    for t in range(T):
        play(loop, t, day)
        positions = loop.kernel.positions()
        assert (positions["quantity"] > 0).all() and (positions["sellable"] >= 0).all()
        assert 0 <= loop.kernel.available <= loop.kernel.cash
        worth = int((positions["quantity"] * positions["price"]).sum()) * 100
        assert loop.kernel.nav == loop.kernel.cash + loop.kernel.receivable + worth
    check_fills(loop.kernel, market, config)
    entries = loop.kernel.ledger()
    into_cash = entries["amount"][~np.isin(entries["kind"], [5, 7])].sum()
    assert int(into_cash) == loop.kernel.cash, "the ledger's entries are the cash"
    assert len(loop.kernel.chain()) == T


@given(seeds, configs, days, st.integers(0, T - 1), st.sampled_from(list(Phase)))
def test_a_restored_kernel_goes_on_with_the_same_chain(
    seed: int, given_config: dict[str, Any], day: Days, cut: int, phase: Phase
) -> None:
    market, config = random_market(T, S, seed, wild=8), build(given_config)
    whole, halves = Stepped(config, market), Stepped(config, market)
    for t in range(T):
        play(whole, t, day)
        if t != cut:
            play(halves, t, day)
            continue
        play(halves, t, day, tuple(p for p in Phase if p <= phase))
        state, venue = halves.kernel.snapshot(), halves.venue.snapshot()
        halves.kernel = Kernel.restore(config, market, state)
        halves.venue = SimVenue.restore(config, market, venue)
        assert halves.kernel.snapshot() == state
        play(halves, t, day, tuple(p for p in Phase if p > phase))
    assert halves.kernel.chain() == whole.kernel.chain()
    assert halves.kernel.snapshot() == whole.kernel.snapshot()


@given(
    seeds,
    configs,
    st.sampled_from(["equal", "score", "threshold"]),
    st.booleans(),
    st.sampled_from([None, 100_000_000]),
    st.sampled_from([None, 200_000_000]),
)
def test_fused_equals_stepped(
    seed: int,
    given_config: dict[str, Any],
    method: Any,
    before_close: bool,
    max_weight: int | None,
    turnover: int | None,
) -> None:
    rng = np.random.default_rng(seed)
    market = random_market(T, S, seed, wild=8)
    if before_close:
        given_config = given_config | {"decide": "before_close", "fill_at": "close"}
    config = build(given_config)
    plan = ConstructConfig(method, 3, max_weight=max_weight, cash_buffer=10_000_000, turnover_cap=turnover)
    rows = np.flatnonzero(rng.random(T) < 0.5).astype("i4")
    scores = np.round(rng.normal(0, 1, (len(rows), S)), 1)
    scores[rng.random(scores.shape) < 0.2] = np.nan
    eligible = rng.random(scores.shape) < 0.8
    fused = run_fused(config, market, plan, scores, eligible, rows).kernel
    assert Stepped(config, market).run(plan, scores, eligible, rows).chain() == fused.chain()


def test_two_threads_give_what_one_gives() -> None:
    market = random_market(T, S, 3, wild=8)
    config = build({"fill_at": "open", "cash_micro": 10**12, "settlement": 1})
    plan = ConstructConfig("equal", 3)
    rows = np.arange(0, T, 2, dtype="i4")
    scores = np.random.default_rng(1).normal(0, 1, (len(rows), S))
    eligible = np.ones(scores.shape, bool)

    def once(_: int) -> str:
        return run_fused(config, market, plan, scores, eligible, rows).kernel.state_hash()

    with ThreadPoolExecutor(2) as pool:
        assert set(pool.map(once, range(16))) == {once(0)}
