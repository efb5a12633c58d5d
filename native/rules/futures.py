"""Worked cases of Chinese futures."""

from __future__ import annotations

from decimal import Decimal
from itertools import pairwise
from typing import Final

from quant.core.ids import parse_code
from quant.core.market import futures
from quant.core.market.sessions import trading_hours
from quant.core.money import MONEY_SCALE, PRICE_SCALE, RATE_SCALE, scaled, unscaled
from quant.core.time import NS_PER_SECOND, session_instant
from quant.native.extension import native
from quant.native.rules.given import Given
from quant.native.rules.named import named
from quant.native.rules.verdict import Verdict

__all__ = ["CASES"]

_CENT: Final = MONEY_SCALE // 100


def futures_mtm(given: Given) -> Verdict:
    """Cash that moves at each day's settlement for lots opened at ``trade`` on the first of the days."""
    side = 1 if given.choice("side", "long", "short") == "long" else -1
    marks = [_units(given, "trade"), *(futures.price_units(Decimal(price)) for price in given["settles"])]
    lots = side * given.count("qty")
    moved = [
        native.futures_variation(before, after, given.count("mult"), lots)
        for before, after in pairwise(marks)
    ]
    return Verdict([unscaled(each, MONEY_SCALE) for each in moved])


def index_future_fee(given: Given) -> Verdict:
    """Exchange fee of a fill of an index future in yuan, to the cent."""
    offset: futures.Offset = given.choice("offset", *futures.OFFSETS)  # type: ignore[assignment]
    row = futures.fee_row(offset, given.day("date"))
    rate = futures.fee_terms(row)
    fee = native.futures_fee(
        _units(given, "price"), given.count("mult"), given.count("qty"), futures.OFFSETS.index(offset),
        [rate, rate, rate, 0, 0, 0], _CENT,
    )  # fmt: skip
    return Verdict(_cents(fee), (row,))


def futures_contract(given: Given) -> Verdict:
    """Multiplier and tick of a contract."""
    row = futures.contract_row(parse_code(given.text("code")), given.day("date"))
    return Verdict({"multiplier": row.values["multiplier"], "tick": Decimal(row.values["tick"])}, (row,))


def futures_price_limit(given: Given) -> Verdict:
    """Highest and lowest price of a day from the previous settlement price."""
    code, on = parse_code(given.text("code")), given.day("date")
    limit, contract = futures.limit_row(code, on), futures.contract_row(code, on)
    rate = futures.limit_rate(limit, last_day=bool(given.get("last_day", False)))
    up, down = native.futures_price_limits(_units(given, "prev_settle"), rate, futures.tick_units(contract))
    return Verdict({"up": unscaled(up, PRICE_SCALE), "down": unscaled(down, PRICE_SCALE)}, (limit, contract))


def futures_margin(given: Given) -> Verdict:
    """Margin in yuan at a rate of the daily parameters."""
    margin = native.futures_margin(
        _units(given, "price"), given.count("mult"), given.count("qty"),
        scaled(given.number("rate"), RATE_SCALE, exact=True),
    )  # fmt: skip
    return Verdict(_cents(margin))


def futures_settlement_price(given: Given) -> Verdict:
    """Settlement price from the trades of a day: ``trades`` of [clock, price, volume] of the trading day.

    Clocks after the close are those of the night before it. ``tick`` where no row has the contract's.
    """
    code, on = parse_code(given.text("code")), given.day("date")
    row = futures.settlement_row(code, on)
    contract = None if "tick" in given else futures.contract_row(code, on)
    tick = _units(given, "tick") if contract is None else futures.tick_units(contract)
    minutes = int(row.values["minutes"])
    trades = list(given["trades"])
    if minutes:
        last = trading_hours(code, [on])[-1]
        since = last.end - minutes * 60 * NS_PER_SECOND
        trades = [each for each in trades if since <= session_instant("XSHG", on, str(each[0])) <= last.until]
    price = native.futures_settlement_price(
        [futures.price_units(Decimal(str(each[1]))) for each in trades],
        [int(each[2]) for each in trades],
        tick,
    )
    rows = (row,) if contract is None else (row, contract)
    return Verdict("NONE" if price < 0 else unscaled(price, PRICE_SCALE), rows)


def futures_final_settlement(given: Given) -> Verdict:
    """Settlement price of the last trading day: mean of the index values given as [clock, value]."""
    code, on = parse_code(given.text("code")), given.day("date")
    row = futures.settlement_row(code, on)
    end = trading_hours(code, [on])[-1].end
    since = end - int(row.values["final_minutes"]) * 60 * NS_PER_SECOND
    values = [value for clock, value in given["index"] if session_instant("XSHG", on, str(clock)) >= since]
    price = native.futures_final_settlement([futures.price_units(Decimal(str(v))) for v in values], 100)
    return Verdict(_cents(price * (MONEY_SCALE // PRICE_SCALE)), (row,))


def futures_close_lots(given: Given) -> Verdict:
    """Which lots an order closes; refused (``NO_LOTS``) when it names more than there are."""
    code, on = parse_code(given.text("code")), given.day("date")
    row = futures.close_today_row(code.mic, on)
    today, yesterday = native.futures_close_lots(
        given.count("qty"),
        futures.OFFSETS.index(given.choice("offset", *futures.OFFSETS)),
        given.count("today"),
        given.count("yesterday"),
        bool(row.values["explicit"]),
    )
    got = {"today": today, "yesterday": yesterday} if today + yesterday else "NO_LOTS"
    return Verdict(got, (row,))


def futures_last_day(given: Given) -> Verdict:
    """The last trading day of a contract."""
    near = given.day("date") if given.get("date") is not None else None
    day, row = futures.last_trading_day(parse_code(given.text("code")), near)
    return Verdict(day.isoformat(), (row,))


def _units(given: Given, name: str) -> int:
    return futures.price_units(given.number(name))


def _cents(micros: int) -> Decimal:
    return unscaled(micros // _CENT, 100)


CASES: Final = named(
    futures_mtm,
    index_future_fee,
    futures_contract,
    futures_price_limit,
    futures_margin,
    futures_settlement_price,
    futures_final_settlement,
    futures_close_lots,
    futures_last_day,
)
