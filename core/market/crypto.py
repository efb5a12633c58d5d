"""Rules of crypto exchanges by date (Binance as the model): fees, funding, filters, maintenance brackets.

Fees and the funding formula are dated rows. Filters and brackets belong to a symbol and change without
notice: they come from recorded answers of the exchange, in ``core.market.crypto_records``.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from functools import cache
from typing import Final, Literal

from quant.core.market.tables import DatedTable, Row
from quant.core.money import RATE_SCALE, scaled

__all__ = [
    "COIN_SCALE",
    "TABLES",
    "FundingTerms",
    "Market",
    "fee_rate",
    "fee_row",
    "funding_row",
    "funding_terms",
    "table",
    "tables",
]  # fmt: skip

Market = Literal["spot", "usdm_perp"]

COIN_SCALE: Final = 100_000_000
"""Units per 1 of a price, a quantity or an amount of a crypto exchange: eight decimals, as quoted."""

_KEYS: Final[dict[str, tuple[str, ...]]] = {"crypto_fees": ("market", "level"), "crypto_funding": ("market",)}


@cache
def table(name: str) -> DatedTable:
    """One table of ``core/market/data/crypto.toml``."""
    return DatedTable.load("crypto", name, _KEYS[name])


@cache
def tables() -> tuple[DatedTable, ...]:
    """Every dated table of crypto."""
    return tuple(table(name) for name in _KEYS)


TABLES: Final = tables


def fee_row(market: str, level: str, on: date) -> Row:
    """Maker and taker fee of a level; the discount for paying in the exchange's own coin is not in it."""
    return table("crypto_fees").row((market, level), on)


def fee_rate(row: Row, liquidity: Literal["maker", "taker"]) -> int:
    return scaled(row.values[liquidity], RATE_SCALE, exact=True)


@dataclass(frozen=True, slots=True)
class FundingTerms:
    """Interest and clamp of eight hours at RATE_SCALE."""

    interest: int
    clamp: int


def funding_row(on: date, market: str = "usdm_perp") -> Row:
    return table("crypto_funding").row((market,), on)


def funding_terms(row: Row) -> FundingTerms:
    interest, clamp = (scaled(row.values[name], RATE_SCALE, exact=True) for name in ("interest", "clamp"))
    return FundingTerms(interest, clamp)
