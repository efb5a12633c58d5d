"""What sources disagree about, as rows of ``arbitrations``; also of tables that simply are one source's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Final

import polars as pl

from quant.warehouse.arbitrate import Agreed, ArbitrationSettings, Margin, arbitrate, voted_columns
from quant.warehouse.arbitrate.decisions import DECISIONS
from quant.warehouse.contracts.tables import INSTANT, TableContract, contract
from quant.warehouse.coverage import Interval
from quant.warehouse.lake import VENDOR, Lake, table_ref
from quant.warehouse.sources.settings import TableSettings

ROUNDING: Final[Mapping[str, Margin]] = {"volume": Margin(abs=Decimal(1)), "amount": Margin(abs=Decimal(6))}
"""Shares and yuan. A vendor that prints thousand yuan to two decimals is off by up to 5 yuan."""
RATIOS: Final = Margin(rel=Decimal("0.001"))
"""Floats are ratios and statements, which vendors compute and round for themselves."""
LEVELS: Final = ("adjustment_factors",)
"""Datasets of which only growth can be compared: the check factors_vs_events does."""


def record_dissent(
    lake: Lake, settings: TableSettings, start: date, end: date, stamp: datetime
) -> Agreed | None:
    """Record what the stored rows of a table's sources disagree about between two dates where no rule is
    declared, that is, where the preferred source is followed. None where fewer than two have rows.
    """
    if len(settings.sources) < 2 or settings.dataset in LEVELS:
        return None
    table, part = contract(settings.dataset), Interval(start, end)
    votes = votes_of(lake, table, part, settings.sources)
    votes = {name: rows for name, rows in votes.items() if rows.height}
    found = arbitrate(table.name, votes, _followed(table, settings)) if len(votes) > 1 else None
    rows = pl.DataFrame(schema=DECISIONS) if found is None else found.decisions
    if rows.height or lake.exists("arbitrations"):
        write_decisions(lake, table, part, rows, stamp)
    return found


def _followed(table: TableContract, settings: TableSettings) -> ArbitrationSettings:
    """The preferred source stands first; values agree within what the audit allows, else within rounding."""
    floats = [name for name in voted_columns(table) if table.column(name).dtype.is_float()]
    margins = {**dict.fromkeys(floats, RATIOS), **ROUNDING, **settings.audit.tolerance}
    return ArbitrationSettings("priority", prefer=(settings.prefer,), tolerance=margins)


def votes_of(
    lake: Lake, table: TableContract, part: Interval, sources: Sequence[str]
) -> dict[str, pl.DataFrame]:
    """The stored rows of each source in an interval."""
    timed = table.time is not None
    return {
        name: lake.read(
            table.name,
            layer=VENDOR,
            source=name,
            start=part.start if timed else None,
            end=part.end if timed else None,
        )
        for name in sources
    }


def write_decisions(
    lake: Lake, table: TableContract, part: Interval, decisions: pl.DataFrame, stamp: datetime
) -> None:
    """Make the decisions about an interval exactly these."""
    ref = table_ref("arbitrations")
    rows = decisions.with_columns(
        codes_of(lake, decisions.drop("code")).alias("code"),
        pl.lit(stamp).cast(INSTANT).alias("recorded_at"),
    ).select(ref.contract.names)
    between = ("session", part.start, part.end) if table.time is not None else None
    lake.replace_where(ref, rows, {"table": table.name}, between=between)


def codes_of(lake: Lake, rows: pl.DataFrame) -> pl.Series:
    """The code of each row's instrument, null where that is not known."""
    if "code" in rows.columns:
        return rows["code"]
    if "instrument_id" not in rows.columns or not rows.height:
        return pl.repeat(None, rows.height, dtype=pl.String, eager=True)
    named = lake.read("instruments", columns=["instrument_id", "code"])
    return rows.select("instrument_id").join(named, on="instrument_id", how="left", maintain_order="left")[
        "code"
    ]
