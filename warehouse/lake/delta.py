"""The few Delta operations the lake is made of. Delta commits are atomic: a killed write leaves no trace but
files that ``gc`` removes.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any, Final

import polars as pl
from deltalake import CommitProperties, DeltaTable, WriterProperties, write_deltalake
from deltalake.exceptions import CommitFailedError, TableNotFoundError

from quant.core.errors import TransientError, UsageError
from quant.warehouse.contracts.tables import TableContract

YEAR: Final = "year"
ATTEMPTS: Final = 5
_WRITER: Final = WriterProperties(compression="ZSTD", compression_level=3)
_KEEP_HISTORY: Final = {
    # Pinned versions must stay readable: the log is never cut; gc alone decides what goes.
    "delta.enableExpiredLogCleanup": "false",
    "delta.logRetentionDuration": "interval 36500 days",
    "delta.deletedFileRetentionDuration": "interval 36500 days",
}


def open_table(path: Path, version: int | None = None) -> DeltaTable | None:
    """The table at a version (None = latest), or None where there is no table. Raises UsageError."""
    if not (path / "_delta_log").is_dir():
        return None
    try:
        return DeltaTable(str(path), version=version)
    except TableNotFoundError:
        return None
    except Exception as error:
        if version is None:
            raise
        latest = DeltaTable(str(path)).version()
        raise UsageError(
            "table.version",
            f"{path.name} has no version {version}",
            expected=f"0 to {latest}",
            found=str(version),
        ) from error


def create_table(path: Path, table: TableContract) -> DeltaTable:
    """An empty table with the contract's schema, unless it exists."""
    empty = pl.DataFrame(schema=stored_schema(table))
    DeltaTable.create(
        str(path),
        schema=_arrow(empty).schema,
        mode="ignore",
        name=table.name,
        configuration=_KEEP_HISTORY,
        partition_by=[YEAR] if table.partitioned else None,
    )
    return DeltaTable(str(path))


def arrow_schema(table: TableContract) -> Any:
    """The Arrow schema of a contract, without the partition column."""
    return _arrow(pl.DataFrame(schema=table.schema)).schema


def stored_schema(table: TableContract) -> dict[str, pl.DataType]:
    """The contract's columns, and the partition column where the table has one."""
    return {**table.schema, **({YEAR: pl.Int32()} if table.partitioned else {})}


def with_year(table: TableContract, rows: pl.DataFrame) -> pl.DataFrame:
    """Rows as stored: sorted by instrument and time, with their partition column."""
    ordered = rows.select(table.names).sort(table.key)
    if table.partitioned:
        assert table.time is not None
        return ordered.with_columns(pl.col(table.time).dt.year().cast(pl.Int32).alias(YEAR))
    return ordered


def append(path: Path, rows: pl.DataFrame, note: dict[str, str]) -> None:
    _retried(
        lambda: write_deltalake(
            str(path),
            _arrow(rows),
            mode="append",
            schema_mode="merge",  # a table written by an earlier contract gets the new columns
            writer_properties=_WRITER,
            commit_properties=CommitProperties(custom_metadata=note),
        )
    )


def overwrite(path: Path, rows: pl.DataFrame, predicate: str | None, note: dict[str, str]) -> None:
    """Replace the rows that match ``predicate`` (None = all) in one commit."""
    _retried(
        lambda: write_deltalake(
            str(path),
            _arrow(rows),
            mode="overwrite",
            schema_mode="merge",
            predicate=predicate,
            writer_properties=_WRITER,
            commit_properties=CommitProperties(custom_metadata=note),
        )
    )


def delete(path: Path, predicate: str, note: dict[str, str]) -> None:
    _retried(
        lambda: DeltaTable(str(path)).delete(
            predicate, commit_properties=CommitProperties(custom_metadata=note)
        )
    )


def _arrow(rows: pl.DataFrame) -> Any:
    return rows.to_arrow(compat_level=pl.CompatLevel.oldest())


def _retried(commit: Any) -> None:
    """Commit, again after a conflict with a writer outside this program. Raises TransientError."""
    for attempt in range(ATTEMPTS):
        try:
            commit()
            return
        except CommitFailedError as error:
            if attempt + 1 == ATTEMPTS:
                raise TransientError(
                    "lake.conflict",
                    "another program keeps changing this table",
                    found=str(error).splitlines()[0],
                ) from error
            time.sleep(0.05 * 2**attempt)


def files(path: Path, table: DeltaTable, years: Sequence[int] | None = None) -> dict[str, list[str]]:
    """Data files below ``path`` by partition value (``""`` for a table without partitions)."""
    actions = pl.DataFrame(table.get_add_actions(flatten=True))
    column = f"partition.{YEAR}"
    found: dict[str, list[str]] = {}
    partitions = (
        actions[column].cast(pl.String).to_list() if column in actions.columns else [""] * len(actions)
    )
    for name, partition in zip(actions["path"].to_list(), partitions, strict=True):
        if years is None or partition == "" or int(partition) in years:
            found.setdefault(partition, []).append(str(path / name))
    return {partition: sorted(names) for partition, names in sorted(found.items())}


def count(table: DeltaTable) -> int:
    """Rows of a table, from its log alone."""
    actions = pl.DataFrame(table.get_add_actions(flatten=True))
    return int(actions["num_records"].sum()) if actions.height else 0


def scan(paths: Sequence[str], table: TableContract) -> pl.LazyFrame:
    """A lazy frame over data files; columns that older files lack are null."""
    if not paths:
        return pl.DataFrame(schema=table.schema).lazy()
    return pl.scan_parquet(
        list(paths),
        schema=pl.Schema(table.schema),
        missing_columns="insert",
        extra_columns="ignore",
        hive_partitioning=False,
        glob=False,
    )


def between(column: str, start: date | None, end: date | None) -> pl.Expr | None:
    """``start <= column <= end`` with open ends, or None."""
    parts = [pl.col(column) >= start] if start else []
    parts += [pl.col(column) <= end] if end else []
    return pl.all_horizontal(parts) if parts else None
