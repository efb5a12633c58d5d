"""The compiled rules against slow twins in Decimal, Fraction and datetime; what they refuse."""

from __future__ import annotations

import calendar as months
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from math import floor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quant.core.errors import InvariantBroken, UsageError
from quant.core.ids import parse_code
from quant.core.market.corporate_actions import adjustment_step, ex_reference_price
from quant.core.market.instrument import Board, Status
from quant.core.market.rules import LotRule, limit_price, rulebook
from quant.core.money import MONEY_SCALE, PRICE_SCALE, RATE_SCALE, RATIO_SCALE, scaled, unscaled
from quant.core.time import epoch_days
from quant.native.extension import native
from quant.native.rules.resolved import BEYOND, cages, dividend_taxes, windows

CENT = MONEY_SCALE // 100
PRICES = st.decimals("0.01", "3000", places=2)
DAYS = st.dates(date(1991, 1, 1), date(2030, 12, 31))
RATIOS = st.decimals("0", "2", places=4)


def half_up(value: Fraction) -> int:
    return floor(value + Fraction(1, 2))


@given(PRICES, st.sampled_from(["0.05", "0.1", "0.2", "0.3"]))
def test_a_band_is_what_the_rulebook_says_in_decimal(price, rate):
    units, tick = scaled(price, PRICE_SCALE), 100
    share = scaled(rate, RATE_SCALE)
    band = native.price_band(units, (RATE_SCALE + share, RATE_SCALE - share, tick))
    assert band == tuple(limit_price(units, share, tick, up=up) for up in (True, False))
    if rate == "0.1":
        book = rulebook().price_limit(Board.SSE_MAIN, Status.NORMAL, date(2024, 6, 3), price)
        assert tuple(unscaled(each, PRICE_SCALE) for each in band) == book


@given(
    st.integers(-1, 2_000_000), st.integers(0, 5_000), st.sampled_from(["buy", "sell"]),
    st.sampled_from([(100, 100, 100, 100), (200, 1, 1, 200), (100, 1, 1, 100), (10, 10, 10, 10)]),
)  # fmt: skip
def test_order_sizes_are_what_the_rulebook_says(quantity, position, side, lots):
    rule = LotRule(*lots, max_order=1_000_000, max_market_order=1_000_000, max_after_hours=0)
    got = native.order_quantity_ok(lots, 1_000_000, 1 if side == "buy" else -1, quantity, position)
    assert got == rule.allows(side, quantity, position)


@given(
    st.sampled_from([1, -1]), PRICES, PRICES, st.sampled_from([(102, 98, 0), (102, 98, 10), (105, 95, 10)])
)
def test_a_range_ends_at_the_wider_of_percent_and_ticks(side, price, base, rule):
    up, down, ticks = rule
    share = Fraction(up if side == 1 else down, 100)
    bound = Fraction(half_up(Fraction(base) * share * 100), 100)
    step = Fraction(base) + side * Fraction(ticks, 100)
    bound = max(bound, step) if side == 1 else min(bound, step)
    inside = side * (Fraction(price) - bound) <= 0
    terms = (1, up * RATE_SCALE // 100, down * RATE_SCALE // 100, ticks, 100)
    units = scaled(base, PRICE_SCALE)
    quote = (units, 0, 0, 0) if side == 1 else (0, units, 0, 0)
    assert native.price_cage(side, scaled(price, PRICE_SCALE), quote, terms) == (0 if inside else 1)


@given(PRICES, RATIOS, RATIOS, RATIOS, PRICES, st.decimals("0", "0.9", places=6))
def test_a_reference_price_is_rounded_once(prev_close, bonus, conversion, rights, rights_price, part):
    cash = (prev_close * part).quantize(Decimal("0.000001"))
    expected = ex_reference_price(
        prev_close, cash=cash, bonus=bonus, conversion=conversion, rights=rights, rights_price=rights_price
    )
    due = (
        *(scaled(each, RATIO_SCALE) for each in (cash, bonus, conversion, rights)),
        scaled(rights_price, PRICE_SCALE),
    )
    found = native.ex_reference(scaled(prev_close, PRICE_SCALE), due, 100)
    assert unscaled(found, PRICE_SCALE) == expected


@given(st.integers(0, 10**7), st.decimals("0", "20", places=6), RATIOS)
def test_a_holding_receives_whole_shares_and_cash_to_the_cent(quantity, cash, ratio):
    due = (scaled(cash, RATIO_SCALE), scaled(ratio, RATIO_SCALE), 0, 0, 0)
    shares, money = native.holding_due(quantity, due, CENT)
    assert shares == floor(Fraction(ratio) * quantity)
    assert money == half_up(Fraction(cash) * quantity * 100) * CENT


@given(PRICES, PRICES)
def test_a_step_of_the_factor_is_half_up_at_its_sixth_decimal(before, reference):
    found = native.adjustment_step(scaled(before, PRICE_SCALE), scaled(reference, PRICE_SCALE), 10**6)
    assert found == half_up(Fraction(before) / Fraction(reference) * 10**6) * 10**6
    assert abs(Decimal(found) / 10**12 - adjustment_step(before, reference)) < Decimal("0.000001")


@given(st.integers(0, 10**15), st.integers(0, 10**8))
def test_a_levy_is_half_up_to_the_cent(amount, rate):
    assert native.levy(amount, rate, CENT) == half_up(Fraction(amount * rate, RATE_SCALE * CENT)) * CENT


def months_later(day: date, count: int) -> date:
    year, month = divmod(day.year * 12 + day.month - 1 + count, 12)
    return date(year, month + 1, min(day.day, months.monthrange(year, month + 1)[1]))


@given(
    st.lists(st.tuples(DAYS, st.integers(1, 10**6)), min_size=1, max_size=6), DAYS, st.integers(1, 800),
    st.integers(0, 10**7), st.integers(1, 100),
)  # fmt: skip
def test_dividend_tax_goes_by_calendar_months_first_in_first_out(lots, record, later, taxable, share):
    lots = sorted(lots)
    sold = max(record, lots[-1][0]) + timedelta(days=later)
    quantity = max(1, sum(count for _, count in lots) * share // 100)
    rates = (200_000_000, 100_000_000, 50_000_000)
    left, due = quantity, Fraction(0)
    for bought, count in lots:
        taken = min(left, count)
        left -= taken
        level = 0 if sold <= months_later(bought, 1) else 1 if sold <= months_later(bought, 12) else 2
        due += Fraction(taken * taxable * rates[level], RATE_SCALE) if bought <= record else 0
    held = [(epoch_days(day), count) for day, count in lots]
    found = native.dividend_tax(rates, held, epoch_days(record), epoch_days(sold), quantity, taxable, CENT)
    assert found == half_up(due / CENT) * CENT


def test_what_makes_no_sense_is_refused_and_never_divides_by_zero():
    with pytest.raises(UsageError, match="more shares are sold"):
        native.dividend_tax((1, 1, 1), [(0, 10)], 5, 10, 11, 1, CENT)
    with pytest.raises(UsageError, match="worth more than the share"):
        native.ex_reference(10_000, (RATIO_SCALE, 0, 0, 0, 0), 100)
    with pytest.raises(UsageError, match="reference price"):
        native.price_band(0, (RATE_SCALE, RATE_SCALE, 100))
    with pytest.raises(UsageError, match="needs a quote"):
        native.price_cage(1, 10_000, (0, 0, 0, 0), (1, RATE_SCALE, RATE_SCALE, 0, 100))
    for tick in (0, -100):
        with pytest.raises(InvariantBroken, match="price step"):
            native.price_band(10_000, (RATE_SCALE, RATE_SCALE, tick))
    with pytest.raises(InvariantBroken, match="steps of an order"):
        native.order_quantity_ok((100, 0, 100, 100), 1000, 1, 100, 0)
    with pytest.raises(InvariantBroken, match="64 bits"):
        native.levy(2**62, RATE_SCALE * 1000, 1)


def test_ranges_and_taxes_come_session_by_session():
    sessions = [date(2020, 8, 21), date(2020, 8, 24), date(2023, 4, 7), date(2023, 4, 10)]
    found = cages(Board.CHINEXT, sessions)
    assert [BEYOND[each.beyond] for each in found] == ["none", "hold", "hold", "reject"]
    assert (found[1].ticks, found[3].ticks, found[3].up) == (0, 10, 1_020_000_000)
    taxes = dividend_taxes([date(2012, 12, 31), date(2015, 9, 7), date(2015, 9, 8)])
    assert [each.beyond for each in taxes] == [100_000_000, 50_000_000, 0]


def test_windows_are_cut_where_cancels_end_and_where_the_market_halted():
    def clocks(symbol: str, session: date) -> list[tuple[str, str, str, bool]]:
        day = windows(parse_code(symbol), [session])
        assert all(left.end <= right.begin for left, right in pairwise(day))
        return [(each.name, clock(each.begin), clock(each.end), each.cancels) for each in day]

    def clock(instant: int) -> str:
        minutes = instant // 60_000_000_000 % 1440 + 480
        return f"{minutes // 60:02d}:{minutes % 60:02d}"

    assert clocks("688981.SH", date(2024, 6, 3)) == [
        ("open_auction", "09:15", "09:20", True),
        ("open_auction", "09:20", "09:25", False),
        ("pre_open_gap", "09:25", "09:30", False),
        ("continuous", "09:30", "11:30", True),
        ("continuous", "13:00", "14:57", True),
        ("close_auction", "14:57", "15:00", False),
        ("after_hours", "15:05", "15:30", True),
    ]
    assert clocks("600000.SH", date(2016, 1, 4))[3:] == [
        ("continuous", "09:30", "11:30", True),
        ("continuous", "13:00", "13:13", True),
        ("continuous", "13:28", "13:33", True),
    ]
    assert clocks("000001.SZ", date(2016, 1, 7))[3:] == [
        ("continuous", "09:30", "09:42", True),
        ("continuous", "09:57", "09:59", True),
    ]
