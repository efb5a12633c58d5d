"""Adjusted prices as of a date: 不复权 (none), 前复权 (pre), 后复权 (post)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Final, Literal

import polars as pl

from quant.core.errors import UsageError
from quant.warehouse.adjust.placing import last_before, taken

How = Literal["none", "pre", "post"]
Method = Literal["ratio", "additive"]
PRICES: Final = ("open", "high", "low", "close", "pre_close")


def adjusted(
    bars: pl.DataFrame,
    adjustments: pl.DataFrame,
    how: How,
    *,
    as_of: date | None = None,
    method: Method = "ratio",
    prices: Sequence[str] = PRICES,
) -> pl.DataFrame:
    """Raw ``bars`` (instrument_id, session, prices) up to ``as_of`` with their prices adjusted, as float64.

    ``ratio`` multiplies: post is price * factor, pre is price * factor / the factor at ``as_of``;
    ``adjustments`` are rows of ``adjustment_factors``. ``additive`` undoes each event as it acted on a price,
    (price - cash + rights price * rights) / (1 + new shares + rights), so that a price moves by the yuan that
    were paid, and old prices may fall below zero; ``adjustments`` are rows of ``corporate_actions``. Pre
    leaves prices at ``as_of`` as traded, post those of the first session.

    Neither bars nor adjustments after ``as_of`` (the last bar, where not given) are used: what was computed
    as of a day stays the same whatever happens later. A bar without a factor has null prices. ``pre_close``
    is the reference of its own session and is adjusted like it.
    """
    if how not in ("none", "pre", "post") or method not in ("ratio", "additive"):
        raise UsageError(
            "adjust.how", "unknown adjustment", expected="none, pre, post; ratio, additive",
            found=f"{how}, {method}",
        )  # fmt: skip
    named = [name for name in prices if name in bars.columns]
    until = as_of or bars["session"].max()
    known = bars.filter(pl.col("session") <= pl.lit(until, pl.Date))
    floats = known.with_columns(pl.col(named).cast(pl.Float64))
    if how == "none" or not known.height:
        return floats
    if method == "ratio":
        return _by_ratio(floats, adjustments, how, until, named)
    return _by_amount(floats, adjustments, how, until, named)


def _by_ratio(
    bars: pl.DataFrame, factors: pl.DataFrame, how: How, until: object, named: list[str]
) -> pl.DataFrame:
    known = factors.filter(pl.col("session") <= pl.lit(until, pl.Date)).select(
        "instrument_id", pl.col("session").alias("since_"), pl.col("factor").alias("factor_")
    )
    rows = _asof(bars, known.sort("since_"))
    if how == "pre":
        last = known.sort("since_").group_by("instrument_id").agg(pl.col("factor_").last().alias("last_"))
        rows = rows.join(last, on="instrument_id", how="left", maintain_order="left")
        # polars divides by a column of one value through its reciprocal, which is off by a bit
        ratio = rows["factor_"].cast(pl.Float64).to_numpy() / rows["last_"].cast(pl.Float64).to_numpy()
        rows = rows.with_columns(pl.Series("factor_", ratio).fill_nan(None))
    return rows.with_columns(pl.col(named) * pl.col("factor_")).select(bars.columns)


def _by_amount(
    bars: pl.DataFrame, events: pl.DataFrame, how: How, until: object, named: list[str]
) -> pl.DataFrame:
    maps = _maps(events.filter(pl.col("ex_session") <= pl.lit(until, pl.Date)), bars, how)
    rows = _asof(bars, maps).with_columns(pl.col("scale_").fill_null(1.0), pl.col("shift_").fill_null(0.0))
    return rows.with_columns(pl.col(named) * pl.col("scale_") + pl.col("shift_")).select(bars.columns)


def _maps(events: pl.DataFrame, bars: pl.DataFrame, how: How) -> pl.DataFrame:
    """instrument_id, since_, scale_, shift_: what an affine map makes of prices from ``since_`` on.

    One event makes of a price before it (price - paid) / shares. Pre applies all later events, post undoes
    all earlier ones.
    """
    first = bars.group_by("instrument_id").agg(pl.col("session").min().alias("first"))
    if "kind" in events.columns:
        events = events.filter(pl.col("kind").ne_missing("reform"))
    held = events.join(first, on="instrument_id").filter(pl.col("ex_session") > pl.col("first"))
    flows = held.sort("instrument_id", "ex_session").select(
        "instrument_id",
        "ex_session",
        "first",
        paid=_float(events, "cash_per_share")
        - _float(events, "rights_ratio") * _float(events, "rights_price"),
        shares=1.0 + _float(events, "bonus_ratio") + _float(events, "rights_ratio"),
    )
    rows: list[tuple[int, date, float, float]] = []
    for (instrument,), group in flows.group_by("instrument_id", maintain_order=True):
        acts = list(group.select("ex_session", "paid", "shares").iter_rows())
        began = group["first"][0]
        starts = [began, *(session for session, _, _ in acts)]
        scales, shifts = [1.0], [0.0]
        for _, paid, shares in reversed(acts) if how == "pre" else acts:
            scale, shift = scales[-1], shifts[-1]
            if how == "pre":  # a price before this event goes through it, then through the later ones
                scales.append(scale / shares)
                shifts.append(shift - scale * paid / shares)
            else:  # a price after this event is carried back over it, then over the earlier ones
                scales.append(scale * shares)
                shifts.append(shift + scale * paid)
        if how == "pre":
            scales.reverse()
            shifts.reverse()
        rows += [(int(str(instrument)), *each) for each in zip(starts, scales, shifts, strict=True)]
    schema = {"instrument_id": pl.Int64, "since_": pl.Date, "scale_": pl.Float64, "shift_": pl.Float64}
    return pl.DataFrame(rows, schema=schema, orient="row").sort("since_")


def _float(events: pl.DataFrame, name: str) -> pl.Expr:
    if name not in events.columns:
        return pl.lit(0.0)
    return pl.col(name).cast(pl.Float64).fill_null(0.0)


def _asof(bars: pl.DataFrame, since: pl.DataFrame) -> pl.DataFrame:
    """``bars`` in their order, each with the last row of ``since`` on or before its session."""
    place = last_before(bars.select("instrument_id", "session"), since.select("instrument_id", "since_"))
    return bars.hstack(taken(since.drop("instrument_id", "since_"), place))
