"""Worked cases of options on exchange-traded funds."""

from __future__ import annotations

from typing import Final

from quant.core.market import options
from quant.core.money import MONEY_SCALE, PRICE_SCALE, scaled, unscaled
from quant.native.extension import native
from quant.native.rules.given import Given
from quant.native.rules.in_force import row_for
from quant.native.rules.named import named
from quant.native.rules.verdict import Verdict

__all__ = ["CASES"]


def etf_option_margin(given: Given) -> Verdict:
    """Margin of one short contract in yuan. Without a date: by the row that is still in force."""
    row = row_for(given, options.table("option_etf_margin"), ())
    terms = options.margin_terms(row)
    settle, underlying, strike = (
        scaled(given.number(name), PRICE_SCALE, exact=True) for name in ("settle_prev", "S", "K")
    )
    kind = 0 if given.choice("kind", "call", "put") == "call" else 1
    unit = given.count("unit", terms.unit)
    margin = native.option_seller_margin(kind, settle, underlying, strike, unit, terms.far, terms.near)
    return Verdict(unscaled(margin, MONEY_SCALE), (row,))


CASES: Final = named(etf_option_margin)
