"""Every dated table of every market: what a rulebook's fingerprint, checks and listings go over."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from importlib.util import find_spec
from typing import Final

from quant.core.market.tables import DatedTable

__all__ = ["all_tables", "china_tables", "other_tables"]

_OTHERS: Final = ("futures", "options", "us", "crypto")


def china_tables() -> tuple[DatedTable, ...]:
    """The tables of China's cash market and the trading hours."""
    from quant.core.market.market_tables import market_tables
    from quant.core.market.rules import rulebook
    from quant.core.market.sessions import hour_tables

    return (*rulebook().tables, *market_tables(), *hour_tables())


def other_tables() -> tuple[DatedTable, ...]:
    """Those of futures, options, the United States and crypto: each module's ``TABLES``."""
    found: list[DatedTable] = []
    for name in _OTHERS:
        module = f"quant.core.market.{name}"
        if find_spec(module) is not None:
            tables = import_module(module).TABLES
            found.extend(tables() if callable(tables) else tables)
    return tuple(found)


@cache
def all_tables() -> tuple[DatedTable, ...]:
    return (*china_tables(), *other_tables())
