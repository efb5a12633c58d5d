"""Half-up rounding and scaled integers, against exact fractions."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from math import floor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quant.core.errors import QuantError
from quant.core.money import (
    MONEY_SCALE,
    PRICE_SCALE,
    divide_half_up,
    ratio_to_tick,
    scaled,
    to_cent,
    to_tick,
    unscaled,
)

AMOUNTS = st.decimals(min_value="-1e9", max_value="1e9", places=8, allow_nan=False, allow_infinity=False)
TICKS = st.sampled_from([Decimal(t) for t in ("0.01", "0.001", "0.005", "0.2", "1", "0.03")])


def half_up(value: Fraction) -> int:
    """Nearest integer, ties away from zero."""
    return floor(value + Fraction(1, 2)) if value >= 0 else -floor(-value + Fraction(1, 2))


@given(AMOUNTS, TICKS)
def test_ticks_are_the_nearest_multiple_with_ties_away_from_zero(price, tick):
    assert Fraction(to_tick(price, tick)) == half_up(Fraction(price) / Fraction(tick)) * Fraction(tick)


@given(AMOUNTS, st.decimals(min_value="0.0001", max_value="1000", places=4), TICKS)
def test_a_ratio_is_rounded_once(numerator, denominator, tick):
    exact = Fraction(numerator) / Fraction(denominator) / Fraction(tick)
    assert Fraction(ratio_to_tick(numerator, denominator, tick)) == half_up(exact) * Fraction(tick)


@given(st.integers(-(10**30), 10**30), st.integers(1, 10**30))
def test_integer_division_rounds_half_up(numerator, denominator):
    assert divide_half_up(numerator, denominator) == half_up(Fraction(numerator, denominator))


@pytest.mark.parametrize(
    ("value", "rounded"),
    [("13.145", "13.15"), ("11.385", "11.39"), ("0.005", "0.01"), ("-0.005", "-0.01"), ("2.675", "2.68"),
     ("1.0049999999999999999999999999999999", "1.00"), ("7", "7.00")],
)  # fmt: skip
def test_exact_ties_go_up_where_half_even_and_floats_would_not(value, rounded):
    assert str(to_cent(Decimal(value))) == rounded


@given(st.integers(-(2**63) + 1, 2**63 - 1), st.sampled_from([PRICE_SCALE, MONEY_SCALE, 1]))
def test_units_read_back(units, scale):
    assert scaled(unscaled(units, scale), scale, exact=True) == units


@given(AMOUNTS, st.sampled_from([PRICE_SCALE, MONEY_SCALE]))
def test_scaling_rounds_half_up(value, scale):
    assert scaled(value, scale) == half_up(Fraction(value) * scale)


def test_scaling_accepts_text_and_integers():
    assert scaled("12.34", PRICE_SCALE) == 123_400
    assert scaled(3, MONEY_SCALE) == 3_000_000


@pytest.mark.parametrize(
    ("value", "code"),
    [("12.34567", "number.inexact"), ("1e15", "number.overflow"), ("NaN", "number.invalid"),
     ("Infinity", "number.invalid"), ("1e1000000", "number.invalid"), ("abc", "number.invalid"),
     (1.5, "number.invalid"), (True, "number.invalid"), (None, "number.invalid")],
)  # fmt: skip
def test_what_does_not_fit_is_an_error(value, code):
    with pytest.raises(QuantError) as refused:
        scaled(value, PRICE_SCALE, exact=True)
    assert refused.value.fault.code == code


@pytest.mark.parametrize("tick", ["0", "-0.01"])
def test_a_tick_is_positive(tick):
    with pytest.raises(QuantError):
        to_tick(Decimal(1), Decimal(tick))
