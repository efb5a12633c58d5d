"""Bars that are wrong whatever the limits: off the tick, not positive, parts of a share, no session."""

from __future__ import annotations

from typing import Final

import polars as pl

from quant.core.market.calendar import calendar
from quant.core.market.rules import Rulebook
from quant.core.money import PRICE_SCALE
from quant.warehouse.rulecheck.report import FAULTS

OHLC: Final = ("open", "high", "low", "close")
_EXACT: Final = 0.02
"""Of a unit of a price: what a double of a price may lie off."""
_WHOLE: Final = 1e-3


def faults_of(bars: pl.DataFrame) -> pl.DataFrame:
    """Rows of FAULTS. ``bars`` have prices in yuan and ``tick`` in units."""
    return pl.concat([_off_tick(bars), _no_price(bars), _parts(bars), _closed(bars)])


def odd_lots(bars: pl.DataFrame, book: Rulebook) -> int:
    """Bars whose volume is no multiple of the step of a purchase. That is legal: holders sell odd lots, and
    an order may be filled in part; so no total of a day proves that a purchase was too small.
    """
    if "volume" not in bars.columns:
        return 0
    steps = {key[0]: min(int(r.values["buy_step"]) for r in rows) for key, rows in book.lots.rows.items()}
    step = pl.col("board").replace_strict(steps, default=None, return_dtype=pl.Int64)
    return bars.filter(pl.col("volume").round(0).cast(pl.Int64) % step != 0).height


def _off_tick(bars: pl.DataFrame) -> pl.DataFrame:
    off = {n: _misses(n) for n in OHLC}
    found = bars.filter(pl.any_horizontal(off.values()))
    said = pl.concat_str(
        [pl.when(test).then(pl.format("{} {}", pl.lit(name), pl.col(name))) for name, test in off.items()],
        separator=", ",
        ignore_nulls=True,
    )
    return _named(found, "off_tick", said)


def _no_price(bars: pl.DataFrame) -> pl.DataFrame:
    """Sessions with trades and a print of zero or below: that print is not judged."""
    none = {name: (pl.col(name) <= 0).fill_null(value=False) for name in OHLC}
    said = pl.concat_str(
        [pl.when(test).then(pl.format("{} {}", pl.lit(name), pl.col(name))) for name, test in none.items()],
        separator=", ",
        ignore_nulls=True,
    )
    return _named(bars.filter(pl.any_horizontal(none.values())), "no_price", said)


def _misses(name: str) -> pl.Expr:
    exact = pl.col(name).cast(pl.Float64) * PRICE_SCALE
    steps = exact / pl.col("tick")
    return ((steps - steps.round(0)).abs() * pl.col("tick") > _EXACT).fill_null(value=False)


def _parts(bars: pl.DataFrame) -> pl.DataFrame:
    if "volume" not in bars.columns:
        return pl.DataFrame(schema=FAULTS)
    volume = pl.col("volume").cast(pl.Float64)
    found = bars.filter(((volume - volume.round(0)).abs() > _WHOLE).fill_null(value=False))
    return _named(found, "part_of_a_share", pl.format("volume {}", pl.col("volume")))


def _closed(bars: pl.DataFrame) -> pl.DataFrame:
    """Bars on days on which the exchange was closed, as far as its calendar goes."""
    days = calendar("XSHG")
    inside = pl.col("session").is_between(days.first, days.last)
    found = bars.filter(~pl.col("session_known") & inside)
    return _named(found, "no_session", pl.col("session").dt.strftime("%A"))


def _named(found: pl.DataFrame, fault: str, detail: pl.Expr) -> pl.DataFrame:
    return found.select("code", "session", fault=pl.lit(fault), detail=detail.cast(pl.String))
