"""Dividends, bonus shares and rights: what they do to the reference price and to a holding."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_FLOOR, Decimal
from typing import Final

from quant.core.errors import QuantError
from quant.core.money import CENT, ratio_to_tick, to_cent

__all__ = [
    "Distribution",
    "Entitlement",
    "adjustment_step",
    "entitlement",
    "ex_reference_price",
    "infer_distribution",
]

_ZERO: Final = Decimal(0)
_ONE: Final = Decimal(1)
_TENTH: Final = Decimal("0.1")
_BONUS_FROM: Final = Decimal("1.10")


@dataclass(frozen=True, slots=True)
class Distribution:
    """What a share receives: pre-tax yuan in cash, new shares for nothing (bonus and converted together), and
    the right to buy ``rights_ratio`` shares at ``rights_price``.
    """

    cash_per_share: Decimal
    bonus_ratio: Decimal
    rights_ratio: Decimal = _ZERO
    rights_price: Decimal = _ZERO

    def reference(self, prev_close: Decimal, tick: Decimal = CENT) -> Decimal:
        """The reference price of the ex-date; see ``ex_reference_price``."""
        return ex_reference_price(
            prev_close,
            cash=self.cash_per_share,
            bonus=self.bonus_ratio,
            rights=self.rights_ratio,
            rights_price=self.rights_price,
            tick=tick,
        )


@dataclass(frozen=True, slots=True)
class Entitlement:
    """What a holding receives: whole new shares, and pre-tax yuan to the cent."""

    new_shares: int
    cash: Decimal


def ex_reference_price(
    prev_close: Decimal,
    *,
    cash: Decimal = _ZERO,
    bonus: Decimal = _ZERO,
    conversion: Decimal = _ZERO,
    rights: Decimal = _ZERO,
    rights_price: Decimal = _ZERO,
    tick: Decimal = CENT,
) -> Decimal:
    """The exchange's reference price of the ex-date, half up to the tick.

    ``(prev_close - cash + rights_price * rights) / (1 + bonus + conversion + rights)``; cash pre-tax,
    ratios in shares per share (of rights: as subscribed). Source: ex-rights rule of the SSE and SZSE
    trading rules 2023. Not for the share reform of 2005 to 2008, whose compensation shares set no reference.

    >>> ex_reference_price(Decimal("35.29"), cash=Decimal("0.16"), bonus=Decimal("0.3"))
    Decimal('27.02')
    """
    value = prev_close - cash + rights_price * rights
    shares = _ONE + bonus + conversion + rights
    if shares <= 0 or value <= 0:
        raise QuantError(
            "corporate_action.impossible",
            "a distribution cannot be worth more than the share",
            expected="cash below the previous close",
            found=f"previous close {prev_close}, cash {cash}",
        )
    return ratio_to_tick(value, shares, tick)


def adjustment_step(prev_close: Decimal, reference: Decimal) -> Decimal:
    """Growth of the cumulative post-adjustment factor over an ex-date: previous close / reference."""
    if reference <= 0 or prev_close <= 0:
        raise QuantError("corporate_action.impossible", "prices must be positive", found=str(reference))
    return prev_close / reference


def infer_distribution(prev_close: Decimal, pre_close: Decimal) -> Distribution:
    """The distribution that explains a fall of the reference price from ``prev_close`` to ``pre_close``.

    An inference for data that has adjustment factors but no events: a step below 1.10 is all cash; a larger
    one is bonus shares in tenths and the rest cash. The value of a holding is kept exactly either way.
    Report it as inferred.

    Raises QuantError ``corporate_action.impossible`` when the reference rose, which no distribution does.
    """
    if not 0 < pre_close <= prev_close:
        raise QuantError(
            "corporate_action.impossible",
            f"no distribution moves the reference from {prev_close} to {pre_close}",
            expected=f"above 0, at most {prev_close}",
            found=str(pre_close),
        )
    bonus = _ZERO
    if prev_close >= pre_close * _BONUS_FROM:
        bonus = (prev_close - pre_close) * 10 // pre_close * _TENTH
    return Distribution(cash_per_share=prev_close - pre_close * (_ONE + bonus), bonus_ratio=bonus)


def entitlement(quantity: int, distribution: Distribution) -> Entitlement:
    """What ``quantity`` shares held over the record date receive.

    New shares are cut to whole ones: the clearing house hands the remainders to the accounts with the
    largest fractions, which is not knowable. Cash is rounded half up to the cent.
    """
    new_shares = int((distribution.bonus_ratio * quantity).to_integral_value(ROUND_FLOOR))
    return Entitlement(new_shares, to_cent(distribution.cash_per_share * quantity))
