"""The dated tables of China's cash market besides the rulebook's: phases, ranges, caps, fees."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Final

from quant.core.market.tables import DatedTable

__all__ = ["NAMES", "market_table", "market_tables"]

_KEYS: Final[Mapping[str, tuple[str, tuple[str, ...]]]] = {
    "code_changes": ("boards", ("exchange", "code")),
    "ipo_halts": ("price_limits", ("board",)),
    "free_auctions": ("price_limits", ("board",)),
    "phases": ("phases", ("exchange", "asset", "kind")),
    "after_hours": ("phases", ("board",)),
    "circuit_breaker": ("phases", ()),
    "market_halts": ("phases", ("exchange", "level")),
    "price_cages": ("order_limits", ("board",)),
    "st_buy_caps": ("order_limits", ("exchange",)),
    "high_frequency": ("order_limits", ("market",)),
    "program_trading": ("order_limits", ("market",)),
    "sale_cash": ("orders", ()),
    "etf_primary": ("orders", ("action",)),
    "handling_fee": ("fees", ("exchange", "asset")),
    "regulatory_fee": ("fees", ("asset",)),
    "dividend_tax": ("fees", ()),
    "financing_margin": ("margin_trading", ()),
    "short_margin": ("margin_trading", ()),
    "short_sales": ("margin_trading", ()),
    "margin_maintenance": ("margin_trading", ()),
}
NAMES: Final = tuple(_KEYS)
"""Every table of this module, by the file it stands in."""


@cache
def market_table(name: str) -> DatedTable:
    """One of ``NAMES``, read on first use."""
    file, keys = _KEYS[name]
    return DatedTable.load(file, name, keys)


def market_tables() -> tuple[DatedTable, ...]:
    return tuple(market_table(name) for name in NAMES)
