"""Vendor rows to canonical rows, by tables of settings: one path for every source."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final
from zoneinfo import ZoneInfo

import polars as pl

from quant.core.errors import CheckFailed
from quant.core.market.rules import rulebook
from quant.core.time import EXCHANGE_ZONES
from quant.warehouse.contracts.tables import INSTANT, RATIO, TableContract, contract
from quant.warehouse.normalize.complete import COMPLETE, Completion
from quant.warehouse.normalize.context import REASON, ROW, RULE, Context, mark
from quant.warehouse.normalize.fields import Reading, convert
from quant.warehouse.normalize.fundamentals import (
    WIDE_TYPES,
    complete_daily_basics,
    complete_fundamentals,
    refuse_unknown_items,
)
from quant.warehouse.normalize.indices import complete_index_members, complete_index_weights
from quant.warehouse.normalize.intraday import COMPLETE as INTRADAY
from quant.warehouse.normalize.intraday import with_types
from quant.warehouse.normalize.texts import plain_headers
from quant.warehouse.sources.settings import DatasetSettings, FieldSettings, SourceSettings

REJECTED: Final = pl.Schema({
    "session": pl.Date(), "code": pl.String(), "rule": pl.String(), "reason": pl.String(),
    "payload": pl.String(), "row_json": pl.String(),
})  # fmt: skip
"""Columns of rows that were set aside, before they are given their table, source and interval."""

_EXTRA = {
    "code": pl.String(),
    "factor": pl.Float64(),
    "announced": pl.Date(),
    "bonus_only_ratio": RATIO,
}
"""What vendors give that is not stored, but that what is stored is made of."""
_COMPLETE: Final[dict[str, Completion]] = {
    **COMPLETE,
    "daily_basics": complete_daily_basics,
    "fundamentals": complete_fundamentals,
    "index_members": complete_index_members,
    "index_weights": complete_index_weights,
    **INTRADAY,
}
_ANY_DAY: Final = ("calendar", "fundamentals")
"""Tables whose dates need not be sessions: companies announce on Saturdays too."""


@dataclass(frozen=True, slots=True)
class Normalized:
    """``rows`` have the contract's columns; ``rejected`` have session, code, rule, reason, row_json and
    payload; ``facts`` are what the data turned out not to say.
    """

    rows: pl.DataFrame
    rejected: pl.DataFrame
    facts: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class VendorRows:
    """Rows in vendor columns with ``payload`` and a row number, and their settings."""

    dataset: DatasetSettings
    frame: pl.DataFrame


def stack(frames: Iterable[tuple[str, pl.DataFrame]], dataset: DatasetSettings) -> VendorRows:
    """One frame of many payloads, given as (digest, frame)."""
    parts = [plain_headers(frame).with_columns(pl.lit(digest).alias("payload")) for digest, frame in frames]
    whole = pl.concat(parts, how="diagonal_relaxed") if parts else pl.DataFrame(schema={"payload": pl.String})
    return VendorRows(dataset, whole.with_row_index(ROW))


def normalize(table: str, vendor: VendorRows, context: Context) -> Normalized:
    """Canonical rows of a dataset. Raises CheckFailed when a declared column is missing."""
    target = contract(table)
    work, left_out = chosen(converted(target, vendor, reading_of(context.source)), vendor.dataset)
    work, facts = _COMPLETE[table](work, vendor.dataset, context)
    if target.time is not None and table not in _ANY_DAY:
        work = _future(_closed(work, target.time, context), target.time, context)
    rejected = work.filter(pl.col(RULE).is_not_null())
    rows = work.filter(pl.col(RULE).is_null())
    rows = rows.with_columns(
        pl.lit(context.source.name).alias("source"),
        pl.lit(context.recorded_at).cast(INSTANT).alias("recorded_at"),
    )
    canonical = rows.select(
        *(
            pl.col(n).cast(t) if n in rows.columns else pl.lit(None, t).alias(n)
            for n, t in target.schema.items()
        ),
        ROW,
    )
    return Normalized(canonical, as_rejected(rejected, target, vendor), {**facts, **left_out})


def chosen(work: pl.DataFrame, dataset: DatasetSettings) -> tuple[pl.DataFrame, dict[str, str]]:
    """The rows that a dataset is to be read for, and how many others were left out, as a fact; a row whose
    code cannot be read stays, to be set aside.
    """
    if dataset.codes == "all" or "code" not in work.columns:
        return work, {}
    book = rulebook()
    codes = work["code"].unique().drop_nulls()
    others = [code for code in codes.to_list() if not book.is_stock(code)]
    if not others:
        return work, {}
    other = pl.col("code").is_in(others).fill_null(value=False)
    kept = work.filter(~other)
    count = work.height - kept.height
    return kept, {"left_out": f"{count} rows of {len(others)} codes that are no stocks"}


def as_rejected(broken: pl.DataFrame, target: TableContract, vendor: VendorRows) -> pl.DataFrame:
    """Rows that were set aside, shown as the vendor gave them."""
    time = pl.col(target.time) if target.time in broken.columns else pl.lit(None, pl.Date)
    code = pl.col("code") if "code" in broken.columns else pl.lit(None, pl.String)
    asked = broken.select(ROW, time.alias("session"), code.alias("code"), RULE, REASON, "payload")
    if not asked.height:  # an empty fetch has no vendor columns to show either
        return asked.with_columns(pl.lit(None, pl.String).alias("row_json")).select(REJECTED.names())
    given = vendor.frame.drop("payload").filter(pl.col(ROW).is_in(asked[ROW].implode()))
    shown = given.select(ROW, pl.struct(pl.exclude(ROW)).struct.json_encode().alias("row_json"))
    return (
        asked.join(shown, on=ROW, how="left", maintain_order="left")
        .drop(ROW)
        .with_columns(pl.col("row_json").fill_null("{}"))
        .select(REJECTED.names())
    )


def reading_of(source: SourceSettings) -> Reading:
    """How a source writes times and codes."""
    venue = source.options.get("exchange")
    zone = EXCHANGE_ZONES.get(source.calendar, source.timezone)
    return Reading(source.timezone, zone, str(venue) if venue else None)


def converted(target: TableContract, vendor: VendorRows, reading: Reading | None = None) -> pl.DataFrame:
    """Our columns as far as the vendor gives them, with rule and reason of rows that cannot be read."""
    types = {**target.schema, **_EXTRA}
    if target.name == "fundamentals":
        types |= WIDE_TYPES
        refuse_unknown_items(vendor.dataset, tuple(types))
    if target.name in INTRADAY:
        types = with_types(types)
    frame = vendor.frame
    columns: list[pl.Series] = []
    rule = pl.Series(RULE, [None] * frame.height, dtype=pl.String)
    for wanted in _fields(vendor, types):
        converted = convert(frame[wanted.column], wanted, types[wanted.name], reading or Reading())
        _add(columns, converted.values)
        if converted.unreadable.any():
            marked = converted.unreadable & rule.is_null()
            rule = rule.set(marked, f"{wanted.name}.unreadable")
    work = pl.DataFrame([frame[ROW], frame["payload"], *columns, rule])
    reason = pl.when(pl.col(RULE).is_not_null()).then(pl.lit("a value is given but cannot be read"))
    return work.with_columns(reason.cast(pl.String).alias(REASON))


def _add(columns: list[pl.Series], values: pl.Series) -> None:
    """Of two vendor columns that are one of ours the first that is given counts."""
    for place, known in enumerate(columns):
        if known.name == values.name:
            columns[place] = known.zip_with(known.is_not_null(), values)
            return
    columns.append(values)


def _fields(vendor: VendorRows, types: dict[str, pl.DataType]) -> list[FieldSettings]:
    frame, dataset = vendor.frame, vendor.dataset
    if not dataset.fields:
        own = set(types) - {"source", "payload", "recorded_at"}
        return [FieldSettings(name, name) for name in frame.columns if name in own]
    chosen = [wanted for wanted in dataset.fields if wanted.name in types]
    if dataset.code_from == "file_name" and all(wanted.name != "code" for wanted in chosen):
        chosen.append(FieldSettings("code", "code"))
    missing = [wanted.column for wanted in chosen if wanted.column not in frame.columns]
    if missing and frame.width > 2:
        raise CheckFailed(
            "source.column",
            f"{dataset.dataset}: the data have no column {', '.join(missing)}",
            expected=", ".join(missing),
            found=", ".join(c for c in frame.columns if c not in (ROW, "payload")),
            hint="the vendor has changed its columns, or the source spec names one that never was",
        )
    return [wanted for wanted in chosen if wanted.column in frame.columns]


def _closed(work: pl.DataFrame, time: str, context: Context) -> pl.DataFrame:
    """Mark rows on days that are no sessions of the exchange."""
    if time not in work.columns:
        return work
    days = [day for day in work[time].unique().to_list() if day is not None]
    days = [d for d in days if context.calendar.first <= d <= context.calendar.last]
    closed = [day for day in days if not context.calendar.is_session(day)]
    return (
        mark(work, pl.col(time).is_in(closed), "session.closed", "the exchange is closed on this date")
        if closed
        else work
    )


def _future(work: pl.DataFrame, time: str, context: Context) -> pl.DataFrame:
    """Mark rows of sessions after the day on which they were recorded; a simulated market may be ahead."""
    if time not in work.columns or time != "session" or context.source.provider == "simulated":
        return work
    zone = ZoneInfo(EXCHANGE_ZONES.get(context.source.calendar, context.source.timezone))
    today = context.recorded_at.astimezone(zone).date()
    return mark(
        work, pl.col(time) > today, "session.future", "the session was still to come when it was recorded"
    )
