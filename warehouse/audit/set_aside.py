"""Rows that a source delivered and a contract set aside: an audit compares them like any other.

A volume in lots breaks the contract before it is stored; without these rows it would only be missing.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import date

import polars as pl

from quant.warehouse.audit.vendor_files import typed
from quant.warehouse.contracts.tables import TableContract
from quant.warehouse.lake import Lake
from quant.warehouse.sources.settings import FieldSettings, SourceSettings

RULE = "rule"


def set_aside(
    lake: Lake,
    table: TableContract,
    source: str,
    columns: Sequence[str],
    settings: SourceSettings | None,
    ids: Mapping[str, int],
    start: date | None = None,
    end: date | None = None,
) -> pl.DataFrame:
    """The quarantined rows of a source in the columns of its table, with the ``rule`` that each broke.

    Without the source's settings only rows in our own column names can be read; others are left out.
    """
    kept = lake.read("quarantine")
    kept = kept.filter((pl.col("table") == table.name) & (pl.col("source") == source))
    if start is not None:
        kept = kept.filter(pl.col("session") >= start)
    if end is not None:
        kept = kept.filter(pl.col("session") <= end)
    schema = {name: table.schema[name] for name in columns}
    none = pl.DataFrame(schema={**schema, RULE: pl.String})
    if not kept.height:
        return none
    given = pl.DataFrame(
        [_text(json.loads(row)) for row in kept["row_json"].to_list()], infer_schema_length=None
    )
    fields = settings.datasets[table.name].fields if settings and table.name in settings.datasets else ()
    own = tuple(FieldSettings(name, name) for name in given.columns if name in (*table.names, "code"))
    frame = given.with_columns(kept["code"].alias("code_"), kept["session"].alias("session_"), kept[RULE])
    readable = fields or own
    read, _ = typed(frame, [f for f in readable if f.name not in ("code", "session")], table.name, source)
    if read.height != frame.height:
        return none
    read = read.with_columns(frame["session_"].alias("session"), frame[RULE])
    numbers = frame["code_"].replace_strict(dict(ids), default=None, return_dtype=pl.Int64)
    read = read.with_columns(numbers.alias("instrument_id")).drop_nulls(["instrument_id", "session"])
    return read.select(
        *(
            pl.col(name).cast(dtype, strict=False)
            if name in read.columns
            else pl.lit(None, dtype).alias(name)
            for name, dtype in schema.items()
        ),
        RULE,
    ).unique(["instrument_id", "session"], keep="first", maintain_order=True)


def _text(row: Mapping[str, object]) -> dict[str, str | None]:
    return {name: None if value is None else str(value) for name, value in row.items()}
