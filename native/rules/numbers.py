"""Decimals of rows and cases as the integers of the compiled rules, and back."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from quant.core.errors import UsageError
from quant.core.ids import Code, parse_code
from quant.core.market.instrument import Asset, Board, asset_of, mic_of
from quant.core.market.rules import rulebook
from quant.core.market.tables import Row
from quant.core.money import (
    MONEY_SCALE,
    PRICE_SCALE,
    RATE_SCALE,
    RATIO_SCALE,
    scaled,
    to_tick,
    unscaled,
)
from quant.native.rules.given import Given

__all__ = [
    "BUY",
    "CENT_UNITS",
    "MIC_OF_EXCHANGE",
    "asset_class",
    "board_key",
    "board_of",
    "code_of",
    "exchange_of",
    "money",
    "nanoseconds",
    "price",
    "price_text",
    "rate",
    "ratio",
    "side_of",
    "yuan_text",
]

BUY: Final = 1
SELL: Final = -1
CENT_UNITS: Final = MONEY_SCALE // 100
MIC_OF_EXCHANGE: Final = {
    "SH": "XSHG", "SZ": "XSHE", "BJ": "BJSE", "SSE": "XSHG", "SZSE": "XSHE", "BSE": "BJSE",
    "XSHG": "XSHG", "XSHE": "XSHE", "BJSE": "BJSE",
}  # fmt: skip
_ASSETS: Final = {
    "stock": "stock", "a_share": "stock", "b_share": "stock", "cdr": "stock",
    "fund": "fund", "etf": "fund", "lof": "fund",
    "etf_equity_domestic": "fund", "etf_gold": "fund", "etf_cross_border": "fund",
    "etf_commodity_futures": "fund", "etf_money": "etf_money", "etf_bond": "etf_bond",
    "cb": "cb", "convertible_bond": "cb", "bond": "cb",
}  # fmt: skip


def price(value: Decimal) -> int:
    return scaled(value, PRICE_SCALE, exact=True)


def money(value: Decimal) -> int:
    return scaled(value, MONEY_SCALE, exact=True)


def rate(value: Decimal | str) -> int:
    return scaled(value, RATE_SCALE, exact=True)


def ratio(value: Decimal) -> int:
    """Ratios of new shares, and cash a share."""
    return scaled(value, RATIO_SCALE, exact=True)


def price_text(units: int, tick: Decimal) -> str:
    """A price with the decimals of its tick."""
    return str(to_tick(unscaled(units, PRICE_SCALE), tick))


def yuan_text(micros: int) -> str:
    return f"{unscaled(micros, MONEY_SCALE):.2f}"


def nanoseconds(clock: str) -> int:
    """Time of day of ``09:30`` or ``09:30:00``; fractions of a second after a point."""
    parts = clock.split(":")
    try:
        if len(parts) not in (2, 3):
            raise ValueError
        hours, minutes = int(parts[0]), int(parts[1])
        seconds = Decimal(parts[2]) if len(parts) == 3 else Decimal(0)
        if not (0 <= hours < 24 and 0 <= minutes < 60 and 0 <= seconds < 60):
            raise ValueError
    except (ValueError, ArithmeticError):
        raise UsageError(
            "case.given", "the time is not a time of day", expected="09:30:00", found=clock
        ) from None
    return (hours * 3600 + minutes * 60) * 1_000_000_000 + scaled(seconds, 1_000_000_000, exact=True)


def side_of(given: Given) -> int:
    return BUY if given.choice("side", "buy", "sell") == "buy" else SELL


def code_of(given: Given) -> Code:
    return parse_code(given.text("symbol"))


def board_of(given: Given, on_field: str = "date") -> tuple[Board, Row]:
    """The board of a case's symbol on its date, and the row that says so. Raises RuleMissing."""
    code, on = code_of(given), given.day(on_field)
    return rulebook().board(code, on), rulebook().board_row(code, on)


def exchange_of(given: Given) -> str:
    name = given.choice("exchange", *MIC_OF_EXCHANGE)
    return MIC_OF_EXCHANGE[name]


def asset_class(given: Given, default: str = "stock") -> str:
    """The class the fee tables know an asset by."""
    return _ASSETS[given.choice("asset", *_ASSETS, default=default)]


def board_key(board: Board) -> tuple[str, str]:
    """Exchange and asset of a board, the key of phases and fees."""
    return mic_of(board) or "", (asset_of(board) if board else Asset.STOCK).value
