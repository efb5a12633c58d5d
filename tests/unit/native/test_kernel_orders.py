"""Order kinds, stops, times in force, cancel and replace: what the kernel sends, sets aside and books.

The venue is the test: it answers with hand-made reports.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from kernel_market import config, flat_market

from quant.core.errors import InvariantBroken, UsageError
from quant.native.kernel import (
    Action,
    Batch,
    BatchKind,
    FeeTables,
    IntentKind,
    Kernel,
    KernelConfig,
    Market,
    OrderKind,
    OrderState,
    Phase,
    Reason,
    ReportKind,
    Tif,
)

YUAN = 10**6
PRICES = [[100_000, 50_000]] * 4


@dataclass
class Desk:
    """A kernel at the open of its second session, with 10,000 shares of instrument 0 if ``holds``."""

    kernel: Kernel
    market: Market
    t: int = 0
    phase: Phase = Phase.PREOPEN

    def slice(self, t: int, phase: Phase) -> Batch:
        self.t, self.phase = t, phase
        return self.kernel.step(Batch.slice(self.market, t, phase))

    def report(
        self, order_id: int, kind: ReportKind, quantity: int = 0, price: int = 0, reason: Any = Reason.NONE
    ) -> Batch:
        return self.kernel.step(
            Batch.of(
                BatchKind.REPORTS,
                0,
                self.phase,
                self.t,
                order_id=[order_id],
                kind=[int(kind)],
                quantity=[quantity],
                price=[price],
                reason=[int(reason.value)],
            )
        )

    def intend(self, **columns: Any) -> list[dict[str, int]]:
        given = {name: [value] for name, value in columns.items()}
        return commands(self.kernel.step(Batch.of(BatchKind.INTENTS, 0, self.phase, self.t, **given)))

    def order(self, side: int, quantity: int, kind: OrderKind, **columns: Any) -> list[dict[str, int]]:
        return self.intend(
            kind=IntentKind.ORDER, side=side, quantity=quantity, order_kind=int(kind), **columns
        )

    def cancel(self, order_id: int) -> list[dict[str, int]]:
        return self.intend(kind=IntentKind.CANCEL, order_id=order_id)

    def replace(self, order_id: int, **columns: Any) -> list[dict[str, int]]:
        return self.intend(kind=IntentKind.REPLACE, order_id=order_id, **columns)

    def state(self, order_id: int) -> tuple[Any, Any]:
        orders = self.kernel.orders()
        at = order_id - 1
        return OrderState(int(orders["state"][at])), Reason(int(orders["reason"][at]))


def commands(batch: Batch) -> list[dict[str, int]]:
    columns = {name: values.tolist() for name, values in batch.columns.items()}
    return [{name: values[k] for name, values in columns.items()} for k in range(batch.n)]


def desk(*, holds: bool = False, settings: KernelConfig | None = None, **changes: Any) -> Desk:
    market = flat_market(PRICES, **changes)
    made = Desk(Kernel(settings or config(4, fill_at="close"), market), market)
    made.slice(0, Phase.PREOPEN)
    if holds:
        made.order(1, 10_000, OrderKind.LIMIT, price=100_000)
        made.report(1, ReportKind.FILL, 10_000, 100_000)
    for phase in (Phase.OPEN, Phase.CLOSE):
        made.slice(0, phase)
    made.slice(1, Phase.PREOPEN)
    return made


def test_a_limit_buy_is_sent_at_once_and_sets_its_cash_aside() -> None:
    made = desk()
    sent = made.order(1, 1000, OrderKind.LIMIT, price=90_000, tif=int(Tif.IOC))
    assert [(c["action"], c["kind"], c["price"], c["tif"], c["quantity"], c["protect"]) for c in sent] == [
        (Action.NEW, OrderKind.LIMIT, 90_000, Tif.IOC, 1000, 0)
    ]
    assert made.kernel.available == (100_000 - 9_000) * YUAN
    made.report(1, ReportKind.ACK)
    made.report(1, ReportKind.EXPIRED, 1000, reason=Reason.NOT_FILLED)
    assert made.state(1) == (OrderState.EXPIRED, Reason.NOT_FILLED)
    assert made.kernel.available == 100_000 * YUAN


def test_a_price_makes_a_market_order_a_limit_order() -> None:
    made = desk()
    (sent,) = made.order(1, 1000, OrderKind.MARKET, price=90_000)
    assert sent["kind"] == OrderKind.LIMIT


def test_what_a_partial_fill_leaves_stays_set_aside_to_the_cent() -> None:
    fees = FeeTables.uniform(4, commission=1_000_000, commission_min=5 * YUAN)
    made = desk(settings=config(4, fill_at="close", fees=fees))
    made.order(1, 10_000, OrderKind.LIMIT, price=90_000)
    assert made.kernel.available == (100_000 - 90_000 - 90) * YUAN
    made.report(1, ReportKind.FILL, 100, 90_000)  # 900 yuan and the least commission
    assert made.kernel.cash == (100_000 - 900 - 5) * YUAN
    assert made.kernel.available == (100_000 - 90_000 - 90) * YUAN
    made.report(1, ReportKind.FILL, 9_900, 80_000)  # at a better price
    assert made.kernel.available == made.kernel.cash == (100_000 - 900 - 79_200) * YUAN - 80_100_000


@pytest.mark.parametrize(("limit_up", "protect"), [(110_000, 110_000), (0, 110_000 * 12 // 11)])
def test_a_stop_buy_sets_aside_what_it_may_cost_at_most(limit_up: int, protect: int) -> None:
    limits = np.array([[limit_up, 0]] * 4)
    settings = config(4, fill_at="close", protection=200_000_000)
    made = desk(settings=settings, limit_up=limits, pre_close=np.full((4, 2), 100_000))
    (sent,) = made.order(1, 1000, OrderKind.STOP, stop=100_000, tif=int(Tif.GTC))
    found = sent["kind"], sent["stop"], sent["price"], sent["protect"]
    assert found == (OrderKind.STOP, 100_000, 0, protect)
    assert made.kernel.available == 100_000 * YUAN - protect * 1000 * 100
    made.report(1, ReportKind.ACK)
    made.report(1, ReportKind.TRIGGERED)
    made.report(1, ReportKind.FILL, 1000, 101_000)
    assert made.state(1)[0] is OrderState.FILLED


@pytest.mark.parametrize("columns", [
    {"order_kind": 9}, {"tif": 7}, {"order_kind": 1}, {"order_kind": 2}, {"order_kind": 3, "stop": 5},
    {"order_kind": 2, "stop": 100_000, "price": 100_000}, {"stop": 100_000}, {"stop": -1},
    {"order_kind": 2, "stop": 100_000, "tif": 2}, {"order_kind": 4, "tif": 1}, {"order_kind": 5, "tif": 3},
    {"order_kind": 1, "price": -4},
])  # fmt: skip
def test_terms_that_do_not_fit_are_refused(columns: dict[str, int]) -> None:
    made = desk()
    assert made.intend(**({"kind": IntentKind.ORDER, "side": 1, "quantity": 100} | columns)) == []
    assert made.state(1) == (OrderState.REJECTED, Reason.INVALID)


def test_buys_keep_their_order_when_the_first_must_wait() -> None:
    made = desk()
    assert made.order(1, 1000, OrderKind.MARKET) == []
    assert made.order(1, 1000, OrderKind.LIMIT, price=90_000) == []
    made.slice(1, Phase.OPEN)
    assert [c["order_id"] for c in commands(made.slice(1, Phase.CLOSE))] == [1, 2]


def test_a_cancel_takes_back_a_waiting_order_and_asks_for_one_that_was_sent() -> None:
    made = desk()
    made.order(1, 1000, OrderKind.MARKET)
    assert made.cancel(1) == []
    assert made.state(1) == (OrderState.CANCELLED, Reason.CANCEL_REQUESTED)
    made.order(1, 1000, OrderKind.LIMIT, price=90_000)
    made.report(2, ReportKind.ACK)
    (asked,) = made.cancel(2)
    assert (asked["action"], asked["order_id"], asked["quantity"]) == (Action.CANCEL, 2, 1000)
    assert made.cancel(2) == []
    made.report(2, ReportKind.CANCEL_REJECTED)
    assert made.state(2)[0] is OrderState.WORKING
    made.cancel(2)
    made.report(2, ReportKind.FILL, 400, 90_000)
    made.report(2, ReportKind.CANCELLED, 600, reason=Reason.CANCEL_REQUESTED)
    assert made.state(2) == (OrderState.CANCELLED, Reason.CANCEL_REQUESTED)
    assert made.kernel.available == made.kernel.cash == (100_000 - 3_600) * YUAN
    assert made.cancel(2) == []


def test_a_replace_holds_the_dearer_terms_until_the_venue_answers() -> None:
    made = desk()
    made.order(1, 1000, OrderKind.LIMIT, price=90_000)
    made.report(1, ReportKind.ACK)
    (asked,) = made.replace(1, quantity=2000, price=95_000)
    assert (asked["action"], asked["quantity"], asked["price"]) == (Action.REPLACE, 2000, 95_000)
    assert made.state(1)[0] is OrderState.REPLACING
    assert made.kernel.available == (100_000 - 19_000) * YUAN
    made.report(1, ReportKind.FILL, 300, 90_000)  # crossed the request on its way
    assert made.kernel.available == (100_000 - 2_700 - 16_150) * YUAN
    made.report(1, ReportKind.REPLACED, 1700, 95_000)
    assert made.state(1)[0] is OrderState.WORKING
    made.report(1, ReportKind.FILL, 1700, 95_000)
    assert made.kernel.available == made.kernel.cash == (100_000 - 2_700 - 16_150) * YUAN
    assert made.kernel.orders()["quantity"].tolist() == [2000]


def test_a_refused_replace_leaves_the_order_and_its_cash_as_they_were() -> None:
    made = desk()
    made.order(1, 1000, OrderKind.LIMIT, price=90_000)
    made.report(1, ReportKind.ACK)
    made.replace(1, quantity=500, price=80_000)
    assert made.kernel.available == (100_000 - 9_000) * YUAN
    made.report(1, ReportKind.REPLACE_REJECTED, reason=Reason.INVALID)
    assert made.state(1)[0] is OrderState.WORKING
    assert made.kernel.available == (100_000 - 9_000) * YUAN
    made.replace(1, quantity=500, price=80_000)
    made.report(1, ReportKind.REPLACED, 500, 80_000)
    assert made.kernel.available == (100_000 - 4_000) * YUAN


@pytest.mark.parametrize(("columns", "reason"), [
    ({"quantity": 20_000}, Reason.CASH), ({"quantity": 1050}, Reason.LOT), ({"stop": 90_000}, Reason.INVALID),
    ({"quantity": 1 << 41}, Reason.MAX_ORDER),
])  # fmt: skip
def test_the_kernel_refuses_a_replace_that_breaks_a_rule(columns: dict[str, int], reason: Any) -> None:
    made = desk()
    made.order(1, 1000, OrderKind.LIMIT, price=90_000)
    made.report(1, ReportKind.ACK)
    assert made.replace(1, **columns) == []
    assert made.state(1) == (OrderState.WORKING, reason)
    assert made.kernel.available == (100_000 - 9_000) * YUAN


def test_a_sell_cannot_be_replaced_by_more_than_is_held() -> None:
    made = desk(holds=True)
    made.order(-1, 6_000, OrderKind.LIMIT, price=110_000)
    made.report(2, ReportKind.ACK)
    assert made.replace(2, quantity=11_000) == []
    assert made.state(2)[1] is Reason.NOT_SELLABLE
    made.replace(2, quantity=10_000)
    assert made.kernel.positions()["sellable"].tolist() == [0]
    made.report(2, ReportKind.REPLACED, 10_000, 110_000)
    made.report(2, ReportKind.FILL, 10_000, 110_000)
    assert made.kernel.cash == 110_000 * YUAN


def test_a_resting_sell_does_not_hold_up_a_buy() -> None:
    made = desk(holds=True, settings=config(4, fill_at="close", cash_micro=200_000 * YUAN))
    made.order(-1, 6_000, OrderKind.LIMIT, price=110_000)
    made.order(1, 1_000, OrderKind.MARKET)
    made.slice(1, Phase.OPEN)
    assert [c["order_id"] for c in commands(made.slice(1, Phase.CLOSE))] == [3]


def test_a_gtc_order_is_carried_over_the_end_of_its_session() -> None:
    made = desk()
    made.order(1, 1000, OrderKind.LIMIT, price=90_000, tif=int(Tif.GTC))
    made.report(1, ReportKind.ACK)
    made.slice(1, Phase.OPEN)
    made.slice(1, Phase.CLOSE)
    assert len(made.kernel.chain()) == 1
    made.report(1, ReportKind.CARRIED)
    assert len(made.kernel.chain()) == 2
    state = made.kernel.snapshot()
    made.kernel = Kernel.restore(made.kernel.config, made.market, state)
    for phase in (Phase.PREOPEN, Phase.OPEN):
        made.slice(2, phase)
    assert made.kernel.available == (100_000 - 9_000) * YUAN
    made.report(1, ReportKind.FILL, 1000, 90_000)
    made.slice(2, Phase.CLOSE)
    assert len(made.kernel.chain()) == 3
    assert made.state(1)[0] is OrderState.FILLED


def test_an_order_for_the_day_is_never_carried() -> None:
    made = desk()
    made.order(1, 1000, OrderKind.LIMIT, price=90_000)
    made.report(1, ReportKind.ACK)
    with pytest.raises(InvariantBroken, match="good for the day only"):
        made.report(1, ReportKind.CARRIED)


def test_orders_from_before_an_ex_date_are_withdrawn() -> None:
    actions = {
        "ex_index": np.array([2], "i4"),
        "pay_index": np.array([2], "i4"),
        "instrument": np.array([0], "i4"),
        "cash_per_share": np.array([100_000], "i8"),
        "bonus_ratio": np.zeros(1, "i8"),
        "inferred": np.zeros(1, "u1"),
    }
    made = desk(actions=actions)
    for instrument in (0, 1):
        made.order(1, 100, OrderKind.LIMIT, price=40_000, tif=int(Tif.GTC), instrument=instrument)
        made.report(instrument + 1, ReportKind.ACK)
    made.slice(1, Phase.OPEN)
    made.slice(1, Phase.CLOSE)
    for order_id in (1, 2):
        made.report(order_id, ReportKind.CARRIED)
    asked = commands(made.slice(2, Phase.PREOPEN))
    assert [(c["action"], c["order_id"]) for c in asked] == [(Action.CANCEL, 1)]
    assert made.state(1) == (OrderState.CANCELLING, Reason.CORPORATE_ACTION)


def test_an_intent_for_an_order_that_does_not_exist_is_an_error_of_the_strategy() -> None:
    made = desk()
    for order_id in (0, 1, -3):
        with pytest.raises(UsageError, match="order that does not exist"):
            made.cancel(order_id)
