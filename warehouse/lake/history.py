"""What tables said before, and reading as of an instant.

Reading as of T, for each key: among the versions of its row that were known at T (``known_at <= T``; unknown
= always) the newest one that was recorded by T, else the earliest recorded. A row that was removed by T is
not there. An end of a spell after T (``to_session``, ``delist_date``) was not known: it reads as null.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

import polars as pl

from quant.core.errors import UsageError
from quant.warehouse.contracts.columns import INSTANT
from quant.warehouse.contracts.tables import TableContract
from quant.warehouse.lake import delta, superseded
from quant.warehouse.lake.content import partition_hash, table_hash
from quant.warehouse.lake.layout import TableRef, history_ref

if TYPE_CHECKING:
    from quant.warehouse.lake.lake import Lake

_NOW: Final = 2**62
_ENDS: Final = {
    "instruments": "delist_date",
    "instrument_attributes": "to_session",
    "index_members": "to_session",
}
_ZONE: Final = "Asia/Shanghai"


# -- reading


def read_as_of(
    lake: Lake,
    ref: TableRef,
    version: int | None,
    start: date | None,
    end: date | None,
    moment: datetime,
    columns: Sequence[str] | None = None,
) -> pl.DataFrame:
    """Rows of a table as they were known at ``moment``, of the given version and what came before it; of
    ``columns`` and those that tell the versions of a row.

    Later restatements do not change the answer for a version. Raises UsageError for an instant without zone.
    """
    _refuse_naive(moment)
    table = ref.contract
    if version is None:  # fixed first: a restatement meanwhile must not be seen in the history alone
        version = lake.version(ref.table, layer=ref.layer, source=ref.source)
    wanted = {*(columns or table.names), *table.key, "known_at", "recorded_at"}
    names = [name for name in table.names if name in wanted]
    current = lake.scan(ref, version, start, end).select(names).collect()
    if table.system:
        return current.filter(pl.col("recorded_at") <= moment) if "recorded_at" in names else current
    past = lake.scan(history_ref(ref), None, start, end).filter(pl.col("last_version") < (version or 0))
    gone = past.select(*names, "superseded_at", "last_version", "removed").collect()
    rows = _versions_known(table, current, gone, moment) if gone.height else _known(current, moment)
    return _open_ends(table, rows, moment)


def _known(rows: pl.DataFrame, moment: datetime) -> pl.DataFrame:
    if "known_at" not in rows.columns:
        return rows
    return rows.filter(pl.col("known_at").is_null() | (pl.col("known_at") <= moment))


def _versions_known(
    table: TableContract, current: pl.DataFrame, past: pl.DataFrame, moment: datetime
) -> pl.DataFrame:
    key = list(table.key)
    touched = past.select(key).unique()
    plain = current.join(touched, on=key, how="anti", nulls_equal=True)
    living = current.join(touched, on=key, how="semi", nulls_equal=True).with_columns(
        pl.lit(None, INSTANT).alias("superseded_at"),
        pl.lit(_NOW, pl.Int64).alias("last_version"),
        pl.lit(value=False).alias("removed"),
    )
    chain = pl.concat([past, living.select(past.columns)]).sort(*key, "last_version", nulls_last=True)
    since = pl.max_horizontal("recorded_at", pl.col("superseded_at").shift(1).over(key))
    chain = _known(chain.with_columns(_recorded=since <= moment), moment)
    recorded, first = chain.filter("_recorded"), chain.filter(~pl.col("_recorded"))
    newest = recorded.unique(key, keep="last", maintain_order=True)
    earliest = first.unique(key, keep="first", maintain_order=True)
    earliest = earliest.join(newest.select(key), on=key, how="anti", nulls_equal=True)
    chosen = pl.concat([newest, earliest])
    alive = ~(pl.col("removed") & (pl.col("superseded_at") <= moment))
    return pl.concat([_known(plain, moment), chosen.filter(alive).select(plain.columns)])


def _open_ends(table: TableContract, rows: pl.DataFrame, moment: datetime) -> pl.DataFrame:
    name = _ENDS.get(table.name)
    if name is None or name not in rows.columns:
        return rows
    today = moment.astimezone(ZoneInfo(_ZONE)).date()
    return rows.with_columns(pl.when(pl.col(name) <= today).then(pl.col(name)).alias(name))


def _refuse_naive(moment: datetime) -> None:
    if moment.tzinfo is None:
        raise UsageError(
            "time.naive",
            f"{moment.isoformat()} has no time zone",
            expected="an instant as 2026-01-05T00:00+08:00",
            found=moment.isoformat(),
        )


def hash_as_of(lake: Lake, ref: TableRef, version: int, moment: datetime) -> str:
    """The content hash of the rows of a version as of ``moment``, a year at a time."""
    table = ref.contract
    if table.time is None or not table.partitioned:
        rows = read_as_of(lake, ref, version, None, None, moment)
        return table_hash(table, {"": partition_hash(table, rows)} if rows.height else {})
    parts = {}
    for year in years_of(lake, ref, version):
        rows = read_as_of(lake, ref, version, date(year, 1, 1), date(year, 12, 31), moment)
        if rows.height:
            parts[str(year)] = partition_hash(table, rows)
    return table_hash(table, parts)


def years_of(lake: Lake, ref: TableRef, version: int) -> list[int]:
    """The years of which a table holds rows at a version, or held some before."""
    found = {int(partition[:4]) for partition in superseded.partitions(lake, ref) if partition}
    for each, at in ((ref, version), (history_ref(ref), None)):
        opened = delta.open_table(lake.path(each), at)
        if opened is not None:
            found |= {int(partition[:4]) for partition in opened.partitions() if partition}
    return sorted(found)
