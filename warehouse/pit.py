"""What was known when: reports as of an instant, joined to bars, and the members of an index.

Of two reports that are known the one of the newer *period* counts, whenever they were announced: a restated
annual report of last year does not replace this year's first quarter. Within a period the newest
announcement counts. Rows with an unknown ``known_at`` are never used.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

import polars as pl

PER_ITEM: Final = ("instrument_id", "item")


def latest_known(fundamentals: pl.DataFrame, at: datetime) -> pl.DataFrame:
    """One row for each instrument and item: the newest announcement of the newest period known at ``at``."""
    known = fundamentals.filter(pl.col("known_at") <= at)
    ordered = known.sort(*PER_ITEM, "period_end", "announced", "known_at", maintain_order=True)
    return ordered.unique(PER_ITEM, keep="last", maintain_order=True)


def known_steps(fundamentals: pl.DataFrame) -> pl.DataFrame:
    """The rows that change what is known of their item, sorted by instrument, item and ``known_at``.

    The last row at or before an instant is ``latest_known`` at it, so one as-of join on ``known_at`` is
    enough. Announcements about periods that were no longer the newest fall out.
    """
    ordered = fundamentals.filter(pl.col("known_at").is_not_null()).sort(
        *PER_ITEM, "known_at", "period_end", "announced", maintain_order=True
    )
    newest = pl.col("period_end").cum_max().over(PER_ITEM)
    steps = ordered.filter(pl.col("period_end") == newest)
    return steps.unique([*PER_ITEM, "known_at"], keep="last", maintain_order=True)


def join_known(rows: pl.DataFrame, fundamentals: pl.DataFrame, item: str, *, at: str) -> pl.DataFrame:
    """``rows`` with a column ``item``: its value as known at the instant in column ``at``; null = unknown.

    ``rows`` need ``instrument_id``; their order stays.
    """
    steps = known_steps(fundamentals.filter(pl.col("item") == item))
    right = steps.select("instrument_id", pl.col("known_at").alias("_known"), pl.col("value").alias(item))
    placed = rows.with_row_index("_place").sort("instrument_id", at)
    joined = placed.join_asof(
        right, left_on=at, right_on="_known", by="instrument_id", check_sortedness=False
    )
    return joined.sort("_place").drop("_place", "_known", strict=False)
