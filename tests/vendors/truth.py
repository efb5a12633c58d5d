"""The simulated market that all stand-ins serve, as it truly is: what every vendor must agree with."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from functools import lru_cache

import polars as pl

from quant.warehouse.sources.simulated import SimulatedParams, SimulatedSource

START, END = date(2021, 1, 4), date(2022, 6, 30)
PARAMS = SimulatedParams(
    seed=1, instruments=18, start=START, listings=2.0, delistings=8.0, suspensions=6.0, dividends=2.0, st=4.0
)


@dataclass(frozen=True)
class Truth:
    """Canonical columns and units, with ``code``; factors have a row each session."""

    instruments: pl.DataFrame
    bars: pl.DataFrame
    factors: pl.DataFrame
    actions: pl.DataFrame

    def codes(self, *markets: str) -> list[str]:
        """Codes of the exchanges with these suffixes, all of them by default."""
        found = self.instruments["code"].to_list()
        return sorted(code for code in found if not markets or code.rpartition(".")[2] in markets)


@lru_cache(maxsize=1)
def truth() -> Truth:
    source = SimulatedSource(PARAMS)

    def all_of(dataset: str) -> pl.DataFrame:
        return pl.concat([source.parse(p) for p in source.fetch(dataset, START, END)])

    return Truth(
        all_of("instruments"), all_of("bars_1d"), all_of("adjustment_factors"), all_of("corporate_actions")
    )


def factor_events(table: pl.DataFrame) -> pl.DataFrame:
    """Of daily factors the rows on which one changed: how vendors of events see them."""
    before = pl.col("factor").shift(1).over("code", order_by="session")
    return table.sort("code", "session").filter(pl.col("factor") != before)
