"""Amount, volume and price of one session must fit; the unit that explains why they do not has a name."""

from __future__ import annotations

from functools import cache
from typing import Final

import polars as pl

from quant.warehouse.contracts.columns import RowRule

SLACK: Final = 0.005
"""How far amount / volume may lie outside low and high: amounts are rounded."""
_NAMED: Final = (
    (100.0, "unit.volume_in_lots", "the volume is in lots of 100: declare unit: lot100"),
    (0.01, "unit.volume_times_100", "the volume is in shares already: it must not be read as lots"),
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


def explained(bad: pl.DataFrame) -> pl.DataFrame:
    """Rows that broke ``amount.range`` with the rule and the reason of the unit that explains them."""
    if "rule" not in bad.columns or not (bad["rule"] == "amount.range").any():
        return bad
    rule, reason = pl.col("rule"), pl.col("reason")
    for unit in unit_rules()[1:]:
        hit = (pl.col("rule") == "amount.range") & unit.expression.fill_null(value=False)
        rule = pl.when(hit).then(pl.lit(unit.name)).otherwise(rule)
        reason = pl.when(hit).then(pl.lit(unit.reason)).otherwise(reason)
    return bad.with_columns(rule=rule, reason=reason)
