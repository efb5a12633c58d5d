"""What every step of normalisation shares."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Final

import polars as pl

from quant.core.market.calendar import Calendar, calendar
from quant.warehouse.normalize.identities import FormerCode, Identities
from quant.warehouse.sources.settings import SourceSettings

ROW: Final = "row"
RULE: Final = "rule"
REASON: Final = "reason"


@dataclass(frozen=True, slots=True)
class Context:
    """What normalisation needs besides the rows. ``master`` is the golden instruments table, ``former`` the
    earlier codes of a code, oldest first.
    """

    source: SourceSettings
    identities: Identities
    master: pl.DataFrame
    recorded_at: datetime
    end: date
    former: Mapping[str, Sequence[str | FormerCode]] = field(default_factory=dict)

    @property
    def calendar(self) -> Calendar:
        return calendar(self.source.calendar)


def mark(work: pl.DataFrame, broken: pl.Expr, rule: str, reason: str) -> pl.DataFrame:
    """Set rule and reason where ``broken`` holds and no earlier rule was broken."""
    hit = broken.fill_null(value=False) & pl.col(RULE).is_null()
    return work.with_columns(
        pl.when(hit).then(pl.lit(reason)).otherwise(pl.col(REASON)).alias(REASON),
        pl.when(hit).then(pl.lit(rule)).otherwise(pl.col(RULE)).alias(RULE),
    )
