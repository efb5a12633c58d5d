"""Why a row is not there: suspended, not listed yet, delisted, or nobody knows."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Final

import polars as pl

from quant.core.market.calendar import Calendar
from quant.core.market.calendar import calendar as calendar_of

REASONS: Final = ("suspended", "not_listed", "delisted", "unknown")
_KEY: Final = ("instrument_id", "session")


def absences(
    rows: pl.DataFrame,
    instruments: pl.DataFrame,
    calendar: Calendar | str = "XSHG",
    attributes: pl.DataFrame | None = None,
    *,
    start: date | None = None,
    end: date | None = None,
) -> pl.DataFrame:
    """The sessions from ``start`` to ``end`` (those of ``rows``) on which an instrument has no row:
    instrument_id, session, reason, evidence.

    ``not_listed`` and ``delisted`` follow from the listing dates (for an unknown one the first row counts).
    ``suspended`` is ``stated`` by an attribute, or proven by the ``chain``: the first row after the gap names
    the close before it as its reference price, so nothing was traded in between. All else is ``unknown``:
    a row that may be missing. ``rows`` need instrument_id and session; close and pre_close for the chain.
    """
    book = calendar_of(calendar) if isinstance(calendar, str) else calendar
    held = rows.select(_KEY).unique()
    begin, last = start or held["session"].min(), end or held["session"].max()
    if begin is None or last is None:
        return _none()
    days = pl.DataFrame({"session": book.sessions(begin, last)}, schema={"session": pl.Date})  # type: ignore[arg-type]
    first = held.group_by("instrument_id").agg(pl.col("session").min().alias("first"))
    known = instruments.select("instrument_id", "list_date", "delist_date").join(
        first, on="instrument_id", how="left"
    )
    grid = known.join(days, how="cross").join(held, on=_KEY, how="anti")
    listed = pl.coalesce("list_date", "first")
    grid = grid.with_columns(
        reason=pl.when(listed.is_null() | (pl.col("session") < listed))
        .then(pl.lit("not_listed"))
        .when(pl.col("session") >= pl.col("delist_date"))
        .then(pl.lit("delisted")),
        evidence=pl.lit("listing"),
    )
    open_ = grid.filter(pl.col("reason").is_null()).select(_KEY)
    told = _stated(open_, attributes)
    proven = _chained(open_.join(told, on=_KEY, how="anti"), rows)
    suspended = pl.concat([told, proven])
    unknown = open_.join(suspended, on=_KEY, how="anti").with_columns(
        reason=pl.lit("unknown"), evidence=pl.lit("")
    )
    listing = grid.filter(pl.col("reason").is_not_null()).select(*_KEY, "reason", "evidence")
    return pl.concat([listing, suspended, unknown]).sort(_KEY)


def _stated(open_: pl.DataFrame, attributes: pl.DataFrame | None) -> pl.DataFrame:
    if attributes is None or not attributes.height:
        return _none()
    spells = attributes.filter(
        (pl.col("attribute") == "suspended") & ~pl.col("value").is_in(["false", "0", ""])
    ).select("instrument_id", "from_session", pl.col("to_session").fill_null(date.max - timedelta(days=1)))
    return (
        open_.join(spells, on="instrument_id")
        .filter(pl.col("session").is_between("from_session", "to_session"))
        .select(_KEY)
        .unique()
        .with_columns(reason=pl.lit("suspended"), evidence=pl.lit("stated"))
    )


def _chained(open_: pl.DataFrame, rows: pl.DataFrame) -> pl.DataFrame:
    if not {"close", "pre_close"} <= set(rows.columns) or not open_.height:
        return _none()
    given = rows.filter(pl.col("close").is_not_null()).sort("session")
    before = given.select("instrument_id", "session", pl.col("close").alias("before"))
    after = given.select("instrument_id", "session", pl.col("pre_close").alias("after"))
    gaps = open_.sort("session").join_asof(
        before, on="session", by="instrument_id", strategy="backward", check_sortedness=False
    )
    gaps = gaps.join_asof(after, on="session", by="instrument_id", strategy="forward", check_sortedness=False)
    return (
        gaps.filter(pl.col("before") == pl.col("after"))
        .select(_KEY)
        .with_columns(reason=pl.lit("suspended"), evidence=pl.lit("chain"))
    )


def _none() -> pl.DataFrame:
    return pl.DataFrame(
        schema={
            "instrument_id": pl.Int64,
            "session": pl.Date,
            "reason": pl.String,
            "evidence": pl.String,
        }
    )
