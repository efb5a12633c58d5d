"""Risk gates, breakers, control events, and what a restart keeps."""

from __future__ import annotations

from typing import Any

import pytest
from kernel_market import Stepped, config, flat_market, order, reasons, weights

from quant.core.errors import StateConflict
from quant.native.kernel import (
    Batch,
    BatchKind,
    ControlKind,
    Kernel,
    OrderState,
    Phase,
    Reason,
    RiskLimits,
    SimVenue,
)

YUAN = 10**6
FLAT = [[100_000, 100_000]] * 4


def begin(prices: list[list[int]], **changes: Any) -> Stepped:
    market = flat_market(prices)
    return Stepped(config(market.T, **changes), market)


def intend(loop: Stepped, columns: dict[str, Any]) -> None:
    t, phase, ts = loop.kernel._core.now
    loop.give(Batch.of(BatchKind.INTENTS, ts, Phase(phase), t, **columns))


def control(loop: Stepped, kind: ControlKind, value: int = 0) -> None:
    t, phase, ts = loop.kernel._core.now
    loop.give(Batch.control(kind, ts, Phase(phase), t, value=value, note="test"))


def decided(columns: dict[str, Any], **changes: Any) -> list[Any]:
    loop = begin(FLAT, **changes)
    loop.session(0)
    intend(loop, columns)
    loop.session(1)
    return reasons(loop)


@pytest.mark.parametrize(("risk", "reason"), [
    (RiskLimits(order_quantity_max=4_900), Reason.ORDER_QUANTITY),
    (RiskLimits(order_value_max=49_999 * YUAN), Reason.ORDER_VALUE),
    (RiskLimits(single_name=499_999_999), Reason.SINGLE_NAME),
    (RiskLimits(gross=499_999_999), Reason.GROSS),
    (RiskLimits(cash_min=600_000_000), Reason.REDUCED_TO_CASH),
    (RiskLimits(single_name=500_000_000, gross=500_000_000, cash_min=500_000_000), Reason.NONE),
])  # fmt: skip
def test_each_gate_has_its_reason(risk: RiskLimits, reason: Any) -> None:
    assert decided(order(1, 5_000), risk=risk) == [reason]


def test_the_cash_floor_refuses_where_cutting_is_not_wanted() -> None:
    risk = RiskLimits(cash_min=600_000_000)
    assert decided(order(1, 5_000), risk=risk, on_insufficient_cash="reject") == [Reason.CASH_FLOOR]


def test_the_first_gate_in_order_gives_the_reason() -> None:
    risk = RiskLimits(order_quantity_max=1, order_value_max=1, single_name=1, gross=1, cash_min=10**9)
    assert decided(order(1, 5_000), risk=risk) == [Reason.ORDER_QUANTITY]
    assert decided(order(1, 5_000), risk=risk, forbidden=(0,)) == [Reason.FORBIDDEN]


def test_gross_counts_every_name() -> None:
    risk = RiskLimits(gross=600_000_000)
    assert decided(weights(0.4, 0.4), risk=risk) == [Reason.NONE, Reason.GROSS]


def test_a_forbidden_name_may_be_sold() -> None:
    loop = begin(FLAT)
    loop.session(0)
    intend(loop, order(1, 100))
    loop.session(1)
    control(loop, ControlKind.FORBID)
    intend(loop, weights(0.0))
    loop.session(2)
    assert reasons(loop) == [Reason.NONE, Reason.NONE]
    intend(loop, order(1, 100))
    control(loop, ControlKind.ALLOW)
    loop.session(3)
    assert reasons(loop)[-1] is Reason.NONE


@pytest.mark.parametrize(("risk", "fall"), [
    (RiskLimits(daily_loss=50_000_000), 95_000), (RiskLimits(max_drawdown=50_000_000), 95_000),
])  # fmt: skip
def test_a_loss_limit_halts_until_reset(risk: RiskLimits, fall: int) -> None:
    loop = begin([[100_000]] * 2 + [[fall]] * 3, risk=risk, cash_micro=10_000 * YUAN)
    loop.session(0)
    intend(loop, order(1, 1_000))
    loop.session(1)
    assert not loop.kernel.halted
    loop.session(2)
    assert loop.kernel.halted
    intend(loop, weights(0.0))
    loop.session(3)
    assert reasons(loop)[-1] is Reason.HALTED
    control(loop, ControlKind.RESET)
    intend(loop, weights(0.0))
    loop.session(4)
    assert not loop.kernel.halted
    assert loop.kernel.positions()["instrument"].tolist() == []


def test_a_loss_below_the_limit_does_not_halt() -> None:
    risk = RiskLimits(daily_loss=50_000_000)
    loop = begin([[100_000]] * 2 + [[95_010]], risk=risk, cash_micro=10_000 * YUAN)
    loop.session(0)
    intend(loop, order(1, 1_000))
    loop.session(1)
    loop.session(2)
    assert not loop.kernel.halted


def test_pause_refuses_new_intents_and_resume_takes_them() -> None:
    loop = begin(FLAT)
    control(loop, ControlKind.PAUSE)
    loop.session(0)
    intend(loop, order(1, 100))
    loop.session(1)
    assert reasons(loop) == [Reason.PAUSED] and loop.kernel.paused
    control(loop, ControlKind.RESUME)
    intend(loop, order(1, 100))
    loop.session(2)
    assert reasons(loop) == [Reason.PAUSED, Reason.NONE]


def test_halt_cancels_what_is_on_its_way() -> None:
    loop = begin(FLAT)
    loop.session(0)
    intend(loop, order(1, 1_000))
    loop.session(1)
    intend(loop, weights(0.0, 0.5))
    loop.slice(2, Phase.PREOPEN)
    states = [OrderState(s) for s in loop.kernel.orders()["state"]]
    assert states[1:] == [OrderState.WORKING, OrderState.WAITING]
    control(loop, ControlKind.HALT)
    orders = loop.kernel.orders()
    assert [OrderState(s) for s in orders["state"]][1:] == [OrderState.CANCELLED] * 2
    assert reasons(loop)[1:] == [Reason.HALTED] * 2
    for phase in (Phase.OPEN, Phase.CLOSE):
        loop.slice(2, phase)
    assert loop.kernel.positions()["quantity"].tolist() == [1_000]
    assert loop.kernel.available == loop.kernel.cash


def test_control_events_change_the_chain() -> None:
    quiet, noted = begin(FLAT), begin(FLAT)
    control(noted, ControlKind.RESUME)
    quiet.session(0)
    noted.session(0)
    assert quiet.kernel.state_hash() != noted.kernel.state_hash()


@pytest.mark.parametrize("state", [b"", b"QSV1", b"\0" * 64, b"QSK1" + b"\xff" * 40])
def test_bytes_that_are_no_snapshot_are_refused(state: bytes) -> None:
    loop = begin(FLAT)
    with pytest.raises(StateConflict):
        Kernel.restore(loop.config, loop.market, state)
    with pytest.raises(StateConflict):
        SimVenue.restore(loop.config, loop.market, state + b"x")


def test_a_cut_snapshot_is_refused() -> None:
    loop = begin(FLAT)
    loop.session(0)
    state = loop.kernel.snapshot()
    for size in range(0, len(state), 7):
        with pytest.raises(StateConflict):
            Kernel.restore(loop.config, loop.market, state[:size])
    with pytest.raises(StateConflict):
        Kernel.restore(loop.config, loop.market, state + b"x")
