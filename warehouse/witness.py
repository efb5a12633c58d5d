"""What a source's own bars say of its distributions: a reference price other than the close before it is one.

Of a code without distributions a vendor truly has nothing to say, so an empty answer is no doubt in itself.
It is one where the same vendor's bars show a distribution in the same dates.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

import polars as pl

from quant.core.errors import CheckFailed
from quant.warehouse.lake import VENDOR, Lake

TABLES: Final = ("corporate_actions", "adjustment_factors")
"""Tables that may be silent about an instrument, and that bars bear witness against."""
MOST: Final = 0.02
"""Share of the instruments with a distribution about which a source may be silent: vendors keep few rights
issues, and references are set for other reasons too.
"""
_BEFORE: Final = timedelta(days=60)
_FACT: Final = "untold_distributions"
_SHOWN: Final = 3


@dataclass(frozen=True, slots=True)
class Silence:
    """``silent`` instruments (instrument_id, session of the first step) have no row though their bars show a
    distribution; ``stepping`` instruments do show one.
    """

    table: str
    source: str
    silent: pl.DataFrame
    stepping: int

    @property
    def facts(self) -> dict[str, str]:
        if not self.silent.height:
            return {}
        return {_FACT: f"{self.silent.height} of {self.stepping} instruments"}

    def refuse(self, codes: pl.Series) -> None:
        """Raises CheckFailed ``vendor.silent`` past what vendors usually lack; ``codes`` are the silent."""
        if self.silent.height <= MOST * self.stepping:
            return
        days = self.silent["session"].to_list()
        shown = ", ".join(f"{code} {day}" for code, day in zip(codes.head(_SHOWN), days, strict=False))
        count = f"{self.silent.height} of {self.stepping} instruments"
        raise CheckFailed(
            "vendor.silent",
            f"{self.source} has no rows of {self.table} for {count} "
            f"whose reference prices show a distribution ({shown}); the table is unchanged there",
            expected=f"rows for all but {MOST:.0%} of them",
            found=f"none for {self.silent.height}",
            hint="sync again; where the vendor truly keeps none, declare empty: allow for the dataset",
        )


def silence(lake: Lake, table: str, source: str, rows: pl.DataFrame, start: date, end: date) -> Silence:
    """The instruments about which ``rows`` of the table, from ``start`` to ``end``, are silent though the
    bars that the source has stored of these dates show a distribution.
    """
    key = ["instrument_id", "session"]
    bars = lake.read(
        "bars_1d", layer=VENDOR, source=source, start=start - _BEFORE, end=end,
        columns=[*key, "close", "pre_close"],
    )  # fmt: skip
    before = pl.col("close").shift(1).over("instrument_id")
    steps = (
        bars.sort(key)
        .filter((pl.col("pre_close") != before) & (pl.col("session") >= start))
        .group_by("instrument_id")
        .agg(pl.col("session").min())
        .sort(key)
    )
    silent = steps.join(rows.select("instrument_id").unique(), on="instrument_id", how="anti")
    return Silence(table, source, silent.sort(key), steps.height)
