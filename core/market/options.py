"""Margin of short options on Chinese exchange-traded funds by date: the exchanges' minimum."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from functools import cache
from typing import Final

from quant.core.market.tables import DatedTable, Row
from quant.core.money import RATE_SCALE, scaled

__all__ = ["TABLES", "OptionMarginTerms", "margin_row", "margin_terms", "table", "tables"]


@cache
def table(name: str) -> DatedTable:
    """One table of ``core/market/data/options.toml``."""
    return DatedTable.load("options", name, ())


@cache
def tables() -> tuple[DatedTable, ...]:
    """Every dated table of options."""
    return (table("option_etf_margin"),)


TABLES: Final = tables


@dataclass(frozen=True, slots=True)
class OptionMarginTerms:
    """Rates at RATE_SCALE and the usual shares of a contract."""

    far: int
    near: int
    unit: int


def margin_row(on: date) -> Row:
    return table("option_etf_margin").row((), on)


def margin_terms(row: Row) -> OptionMarginTerms:
    far, near = (scaled(row.values[name], RATE_SCALE, exact=True) for name in ("far", "near"))
    return OptionMarginTerms(far, near, int(row.values["unit"]))
