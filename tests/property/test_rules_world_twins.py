"""The compiled rules of other markets against slow twins in Decimal, on numbers nobody chose."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, ROUND_UP, Decimal

from hypothesis import given
from hypothesis import strategies as st

from quant.core.money import INT64_MAX
from quant.native.extension import native

MICRO = Decimal("0.000001")
CENT = Decimal("0.01")
PRICES = st.integers(1, 50_000_000).map(lambda units: Decimal(units) / 10_000)
COINS = st.integers(1, 10**13)


def half_up(value: Decimal, step: Decimal) -> Decimal:
    return (value / step).quantize(Decimal(1), ROUND_HALF_UP) * step


@given(st.integers(0, 10**15), st.integers(0, 100_000))
def test_section_31_is_the_share_of_the_proceeds(proceeds, rate):
    exact = Decimal(proceeds) * rate / 10**9
    assert native.us_section31(proceeds, rate) == half_up(exact, Decimal(1))


@given(st.integers(0, 10**9), st.integers(1, 300_000), st.integers(1_000_000, 20_000_000))
def test_the_activity_fee_is_capped_and_billed_up_to_the_cent(shares, rate, cap):
    exact = min(half_up(Decimal(shares) * rate / 1000, Decimal(1)), Decimal(cap))
    fee = native.us_taf(shares, rate, cap)
    assert fee == exact
    billed = (Decimal(fee) / 10_000).quantize(Decimal(1), ROUND_UP) * 10_000
    assert native.us_cents_up(fee) == billed


@given(PRICES, st.sampled_from(["0.05", "0.10", "0.20", "0.75"]), st.booleans(), st.integers(570, 959))
def test_price_bands_are_cents_around_the_reference(reference, rate, capped, minute):
    twice = minute < 585 or minute >= 935
    width = reference * Decimal(rate)
    if capped:
        width = min(width, Decimal("0.15"))
    width *= 2 if twice else 1
    terms = int(Decimal(rate) * 10**9), 1500 if capped else 0, (15, 25)
    lower, upper = native.us_luld(int(reference * 10_000), minute, (570, 960), *terms)
    assert Decimal(lower) / 10_000 == half_up(max(reference - width, Decimal(0)), CENT)
    assert Decimal(upper) / 10_000 == half_up(reference + width, CENT)


@given(PRICES, PRICES, PRICES, st.sampled_from(["call", "put"]), st.sampled_from([10_000, 10_265, 9_876]))
def test_option_margin_is_the_published_formula(settle, underlying, strike, kind, unit):
    far, near = Decimal("0.12"), Decimal("0.07")
    if kind == "call":
        out = max(strike - underlying, Decimal(0))
        share = settle + max(far * underlying - out, near * underlying)
    else:
        out = max(underlying - strike, Decimal(0))
        share = min(settle + max(far * underlying - out, near * strike), strike)
    numbers = [int(each * 10_000) for each in (settle, underlying, strike)]
    got = native.option_seller_margin(0 if kind == "call" else 1, *numbers, unit, 120_000_000, 70_000_000)
    assert Decimal(got) / 10**6 == half_up(share * unit, CENT)


@given(COINS, COINS, st.integers(-30_000_000, 30_000_000), st.booleans())
def test_funding_goes_from_one_side_to_the_other(quantity, mark, rate, is_long):
    held = quantity if is_long else -quantity
    paid = native.coin_funding_payment(held, mark, rate)
    assert paid == -native.coin_funding_payment(-held, mark, rate)
    value = half_up(Decimal(quantity) * mark / 10**8, Decimal(1))
    assert abs(paid) == half_up(value * abs(rate) / 10**9, Decimal(1))
    if rate > 0 and paid:
        assert (paid < 0) is is_long


@given(COINS, COINS, COINS, st.integers(1, 500_000_000), st.booleans())
def test_the_liquidation_price_solves_its_equation(quantity, entry, wallet, rate, is_long):
    quantity, entry, wallet = quantity // 10**4 + 1, entry // 10**2 + 1, wallet // 10**2
    cost = half_up(Decimal(quantity) * entry / 10**8, Decimal(1))
    side = 1 if is_long else -1
    over, under = wallet - side * cost, Decimal(quantity) * (Decimal(rate) / 10**9 - side) / 10**8
    price = over / under
    expected = half_up(price, Decimal(10**6)) if price > 0 else 0
    if price > 9 * 10**18:
        expected = INT64_MAX
    got = native.coin_liquidation_price(side * quantity, entry, wallet, [0], [rate], [0], 10**6)
    assert got == expected


@given(st.integers(1, 10**7), st.integers(0, 10**7), st.integers(0, 10**7), st.booleans(), st.integers(0, 3))
def test_lots_closed_are_held_and_asked_for(quantity, today, yesterday, explicit, offset):
    first, second = native.futures_close_lots(quantity, offset, today, yesterday, explicit)
    assert 0 <= first <= today and 0 <= second <= yesterday
    assert first + second in (0, quantity)
    if explicit and offset == 1:
        assert first == 0
    if not explicit and offset == 1 and quantity <= today + yesterday:
        assert first == min(quantity, today)
