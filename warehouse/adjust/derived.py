"""The table of factors out of the golden bars and events, for workspaces that trust no vendor's factor."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Final

import polars as pl

from quant.core.errors import CheckFailed, QuantError
from quant.core.hashing import canonical_json
from quant.core.market.calendar import calendar
from quant.core.market.instrument import Board
from quant.core.market.rules import rulebook
from quant.core.money import CENT
from quant.warehouse.adjust.factors import factors_from_events
from quant.warehouse.contracts.tables import contract
from quant.warehouse.coverage import Interval, hull, logged, missing
from quant.warehouse.lake import Lake, table_ref
from quant.warehouse.lake.hashes import partition_hashes
from quant.warehouse.normalize.instants import session_instants
from quant.warehouse.payloads import PayloadStore
from quant.warehouse.sources.port import Payload
from quant.warehouse.sources.settings import SourceSettings

SOURCE: Final = "events"
"""What stands as the source of factors that were computed."""
INPUTS: Final = ("bars_1d", "corporate_actions")


def derived_payload(lake: Lake, end: date | None = None) -> Payload:
    """What factors up to ``end`` are computed from, by content: it stands where a vendor's bytes would. Its
    digest changes when an input says something else in a year up to that of ``end``.
    """
    last = "" if end is None else f"{end.year:04d}"
    parts = {
        name: {y: h for y, h in partition_hashes(lake, table_ref(name)).items() if not last or y <= last}
        for name in INPUTS
    }
    ticks = {str(key): str(tick) for key, tick in sorted(_ticks(lake, end or date.max).items())}
    versions = {name: lake.version(name) for name in INPUTS}
    request = {"endpoint": SOURCE, "versions": versions, "to": last or None}
    return Payload(
        "adjustment_factors", canonical_json({**parts, "ticks": ticks}), "application/json", request
    )


def derived_stamp(lake: Lake, end: date | None = None) -> str:
    """Changes when what the factors up to ``end`` are computed from says something else."""
    return derived_payload(lake, end).digest


def computed_rows(
    source: SourceSettings, lake: Lake, start: date, end: date, recorded_at: datetime
) -> pl.DataFrame:
    """The rows of a source whose provider is ``events``. Raises CheckFailed ``derive.inputs``."""
    require_inputs(lake, start, end)
    payload = derived_payload(lake, end)
    PayloadStore(lake.store).put(source.name, payload)
    rows = derived_factors(lake, start, end, recorded_at, mic=source.calendar)
    return rows.with_columns(
        pl.lit(source.name).alias("source"), pl.lit(payload.digest).alias("payload")
    ).select(contract("adjustment_factors").names)


def require_inputs(lake: Lake, start: date, end: date) -> None:
    """Raises CheckFailed where bars of the interval, or events since the first bar, are not stored: factors
    without them would be wrong, not missing.
    """
    log = lake.read("sync_log").filter((pl.col("status") == "ok") & pl.col("golden"))
    held = {name: logged(log.filter(pl.col("table") == name)) for name in INPUTS}
    first = min(hull(held["bars_1d"]).start, start) if held["bars_1d"] else start
    for name, since in (("bars_1d", start), ("corporate_actions", first)):
        gaps = missing(Interval(since, end), held[name], calendar("XSHG"))
        if gaps:
            raise CheckFailed(
                "derive.inputs",
                f"factors up to {end} cannot be computed: {name} is not stored from {gaps[0].start} "
                f"to {gaps[0].end}",
                expected=f"{name} from {since} to {end}",
                found=f"{len(gaps)} gaps" if len(gaps) > 1 else "a gap",
                hint=f"quant data sync {name} --start {gaps[0].start} --end {gaps[-1].end}",
            )


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
            pl.lit(derived_stamp(lake, end)).alias("payload"),
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
