"""What two versions of a golden table say differently, cell by cell."""

from __future__ import annotations

from datetime import date, datetime
from typing import Final

import polars as pl

from quant.warehouse.contracts.tables import TableContract, contract
from quant.warehouse.lake import Lake, delta, table_ref

ROW: Final = "row"
"""The field of a row that one of the versions does not have."""
CHANGES: Final = pl.Schema({
    "table": pl.String(), "instrument_id": pl.Int64(), "day": pl.Date(), "key": pl.String(),
    "field": pl.String(), "before": pl.String(), "after": pl.String(),
})  # fmt: skip


def changed_cells(
    lake: Lake,
    table: str,
    before: int,
    after: int,
    *,
    start: date | None = None,
    end: date | None = None,
    as_of: datetime | None = None,
) -> pl.DataFrame:
    """One row per cell that versions ``before`` and ``after`` say differently, sorted by key and field.

    Provenance does not count. A row that only one of them has is one change of the field ``row``. ``day`` is
    the table's date, else the first date of its key. Only files that differ are read, unless ``as_of`` asks
    what was known at an instant.
    """
    target = contract(table)
    if before == after:
        return CHANGES.to_frame()
    old, new = (_rows(lake, target, one, other, start, end, as_of) for one, other in
                ((before, after), (after, before)))  # fmt: skip
    return _compare(target, old, new)


def _rows(
    lake: Lake,
    table: TableContract,
    version: int,
    other: int,
    start: date | None,
    end: date | None,
    as_of: datetime | None,
) -> pl.DataFrame:
    """Rows of a version that may differ from another one's."""
    if as_of is not None:
        return lake.read(
            table.name, version=version, start=start, end=end, columns=table.content, as_of=as_of
        )
    ref = table_ref(table.name)
    folder = lake.path(ref)
    base, against = delta.open_table(folder, version), delta.open_table(folder, other)
    known = {file.path for file in against.files.values()} if against is not None else set()
    found = delta.within(base, table, start, end) if base is not None else []
    rows = delta.scan(folder, [file for file in found if file.path not in known], table)
    inside = delta.between(table.time, start, end) if table.time else None
    chosen: pl.DataFrame = (rows if inside is None else rows.filter(inside)).select(table.content).collect()
    return chosen


def _compare(table: TableContract, old: pl.DataFrame, new: pl.DataFrame) -> pl.DataFrame:
    key = list(table.key)
    fields = [name for name in table.content if name not in key]
    pairs = old.with_columns(_old=pl.lit(1)).join(
        new.with_columns(_new=pl.lit(1)), on=key, how="full", nulls_equal=True, suffix="__new", coalesce=True
    )
    there = pl.col("_old").is_not_null() & pl.col("_new").is_not_null()
    parts = [
        _changes(table, pairs.filter(~there), ROW, _present("_old"), _present("_new")),
        *(
            _changes(table, pairs.filter(there & pl.col(f).ne_missing(pl.col(f"{f}__new"))), f,
                     pl.col(f).cast(pl.String), pl.col(f"{f}__new").cast(pl.String))
            for f in fields
        ),
    ]  # fmt: skip
    return pl.concat(parts).sort("instrument_id", "day", "key", "field", nulls_last=True)


def _present(side: str) -> pl.Expr:
    return pl.when(pl.col(side).is_not_null()).then(pl.lit("there"))


def _changes(
    table: TableContract, pairs: pl.DataFrame, field: str, before: pl.Expr, after: pl.Expr
) -> pl.DataFrame:
    instrument = pl.col("instrument_id") if "instrument_id" in table.key else pl.lit(None, pl.Int64)
    dates = [name for name in table.key if table.schema[name] == pl.Date]
    day = pl.col(table.time or dates[0]) if table.time or dates else pl.lit(None, pl.Date)
    key = pl.concat_str([pl.col(name).cast(pl.String).fill_null("") for name in table.key], separator="/")
    return pairs.select(
        pl.lit(table.name).alias("table"),
        instrument.cast(pl.Int64).alias("instrument_id"),
        day.cast(pl.Date).alias("day"),
        key.alias("key"),
        pl.lit(field).alias("field"),
        before.cast(pl.String).alias("before"),
        after.cast(pl.String).alias("after"),
    )
