"""Rules of a Chinese share, fund or bond on a date: board, limits, sizes, ranges, settlement, margin."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any, Final

from quant.core.errors import UsageError
from quant.core.market.calendar import calendar
from quant.core.market.instrument import Board, Status
from quant.core.market.market_tables import market_table
from quant.core.market.price_rules import PriceRule, price_rule
from quant.core.market.rules import rulebook
from quant.core.market.tables import Row
from quant.core.money import CENT, PRICE_SCALE, scaled
from quant.native.extension import native
from quant.native.rules.given import Given
from quant.native.rules.numbers import board_of, code_of, price, price_text, rate, side_of
from quant.native.rules.verdict import Verdict

__all__ = ["CASES", "LimitTerms", "limit_terms"]

_EVENT_FIELDS: Final = ("cash", "bonus", "conversion", "rights")
_BEYOND: Final = {"none": 0, "reject": 1, "hold": 2}
_ANSWERS: Final = ("ok", "reject", "hold")
_WAYS: Final = {"limit": "max_order", "market": "max_market_order", "after_hours": "max_after_hours"}
_CLASSES: Final = {
    "stock": "a_share",
    "etf": "etf_equity_domestic",
    "fund": "etf_equity_domestic",
    "cb": "convertible_bond",
}
_STATUS: Final = {"*st": "st", "s": "s_unreformed", "delisting_period": "delisting"}


@dataclass(frozen=True, slots=True)
class LimitTerms:
    """The bounds of a day as the compiled rule takes them: multiples of the reference, and the tick."""

    rule: tuple[int, int, int]
    tick: Decimal
    rows: tuple[Row, ...]


def limit_terms(board: Board, on: date, rule: PriceRule) -> LimitTerms | None:
    """``rule`` in numbers, None on a day without a limit. Raises RuleMissing."""
    if rule.bounds is None:
        return None
    tick = rulebook().ticks.row((board.name,), on)
    step = Decimal(tick.values["tick"])
    up, down = (rate(bound) for bound in rule.bounds)
    return LimitTerms((up, down, price(step)), step, (*rule.rows, tick))


def board(given: Given) -> Verdict:
    row = rulebook().board_row(code_of(given), given.day("date"))
    return Verdict(row.values["board"], (row,))


def code_now(given: Given) -> Verdict:
    """The code an instrument has on a date, of the code it had before."""
    code, on = code_of(given), given.day("date")
    row = market_table("code_changes").find((code.mic, code.symbol), on)
    return Verdict(f"{row.values['became']}.BJ" if row else str(code), (row,) if row else ())


def price_limit(given: Given) -> Verdict:
    """The highest and the lowest valid price of a day, ``NONE`` without a limit."""
    band, tick, rows = _band(given)
    if band is None:
        return Verdict({"up": "NONE", "down": "NONE"}, rows)
    up, down = (price_text(units, tick) for units in band)
    return Verdict({"up": up, "down": down}, rows)


def order_price_ok(given: Given) -> Verdict:
    """Whether a limit order is valid: on the price step and within the day's limits."""
    band, tick, rows = _band(given)
    asked = given.number("price")
    inside = band is None or band[1] <= price(asked) <= band[0]
    return Verdict(inside and asked > 0 and asked % tick == 0, rows)


def _band(given: Given) -> tuple[tuple[int, int] | None, Decimal, tuple[Row, ...]]:
    """(up, down) in price units, the price step, and the rows that decided."""
    on = given.day("date")
    where, _ = board_of(given)
    listed = given.day("listing_date") if given.get("listing_date") else None
    listing_day = _count(listed, on) if listed else _optional(given, "listing_day")
    rule = price_rule(
        rulebook(),
        where,
        _status(given),
        on,
        listing_day=listing_day,
        delisting_day=_optional(given, "delisting_day"),
        event=given.get("event"),
        event_day=given.count("event_day", 1),
    )
    terms = limit_terms(where, on, rule)
    if terms is None:
        row = rulebook().ticks.find((where.name,), on)
        return None, Decimal(row.values["tick"] if row else CENT), rule.rows
    band = native.price_band(_reference(given, listing_day == 1, terms.tick), terms.rule)
    return band, terms.tick, terms.rows


def ipo_open_auction_range(given: Given) -> Verdict:
    on = given.day("date")
    where, _ = board_of(given)
    book = rulebook()
    row = book.first_days.row((where.name,), on)
    if "open_auction_up" not in row.values:
        raise book.first_days.missing((where.name,), on)
    tick = book.ticks.row((where.name,), on)
    step = Decimal(tick.values["tick"])
    bounds = rate(row.values["open_auction_up"]), rate(row.values["open_auction_down"])
    band = native.price_band(price(given.number("issue_price")), (*bounds, price(step)))
    up, down = (price_text(units, step) for units in band)
    return Verdict({"up": up, "down": down}, (row, tick))


def open_auction_max(given: Given) -> Verdict:
    """The highest price of the opening auction of a session without a limit."""
    where, _ = board_of(given)
    on = given.day("date")
    row = market_table("free_auctions").row((where.name,), on)
    step = rulebook().tick(where, on)
    rule = (rate(row.values["up"]), rate("0"), price(step))
    up, _down = native.price_band(price(given.number("prev_close")), rule)
    return Verdict(price_text(up, step), (row,))


def order_qty_ok(given: Given) -> Verdict:
    where, _ = board_of(given)
    row = rulebook().lots.row((where.name,), given.day("date"))
    lots = tuple(row.values[name] for name in ("buy_min", "buy_step", "sell_step", "odd_lot_sell"))
    largest = row.values[_WAYS[given.choice("order_type", *_WAYS, default="limit")]]
    ok = native.order_quantity_ok(
        lots, largest, side_of(given), given.count("qty"), given.count("position", 0)
    )
    return Verdict(ok, (row,))


def price_on_tick(given: Given) -> Verdict:
    where = rulebook().board_row(code_of(given), given.day("date"))
    row = rulebook().ticks.row((where.values["board"],), given.day("date"))
    return Verdict(given.number("price") % Decimal(row.values["tick"]) == 0, (row,))


def price_step(given: Given) -> Verdict:
    """The price step of an instrument and the currency it is quoted in."""
    where = rulebook().board_row(code_of(given), given.day("date"))
    row = rulebook().ticks.row((where.values["board"],), given.day("date"))
    return Verdict({"tick": row.values["tick"], "currency": row.values.get("currency", "CNY")}, (row,))


def price_cage(given: Given) -> Verdict:
    where, _ = board_of(given)
    on = given.day("date")
    row = market_table("price_cages").row((where.name,), on)
    beyond = _BEYOND[row.values["beyond"]]
    if beyond == 0:
        return Verdict(_ANSWERS[0], (row,))
    tick = rulebook().ticks.row((where.name,), on)
    bounds = rate(row.values["up"]), rate(row.values["down"]), row.values["ticks"]
    ask, bid, last, before = (
        price(given.number(name, "0")) for name in ("ask1", "bid1", "last", "prev_close")
    )
    answer = native.price_cage(
        side_of(given),
        price(given.number("price")),
        (ask, bid, last, before),
        (beyond, *bounds, price(Decimal(tick.values["tick"]))),
    )
    return Verdict(_ANSWERS[answer], (row, tick))


def sell_allowed(given: Given) -> Verdict:
    asset = given.text("asset")
    row = rulebook().settlement.row((_CLASSES.get(asset, asset),), given.day("date"))
    free = native.sellable_today(
        row.values["days"], given.count("qty_before_today"), given.count("bought_today")
    )
    return Verdict(given.count("sell_qty") <= free, (row,))


def sell_date(given: Given) -> Verdict:
    """The first session on which what is bought in a session may be sold."""
    on = given.day("date")
    row = rulebook().settlement.row((given.text("asset"),), on)
    return Verdict(calendar("XSHG").offset(on, row.values["days"]).isoformat(), (row,))


def sale_cash(given: Given) -> Verdict:
    """The sessions from which the cash of a sale may buy again, and may be withdrawn."""
    on, days = given.day("date"), calendar("XSHG")
    row = market_table("sale_cash").row((), on)
    return Verdict(
        {name: days.offset(on, row.values[name]).isoformat() for name in ("usable", "withdrawable")}, (row,)
    )


def etf_primary(given: Given) -> Verdict:
    """The session on which created units are sold, bought ones redeemed, or received shares sold."""
    on = given.day("date")
    row = market_table("etf_primary").row((given.text("action"),), on)
    return Verdict(calendar("XSHG").offset(on, row.values["days"]).isoformat(), (row,))


def st_buy_cap(given: Given) -> Verdict:
    _, listed = board_of(given)
    row = market_table("st_buy_caps").row((listed.key[0],), given.day("date"))
    return Verdict(native.buy_room(row.values["cap"], given.count("bought_today", 0)), (row,))


def is_hft(given: Given) -> Verdict:
    """Whether an account trades at high frequency; ``NO_RULE`` before the exchanges drew the line."""
    market = given.choice("market", "stock", "futures", default="stock")
    row = market_table("high_frequency").find((market,), given.day("date"))
    if row is None:
        return Verdict("NO_RULE")
    limits = (row.values["per_second"], row.values["per_day"])
    got = native.high_frequency(*limits, given.count("max_per_second"), given.count("per_day"))
    return Verdict(got, (row,))


def program_trading_rules(given: Given) -> Verdict:
    """The measures program trading is under on a date, ``NO_RULE`` before there were any."""
    row = market_table("program_trading").find(
        (given.choice("market", "stock", "futures"),), given.day("date")
    )
    return Verdict(row.values["measures"], (row,)) if row else Verdict("NO_RULE")


def financing_margin_min(given: Given) -> Verdict:
    row = market_table("financing_margin").row((), given.day("date"))
    return Verdict(row.values["minimum"], (row,))


def short_margin_min(given: Given) -> Verdict:
    row = market_table("short_margin").row((), given.day("date"))
    return Verdict(row.values["private_fund" if given.get("private_fund") else "minimum"], (row,))


def short_sale_ok(given: Given) -> Verdict:
    row = market_table("short_sales").row((), given.day("date"))
    borrowed, lent = bool(given.get("borrowed", True)), given.get("lender", "broker")
    if lent == "refinanced" and not row.values["refinanced"]:
        return Verdict(False, (row,))
    ok = native.short_sale_ok(
        (row.values["naked"], row.values["listed_only"], row.values["uptick"]),
        price(given.number("price")),
        price(given.number("last", "0")),
        price(given.number("prev_close", "0")),
        borrowed,
        bool(given.get("listed", True)),
    )
    return Verdict(ok, (row,))


def margin_close_out(given: Given) -> Verdict:
    row = market_table("margin_maintenance").row((), given.day("date"))
    return Verdict(row.values["close_out"], (row,))


def _optional(given: Given, name: str) -> int | None:
    return None if given.get(name) is None else given.count(name)


def _count(start: date, end: date) -> int:
    if end < start:
        raise UsageError(
            "case.given",
            "the session lies before the listing",
            expected=f"{start} or later",
            found=end.isoformat(),
        )
    return calendar("XSHG").count(start, end)


def _status(given: Given) -> Status:
    said = str(given.get("status", "normal")).lower()
    try:
        return Status(_STATUS.get(said, said))
    except ValueError:
        raise UsageError("case.given", "unknown status", expected=" or ".join(Status), found=said) from None


def _reference(given: Given, first_day: bool, tick: Decimal) -> int:
    """The reference price in units: of the issue on a first day, of the ex-date with a distribution."""
    if first_day and given.get("issue_price") is not None:
        return price(given.number("issue_price"))
    prev_close = given.number("prev_close", "0")
    if any(given.get(name) for name in _EVENT_FIELDS):
        from quant.native.rules.corporate import distribution_of

        step = scaled(tick, PRICE_SCALE, exact=True)
        return int(native.ex_reference(price(prev_close), distribution_of(given), step))
    return price(prev_close)


CASES: Final[Mapping[str, Callable[[Given], Any]]] = {
    "board": board,
    "code_now": code_now,
    "price_limit": price_limit,
    "order_price_ok": order_price_ok,
    "ipo_open_auction_range": ipo_open_auction_range,
    "open_auction_max": open_auction_max,
    "order_qty_ok": order_qty_ok,
    "price_on_tick": price_on_tick,
    "price_step": price_step,
    "sell_date": sell_date,
    "sale_cash": sale_cash,
    "etf_primary": etf_primary,
    "price_cage": price_cage,
    "sell_allowed": sell_allowed,
    "st_buy_cap": st_buy_cap,
    "is_hft": is_hft,
    "program_trading_rules": program_trading_rules,
    "financing_margin_min": financing_margin_min,
    "short_margin_min": short_margin_min,
    "short_sale_ok": short_sale_ok,
    "margin_close_out": margin_close_out,
}
"""The functions of worked cases, by name."""
