"""What the limits of a bar are around: the stated reference, or the close before less what was paid."""

from __future__ import annotations

from typing import Final

import polars as pl

from quant.core.market.calendar import calendar
from quant.core.money import PRICE_SCALE
from quant.warehouse.adjust.factors import factors_from_events
from quant.warehouse.rulecheck.bounds import units

_EVENTS: Final = pl.Schema({"code": pl.String(), "ex_session": pl.Date(), "kind": pl.String()})
_PRICE: Final = pl.Decimal(18, 4)
_STATED: Final = ("pre_close", "factor", "change")


def traded(frame: pl.DataFrame) -> pl.DataFrame:
    """The bars of sessions with trades, in the order of code and session."""
    keep = pl.lit(value=True)
    if "suspended" in frame.columns:
        keep &= ~pl.col("suspended").fill_null(value=False)
    if "volume" in frame.columns:
        keep &= pl.col("volume").fill_null(1) > 0
    return frame.filter(keep & (pl.col("close") > 0)).sort("code", "session")


def with_base(bars: pl.DataFrame, events: pl.DataFrame) -> pl.DataFrame:
    """``bars`` (of ``traded``) with, in units of a price: ``prev`` the close before, ``stated`` the reference
    the file has, ``after`` the close before less a known distribution, ``told`` the kind of that event, and
    ``base``: stated, else after, else prev. ``gap`` counts the sessions without a trade before a bar,
    ``nth`` the bars of a code from 1, ``step`` the growth of the file's own factor.
    """
    own = {name: pl.lit(None, pl.Float64) for name in _STATED if name not in bars.columns}
    rows = bars.with_columns(**own).with_columns(
        prev=units("close").shift(1).over("code"),
        before=pl.col("session").shift(1).over("code"),
        nth=pl.int_range(1, pl.len() + 1).over("code"),
        step=pl.col("factor") / pl.col("factor").shift(1).over("code"),
        stated=pl.when(pl.col("pre_close") > 0)
        .then(units("pre_close"))
        .when(pl.col("change").is_not_null() & (pl.col("close") > pl.col("change")))
        .then(units("close") - units("change")),
    )
    rows = rows.join(_references(bars, events), on=["code", "session"], how="left", maintain_order="left")
    return _gaps(rows).with_columns(
        base=pl.coalesce("stated", "after", "prev"),
        by=pl.when(pl.col("stated").is_not_null())
        .then(pl.lit("stated"))
        .when(pl.col("after").is_not_null())
        .then(pl.lit("event"))
        .when(pl.col("prev").is_not_null())
        .then(pl.lit("close")),
    )


def _references(bars: pl.DataFrame, events: pl.DataFrame) -> pl.DataFrame:
    """code, session, ``after`` and ``told`` of the first bar on or after each ex-date."""
    known = events.join(bars.select("code").unique(), on="code", how="semi")
    if not known.height:
        schema = {"code": pl.String, "session": pl.Date, "after": pl.Int64, "told": pl.String}
        return pl.DataFrame(schema=schema)
    ids = bars.select("code").unique().sort("code").with_row_index("instrument_id")
    ids = ids.with_columns(pl.col("instrument_id").cast(pl.Int64))
    asked = known.join(ids, on="code").drop("code")
    if "kind" not in asked.columns:
        asked = asked.with_columns(kind=pl.lit(None, pl.String))
    closes = bars.join(ids, on="code", maintain_order="left").select(
        "instrument_id",
        "session",
        (units("close") / pl.lit(PRICE_SCALE, pl.Int64)).cast(_PRICE).alias("close"),
    )
    made = factors_from_events(closes, asked)
    steps = made.steps.select(
        "instrument_id", "ex_session", (pl.col("reference") * PRICE_SCALE).cast(pl.Int64).alias("after")
    )
    steps = steps.join(asked.select("instrument_id", "ex_session", pl.col("kind").alias("told")).unique(
        ["instrument_id", "ex_session"]), on=["instrument_id", "ex_session"], how="left")  # fmt: skip
    reforms = made.unapplied.filter(pl.col("reason") == "no_reference").select(
        "instrument_id", "ex_session", pl.lit(None, pl.Int64).alias("after"), pl.lit("reform").alias("told")
    )
    placed = pl.concat([steps, reforms]).sort("ex_session").join_asof(
        closes.select("instrument_id", "session").sort("session"), left_on="ex_session", right_on="session",
        by="instrument_id", strategy="forward", coalesce=False, check_sortedness=False,
    )  # fmt: skip
    last = placed.drop_nulls("session").sort("ex_session").group_by("instrument_id", "session").last()
    return last.join(ids, on="instrument_id").select("code", "session", "after", "told")


def _gaps(rows: pl.DataFrame) -> pl.DataFrame:
    """With ``gap``; null on a code's first bar and outside the calendar."""
    days = calendar("XSHG")
    sessions = pl.Series("day", days.sessions(days.first, days.last), dtype=pl.Date)
    place = sessions.to_frame().with_row_index("place").with_columns(pl.col("place").cast(pl.Int64))
    held = rows.join(
        place.rename({"place": "here"}), left_on="session", right_on="day", how="left", maintain_order="left"
    )
    held = held.join(
        place.rename({"place": "there"}), left_on="before", right_on="day", how="left", maintain_order="left"
    )
    return held.with_columns(
        gap=pl.col("here") - pl.col("there") - 1, session_known=pl.col("here").is_not_null()
    ).drop("here", "there", "before")
