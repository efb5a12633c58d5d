"""What tables said before: superseded rows, and reading as of an instant.

A write that changes or removes rows appends the old ones to the table's history before it commits the new
ones. A kill between the two leaves rows in the history that are still current: their ``last_version`` is the
version that still holds, so no reader takes them, and the write that is run again does not add them twice.

Reading as of T, for each key: among the versions of its row that were known at T (``known_at <= T``; unknown
= always) the newest one that was recorded by T, else the earliest recorded. A row that was removed by T is
not there. An end of a spell after T (``to_session``, ``delist_date``) was not known: it reads as null.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from typing import TYPE_CHECKING, Any, Final
from zoneinfo import ZoneInfo

import polars as pl

from quant.core.errors import UsageError
from quant.core.time import to_datetime, utc_now
from quant.warehouse.contracts.columns import INSTANT, PROVENANCE
from quant.warehouse.contracts.tables import TableContract
from quant.warehouse.lake import delta, upkeep
from quant.warehouse.lake.content import partition_hash, table_hash
from quant.warehouse.lake.layout import TableRef, history_ref

if TYPE_CHECKING:
    from quant.warehouse.lake.lake import Lake

CROWD: Final = 32
"""Files in one partition of a history at which an append rewrites it."""
_NOW: Final = 2**62
_ENDS: Final = {
    "instruments": "delist_date",
    "instrument_attributes": "to_session",
    "index_members": "to_session",
}
_ZONE: Final = "Asia/Shanghai"


# -- writing


def supersede(lake: Lake, ref: TableRef, before: pl.DataFrame, rows: pl.DataFrame) -> pl.DataFrame:
    """Keep in the history what ``rows`` replace of ``before``; called under the lock, before the commit.

    Returns the rows to write: those that say the same as before keep their provenance, so ``recorded_at`` is
    when we first recorded what a row says.
    """
    table = ref.contract
    if table.system or not before.height:
        return rows
    said = [name for name in _said(table) if name not in table.key]
    key = list(table.key)
    kept = [name for name in PROVENANCE if name in table.names and name not in (*key, *said)]
    before, rows = before.sort(key), rows.sort(key)
    old = before.select(*key, *(pl.col(n).alias(f"{n}__old") for n in (*said, *kept)), pl.lit(1).alias("_"))
    aligned = before.height == rows.height and before.select(key).equals(rows.select(key))
    if aligned:  # a day that is written again: the same keys, nothing to look up
        pairs = rows.hstack(old.drop(key))
    else:
        pairs = rows.join(old, on=key, how="left", nulls_equal=True, maintain_order="left")
    same = pl.all_horizontal(
        pl.col("_").is_not_null(), *(pl.col(n).eq_missing(pl.col(f"{n}__old")) for n in said)
    )
    pairs = pairs.with_columns(same.alias("_"))
    written = pairs.with_columns(
        pl.when(pl.col("_")).then(pl.col(f"{n}__old")).otherwise(pl.col(n)).alias(n) for n in kept
    ).select(rows.columns)
    if aligned:
        gone = before.filter(~pairs["_"]).with_columns(removed=pl.lit(value=False))
    else:
        gone = before.join(pairs.filter("_").select(key), on=key, how="anti", nulls_equal=True)
        taken = rows.select(key).with_columns(removed=pl.lit(value=False))
        gone = gone.join(taken, on=key, how="left", nulls_equal=True)
    if gone.height:
        _append(lake, ref, gone.with_columns(pl.col("removed").fill_null(value=True)), rows)
    return written


def _said(table: TableContract) -> list[str]:
    return [*table.content, *(["source"] if "source" in table.names else [])]


def _append(lake: Lake, ref: TableRef, gone: pl.DataFrame, rows: pl.DataFrame) -> None:
    """Add rows that ceased to hold, ``removed`` where no row took their place."""
    table, target = ref.contract, history_ref(ref)
    opened = delta.open_table(lake.path(ref))
    assert opened is not None
    version = opened.version
    fresh = gone.with_columns(
        _superseded_at(rows).alias("superseded_at"), pl.lit(version, pl.Int64).alias("last_version")
    )
    fresh = fresh.select(target.contract.names)
    start, end = _bounds(table, gone)
    there = lake.scan(target, None, start, end).collect()
    left = _left_over(table, there, fresh, version)
    if left.height:
        kept = there.join(left, on=list(target.contract.names), how="anti", nulls_equal=True)
        _overwrite(lake, target, pl.concat([kept, fresh]), start, end)
        return
    again = there.filter(pl.col("last_version") == version).select(table.names)
    if again.height:
        fresh = fresh.join(again, on=list(table.names), how="anti", nulls_equal=True)
    if fresh.height:
        path = lake.path(target)
        delta.create_table(path, target.contract)
        made = delta.append(path, target.contract, fresh, {"quant": "supersede"})
        upkeep.join_small(lake, target, made, CROWD)


def _superseded_at(rows: pl.DataFrame) -> pl.Expr:
    """When the new rows were recorded; the wall clock where they are older than what they replace."""
    now = pl.lit(to_datetime(utc_now())).cast(INSTANT)
    newest = rows["recorded_at"].max() if rows.height else None
    if newest is None:
        return now
    stamp = pl.lit(newest).cast(INSTANT)
    return pl.when(stamp > pl.col("recorded_at")).then(stamp).otherwise(now)


def _left_over(table: TableContract, there: pl.DataFrame, fresh: pl.DataFrame, version: int) -> pl.DataFrame:
    """Entries that a killed write left of rows that lived on: the same row, and no other row in between."""
    narrow = [*table.key, *(name for name in ("recorded_at",) if name in table.names)]
    twins = there.filter(pl.col("last_version") < version)
    for on in (narrow, list(table.names)):  # few columns first: there are hardly ever any
        twins = twins.join(fresh.select(on), on=on, how="semi", nulls_equal=True)
        if not twins.height:
            return twins
    key = list(table.key)
    newest = there.group_by(key).agg(pl.col("last_version").max().alias("_newest"))
    marked = twins.join(newest, on=key, how="left", nulls_equal=True)
    return marked.filter(pl.col("last_version") == pl.col("_newest")).drop("_newest")


def _bounds(table: TableContract, rows: pl.DataFrame) -> tuple[Any, Any]:
    if table.time is None:
        return None, None
    return _day(rows[table.time].min()), _day(rows[table.time].max())


def _day(value: object) -> date | None:
    return value.date() if isinstance(value, datetime) else value if isinstance(value, date) else None


def _overwrite(
    lake: Lake, target: TableRef, rows: pl.DataFrame, start: date | None, end: date | None
) -> None:
    """Make the history of an interval exactly ``rows``."""
    folder, table = lake.path(target), target.contract
    base = delta.open_table(folder)
    assert base is not None
    files = delta.within(base, table, start, end)
    inside = delta.between(table.time, start, end) if table.time else None
    if inside is not None:
        others = delta.scan(folder, files, table).filter(~inside).collect()
        rows = pl.concat([others, rows.select(others.columns)])
    delta.overwrite(folder, base, table, rows, files, {"quant": "supersede"})


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
    found: set[int] = set()
    for each, at in ((ref, version), (history_ref(ref), None)):
        opened = delta.open_table(lake.path(each), at)
        if opened is not None:
            found |= {int(partition[:4]) for partition in opened.partitions() if partition}
    return sorted(found)
