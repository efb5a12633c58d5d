"""A bar fills only what every path inside it would have filled, and never at a better price."""

from __future__ import annotations

from fractions import Fraction
from math import isqrt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quant.core.money import RATE_SCALE
from quant.native.bar_match import Bar, BarAt, BarOrder, Slippage, match_bar
from quant.native.batch import OrderKind, Phase
from quant.native.extension import native
from quant.native.kernel import Reason

PATHS = st.lists(st.sampled_from([-1, 0, 1]), max_size=40).map(
    lambda steps: [100 + sum(steps[:k]) for k in range(len(steps) + 1)]
)
PRICES = st.integers(92, 108)
SIDES = st.sampled_from([1, -1])


def bar_of(path: list[int], **terms: int | bool) -> Bar:
    return Bar(path[0], max(path), min(path), path[-1], sum(path) // len(path), len(path), **terms)  # type: ignore[arg-type]


def walk_limit(path: list[int], side: int, limit: int) -> int:
    """Trades when the path opens beyond the limit, or first goes beyond it; 0 = never."""
    if side * (limit - path[0]) > 0:
        return path[0]
    return limit if any(side * (limit - price) > 0 for price in path) else 0


@given(PATHS, SIDES, PRICES)
def test_a_limit_order_fills_exactly_when_every_path_fills_it(path: list[int], side: int, limit: int) -> None:
    fill = match_bar(bar_of(path), BarOrder(side, price=limit))
    assert fill.price == walk_limit(path, side, limit)
    assert not fill.taker
    assert fill.price or fill.reason == Reason.LIMIT_PRICE
    if fill.price and fill.phase is Phase.OPEN:
        assert fill.price == path[0]  # the open alone decides what is known at the open


@given(PATHS, SIDES, PRICES, PRICES)
def test_a_stop_fills_where_the_path_reaches_it(path: list[int], side: int, stop: int, limit: int) -> None:
    reached = [k for k, price in enumerate(path) if side * (price - stop) >= 0]
    bar = bar_of(path)
    plain = match_bar(bar, BarOrder(side, OrderKind.STOP, stop=stop))
    assert plain.triggered == bool(reached)
    assert plain.price == (path[reached[0]] if reached else 0)
    worst = match_bar(bar, BarOrder(side, OrderKind.STOP, stop=stop), at="worst_of")
    assert worst.price == ((bar.high if side == 1 else bar.low) if reached else 0)
    limited = match_bar(bar, BarOrder(side, OrderKind.STOP_LIMIT, limit, stop))
    assert limited.triggered == bool(reached)
    if limited.price:
        after = path[reached[0] :]
        walked = after[0] if side * (limit - after[0]) >= 0 else walk_limit(after, side, limit)
        assert walked
        assert side * (limited.price - walked) >= 0
        assert side * (limit - limited.price) >= 0


@given(PATHS, SIDES, st.sampled_from(["open", "close", "vwap", "worst_of"]))
def test_a_market_order_trades_where_declared_and_inside_the_bar(
    path: list[int], side: int, at: BarAt
) -> None:
    bar = bar_of(path)
    fill = match_bar(bar, BarOrder(side, OrderKind.MARKET), at=at)
    worst = bar.high if side == 1 else bar.low
    assert fill.price == {"open": bar.open, "close": bar.close, "vwap": bar.vwap, "worst_of": worst}[at]
    assert fill.phase is (Phase.OPEN if at == "open" else Phase.CLOSE)
    assert fill.taker


def test_being_touched_is_not_enough_unless_declared() -> None:
    bar = Bar(100, 105, 98, 101)
    assert match_bar(bar, BarOrder(1, price=98)).price == 0
    assert match_bar(bar, BarOrder(1, price=98), touch=True).price == 98
    assert match_bar(bar, BarOrder(1, price=99)).price == 99
    assert match_bar(bar, BarOrder(1, price=99, immediate=True)).price == 0
    assert match_bar(bar, BarOrder(1, price=101, immediate=True)).price == 100


def test_nobody_sells_at_a_sealed_limit() -> None:
    sealed = Bar(110, 110, 110, 110, 110, limit_up=110, limit_down=90)
    for kind in (OrderKind.MARKET, OrderKind.STOP, OrderKind.OPEN_AUCTION):
        order = BarOrder(1, kind, stop=105)
        opening = Bar(110, 110, 110, 110, 110, limit_up=110, limit_down=90, opens=True)
        assert match_bar(opening, order).price == 0
        assert match_bar(opening, order).reason == Reason.LIMIT_UP
    assert match_bar(sealed, BarOrder(1, price=110)).price == 0
    assert match_bar(sealed, BarOrder(-1, price=109)).price == 110
    opened = Bar(110, 110, 108, 110, 109, limit_up=110, limit_down=90)
    assert match_bar(opened, BarOrder(1, price=110)).price == 110


def test_auction_orders_trade_at_the_ends_of_a_session_only() -> None:
    inner, first, last = (
        Bar(100, 105, 98, 101),
        Bar(100, 105, 98, 101, opens=True),
        Bar(100, 105, 98, 101, closes=True),
    )
    assert match_bar(inner, BarOrder(1, OrderKind.OPEN_AUCTION)).reason == Reason.WRONG_PHASE
    assert match_bar(first, BarOrder(1, OrderKind.OPEN_AUCTION)).price == 100
    assert match_bar(first, BarOrder(1, OrderKind.OPEN_AUCTION, price=100)).reason == Reason.NOT_FILLED
    assert match_bar(first, BarOrder(1, OrderKind.OPEN_AUCTION, price=101)).price == 100
    assert match_bar(inner, BarOrder(1, OrderKind.CLOSE_AUCTION)).price == 0
    assert match_bar(last, BarOrder(1, OrderKind.CLOSE_AUCTION)).price == 101


def test_a_bar_without_trades_fills_nothing_that_waits() -> None:
    for kind in (OrderKind.LIMIT, OrderKind.STOP, OrderKind.STOP_LIMIT):
        order = BarOrder(1, kind, price=120, stop=90)
        assert match_bar(Bar(100, 100, 100, 100, volume=0), order).reason == Reason.NO_BAR


@given(st.integers(0, 2**62))
def test_the_integer_root_is_exact(x: int) -> None:
    assert native.square_root(x) == isqrt(x)


@given(st.integers(1, 10**9), SIDES, st.integers(1, 10**9), st.integers(1, 10**9), st.integers(0, 10**9))
def test_impact_follows_the_square_root_law(
    price: int, side: int, quantity: int, volume: int, eta: int
) -> None:
    paid = Slippage(eta=eta).price(price, side=side, quantity=quantity, volume=volume)
    worse = side * (paid - price)
    exact = float(Fraction(price * eta, RATE_SCALE)) * (quantity / volume) ** 0.5
    if side == 1 or price - exact > 3:
        assert worse == pytest.approx(exact, rel=1e-3, abs=2 + (quantity / volume) ** 0.5)
    assert worse >= 0 and paid >= 1


def test_units_and_rates_add_up_against_the_trader() -> None:
    terms = Slippage(units=3, rate=RATE_SCALE // 10_000)
    assert terms.price(100_000, side=1, quantity=1, volume=0) == 100_013
    assert terms.price(100_001, side=1, quantity=1, volume=0) == 100_015
    assert terms.price(100_001, side=-1, quantity=1, volume=0) == 99_987
