"""Published cases of the A-share rules: every vector of the functions this rulebook offers.

The vectors lie in the shared market folder; this file maps their logical functions to the rulebook. The
functions named in NOT_OFFERED have no rows yet and are not run.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from quant.core.errors import RuleMissing
from quant.core.market.calendar import calendar
from quant.core.market.corporate_actions import Distribution, adjustment_step, entitlement, ex_reference_price
from quant.core.market.fees import FeeTerms, fees
from quant.core.market.instrument import Board, Status
from quant.core.market.rules import limit_price, rulebook
from quant.core.money import PRICE_SCALE, scaled, unscaled

yaml = pytest.importorskip("yaml", reason="pyyaml is a dev dependency")

NOT_OFFERED = {
    # trading phases, price cages, halts, caps and order-rate rules of A-shares
    "phase", "market_open", "price_cage", "is_hft", "st_buy_cap", "financing_margin_min",
    # fees inside the commission, dividend tax, requested-range adjustment
    "handling_fee", "regulatory_fee", "dividend_tax", "qfq",
    # other markets
    "futures_mtm", "index_future_fee", "etf_option_margin", "section31", "taf", "us_settle_date",
    "pdt_restricted", "luld", "us_price_on_tick", "us_round_lot", "crypto_filter", "funding_payment",
    "funding_rate", "liq_price_isolated", "session_count",
}  # fmt: skip
EXCHANGE_BOARD = {
    ("SH", "stock"): Board.SSE_MAIN,
    ("SZ", "stock"): Board.SZSE_MAIN,
    ("BJ", "stock"): Board.BSE,
    ("SH", "fund"): Board.SSE_FUND,
    ("SZ", "fund"): Board.SZSE_FUND,
}
BOOK = rulebook()


def day(text: str) -> date:
    return date.fromisoformat(text)


def number(given: dict[str, Any], name: str) -> Decimal:
    return Decimal(given.get(name) or 0)


def board(symbol: str, on: str) -> str:
    return BOOK.board(symbol, day(on)).name


def price_limit(symbol: str, status: str, prev_close: str | None, **given: Any) -> dict[str, str]:
    on = day(given["date"])
    where = BOOK.board(symbol, on)
    reference = Decimal(prev_close or given.get("issue_price") or 0)
    if given.get("cash") or given.get("bonus"):
        reference = ex_reference_price(reference, cash=number(given, "cash"), bonus=number(given, "bonus"))
    listed = given.get("listing_date")
    prices = BOOK.price_limit(
        where,
        Status(status),
        on,
        reference,
        calendar("XSHG").count(day(listed), on) if listed else None,
        delisting_day=given.get("delisting_day"),
    )
    if prices[0] is not None and not listed:
        rate = BOOK.limit_rates(where, Status(status), [on])[0]
        assert rate is not None
        tick = scaled(BOOK.tick(where, on), PRICE_SCALE)
        units = [limit_price(scaled(reference, PRICE_SCALE), rate, tick, up=up) for up in (True, False)]
        assert [unscaled(unit, PRICE_SCALE) for unit in units] == list(prices)
    return {"up": str(prices[0] or "NONE"), "down": str(prices[1] or "NONE")}


def ipo_open_auction_range(symbol: str, issue_price: str, **given: Any) -> dict[str, str]:
    on = day(given["date"])
    up, down = BOOK.opening_range(BOOK.board(symbol, on), on, Decimal(issue_price))
    return {"up": str(up), "down": str(down)}


def order_qty_ok(symbol: str, side: Any, qty: int, position: int, order_type: Any, **given: Any) -> bool:
    on = day(given["date"])
    return BOOK.lot(BOOK.board(symbol, on), on).allows(side, qty, position, order_type)


def sell_allowed(asset: str, qty_before_today: int, bought_today: int, sell_qty: int, **given: Any) -> bool:
    sellable = BOOK.sellable(
        Board.SSE_MAIN,
        day(given["date"]),
        held_before=qty_before_today,
        bought_today=bought_today,
        asset=asset,
    )
    return sell_qty <= sellable


def stamp_duty(side: Any, exchange: str, asset: str, amount: str, **given: Any) -> str:
    paid = fees(
        FeeTerms(), day(given["date"]), EXCHANGE_BOARD[exchange, asset], side, Decimal(amount), quantity=0
    )
    return str(paid.stamp)


def transfer_fee(exchange: str, amount: str, shares: int, **given: Any) -> str:
    where = EXCHANGE_BOARD[exchange, "stock"]
    paid = fees(FeeTerms(), day(given["date"]), where, "buy", Decimal(amount), quantity=shares)
    return str(paid.transfer)


def total_cost(exchange: str, asset: str, side: Any, fills: list[Any], **given: Any) -> dict[str, str]:
    terms = FeeTerms(Decimal(given["commission_rate"]), Decimal(given["min_commission"]))
    where, done, parts = EXCHANGE_BOARD[exchange, asset], Decimal(0), []
    for price, quantity in fills:
        notional = Decimal(price) * quantity
        parts.append(fees(terms, day(given["date"]), where, side, notional, order_notional_before=done))
        done += notional
    names = ("commission", "stamp", "transfer", "total")
    return {name: str(sum(getattr(part, name) for part in parts)) for name in names}


def ex_price(prev_close: str, **given: Any) -> str:
    ratios = {name: number(given, name) for name in ("cash", "bonus", "conversion", "rights", "rights_price")}
    return str(ex_reference_price(Decimal(prev_close), **ratios))


def adj_step(prev_close: str, ex_ref: str) -> str:
    return f"{adjustment_step(Decimal(prev_close), Decimal(ex_ref)):.6f}"


def holding_on_ex(
    symbol: str, ex_date: str, qty: int, bonus: str, conversion: str, cash: str
) -> dict[str, Any]:
    on = day(ex_date)
    due = entitlement(qty, Distribution(Decimal(cash), Decimal(bonus) + Decimal(conversion)))
    lag = BOOK.bonus_lag(BOOK.board(symbol, on), on)
    return {
        "new_qty": qty + due.new_shares,
        "cash": str(due.cash),
        "new_shares_sellable_from": calendar("XSHG").offset(on, lag).isoformat(),
    }


def is_session(cal: str, date: str) -> bool:
    assert cal == "CN"
    return calendar("XSHG").is_session(day(date))


def next_session(cal: str, date: str) -> str:
    assert cal == "CN"
    return calendar("XSHG").next(day(date)).isoformat()


OFFERED: dict[str, Callable[..., Any]] = {
    "board": lambda symbol, date: board(symbol, date),
    "price_limit": price_limit,
    "ipo_open_auction_range": ipo_open_auction_range,
    "order_qty_ok": order_qty_ok,
    "sell_allowed": sell_allowed,
    "stamp_duty": stamp_duty,
    "transfer_fee": transfer_fee,
    "total_cost": total_cost,
    "ex_price": ex_price,
    "adj_step": adj_step,
    "holding_on_ex": holding_on_ex,
    "is_session": is_session,
    "next_session": next_session,
}


@pytest.fixture(scope="module")
def vectors(shared: Callable[[str], Path]) -> list[dict[str, Any]]:
    loaded: list[dict[str, Any]] = yaml.safe_load(shared("market/vectors.yaml").read_text("utf-8"))["vectors"]
    return loaded


def test_every_function_of_the_vectors_is_offered_or_named_as_not_offered(vectors):
    unknown = {vector["func"] for vector in vectors} - set(OFFERED) - NOT_OFFERED
    assert not unknown
    assert not set(OFFERED) & NOT_OFFERED


@pytest.mark.parametrize("func", sorted(OFFERED))
def test_every_vector_of_a_function_holds(func, vectors):
    cases = [vector for vector in vectors if vector["func"] == func]
    assert cases
    wrong = []
    for case in cases:
        try:
            found = OFFERED[func](**case["given"])
        except RuleMissing:
            found = "RAISE"
        expected = case["expect"]
        shown = {name: found[name] for name in expected} if isinstance(expected, dict) else found
        if shown != expected:
            wrong.append((case["id"], expected, shown))
    assert not wrong
