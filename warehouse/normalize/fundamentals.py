"""Reports by announcement, and the valuations of a session.

Vendors give a report as one wide row with dates of announcement; stored is one row per item. A restatement
has its own announcement and is a further row. Rows that repeat an announcement of one period are versions
whose own dates the vendor does not say: the earlier version is what was known then, a later one only fills
what the earlier left out.
"""

from __future__ import annotations

from difflib import get_close_matches
from typing import Final

import polars as pl

from quant.core.errors import SpecError
from quant.core.market.statements import ITEMS
from quant.warehouse.normalize.complete import Facts, with_ids
from quant.warehouse.normalize.context import REASON, ROW, RULE, Context
from quant.warehouse.normalize.instants import INSTANT, announced_instant, known_at, session_instants
from quant.warehouse.sources.settings import DatasetSettings

UPDATE: Final = "update_flag"
"""A vendor's number of the version of a row: 0 as first published, 1 changed later."""
WIDE_TYPES: Final = {UPDATE: pl.Float64(), **dict.fromkeys(ITEMS, pl.Float64())}
"""Columns of a wide row besides the contract's."""
_DATES: Final = ("code", "period_end", "announced", "first_announced", "report", "known_at")
_KEY: Final = ("code", "report", "item", "period_end", "announced")


def refuse_unknown_items(dataset: DatasetSettings, known: tuple[str, ...]) -> None:
    """Raises SpecError ``source.item`` for a field that is neither an item nor a column."""
    for wanted in dataset.fields:
        if wanted.name not in known:
            near = get_close_matches(wanted.name, known, n=1)
            raise SpecError(
                "source.item",
                f"{dataset.dataset}: {wanted.column} is read as {wanted.name!r}, which is no item",
                expected=", ".join(sorted(ITEMS)),
                found=wanted.name,
                hint=f"did you mean {near[0]}?" if near else None,
            )


def complete_fundamentals(
    work: pl.DataFrame, _dataset: DatasetSettings, context: Context
) -> tuple[pl.DataFrame, Facts]:
    """Wide rows become one row per item that is given; long rows stay. Known on the evening of the
    announcement's date.
    """
    dates = {"code": pl.String(), "report": pl.String(), "known_at": INSTANT, UPDATE: pl.Float64()}
    dates |= dict.fromkeys(("period_end", "announced", "first_announced"), pl.Date())
    work = _with(work, dates).with_columns(pl.coalesce("announced", "first_announced").alias("announced"))
    rows = _long(work)
    rows, undated = _first_versions(rows)
    rows = with_ids(rows, context, "announced")
    instant = announced_instant("announced", context.source.calendar).cast(INSTANT)
    facts = {"restatements": "undated"} if undated else {}
    return rows.with_columns(known_at=pl.coalesce("known_at", instant)), facts


def _long(work: pl.DataFrame) -> pl.DataFrame:
    """One row per item; rows that could not be read stay one row each."""
    items = [name for name in work.columns if name in ITEMS]
    index = [ROW, "payload", RULE, REASON, UPDATE, *_DATES]
    if "item" in work.columns:
        rows = _with(work, {"value": pl.Float64()}).select(*index, "item", "value")
        return _in_report(rows.with_columns(given=pl.lit(0.0)))
    readable = work.filter(pl.col(RULE).is_null())
    given = pl.sum_horizontal(pl.col(n).is_not_null() for n in items) if items else pl.lit(0)
    rows = readable.with_columns(given=given.cast(pl.Float64)).unpivot(
        on=items, index=[*index, "given"], variable_name="item", value_name="value"
    )
    rows = rows.filter(pl.col("value").is_not_null()).with_columns(
        pl.col("item").cast(pl.String), pl.col("value").cast(pl.Float64)
    )
    broken = work.filter(pl.col(RULE).is_not_null()).select(
        *index, given=pl.lit(0.0), item=pl.lit(None, pl.String), value=pl.lit(None, pl.Float64)
    )
    return _in_report(pl.concat([rows, broken]))


def _in_report(rows: pl.DataFrame) -> pl.DataFrame:
    own = pl.col("item").replace_strict(
        {name: item.report for name, item in ITEMS.items()}, default=None, return_dtype=pl.String
    )
    return rows.with_columns(report=pl.coalesce("report", own))


def _first_versions(rows: pl.DataFrame) -> tuple[pl.DataFrame, bool]:
    """One row for each announcement of an item: the lowest version, of versions without a number the one that
    says less, then the one listed last, since vendors list the newest first.
    """
    key = list(_KEY)
    readable = rows.filter(pl.col(RULE).is_null())
    ordered = readable.sort(
        UPDATE, "given", ROW, descending=[False, False, True], nulls_last=False, maintain_order=True
    )
    first = ordered.unique(key, keep="first", maintain_order=True)
    versions = ordered.group_by(key).agg(pl.col("value").n_unique().alias("values"))
    kept = pl.concat([first.sort(ROW, "item"), rows.filter(pl.col(RULE).is_not_null())])
    return kept.drop("given", UPDATE), bool((versions["values"] > 1).any())


def complete_daily_basics(
    work: pl.DataFrame, dataset: DatasetSettings, context: Context
) -> tuple[pl.DataFrame, Facts]:
    if dataset.distinct:
        work = work.unique(["code", "session"], keep="first", maintain_order=True)
    return session_known(with_ids(work, context, "session"), dataset, context), {}


def session_known(work: pl.DataFrame, dataset: DatasetSettings, context: Context) -> pl.DataFrame:
    """``known_at`` of rows about a session, by the source's rule."""
    work = _with(work, {"known_at": INSTANT, "session": pl.Date()})
    days = [day for day in work["session"].unique().sort().to_list() if day is not None]
    instants = session_instants(context.calendar, days)
    rule = known_at(dataset.known_at or context.source.known_at).cast(INSTANT)
    known = instants.select("session", rule.alias("_instant"))
    joined = work.join(known, on="session", how="left", maintain_order="left")
    return joined.with_columns(known_at=pl.coalesce("known_at", "_instant")).drop("_instant")


def _with(work: pl.DataFrame, wanted: dict[str, pl.DataType]) -> pl.DataFrame:
    missing = {name: dtype for name, dtype in wanted.items() if name not in work.columns}
    return work.with_columns(pl.lit(None, dtype).alias(name) for name, dtype in missing.items())
