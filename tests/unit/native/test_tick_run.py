"""A run over ticks in C++ does what the same run driven from Python does."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from quant.core.errors import UsageError
from quant.core.money import RATE_SCALE
from quant.native.batch import SCHEMAS, Batch, BatchKind, IntentKind, OrderKind, Phase, Tif
from quant.native.config import FeeTables, KernelConfig, RiskLimits, RuleTables
from quant.native.kernel import Kernel
from quant.native.market import Market
from quant.native.tick_run import Imbalance, Quote, TickResult, run_ticks, tick_market
from quant.native.tick_venue import TickOrder, TickRule, Ticks, TickVenue

CENT = 100
SESSIONS = np.array([18_000, 18_001], "i4")


def recording(seed: int, rows: int) -> Ticks:
    rng = np.random.default_rng(seed)
    middle = 1_000 + np.cumsum(rng.choice([-1, 0, 0, 0, 1], rows))
    prices = {"bid": middle * CENT, "ask": (middle + rng.integers(1, 3, rows)) * CENT}
    sizes = {name: rng.integers(1, 100, rows) for name in ("bid_size", "ask_size")}
    traded = rng.integers(0, 60, rows) * (rng.random(rows) < 0.5)
    last = np.where(rng.random(rows) < 0.5, prices["bid"], prices["ask"])
    columns = {**prices, **sizes, "last": last, "volume": traded}
    ts = 18_000 * 86_400 * 10**9 + np.cumsum(rng.integers(1_000, 10**8, rows))
    return Ticks(ts=ts, **{name: values.astype("i8") for name, values in columns.items()})


def config(**changes: Any) -> KernelConfig:
    fees = FeeTables.uniform(2, commission=300_000, stamp_sell=500_000)
    rules = RuleTables.uniform(2, lot=1, settlement_days=0)
    given = {"cash_micro": 10**12, "rules": rules, "fees": fees, "fill_at": "close"}
    return KernelConfig(**(given | changes))


class Driven:
    """The same loop in Python, for one instrument: slow, and one order at a time."""

    def __init__(self, given: KernelConfig, market: Market, rule: TickRule, ticks: Ticks, data: Any) -> None:
        self.kernel, self.venue = Kernel(given, market), TickVenue(rule)
        self.market, self.ticks, self.data = market, ticks, data

    def batch(self, kind: BatchKind, columns: dict[str, Any]) -> Batch:
        schema = SCHEMAS[kind]
        rows = len(next(iter(columns.values())))
        full = {n: np.array(columns.get(n, np.zeros(rows)), d) for n, d in schema.items()}
        return Batch(kind, 0, Phase.OPEN, 0, rows, full)

    def hear(self, reports: Any) -> None:
        if len(reports["kind"]):
            self.submit(self.kernel.step(self.batch(BatchKind.REPORTS, dict(reports))))

    def submit(self, commands: Batch) -> None:
        c = {name: values.tolist() for name, values in commands.columns.items()}
        for k in range(commands.n):
            order = TickOrder(c["order_id"][k], c["side"][k], c["quantity"][k], OrderKind(c["kind"][k]),
                              Tif(c["tif"][k]), c["price"][k])  # fmt: skip
            self.venue.submit(order, sent=self.now)
        if commands.n:
            self.hear(self.venue.advance(self.now))

    def run(self, bounds: list[int], plan: Imbalance) -> Driven:
        for d in range(2):
            for phase in (Phase.PREOPEN, Phase.OPEN):
                self.kernel.step(Batch.slice(self.market, d, phase))
            for row in range(bounds[d], bounds[d + 1]):
                self.now = int(self.ticks.ts[row])
                self.hear(self.venue.feed(self.ticks, row, row + 1))
                self.decide(row, plan)
            self.hear(self.venue.end_day(self.now))
            self.kernel.step(Batch.slice(self.market, d, Phase.CLOSE))
        return self

    def decide(self, row: int, plan: Imbalance) -> None:
        bid, ask = int(self.data["bid_size"][row]), int(self.data["ask_size"][row])
        held = int(self.kernel.positions()["quantity"].sum())
        side = int(bid * RATE_SCALE > plan.enter * (bid + ask)) - int(
            bid * RATE_SCALE < plan.leave * (bid + ask)
        )
        if side == 0 or (side == 1) != (held == 0):
            return
        price = self.ticks.ask[row] if side == 1 else self.ticks.bid[row]
        quantity = plan.quantity if side == 1 else min(plan.quantity, held)
        wish = {"kind": [IntentKind.ORDER], "order_kind": [OrderKind.LIMIT], "tif": [Tif.IOC], "side": [side],
                "quantity": [quantity], "price": [price]}  # fmt: skip
        self.submit(self.kernel.step(self.batch(BatchKind.INTENTS, wish)))


@pytest.mark.parametrize("quantity", [1, 60])
def test_the_fused_run_is_the_driven_run(quantity: int) -> None:
    rows, bounds = 3_000, [0, 1_700, 3_000]
    ticks = recording(3, rows)
    data = _sizes(3, rows)
    market = tick_market(ticks, SESSIONS, bounds)
    plan = Imbalance(quantity, enter=RATE_SCALE * 9 // 10, leave=RATE_SCALE // 10)
    rule = TickRule(tick=CENT)
    fused = run_ticks(config(), market, rule, ticks, plan, bounds=bounds).kernel
    driven = Driven(config(), market, rule, ticks, data).run(bounds, plan).kernel
    assert len(fused.fills()["row"]) > 100
    assert fused.state_hash() == driven.state_hash()
    assert fused.nav == driven.nav


def _sizes(seed: int, rows: int) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    rng.choice([-1, 0, 0, 0, 1], rows)
    rng.integers(1, 3, rows)
    return {name: rng.integers(1, 100, rows) for name in ("bid_size", "ask_size")}


def quoted(rule: TickRule, **terms: int) -> TickResult:
    ticks = recording(5, 4_000)
    market = tick_market(ticks, SESSIONS[:1])
    given = config(rules=RuleTables.uniform(1, lot=1, settlement_days=0), fees=FeeTables.uniform(1))
    return run_ticks(given, market, rule, ticks, Quote(10, most=40, **terms))


@pytest.mark.parametrize("queue", ["touch", "fifo", "power", "log"])
def test_quotes_rest_fill_and_are_made_anew(queue: Any) -> None:
    result = quoted(TickRule(queue=queue, tick=CENT))
    orders, fills = result.kernel.orders(), result.kernel.fills()
    assert len(orders["order_id"]) > 100
    assert len(fills["row"]) > 20
    side = np.sign(fills["side"])
    held = np.cumsum(fills["quantity"] * side)
    assert held.min() >= 0 and held.max() <= 40
    by_id = dict(zip(orders["order_id"].tolist(), orders["price"].tolist(), strict=True))
    paid = fills["price"] * side
    limit = np.array([by_id[i] for i in fills["order_id"].tolist()]) * side
    assert (paid <= limit).all()


def test_a_queue_costs_fills_and_latency_does_too() -> None:
    def filled(**terms: Any) -> int:
        latency = terms.pop("feed_latency", 0)
        return int(
            quoted(TickRule(tick=CENT, **terms), feed_latency=latency).kernel.fills()["quantity"].sum()
        )

    touch, fifo = filled(queue="touch"), filled(queue="fifo")
    late = filled(queue="fifo", entry_latency=10**8, answer_latency=10**8, feed_latency=10**8)
    assert 0 < late < fifo < touch


def test_latencies_of_nothing_change_nothing() -> None:
    """The loop in order of time gives what the plain loop gives when a latency is too short to matter."""
    plain = quoted(TickRule(queue="fifo", tick=CENT))
    timed = quoted(TickRule(queue="fifo", tick=CENT), feed_latency=1)
    assert plain.kernel.fills()["price"].tolist() == timed.kernel.fills()["price"].tolist()
    assert plain.kernel.nav == timed.kernel.nav


def test_the_kernel_refuses_what_its_gates_refuse() -> None:
    ticks = recording(3, 2_000)
    market = tick_market(ticks, SESSIONS[:1])
    given = config(rules=RuleTables.uniform(1, lot=1, settlement_days=0), fees=FeeTables.uniform(1),
                   risk=RiskLimits(order_quantity_max=5))  # fmt: skip
    plan = Imbalance(6, enter=RATE_SCALE * 9 // 10, leave=RATE_SCALE // 10)
    kernel = run_ticks(given, market, TickRule(tick=CENT), ticks, plan).kernel
    assert len(kernel.orders()["order_id"]) > 10
    assert len(kernel.fills()["row"]) == 0


def test_parts_that_do_not_fit_are_errors() -> None:
    ticks = recording(3, 10)
    market = tick_market(ticks, SESSIONS, [0, 5, 10])
    with pytest.raises(UsageError, match="bounds must part"):
        run_ticks(config(), market, TickRule(), ticks, Imbalance(1), bounds=[0, 5, 9])
    with pytest.raises(UsageError, match="during the session"):
        run_ticks(config(fill_at="open"), market, TickRule(), ticks, Imbalance(1), bounds=[0, 5, 10])
    with pytest.raises(UsageError, match="different instruments"):
        venue = TickVenue(TickRule(), instruments=2)
        run_ticks(config(), market, TickRule(), ticks, Imbalance(1), bounds=[0, 5, 10], venue=venue)
