"""Worked cases of crypto exchanges."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Final

from quant.core.errors import UsageError
from quant.core.market import crypto
from quant.core.market.crypto_records import FILTERS, SymbolFilters, brackets, symbol_filters
from quant.core.money import INT64_MAX, RATE_SCALE, scaled, unscaled
from quant.native.extension import native
from quant.native.rules.given import Given
from quant.native.rules.in_force import row_for
from quant.native.rules.named import named
from quant.native.rules.verdict import Verdict

__all__ = ["CASES", "filters_of"]

_SCALE: Final = crypto.COIN_SCALE


def filters_of(found: SymbolFilters) -> Any:
    """The filters of a symbol as the compiled core takes them."""
    out = native.CoinFilters()
    for name, values in found.by_name.items():
        out.present |= 1 << (FILTERS.index(name) + 1)
        match name:
            case "PRICE_FILTER":
                out.price = native.CoinRange(values["minPrice"], values["maxPrice"], values["tickSize"])
            case "LOT_SIZE":
                out.lot = native.CoinRange(values["minQty"], values["maxQty"], values["stepSize"])
            case "MARKET_LOT_SIZE":
                out.market_lot = native.CoinRange(values["minQty"], values["maxQty"], values["stepSize"])
            case "PERCENT_PRICE":
                out.percent_up, out.percent_down = values["multiplierUp"], values["multiplierDown"]
                out.percent_by_direction = "multiplierDecimal" in values
            case "PERCENT_PRICE_BY_SIDE":
                out.bid_up, out.bid_down = values["bidMultiplierUp"], values["bidMultiplierDown"]
                out.ask_up, out.ask_down = values["askMultiplierUp"], values["askMultiplierDown"]
            case "MIN_NOTIONAL":
                out.min_notional = values["minNotional"]
                out.min_to_market = bool(values.get("applyToMarket", 1))
            case "NOTIONAL":
                out.min_notional, out.max_notional = values["minNotional"], values.get("maxNotional", 0)
                out.min_to_market = bool(values.get("applyMinToMarket", 1))
                out.max_to_market = bool(values.get("applyMaxToMarket", 1))
            case "MAX_NUM_ORDERS":
                out.max_orders = values["limit"]
            case "MAX_NUM_ALGO_ORDERS":
                out.max_algo_orders = values["limit"]
            case "MAX_POSITION":
                out.max_position = values["maxPosition"]
    return out


def crypto_filter(given: Given) -> Verdict:
    """The first filter an order fails, ``ok`` if none.

    Beside ``filters``, ``price`` and ``qty``: ``side`` (buy), ``order_type`` (limit or market),
    ``avg_price``, ``open_orders``, ``open_algo_orders``, ``algo``, ``position``.
    """
    filters = symbol_filters(given["filters"])
    given = _lower(given, "side", "order_type")
    order = native.CoinOrder()
    order.buy = given.choice("side", "buy", "sell", default="buy") == "buy"
    order.market = given.choice("order_type", "limit", "market", default="limit") == "market"
    order.algo = bool(given.get("algo", False))
    if not order.market:
        order.price, order.price_rest = _cut(given.number("price"))
    order.quantity, order.quantity_rest = _cut(given.number("qty"))
    order.average = scaled(given.number("avg_price", "0"), _SCALE)
    order.open_orders = given.count("open_orders", 0)
    order.open_algo_orders = given.count("open_algo_orders", 0)
    order.position = scaled(given.number("position", "0"), _SCALE)
    failed = native.coin_first_failure(order, filters_of(filters))
    return Verdict("ok" if failed == 0 else FILTERS[failed - 1])


def funding_payment(given: Given) -> Verdict:
    """Cash of the holder at a funding stamp."""
    quantity = _coins(given, "qty") * (1 if given.choice("side", "long", "short") == "long" else -1)
    rate = scaled(given.number("rate"), RATE_SCALE, exact=True)
    paid = native.coin_funding_payment(quantity, _coins(given, "mark"), rate)
    return Verdict(unscaled(paid, _SCALE))


def funding_rate(given: Given) -> Verdict:
    """The rate of a stamp from the premium; a case's own ``interest`` and ``clamp`` go before the rule's."""
    row = row_for(given, crypto.table("crypto_funding"), ("usdm_perp",))
    terms = crypto.funding_terms(row)
    bounds = (_rate(given, "floor", 0), _rate(given, "cap", 0))
    rate = native.coin_funding_rate(
        _rate(given, "premium", 0),
        _rate(given, "interest", terms.interest),
        _rate(given, "clamp", terms.clamp),
        given.count("interval_h", 8),
        bounds,
    )
    return Verdict(unscaled(rate, RATE_SCALE), (row,))


def liq_price_isolated(given: Given) -> Verdict:
    """The mark price, to the cent, at which an isolated position is liquidated; NONE when no price does."""
    rate, cum = given.number("mmr"), given.number("cum", "0")
    return Verdict(
        _liquidation(given, [0], [scaled(rate, RATE_SCALE, exact=True)], [scaled(cum, _SCALE, exact=True)])
    )


def liq_price(given: Given) -> Verdict:
    """The same with brackets. Cross margin: ``wallet`` with the profit of the other positions and less their
    maintenance margin."""
    found = brackets(given["brackets"])
    return Verdict(
        _liquidation(given, [b.floor for b in found], [b.rate for b in found], [b.cum for b in found])
    )


def maintenance_margin(given: Given) -> Verdict:
    """Maintenance margin of a position of this value."""
    found = brackets(given["brackets"])
    margin = native.coin_maintenance_margin(
        _coins(given, "notional"), [b.floor for b in found], [b.rate for b in found], [b.cum for b in found]
    )
    return Verdict(unscaled(margin, _SCALE))


def crypto_fee(given: Given) -> Verdict:
    """Fee of a fill in the quote currency."""
    key = (given.text("market"), given.text("level"))
    row = row_for(given, crypto.table("crypto_fees"), key)
    liquidity = given.choice("liquidity", "maker", "taker")
    rate = scaled(row.values[liquidity], RATE_SCALE, exact=True)
    value = native.coin_notional(_coins(given, "price"), _coins(given, "qty"))
    return Verdict(unscaled(native.coin_fee(value, rate), _SCALE), (row,))


def _liquidation(given: Given, floors: list[int], rates: list[int], cums: list[int]) -> Decimal | str:
    quantity = _coins(given, "qty") * (1 if given.choice("side", "long", "short") == "long" else -1)
    price = native.coin_liquidation_price(
        quantity, _coins(given, "entry"), _coins(given, "wallet"), floors, rates, cums, _SCALE // 100
    )
    return "NONE" if price == INT64_MAX else unscaled(price * 100 // _SCALE, 100)


def _lower(given: Given, *names: str) -> Given:
    """The case with these words in lower case: the exchange writes BUY and MARKET."""
    return Given({**given, **{name: str(given[name]).lower() for name in names if name in given}})


def _coins(given: Given, name: str) -> int:
    return scaled(given.number(name), _SCALE, exact=True)


def _rate(given: Given, name: str, default: int) -> int:
    number = given.number_or_none(name)
    return default if number is None else scaled(number, RATE_SCALE, exact=True)


def _cut(value: Decimal) -> tuple[int, bool]:
    """(units, whether decimals were cut off)."""
    if value < 0:
        raise UsageError("case.given", "an order has no negative price or quantity", found=str(value))
    top, bottom = value.as_integer_ratio()
    return top * _SCALE // bottom, top * _SCALE % bottom != 0


CASES: Final = named(
    crypto_filter,
    funding_payment,
    funding_rate,
    liq_price_isolated,
    liq_price,
    maintenance_margin,
    crypto_fee,
)
