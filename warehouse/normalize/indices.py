"""What indices hold: published weights, and membership from one session to another."""

from __future__ import annotations

from typing import Final

import polars as pl

from quant.core.errors import QuantError
from quant.core.ids import parse_code
from quant.core.market.calendar import Calendar
from quant.warehouse.normalize.complete import Facts, with_ids
from quant.warehouse.normalize.context import RULE, Context, mark
from quant.warehouse.normalize.fundamentals import session_known
from quant.warehouse.normalize.instants import INSTANT, session_instants
from quant.warehouse.sources.settings import DatasetSettings

_SPELL: Final = ("index_code", "instrument_id", "session", "from_session", "to_session")


def complete_index_weights(
    work: pl.DataFrame, dataset: DatasetSettings, context: Context
) -> tuple[pl.DataFrame, Facts]:
    work = with_ids(_with_index(work), context, "session")
    return session_known(work, dataset, context), {}


def complete_index_members(
    work: pl.DataFrame, dataset: DatasetSettings, context: Context
) -> tuple[pl.DataFrame, Facts]:
    """Memberships from one session to another. Without a column for the last session the rows are dated
    lists, each of all members. A membership without an announcement counts as known on the morning of its
    first session.
    """
    listed = "to_session" not in work.columns
    work = with_ids(_with_index(work), context, "from_session")
    if "known_at" not in work.columns:
        work = work.with_columns(pl.lit(None, INSTANT).alias("known_at"))
    if listed:
        work = _from_lists(work, dataset, context)
    days = [day for day in work["from_session"].unique().sort().to_list() if day is not None]
    mornings = session_instants(context.calendar, days).select(
        pl.col("session").alias("from_session"), pl.col("preopen").alias("_morning")
    )
    work = work.join(mornings, on="from_session", how="left", maintain_order="left")
    return work.with_columns(known_at=pl.coalesce("known_at", "_morning")).drop("_morning"), {}


def _from_lists(work: pl.DataFrame, dataset: DatasetSettings, context: Context) -> pl.DataFrame:
    sound = pl.col(RULE).is_null() & pl.col("from_session").is_not_null()
    lists = work.filter(sound).with_columns(session=pl.col("from_session"))
    lists = session_known(lists, dataset, context).unique(
        ["index_code", "instrument_id", "session"], keep="first", maintain_order=True
    )
    kept = tuple(name for name in work.columns if name not in _SPELL)
    found = spells(lists, context.calendar, carry=kept).drop("session")
    return pl.concat([found, work.filter(~sound)], how="diagonal_relaxed")


def _with_index(work: pl.DataFrame) -> pl.DataFrame:
    """Codes of indices in our style; 000300.XSHG, sh.000300 and 000300.SH are one index."""
    if "index_code" not in work.columns:
        work = work.with_columns(pl.lit(None, pl.String).alias("index_code"))
    spelled = {text: index_code(text) for text in work["index_code"].unique().to_list() if text is not None}
    codes = work["index_code"].replace_strict(spelled, default=None, return_dtype=pl.String)
    return mark(
        work.with_columns(codes),
        pl.col("index_code").is_null(),
        "index_code.value",
        "not the code of an index",
    )


def index_code(text: str) -> str | None:
    """The code of an index in our style; None for what is no code."""
    try:
        return str(parse_code(text))
    except QuantError:
        return None


def spells(
    lists: pl.DataFrame,
    calendar: Calendar,
    *,
    carry: tuple[str, ...] = ("known_at", "recorded_at", "source", "payload"),
) -> pl.DataFrame:
    """Memberships from dated lists of all members (index_code, instrument_id, session), as far as they tell.

    A list counts from the first session whose opening finds it known, until the next one does; so a name
    leaves with the session on which the first list without it was published. ``carry`` is taken from the
    list that opens a spell; its ``session`` stays.
    """
    dates = lists.select("index_code", "session").unique().sort("index_code", "session")
    dates = dates.with_columns(
        _number=pl.int_range(pl.len(), dtype=pl.Int64).over("index_code"),
        to_session=pl.col("session").shift(-1).over("index_code"),
    )
    rows = lists.drop("to_session", strict=False).join(dates, on=["index_code", "session"], how="left")
    rows = rows.sort("index_code", "instrument_id", "session")
    member = ["index_code", "instrument_id"]
    begins = (pl.col("_number") != pl.col("_number").shift(1).over(member) + 1).fill_null(value=True)
    found = (
        rows.with_columns(_spell=begins.cum_sum().over(member))
        .group_by([*member, "_spell"], maintain_order=True)
        .agg(pl.col("session", *carry).first(), pl.col("to_session").last())
    )
    following = {d: calendar.next(d) for d in found["session"].unique().to_list() if d < calendar.last}
    start = pl.col("session").replace_strict(following, default=None, return_dtype=pl.Date)
    found = found.with_columns(from_session=start).drop("_spell")
    return found.filter(pl.col("from_session").is_not_null())
