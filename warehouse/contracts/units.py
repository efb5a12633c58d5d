"""Amount, volume and price of one session must fit; the unit that explains why they do not has a name."""

from __future__ import annotations

from functools import cache
from typing import Final

import polars as pl

from quant.warehouse.contracts.columns import RowRule

SLACK: Final = 0.005
"""How far amount / volume may lie outside low and high: amounts are rounded."""
_NAMED: Final = (
    (
        100.0,
        "unit.volume_in_lots",
        "the volume is in lots of 100 (declare unit: lot100), or all prices are hundredths of what they are",
    ),
    (
        0.01,
        "unit.volume_times_100",
        "the volume is in shares already and must not be read as lots, or all prices are in cents",
    ),
    (0.001, "unit.amount_in_thousands", "the amount is in thousand yuan: declare unit: kCNY"),
    (1000.0, "unit.amount_times_1000", "the amount is in yuan already: it must not be read as thousands"),
    (0.0001, "unit.amount_in_ten_thousands", "the amount is in ten thousand yuan: declare unit: wan"),
    (10_000.0, "unit.amount_times_10000", "the amount is in yuan already: it must not be read as 万"),
    (
        0.1,
        "unit.tenth",
        "the volume is in lots and the amount in thousand yuan, or the amount is in ten thousand yuan",
    ),
    (10.0, "unit.tenfold", "volume and amount are in shares and yuan already, or one of them is not"),
)


_PRICES: Final = {
    0.01: "the price is about 100 times what its limits or reference price say: it is in cents (divide: 100)",
    100.0: "the price is about a hundredth of what its limits or reference price say",
}
PRICE: Final = "unit.price_scale"
"""Limits or the reference price say that the prices of a row are out of scale, not its volume or amount."""
_REFERENCE: Final = ("limit_up", "limit_down", "pre_close")


@cache
def unit_rules() -> tuple[RowRule, ...]:
    """First the rule that amounts must fit; then what holds for rows that break it, each with its reason.
    Only the first is a rule to keep: the others are True where their unit explains the row.
    """
    price = pl.col("amount").cast(pl.Float64) / pl.col("volume").cast(pl.Float64)
    low, high = pl.col("low").cast(pl.Float64) * (1 - SLACK), pl.col("high").cast(pl.Float64) * (1 + SLACK)
    fits = RowRule(
        "amount.range",
        "amount / volume must lie within low and high (0.5% slack for rounding)",
        (pl.col("volume") <= 0) | price.is_between(low, high),
    )
    named = tuple(
        RowRule(
            name,
            f"amount / volume is {factor:g} times the price: {why}",
            (price / factor).is_between(low, high),
        )
        for factor, name, why in _NAMED
    )
    return (fits, *named)


def _out_of_scale(rows: pl.DataFrame, factor: float) -> pl.Expr:
    """Whether the price is far from its limits or reference price, and times ``factor`` near them."""
    known = [pl.col(name).cast(pl.Float64) for name in _REFERENCE if name in rows.columns]
    if not known:
        return pl.lit(value=False)
    times = pl.col("low").cast(pl.Float64) / pl.coalesce(known)
    return ((times * factor).is_between(0.5, 2.0) & ~times.is_between(0.5, 2.0)).fill_null(value=False)


def explained(bad: pl.DataFrame) -> pl.DataFrame:
    """Rows that broke ``amount.range`` with the rule and the reason of the unit that explains them."""
    if "rule" not in bad.columns or not (bad["rule"] == "amount.range").any():
        return bad
    rule, reason = pl.col("rule"), pl.col("reason")
    for (factor, _, _), unit in zip(_NAMED, unit_rules()[1:], strict=True):
        hit = (pl.col("rule") == "amount.range") & unit.expression.fill_null(value=False)
        if factor in (0.01, 100.0):
            scaled = hit & _out_of_scale(bad, factor)
            rule = pl.when(scaled).then(pl.lit(PRICE)).otherwise(rule)
            reason = pl.when(scaled).then(pl.lit(_PRICES[factor])).otherwise(reason)
            hit &= ~scaled
        rule = pl.when(hit).then(pl.lit(unit.name)).otherwise(rule)
        reason = pl.when(hit).then(pl.lit(unit.reason)).otherwise(reason)
    return bad.with_columns(rule=rule, reason=reason)
