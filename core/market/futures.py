"""Rules of Chinese futures by date: contracts, limits, fees, settlement, expiry.

What a dated row does not say (commodities' margins, limits and fees) comes from the user's daily parameters,
``core.market.futures_parameters``; without either a question raises RuleMissing ``rule.missing``. The numbers
for the compiled core: prices at PRICE_SCALE, rates at RATE_SCALE, money in micro-yuan.
"""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from functools import cache
from typing import Final, Literal

from quant.core.errors import UsageError
from quant.core.ids import Code
from quant.core.market.calendar import calendar
from quant.core.market.sessions import product_of
from quant.core.market.tables import DatedTable, Row
from quant.core.money import PRICE_SCALE, RATE_SCALE, scaled

__all__ = [
    "OFFSETS",
    "TABLES",
    "Offset",
    "close_today_row",
    "contract_row",
    "fee_row",
    "last_trading_day",
    "limit_row",
    "settlement_row",
    "table",
    "tables",
    "tick_units",
]

Offset = Literal["open", "close", "close_today", "close_yesterday"]
OFFSETS: Final[tuple[Offset, ...]] = ("open", "close", "close_today", "close_yesterday")
"""In the order of the compiled core."""

_KEYS: Final[dict[str, tuple[str, ...]]] = {
    "futures_contracts": ("exchange", "product"),
    "futures_limits": ("exchange", "product"),
    "futures_settlement": ("exchange", "product"),
    "futures_expiry": ("exchange", "product"),
    "futures_index_fee": ("offset",),
    "futures_close_today": ("exchange",),
}


@cache
def table(name: str) -> DatedTable:
    """One table of ``core/market/data/futures.toml``."""
    return DatedTable.load("futures", name, _KEYS[name])


@cache
def tables() -> tuple[DatedTable, ...]:
    """Every dated table of futures but the trading hours, which stand in ``sessions.toml``."""
    return tuple(table(name) for name in _KEYS)


TABLES: Final = tables


def contract_row(code: Code, on: date) -> Row:
    """Multiplier and tick of a contract's product."""
    return table("futures_contracts").row((code.mic, product_of(code)), on)


def tick_units(row: Row) -> int:
    """The tick at PRICE_SCALE."""
    return scaled(row.values["tick"], PRICE_SCALE, exact=True)


def limit_row(code: Code, on: date) -> Row:
    """The daily limit of a product; its rates are of the previous settlement price."""
    return table("futures_limits").row((code.mic, product_of(code)), on)


def limit_rate(row: Row, *, last_day: bool) -> int:
    """The rate at RATE_SCALE, on the last trading day that day's."""
    return scaled(row.values["last_day" if last_day else "rate"], RATE_SCALE, exact=True)


def settlement_row(code: Code, on: date) -> Row:
    """How the settlement price of an exchange is made."""
    return table("futures_settlement").row((code.mic, "*"), on)


def close_today_row(mic: str, on: date) -> Row:
    """Whether an order names the day of the lots it closes."""
    return table("futures_close_today").row((mic,), on)


def fee_row(offset: Offset, on: date) -> Row:
    """The fee of index futures; closing lots of earlier days is a plain close."""
    return table("futures_index_fee").row(("close" if offset == "close_yesterday" else offset,), on)


def fee_terms(row: Row) -> int:
    return scaled(row.values["rate"], RATE_SCALE, exact=True)


def last_trading_day(code: Code, on: date | None = None) -> tuple[date, Row]:
    """The last trading day of a contract by the rule of its product, and the rule.

    ``on``: a date near which the contract is meant, needed where its code has one digit of the year only.

    Raises RuleMissing for a product whose rule no row states.
    """
    year, month = _month_of(code, on)
    first = date(year, month, 1)
    row = table("futures_expiry").row((code.mic, product_of(code)), first)
    day = first + timedelta(days=(row.values["weekday"] - first.weekday()) % 7 + 7 * (row.values["nth"] - 1))
    days = calendar("XSHG")
    return (day if days.is_session(day) else days.next(day)), row


def _month_of(code: Code, on: date | None) -> tuple[int, int]:
    digits = code.symbol[len(product_of(code)) :]
    if digits.isdigit() and len(digits) in (3, 4) and 1 <= int(digits[-2:]) <= 12:
        if len(digits) == 4:
            return 2000 + int(digits[:2]), int(digits[2:])
        if on is not None:
            year = on.year - on.year % 10 + int(digits[0])
            return min((year - 10, year, year + 10), key=lambda y: abs(y - on.year)), int(digits[1:])
    raise UsageError(
        "futures.contract",
        f"{code} does not say its month",
        expected="a contract as IF2406.CFFEX; with three digits also a date",
        found=str(code),
    )


def price_units(price: Decimal) -> int:
    """A price at PRICE_SCALE. Raises QuantError ``number.inexact`` for more than four decimals."""
    return scaled(price, PRICE_SCALE, exact=True)
