"""Fees: exact Decimal, and the same cents from the int tables the kernel reads."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quant.core.errors import RuleMissing, UsageError
from quant.core.market.calendar import calendar
from quant.core.market.fees import FeeSchedule, FeeTerms, fee_schedule, fees
from quant.core.market.instrument import Board
from quant.core.market.rules import rulebook
from quant.core.market.tables import NO_RULE
from quant.core.money import MONEY_SCALE, RATE_SCALE, divide_half_up, scaled

SESSIONS = calendar("XSHG").sessions(date(2002, 5, 8), date(2026, 12, 31))
BOARDS = list(Board)
RATES = st.none() | st.decimals(min_value=0, max_value="0.01", places=9)
TERMS = st.builds(
    FeeTerms,
    commission_rate=RATES,
    commission_min=st.none() | st.decimals(min_value=0, max_value=10, places=6),
    stamp_rate=RATES,
    transfer_rate=RATES,
    rounding=st.sampled_from(["cent", "none"]),
)
FILLS = st.lists(st.tuples(st.integers(1, 300_000), st.integers(1, 1_000_000)), min_size=1, max_size=4)
CENT_MICROS = MONEY_SCALE // 100


def integer_fees(
    schedule: FeeSchedule, terms: FeeTerms, t: int, b: int, side: str, fills: list[tuple[int, int]]
) -> list[tuple[int, int, int]]:
    """Micro-yuan (commission, stamp, transfer) of each (cents, shares) fill of one order, ints only."""
    step = CENT_MICROS if terms.rounding == "cent" else 1

    def rounded(numerator: int) -> int:
        return divide_half_up(numerator, RATE_SCALE * step) * step

    def commission(micros: int) -> int:
        return rounded(max(schedule.commission_min[t][b] * RATE_SCALE, schedule.commission[t][b] * micros))

    stamp = schedule.stamp_buy if side == "buy" else schedule.stamp_sell
    done, charged, found = 0, 0, []
    for cents, shares in fills:
        micros = cents * CENT_MICROS * shares
        done += micros
        total = commission(done)
        share_part = schedule.transfer_per_share[t][b] * shares * MONEY_SCALE
        transfer = rounded(schedule.transfer[t][b] * micros + share_part)
        found.append((total - charged, rounded(stamp[t][b] * micros), transfer))
        charged = total
    return found


@given(TERMS, st.sampled_from(SESSIONS), st.sampled_from(BOARDS[1:]), st.sampled_from(["buy", "sell"]), FILLS)
def test_the_int_tables_charge_what_the_decimal_twin_charges(terms, on, board, side, fills):
    if not rulebook().board_exists(board, on):
        return
    schedule = fee_schedule(terms, [on], [board])
    done = Decimal(0)
    exact = []
    for cents, shares in fills:
        notional = Decimal(cents).scaleb(-2) * shares
        paid = fees(terms, on, board, side, notional, quantity=shares, order_notional_before=done)
        done += notional
        exact.append(
            tuple(
                scaled(part, MONEY_SCALE, exact=True) for part in (paid.commission, paid.stamp, paid.transfer)
            )
        )
        assert paid.total == paid.commission + paid.stamp + paid.transfer
    assert integer_fees(schedule, terms, 0, 0, side, fills) == exact


def test_a_schedule_of_many_sessions_equals_schedules_of_one():
    days = SESSIONS[::61]
    whole = fee_schedule(FeeTerms(), days, BOARDS)
    for t, on in enumerate(days):
        single = fee_schedule(FeeTerms(), [on], BOARDS)
        for name in (
            "commission",
            "commission_min",
            "stamp_buy",
            "stamp_sell",
            "transfer",
            "transfer_per_share",
        ):
            assert getattr(whole, name)[t] == getattr(single, name)[0], (on, name)


def test_stamp_duty_halves_on_2023_08_28_for_sales_of_stocks_only():
    days = [date(2023, 8, 25), date(2023, 8, 28)]
    schedule = fee_schedule(FeeTerms(), days, [Board.SZSE_MAIN, Board.SSE_FUND])
    assert schedule.stamp_sell == [[1_000_000, 0], [500_000, 0]]
    assert schedule.stamp_buy == [[0, 0], [0, 0]]
    assert schedule.commission_min == [[5_000_000, 5_000_000]] * 2


def test_cells_of_boards_that_do_not_exist_are_marked():
    schedule = fee_schedule(FeeTerms(), [date(2019, 7, 19), date(2019, 7, 22)], [Board.UNKNOWN, Board.STAR])
    assert schedule.commission == [[NO_RULE, NO_RULE], [NO_RULE, 250_000]]


def test_overrides_replace_rows_and_need_none():
    terms = FeeTerms(Decimal("0.0008"), Decimal(5), Decimal("0.001"), Decimal(0), rounding="none")
    schedule = fee_schedule(terms, [date(1991, 1, 2)], [Board.SSE_MAIN])
    assert schedule.commission == [[800_000]]
    assert schedule.stamp_sell == [[1_000_000]]
    assert schedule.stamp_buy == schedule.transfer == schedule.transfer_per_share == [[0]]
    assert schedule.assumed == ()
    with pytest.raises(RuleMissing):
        fee_schedule(FeeTerms(), [date(1991, 1, 2)], [Board.SSE_MAIN])


def test_a_stamp_override_leaves_funds_free():
    schedule = fee_schedule(FeeTerms(stamp_rate=Decimal("0.001")), [date(2024, 6, 3)], [Board.SSE_FUND])
    assert schedule.stamp_sell == [[0]]


def test_shanghai_charged_transfer_by_share_until_july_2015():
    days = [date(2015, 7, 31), date(2015, 8, 3)]
    schedule = fee_schedule(FeeTerms(), days, [Board.SSE_MAIN, Board.SZSE_MAIN])
    assert schedule.transfer == [[0, 0], [20_000, 20_000]]
    assert schedule.transfer_per_share == [[600_000, 0], [0, 0]]
    paid = fees(FeeTerms(), days[0], Board.SSE_MAIN, "buy", Decimal(10_000), quantity=1000)
    assert paid.transfer == Decimal("0.60")
    with pytest.raises(UsageError) as refused:
        fees(FeeTerms(), days[0], Board.SSE_MAIN, "buy", Decimal(10_000))
    assert refused.value.fault.code == "fees.quantity"


def test_rows_that_are_not_sure_are_named():
    schedule = fee_schedule(FeeTerms(), [date(2010, 1, 4)], [Board.SSE_MAIN])
    assert [(row.table, row.confidence) for row in schedule.assumed] == [("transfer_fee", "unverified")]


@pytest.mark.parametrize("terms", [{"commission_rate": Decimal(-1)}, {"stamp_rate": Decimal("NaN")},
                                   {"rounding": "up"}, {"slippage_ticks": -1}])  # fmt: skip
def test_senseless_terms_are_refused(terms):
    with pytest.raises(UsageError) as refused:
        FeeTerms(**terms)
    assert refused.value.fault.code == "fees.terms"


def test_nothing_traded_costs_nothing():
    assert fees(FeeTerms(), date(2024, 6, 3), Board.SSE_MAIN, "sell", Decimal(0)).total == 0
