"""What the kernel does on markets small enough to check by hand."""

from __future__ import annotations

import hashlib
import struct
from typing import Any

import numpy as np
import pytest
from kernel_market import (
    LISTED,
    MAIN,
    STAR,
    SUSPENDED,
    TRADING,
    Stepped,
    board_rules,
    config,
    flat_market,
    order,
    reasons,
    weights,
)

from quant.core.errors import InvariantBroken, UsageError
from quant.native.kernel import (
    Batch,
    BatchKind,
    FeeTables,
    IntentKind,
    Kernel,
    LedgerKind,
    Market,
    OrderEvent,
    OrderState,
    Phase,
    Reason,
    RuleTables,
    SimVenue,
)

YUAN = 10**6


def play(market: Market, days: dict[int, dict[str, Any]], **changes: Any) -> Stepped:
    """Gives each row's intents at its decision instant and runs the market to its end."""
    loop = Stepped(config(market.T, **changes), market)
    for t in range(market.T):
        batch = None
        if t in days:
            before_close = loop.config.decide == "before_close"
            phase = Phase.DECIDE if before_close else Phase.CLOSE
            batch = Batch.of(BatchKind.INTENTS, market.instant(t, phase), phase, t, **days[t])
        loop.session(t, batch)
    return loop


def test_a_weight_becomes_whole_lots_of_nav_over_the_reference_price() -> None:
    loop = play(flat_market([[100_000], [100_000]]), {0: weights(0.56789)})
    assert loop.kernel.positions()["quantity"].tolist() == [5_600]
    assert loop.kernel.cash == 44_000 * YUAN


def test_sales_pay_for_purchases_of_the_same_instant() -> None:
    market = flat_market([[100_000, 50_000]] * 3)
    loop = play(market, {0: weights(1.0, 0.0), 1: weights(0.0, 1.0)})
    assert loop.kernel.positions()["instrument"].tolist() == [1]
    assert loop.kernel.positions()["quantity"].tolist() == [20_000]


def test_shares_bought_today_are_sold_tomorrow() -> None:
    days = {0: order(1, 1_000), 1: order(-1, 1_000)}
    rules = {"decide": "before_close", "fill_at": "close"}
    same_day = flat_market([[100_000]] * 2)
    assert play(same_day, days, **rules).kernel.positions()["quantity"].tolist() == []
    loop = Stepped(config(1, **rules), flat_market([[100_000]]))
    for phase in Phase:
        loop.slice(0, phase)
        if phase is Phase.DECIDE:
            for side in (1, -1):
                columns = order(side, 1_000)
                loop.give(Batch.of(BatchKind.INTENTS, 0, phase, 0, **columns))
    assert reasons(loop) == [Reason.NONE, Reason.NOT_SELLABLE]
    assert loop.kernel.positions()["sellable"].tolist() == [0]


def test_a_bonus_is_floored_and_a_dividend_is_owed_until_its_pay_date() -> None:
    actions = {
        "ex_index": [2],
        "pay_index": [3],
        "instrument": [0],
        "cash_per_share": [500_000],
        "bonus_ratio": [33_333_333],
        "inferred": [0],
    }
    types = ("i4", "i4", "i4", "i8", "i8", "u1")
    arrays = {key: np.array(value, kind) for (key, value), kind in zip(actions.items(), types, strict=True)}
    market = flat_market(
        [[100_000], [100_000], [71_300], [71_300]],
        actions=arrays,
        pre_close=[[100_000], [100_000], [71_300], [71_300]],
    )
    loop = play(market, {0: order(1, 1_000)})
    history = loop.kernel.nav_history()
    assert loop.kernel.positions()["quantity"].tolist() == [1_333]
    assert history["receivable"].tolist() == [0, 0, 500 * YUAN, 0]
    assert history["cash"].tolist() == [x * YUAN for x in (100_000, 90_000, 90_000, 90_500)]
    assert history["nav"][2] == 90_500 * YUAN + 1_333 * 71_300 * 100
    kinds = [LedgerKind(k) for k in loop.kernel.ledger()["kind"]]
    assert kinds[-3:] == [LedgerKind.DIVIDEND, LedgerKind.BONUS, LedgerKind.DIVIDEND_PAID]


def test_an_ex_date_without_a_quote_is_marked_at_the_theoretical_price() -> None:
    arrays = {
        "ex_index": np.array([2], "i4"),
        "pay_index": np.array([-1], "i4"),
        "instrument": np.array([0], "i4"),
        "cash_per_share": np.array([1_000_000], "i8"),
        "bonus_ratio": np.array([20_000_000], "i8"),
        "inferred": np.array([0], "u1"),
    }
    market = flat_market(
        [[100_000], [100_000], [0]],
        actions=arrays,
        pre_close=[[100_000], [100_000], [0]],
        flags=[[LISTED | TRADING | MAIN << 8]] * 2 + [[LISTED | SUSPENDED | MAIN << 8]],
    )
    loop = play(market, {0: order(1, 1_000)})
    assert loop.kernel.positions()["price"].tolist() == [75_000]
    assert loop.kernel.nav == (90_000 + 1_000 + 9_000) * YUAN


def test_the_odd_part_of_a_position_goes_in_one_order() -> None:
    arrays = {
        "ex_index": np.array([2], "i4"),
        "pay_index": np.array([-1], "i4"),
        "instrument": np.array([0], "i4"),
        "cash_per_share": np.array([0], "i8"),
        "bonus_ratio": np.array([50_000_000], "i8"),
        "inferred": np.array([0], "u1"),
    }
    market = flat_market([[100_000]] * 5, actions=arrays)
    bought = {0: order(1, 100)}
    refused = play(market, bought | {2: order(-1, 30)})
    assert reasons(refused)[-1] is Reason.LOT
    assert play(market, bought | {2: order(-1, 50)}).kernel.positions()["quantity"].tolist() == [100]
    assert play(market, bought | {2: weights(0.0)}).kernel.positions()["quantity"].tolist() == []


@pytest.mark.parametrize(("board", "side", "quantity", "reason"), [
    (MAIN, 1, 150, Reason.LOT), (MAIN, 1, 1_000_100, Reason.MAX_ORDER), (STAR, 1, 199, Reason.LOT),
    (STAR, 1, 201, Reason.NONE), (MAIN, -1, 100, Reason.NOT_SELLABLE), (MAIN, 0, 100, Reason.INVALID),
    (MAIN, 1, 0, Reason.INVALID),
])  # fmt: skip
def test_what_the_exchange_would_refuse_is_refused(board: int, side: int, quantity: int, reason: Any) -> None:
    flags = [[LISTED | TRADING | board << 8]] * 2
    loop = play(
        flat_market([[10_000]] * 2, flags=flags),
        {0: order(side, quantity)},
        rules=board_rules(2),
        cash_micro=10**13,
    )
    assert reasons(loop) == [reason]


def test_a_large_target_is_cut_into_legal_orders() -> None:
    market = flat_market([[10_000]] * 2)
    loop = play(market, {0: weights(1.0)}, rules=RuleTables.uniform(2, max_order=30_000))
    assert loop.kernel.fills()["quantity"].tolist() == [30_000, 30_000, 30_000, 10_000]


def test_a_locked_price_is_not_filled_by_side_or_by_target() -> None:
    market = flat_market([[100_000], [100_000], [110_000]], limit_up=[[10**9], [10**9], [110_000]])
    days = {0: weights(0.8), 1: weights(0.4)}
    by_side = play(market, days)
    assert by_side.kernel.positions()["quantity"].tolist() == [4_000]
    by_target = play(market, days, locked="by_target")
    assert by_target.kernel.positions()["quantity"].tolist() == [8_000]
    assert reasons(by_target)[-1] is Reason.LIMIT_UP


def test_the_minimum_commission_is_charged_once_per_order_and_rounded_to_the_cent() -> None:
    fees = FeeTables.uniform(2, commission=250_000, transfer=10_000, commission_min=5 * YUAN)
    market, bought = flat_market([[112_000]] * 2), {0: order(1, 1_100)}
    fills = play(market, bought, fees=fees).kernel.fills()
    assert fills["commission"].tolist() == [5 * YUAN]
    assert fills["transfer"].tolist() == [120_000]
    exact = play(market, bought, fees=fees, rounding="none").kernel.fills()
    assert exact["transfer"].tolist() == [123_200]


@pytest.mark.parametrize(("policy", "quantity", "reason"), [
    ("reduce", [9_900], Reason.REDUCED_TO_CASH), ("reject", [], Reason.CASH),
    ("overdraft", [20_000], Reason.NONE),
])  # fmt: skip
def test_what_the_cash_does_not_pay_for(policy: str, quantity: list[int], reason: Any) -> None:
    fees = FeeTables.uniform(2, commission=300_000)
    loop = play(flat_market([[100_000]] * 2), {0: order(1, 20_000)}, fees=fees, on_insufficient_cash=policy)
    assert loop.kernel.positions()["quantity"].tolist() == quantity
    assert reasons(loop) == [reason]


def test_the_last_of_several_targets_for_a_name_counts() -> None:
    columns = {"instrument": [0, 0], "weight": [900_000_000, 100_000_000]}
    loop = play(flat_market([[100_000]] * 2), {0: columns})
    assert loop.kernel.positions()["quantity"].tolist() == [1_000]


def test_a_limit_order_is_not_filled_beyond_its_price() -> None:
    market = flat_market([[100_000], [101_000]])
    assert reasons(play(market, {0: order(1, 100, price=100_500)})) == [Reason.DAY_END]
    assert reasons(play(market, {0: order(1, 100, price=101_100)})) == [Reason.NONE]


def test_slices_out_of_order_break_the_session() -> None:
    market = flat_market([[100_000]] * 2)
    kernel = Kernel(config(2), market)
    with pytest.raises(InvariantBroken, match="order"):
        kernel.step(Batch.slice(market, 0, Phase.OPEN))
    kernel.step(Batch.slice(market, 0, Phase.PREOPEN))
    with pytest.raises(InvariantBroken, match="order"):
        kernel.step(Batch.slice(market, 1, Phase.PREOPEN))


def test_a_report_of_an_unknown_order_or_beyond_the_order_breaks_the_session() -> None:
    market = flat_market([[100_000]] * 2)
    kernel = Kernel(config(2), market)
    with pytest.raises(InvariantBroken, match="never sent"):
        kernel.step(Batch.of(BatchKind.REPORTS, 0, Phase.OPEN, 0, order_id=[1], kind=[0]))


def test_an_intent_outside_the_market_is_a_usage_error() -> None:
    kernel = Kernel(config(2), flat_market([[100_000]] * 2))
    with pytest.raises(UsageError) as caught:
        kernel.step(Batch.of(BatchKind.INTENTS, 0, Phase.CLOSE, 0, instrument=[7], weight=[0]))
    assert caught.value.fault.code == "kernel.instrument"


def test_money_that_does_not_fit_breaks_instead_of_wrapping() -> None:
    arrays = {
        "ex_index": np.array([2], "i4"),
        "pay_index": np.array([-1], "i4"),
        "instrument": np.array([0], "i4"),
        "cash_per_share": np.array([2**62], "i8"),
        "bonus_ratio": np.array([0], "i8"),
        "inferred": np.array([0], "u1"),
    }
    with pytest.raises(InvariantBroken) as caught:
        play(flat_market([[100_000]] * 3, actions=arrays), {0: order(1, 100)})
    assert caught.value.fault.code == "money.overflow"


@pytest.mark.parametrize(("intent", "reason"), [
    (order(1, 10**18), Reason.INVALID), (order(1, 10**15), Reason.ORDER_VALUE),
    ({"instrument": [0], "weight": [2**62]}, Reason.INVALID),
    ({"instrument": [0], "kind": [IntentKind.QUANTITY], "quantity": [10**15]}, Reason.MAX_ORDER),
    ({"instrument": [0], "kind": [9]}, Reason.INVALID), ({"instrument": [0], "weight": [-1]}, Reason.INVALID),
])  # fmt: skip
def test_absurd_intents_are_refused_and_harm_nothing(intent: dict[str, Any], reason: Any) -> None:
    rules = RuleTables.uniform(2, max_order=10**18 if reason is Reason.ORDER_VALUE else 1_000_000)
    loop = play(flat_market([[10**9]] * 2), {0: intent}, rules=rules)
    assert reasons(loop) == [reason]
    assert loop.kernel.nav == 100_000 * YUAN


def test_a_board_without_rules_breaks_the_session() -> None:
    flags = [[LISTED | TRADING | 200 << 8]] * 2
    with pytest.raises(InvariantBroken, match="no rule row"):
        play(flat_market([[100_000]] * 2, flags=flags), {0: order(1, 100)})


def test_the_venue_answers_only_when_polled_and_shows_what_rests() -> None:
    market = flat_market([[100_000]] * 2)
    venue = SimVenue(config(2), market)
    assert venue.poll(Batch.slice(market, 0, Phase.PREOPEN)).n == 0
    venue.submit(
        Batch.of(
            BatchKind.COMMANDS, 0, Phase.PREOPEN, 0, order_id=[1], instrument=[0], side=[1], quantity=[100]
        )
    )
    assert venue.open_state()["order_id"].tolist() == []
    assert venue.poll(None).columns["kind"].tolist() == [0]
    assert venue.open_state()["order_id"].tolist() == [1]
    filled = venue.poll(Batch.slice(market, 0, Phase.OPEN))
    assert filled.columns["kind"].tolist() == [1] and filled.ts == market.instant(0, Phase.OPEN)


def test_the_first_links_of_the_chain_are_the_documented_bytes() -> None:
    market = flat_market([[100_000]] * 2)
    loop = play(market, {})
    name, cash = b"quant/state/1", 100_000 * YUAN
    head = hashlib.sha256(struct.pack("<Q", len(name)) + name + struct.pack("<q", cash)).digest()
    for t in range(2):
        day = int(market.arrays["sessions"][t])
        end = struct.pack("<cI9qQBB", b"E", day, cash, 0, 0, cash, 0, 0, 0, 0, 0, 0, 0, 0)
        head = hashlib.sha256(head + end).digest()
        assert loop.kernel.chain()[t] == (day, head.hex())
    assert loop.kernel.state_hash() == head.hex()


def mix_of(*values: int) -> int:
    mix = 0
    for value in values:
        mix = (mix ^ value % 2**64) * 0x9E3779B97F4A7C15 % 2**64
        mix ^= mix >> 32
    return mix


def test_the_link_of_a_session_with_a_trade_is_the_documented_bytes() -> None:
    fees = FeeTables.uniform(2, commission=250_000, commission_min=5 * YUAN)
    loop = play(flat_market([[100_000], [102_000]]), {0: order(1, 1_000)}, fees=fees)
    before, day = bytes.fromhex(loop.kernel.chain()[0][1]), int(loop.market.arrays["sessions"][1])

    def event(name: str) -> bytes:
        return struct.pack("<cqBH", b"O", 1, int(OrderEvent[name]), 0)

    fee, cost = 5 * YUAN, 10_200 * YUAN
    records = [
        struct.pack("<ciBqqbqBi", b"I", 0, 2, 0, 1_000, 1, 0, 0, 0),
        struct.pack("<cqibqqBi", b"N", 1, 0, 1, 1_000, 0, 0, 0), event("HOLD"), event("SEND"),
        struct.pack("<cqq", b"S", 1, 1_000), event("ACK"),
        struct.pack("<cqqqqqq", b"F", 1, 1_000, 102_000, fee, 0, 0), event("FILL"),
        struct.pack("<ci9qQBB", b"E", day, 100_000 * YUAN - cost - fee, cost, 0, 100_000 * YUAN - fee, fee,
                    0, 0, 0, 1, mix_of(0, 1_000, 1_000, 102_000, cost + fee), 0, 0),
    ]  # fmt: skip
    assert hashlib.sha256(before + b"".join(records)).hexdigest() == loop.kernel.state_hash()


def test_orders_end_in_a_final_state() -> None:
    loop = play(flat_market([[100_000]] * 3), {0: weights(0.5), 1: weights(0.0)})
    final = {OrderState.FILLED, OrderState.CANCELLED, OrderState.REJECTED, OrderState.EXPIRED}
    assert {OrderState(s) for s in loop.kernel.orders()["state"]} <= final


@pytest.mark.parametrize(("days", "sold"), [(0, 1_500), (1, 1_000)])
def test_bonus_shares_can_be_sold_when_the_rule_says_so(days: int, sold: int) -> None:
    actions = {
        "ex_index": np.array([2], "i4"),
        "pay_index": np.array([-1], "i4"),
        "instrument": np.array([0], "i4"),
        "cash_per_share": np.zeros(1, "i8"),
        "bonus_ratio": np.array([50_000_000], "i8"),
        "inferred": np.zeros(1, "u1"),
    }
    market = flat_market(
        [[90_000], [90_000], [60_000], [60_000], [60_000]],
        pre_close=[[90_000], [90_000], [60_000], [60_000], [60_000]],
        actions=actions,
    )
    loop = Stepped(config(5, rules=RuleTables.uniform(5, bonus_days=days)), market)
    zero = {"instrument": [0], "weight": [0]}
    loop.session(0, Batch.of(BatchKind.INTENTS, 0, Phase.CLOSE, 0, **order(1, 1_000)))
    loop.session(1, Batch.of(BatchKind.INTENTS, 0, Phase.CLOSE, 1, **zero))
    loop.session(2, Batch.of(BatchKind.INTENTS, 0, Phase.CLOSE, 2, **zero))
    assert loop.kernel.fills()["quantity"].tolist() == [1_000, sold]
    loop.session(3)
    assert loop.kernel.fills()["quantity"][1:].sum() == 1_500
