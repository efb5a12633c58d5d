"""Ex-reference prices, inferred distributions and entitlements."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quant.core.errors import QuantError
from quant.core.market.corporate_actions import (
    Distribution,
    adjustment_step,
    entitlement,
    ex_reference_price,
    infer_distribution,
)

PRICES = st.decimals(min_value="0.05", max_value="3000", places=2)


@given(PRICES, st.decimals(min_value="0.02", max_value=1, places=6))
def test_an_inferred_distribution_explains_the_fall_exactly(prev_close, fall):
    pre_close = max((prev_close * fall).quantize(Decimal("0.01")), Decimal("0.01"))
    found = infer_distribution(prev_close, pre_close)
    value_after = Fraction(pre_close) * (1 + Fraction(found.bonus_ratio)) + Fraction(found.cash_per_share)
    assert value_after == Fraction(prev_close)
    assert found.cash_per_share >= 0
    assert found.bonus_ratio >= 0
    assert found.bonus_ratio * 10 == int(found.bonus_ratio * 10)
    assert ex_reference_price(prev_close, cash=found.cash_per_share, bonus=found.bonus_ratio) == pre_close


@pytest.mark.parametrize(
    ("prev_close", "pre_close", "cash", "bonus"),
    [("10.00", "9.50", "0.50", "0"), ("11.00", "10.00", "0.00", "0.1"), ("10.99", "10.00", "0.99", "0"),
     ("35.29", "27.02", "0.164", "0.3"), ("20.00", "10.00", "0.00", "1.0"), ("7.03", "7.03", "0.00", "0")],
)  # fmt: skip
def test_small_steps_are_cash_and_large_ones_bonus_in_tenths(prev_close, pre_close, cash, bonus):
    found = infer_distribution(Decimal(prev_close), Decimal(pre_close))
    assert found == Distribution(Decimal(cash), Decimal(bonus))


@pytest.mark.parametrize(
    ("prev_close", "pre_close"), [("10", "10.01"), ("10", "0"), ("10", "-1"), ("0", "0")]
)
def test_a_rise_is_no_distribution(prev_close, pre_close):
    with pytest.raises(QuantError) as refused:
        infer_distribution(Decimal(prev_close), Decimal(pre_close))
    assert refused.value.fault.code == "corporate_action.impossible"


def test_rights_raise_the_reference_by_what_they_cost():
    ratios = {"rights": Decimal("0.3"), "rights_price": Decimal("3.70")}
    assert ex_reference_price(Decimal("4.73"), **ratios) == Decimal("4.49")


def test_a_share_cannot_pay_more_than_it_is_worth():
    with pytest.raises(QuantError):
        ex_reference_price(Decimal(1), cash=Decimal(1))
    with pytest.raises(QuantError):
        adjustment_step(Decimal(1), Decimal(0))


@given(st.integers(0, 10**9), st.decimals(0, 3, places=6), st.decimals(0, 50, places=6))
def test_entitlements_cut_shares_and_round_cash(quantity, ratio, cash):
    due = entitlement(quantity, Distribution(cash, ratio))
    assert due.new_shares == int(Fraction(ratio) * quantity)
    assert abs(Fraction(due.cash) - Fraction(cash) * quantity) <= Fraction(1, 200)
