"""The table of factors out of the golden bars and events, for workspaces that trust no vendor's factor."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Final

import polars as pl

from quant.core.errors import QuantError
from quant.core.hashing import fingerprint
from quant.core.market.calendar import calendar
from quant.core.market.instrument import Board
from quant.core.market.rules import rulebook
from quant.core.money import CENT
from quant.warehouse.adjust.factors import factors_from_events
from quant.warehouse.contracts.tables import contract
from quant.warehouse.lake import Lake
from quant.warehouse.normalize.instants import session_instants

SOURCE: Final = "events"
"""What stands as the source of factors that were computed."""
INPUTS: Final = ("bars_1d", "corporate_actions", "instruments")


def derived_stamp(lake: Lake) -> str:
    """Changes when what the factors are computed from says something else."""
    return fingerprint({name: lake.content_hash(name) for name in INPUTS if lake.exists(name)})


def derived_factors(
    lake: Lake, start: date, end: date, recorded_at: datetime, *, mic: str = "XSHG"
) -> pl.DataFrame:
    """Rows of ``adjustment_factors`` from ``start`` to ``end``, computed from the golden bars and events of
    the whole history before ``end``; known on the morning of their session, as the reference price is.

    ``inferred`` is set from the first inferred event of an instrument on.
    """
    columns = ["instrument_id", "session", "close", "volume", "suspended"]
    bars = lake.read("bars_1d", end=end, columns=columns)
    events = lake.read("corporate_actions", end=end)
    made = factors_from_events(bars, events, ticks=_ticks(lake, end)).rows
    inside = made.filter(pl.col("session").is_between(start, end))
    days = inside["session"].unique().sort().to_list()
    instants = session_instants(calendar(mic), days).select("session", pl.col("preopen").alias("known_at"))
    target = contract("adjustment_factors")
    return (
        inside.join(instants, on="session", how="left")
        .with_columns(
            pl.lit(recorded_at).alias("recorded_at"),
            pl.lit(SOURCE).alias("source"),
            pl.lit(derived_stamp(lake)).alias("payload"),
        )
        .select(pl.col(name).cast(dtype) for name, dtype in target.schema.items())
    )


def _ticks(lake: Lake, on: date) -> dict[int, Decimal]:
    """The tick of instruments whose prices have another one than a cent."""
    found: dict[int, Decimal] = {}
    for instrument, board in lake.read("instruments", columns=["instrument_id", "board"]).iter_rows():
        try:
            tick = rulebook().tick(Board[board], on)
        except (QuantError, KeyError):
            continue
        if tick != CENT:
            found[instrument] = tick
    return found
