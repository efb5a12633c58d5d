"""Exact numbers: Decimal half-up at the border, scaled int64 inside. Floats never enter."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Context, Decimal
from typing import Final

from quant.core.errors import QuantError

PRICE_SCALE: Final = 10_000
"""Units per yuan of a price (CNY instruments); the tick is a dated rule, not this scale."""

MONEY_SCALE: Final = 1_000_000
"""Units per yuan of money: micro-yuan."""

RATE_SCALE: Final = 1_000_000_000
"""Units per 1 of a rate: fees, limits, target weights."""

RATIO_SCALE: Final = 100_000_000
"""Units per 1 of a share ratio of a corporate action."""

CENT: Final = Decimal("0.01")
INT64_MAX: Final = 2**63 - 1

_ONE: Final = Decimal(1)
_EXACT: Final = Context(prec=200, rounding=ROUND_HALF_UP)

__all__ = [
    "CENT",
    "INT64_MAX",
    "MONEY_SCALE",
    "PRICE_SCALE",
    "RATE_SCALE",
    "RATIO_SCALE",
    "divide_half_up",
    "ratio_to_tick",
    "scaled",
    "to_cent",
    "to_tick",
    "unscaled",
]


def divide_half_up(numerator: int, denominator: int) -> int:
    """``numerator / denominator`` rounded to the nearest integer, ties away from zero.

    For non-negative operands this is ``(2 * n + d) // (2 * d)``, which holds unchanged on int64 arrays.
    """
    if denominator <= 0:
        raise QuantError("number.denominator", "the denominator must be positive", found=str(denominator))
    magnitude = (2 * abs(numerator) + denominator) // (2 * denominator)
    return magnitude if numerator >= 0 else -magnitude


def to_tick(price: Decimal, tick: Decimal) -> Decimal:
    """``price`` rounded half up to a multiple of ``tick``, shown with the tick's decimals.

    Exchange rule for limit and reference prices: SSE trading rules 2023, 3.3.17; SZSE 2023, 3.3.19.
    """
    return ratio_to_tick(price, _ONE, tick)


def ratio_to_tick(numerator: Decimal, denominator: Decimal, tick: Decimal) -> Decimal:
    """``numerator / denominator`` rounded half up to a multiple of ``tick`` in one step."""
    top, bottom = _finite(numerator).as_integer_ratio()
    over, under = _finite(denominator).as_integer_ratio()
    tick_top, tick_bottom = _finite(tick).as_integer_ratio()
    if tick_top <= 0 or over <= 0:
        raise QuantError(
            "number.tick", "tick and denominator must be positive", found=f"{tick}, {denominator}"
        )
    steps = divide_half_up(top * under * tick_bottom, bottom * over * tick_top)
    return _EXACT.multiply(Decimal(steps), tick)


def to_cent(amount: Decimal) -> Decimal:
    """``amount`` rounded half up to 0.01, as on a statement."""
    return to_tick(amount, CENT)


def scaled(value: Decimal | int | str, scale: int, *, exact: bool = False) -> int:
    """``value * scale`` as an int64, half up; with ``exact`` a value between two units is an error.

    Raises QuantError ``number.inexact`` (only with ``exact``), ``number.overflow``, ``number.invalid``.
    """
    top, bottom = _finite(value).as_integer_ratio()
    units = divide_half_up(top * scale, bottom)
    if exact and units * bottom != top * scale:
        raise QuantError(
            "number.inexact",
            f"{value} has more decimals than the scale keeps",
            expected=f"a multiple of 1/{scale}",
            found=str(value),
        )
    if abs(units) > INT64_MAX:
        raise QuantError(
            "number.overflow",
            f"{value} does not fit 64 bits at scale {scale}",
            expected=f"at most {INT64_MAX // scale}",
            found=str(value),
        )
    return units


def unscaled(units: int, scale: int) -> Decimal:
    """The exact Decimal of ``units`` at a power-of-ten ``scale``, with that many decimals."""
    places = len(str(scale)) - 1
    if scale != 10**places:
        raise QuantError("number.scale", "a scale must be a power of ten", found=str(scale))
    return _EXACT.scaleb(Decimal(units), -places)


def _finite(value: Decimal | int | str) -> Decimal:
    if isinstance(value, (float, bool)):
        raise QuantError("number.invalid", f"{value!r} is not exact", expected="Decimal, int or str")
    try:
        number = value if isinstance(value, Decimal) else Decimal(value)
    except (ArithmeticError, ValueError, TypeError):
        number = Decimal("NaN")
    if not number.is_finite() or abs(number.adjusted()) > 100:
        raise QuantError(
            "number.invalid",
            f"{value!r} is not a finite number of sane size",
            expected="a decimal number",
            found=repr(value),
        )
    return number
