"""What indices hold: published weights, and membership from one session to another."""

from __future__ import annotations

import polars as pl

from quant.core.errors import QuantError
from quant.core.ids import parse_code
from quant.core.market.calendar import Calendar
from quant.warehouse.contracts.tables import contract
from quant.warehouse.normalize.complete import Facts, with_ids
from quant.warehouse.normalize.context import Context, mark
from quant.warehouse.normalize.fundamentals import session_known
from quant.warehouse.normalize.instants import INSTANT, session_instants
from quant.warehouse.sources.settings import DatasetSettings


def complete_index_weights(
    work: pl.DataFrame, dataset: DatasetSettings, context: Context
) -> tuple[pl.DataFrame, Facts]:
    work = with_ids(_with_index(work), context, "session")
    return session_known(work, dataset, context), {}


def complete_index_members(
    work: pl.DataFrame, _dataset: DatasetSettings, context: Context
) -> tuple[pl.DataFrame, Facts]:
    """A membership without an announcement counts as known on the morning of its first session."""
    work = with_ids(_with_index(work), context, "from_session")
    if "known_at" not in work.columns:
        work = work.with_columns(pl.lit(None, INSTANT).alias("known_at"))
    days = [day for day in work["from_session"].unique().sort().to_list() if day is not None]
    mornings = session_instants(context.calendar, days).select(
        pl.col("session").alias("from_session"), pl.col("preopen").alias("_morning")
    )
    work = work.join(mornings, on="from_session", how="left", maintain_order="left")
    return work.with_columns(known_at=pl.coalesce("known_at", "_morning")).drop("_morning"), {}


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


def spells(weights: pl.DataFrame, calendar: Calendar) -> pl.DataFrame:
    """Rows of ``index_members`` from the rows of ``index_weights``, as far as the published lists tell.

    A list counts from the first session whose opening finds it known, until the next one does; so a name
    leaves with the session on which the first list without it was published.
    """
    target = contract("index_members")
    if not weights.height:
        return pl.DataFrame(schema=target.schema)
    lists = weights.select("index_code", "session").unique().sort("index_code", "session")
    lists = lists.with_columns(
        number=pl.int_range(pl.len(), dtype=pl.Int64).over("index_code"),
        ends=pl.col("session").shift(-1).over("index_code"),
    )
    rows = weights.join(lists, on=["index_code", "session"], how="left").sort(
        "index_code", "instrument_id", "session"
    )
    member = ["index_code", "instrument_id"]
    begins = (pl.col("number") != pl.col("number").shift(1).over(member) + 1).fill_null(value=True)
    rows = rows.with_columns(spell=begins.cum_sum().over(member))
    found = rows.group_by([*member, "spell"], maintain_order=True).agg(
        pl.col("session").first(),
        pl.col("ends").last().alias("to_session"),
        pl.col("known_at", "source", "payload").first(),
        pl.col("recorded_at").first(),
    )
    following = {
        day: calendar.next(day) for day in found["session"].unique().to_list() if day < calendar.last
    }
    start = pl.col("session").replace_strict(following, default=None, return_dtype=pl.Date)
    return (
        found.with_columns(from_session=start)
        .select(target.names)
        .filter(pl.col("from_session").is_not_null())
    )
