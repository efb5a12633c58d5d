"""Longer bars out of stored ticks or shorter bars, agreed table to agreed table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final

import polars as pl

from quant.core.errors import CheckFailed, RuleMissing, UsageError
from quant.core.hashing import fingerprint
from quant.core.ids import Code, parse_code
from quant.core.market.sessions import Segment, calendar_of, product_of, trading_hours
from quant.native.bars import resample
from quant.warehouse.contracts.tables import INSTANT, contract
from quant.warehouse.lake import GOLDEN, VENDOR, Lake, TableRef

SOURCE: Final = "resampled"
"""The source of rows made here."""
SECONDS: Final[Mapping[str, int]] = {"bars_1m": 60, "bars_5m": 300, "bars_1h": 3600, "bars_1d": 0}
"""Tables that can be made, and how long their bars last; 0 = a session."""
_FINER: Final[Mapping[str, tuple[str, ...]]] = {
    "bars_1m": ("ticks",),
    "bars_5m": ("ticks", "bars_1m"),
    "bars_1h": ("ticks", "bars_1m", "bars_5m"),
    "bars_1d": ("ticks", "bars_1m", "bars_5m", "bars_1h"),
}


@dataclass(frozen=True, slots=True)
class ResampleReport:
    """What was made. ``outside`` are rows at times when nothing is traded: they are in no bar."""

    table: str
    made_from: str
    start: date
    end: date
    instruments: int
    rows: int
    bars: int
    outside: int
    changed: bool
    version: int


def resample_table(
    lake: Lake,
    source: str,
    target: str,
    start: date,
    end: date,
    recorded_at: datetime,
    *,
    empty: bool = False,
) -> ResampleReport:
    """Fill ``[start, end]`` of an agreed table of bars from a finer agreed table.

    Raises UsageError for tables that cannot be made of each other, CheckFailed ``resample.absent`` when the
    finer one holds no row of the interval and ``resample.filled`` when a vendor fills the target there,
    RuleMissing for instruments whose trading hours are not known.
    """
    check_pair(source, target)
    rows = lake.read(source, start=start, end=end)
    if not rows.height:
        raise CheckFailed(
            "resample.absent",
            f"{source} has no row from {start} to {end}",
            expected="rows to make bars of",
            found="none",
            hint=f"quant data sync {source} --start {start} --end {end}",
        )
    _refuse_filled(lake, target, start, end)
    bars, outside = _bars_of(
        rows, _codes(lake, rows), SECONDS[target], from_bars=source != "ticks", empty=empty
    )
    stored = _as_stored(target, bars, source, lake.content_hash(source), recorded_at)
    inside = stored.filter(pl.col("session").is_between(start, end))
    results = [
        lake.write_interval(ref, inside, start, end, note={"quant": "resample", "from": source})
        for ref in (TableRef(target, VENDOR, SOURCE), TableRef(target, GOLDEN))
    ]
    return ResampleReport(
        table=target,
        made_from=source,
        start=start,
        end=end,
        instruments=rows["instrument_id"].n_unique(),
        rows=rows.height,
        bars=inside.height,
        outside=outside,
        changed=any(result.changed for result in results),
        version=results[-1].version,
    )


def check_pair(source: str, target: str) -> None:
    """Raises UsageError ``resample.tables`` for tables that cannot be made of each other."""
    if source not in _FINER.get(target, ()):
        raise UsageError(
            "resample.tables",
            f"{target} cannot be made of {source}",
            expected="; ".join(f"{name} of {' or '.join(finer)}" for name, finer in _FINER.items()),
            found=f"{target} of {source}",
        )


def _refuse_filled(lake: Lake, target: str, start: date, end: date) -> None:
    """Bars of a vendor are never overwritten by bars of our own."""
    there = lake.read(target, start=start, end=end, columns=["source"])["source"].unique().to_list()
    others = sorted(name for name in there if name != SOURCE)
    if others:
        raise CheckFailed(
            "resample.filled",
            f"{target} is filled by {', '.join(others)} from {start} to {end}",
            expected=f"an interval of {target} without rows of a vendor",
            found=", ".join(others),
            hint=f"compare them instead: quant data diff {others[0]} {SOURCE}, or choose another interval",
        )


def _codes(lake: Lake, rows: pl.DataFrame) -> dict[int, Code]:
    master = lake.read("instruments", columns=["instrument_id", "code"])
    named = dict(zip(master["instrument_id"].to_list(), master["code"].to_list(), strict=True))
    found = {}
    for instrument in rows["instrument_id"].unique().sort().to_list():
        if instrument not in named:
            raise CheckFailed(
                "resample.code",
                f"instrument {instrument} has bars but no code",
                hint="quant data sync instruments",
            )
        found[int(instrument)] = parse_code(named[instrument])
    return found


def _bars_of(
    rows: pl.DataFrame, codes: Mapping[int, Code], length_s: int, *, from_bars: bool, empty: bool
) -> tuple[pl.DataFrame, int]:
    """Bars of all instruments, those of one product and its hours together; how many rows lie outside."""
    order = ["instrument_id", "ts", *(["seq"] if "seq" in rows.columns else [])]
    parts, outside = [], 0
    for hours, members in _by_hours(rows, codes):
        mine = rows.filter(pl.col("instrument_id").is_in(members)).sort(order)
        made = resample(mine, hours, length_s, from_bars=from_bars, empty=empty)
        parts.append(made.bars)
        outside += len(made.outside)
    return pl.concat(parts).sort("instrument_id", "ts"), outside


def _by_hours(
    rows: pl.DataFrame, codes: Mapping[int, Code]
) -> Iterator[tuple[tuple[Segment, ...], list[int]]]:
    groups: dict[tuple[str, str], list[int]] = {}
    for instrument, code in codes.items():
        groups.setdefault((code.mic, product_of(code)), []).append(instrument)
    for members in groups.values():
        code = codes[members[0]]
        days = rows.filter(pl.col("instrument_id").is_in(members))["session"].unique().sort().to_list()
        dates = calendar_of(code)
        closed = [day for day in days if not dates.is_session(day)]
        if closed:
            raise RuleMissing(
                "calendar.closed", f"{closed[0]} is not a session of {code.mic}", found=str(closed[0])
            )
        yield trading_hours(code, days), members


def _as_stored(
    target: str, bars: pl.DataFrame, source: str, content: str, recorded_at: datetime
) -> pl.DataFrame:
    """Rows with the contract's columns; the payload names what they were made of.

    Raises CheckFailed ``resample.range`` for numbers that the table cannot hold.
    """
    table = contract(target)
    priced = bars.filter(pl.col("close").is_not_null()) if target == "bars_1d" else bars
    rows = priced.with_columns(
        pl.col("ts").alias("known_at"),
        pl.lit(recorded_at).cast(INSTANT).alias("recorded_at"),
        pl.lit(SOURCE).alias("source"),
        pl.lit(fingerprint({"made_from": source, "content": content})).alias("payload"),
    )
    missing = {name: dtype for name, dtype in table.schema.items() if name not in rows.columns}
    rows = rows.with_columns(pl.lit(None, dtype).alias(name) for name, dtype in missing.items())
    _refuse_parts(target, rows, table.schema)
    try:
        return rows.select(pl.col(name).cast(dtype) for name, dtype in table.schema.items())
    except pl.exceptions.PolarsError as error:
        raise CheckFailed(
            "resample.range",
            f"{target} cannot hold these bars",
            expected=", ".join(
                f"{n} {t}" for n, t in table.schema.items() if n in ("volume", "amount", "close")
            ),
            found=str(error).splitlines()[0],
        ) from error


def _refuse_parts(target: str, rows: pl.DataFrame, schema: Mapping[str, pl.DataType]) -> None:
    """Raises CheckFailed ``resample.range`` for a quantity that the table would cut to a whole number."""
    if not schema["volume"].is_integer():
        return
    broken = rows.filter(pl.col("volume") != pl.col("volume").floor())
    if broken.height:
        raise CheckFailed(
            "resample.range",
            f"{target} counts whole shares; {broken.height} of {rows.height} bars have parts of one",
            expected="whole quantities, as of stocks and futures",
            found=f"a volume of {broken['volume'][0]}",
            hint="make bars_1h instead, which keeps eight decimals",
        )
