"""Corporate actions: reference prices, what a holding receives and when it may be sold, adjusted prices."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, Final

from quant.core.errors import UsageError
from quant.core.market.calendar import calendar
from quant.core.market.rules import rulebook
from quant.core.money import PRICE_SCALE, scaled, unscaled
from quant.native.extension import native
from quant.native.rules.given import Given
from quant.native.rules.numbers import CENT_UNITS, code_of, price, price_text, ratio, yuan_text
from quant.native.rules.verdict import Verdict

__all__ = ["CASES", "distribution_of"]

_FACTOR_SCALE: Final = 10**12
_STEP_DIGITS: Final = 6


def distribution_of(given: Given) -> tuple[int, int, int, int, int]:
    """Cash, bonus, conversion, rights and the rights' price of a case, 0 where it gives none."""
    cash, bonus, conversion, rights = (
        ratio(given.number(name, "0")) for name in ("cash", "bonus", "conversion", "rights")
    )
    return cash, bonus, conversion, rights, price(given.number("rights_price", "0"))


def ex_price(given: Given) -> Verdict:
    on = given.day("date")
    board = rulebook().board_row(code_of(given), on)
    row = rulebook().ticks.row((board.values["board"],), on)
    step = Decimal(row.values["tick"])
    found = native.ex_reference(price(given.number("prev_close")), distribution_of(given), price(step))
    return Verdict(price_text(found, step), (row,))


def adj_step(given: Given) -> Verdict:
    """Growth of the cumulative factor over an ex-date, with six decimals."""
    found = native.adjustment_step(
        price(given.number("prev_close")), price(given.number("ex_ref")), _FACTOR_SCALE // 10**_STEP_DIGITS
    )
    return Verdict(f"{unscaled(found, _FACTOR_SCALE):.6f}")


def qfq(given: Given) -> Verdict:
    """Prices adjusted to the last day of the requested range, with four decimals."""
    listed = given["prices"]
    if not isinstance(listed, list) or not all(isinstance(row, list) and len(row) == 3 for row in listed):
        raise UsageError(
            "case.given",
            "prices is not a list of [date, price, factor]",
            expected='[["2023-01-10", "7.03", "1"]]',
        )
    end = given.day("end")
    rows = [Given(date=row[0], price=row[1], factor=row[2]) for row in listed]
    inside = [row for row in rows if row.day("date") <= end]
    if not inside:
        raise UsageError("case.given", "no price lies in the range", expected=f"a date to {end}")
    last = _factor(max(inside, key=lambda row: row.day("date")))
    got = [[row.text("date"), _adjusted(row, last)] for row in inside]
    return Verdict(got)


def holding_on_ex(given: Given) -> Verdict:
    """Shares and cash of a holding on the ex-date, and when the new shares may first be sold."""
    on, quantity = given.day("ex_date"), given.count("qty")
    row = rulebook().bonus_shares.row((code_of(given).mic,), on)
    new_shares, cash = native.holding_due(quantity, distribution_of(given), CENT_UNITS)
    return Verdict(
        {
            "new_qty": quantity + new_shares,
            "cash": yuan_text(cash),
            "new_shares_sellable_from": calendar("XSHG").offset(on, row.values["lag"]).isoformat(),
        },
        (row,),
    )


def _adjusted(row: Given, last: int) -> str:
    units = native.adjusted_price(price(row.number("price")), _factor(row), last)
    return str(unscaled(units, PRICE_SCALE))


def _factor(row: Given) -> int:
    return scaled(row.number("factor"), _FACTOR_SCALE, exact=True)


CASES: Final[Mapping[str, Callable[[Given], Any]]] = {
    "ex_price": ex_price,
    "adj_step": adj_step,
    "qfq": qfq,
    "holding_on_ex": holding_on_ex,
}
"""The functions of worked cases, by name."""
