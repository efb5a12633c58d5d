"""Rows in and out of Delta tables. Commits are atomic: a killed write leaves no trace but files that ``gc``
removes.

Layout. A table with a time column is partitioned by year (ticks and minutes by month). Within a partition
every file holds whole dates, as many as fit ``SEGMENT_ROWS`` rows, sorted by the table's key. So a new day is
one new file, and replacing a day rewrites at most one segment, however long the history is.
"""

from __future__ import annotations

import contextlib
import io
import json
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import date
from typing import Any, Final

import polars as pl

from quant.core.errors import QuantError
from quant.core.time import utc_now
from quant.core.versions import TABLE_FORMAT
from quant.warehouse.contracts.tables import TableContract
from quant.warehouse.lake import log
from quant.warehouse.lake.log import CommitTaken, DataFile, Snapshot
from quant.warehouse.store import Storage

__all__ = ["CommitTaken", "DataFile", "Snapshot"]

YEAR: Final = "year"
MONTH: Final = "month"
SEGMENT_ROWS: Final = 16_384
CODEC: Final = "lz4"
PLAIN_ROWS: Final = 1_048_576
"""Rows of a file of a table without a time column."""
PART_CELLS: Final = 1_048_576
"""Rows times columns that are decoded at once where a table is read in parts: few enough to stay near the
processor, enough that planning the reading does not count."""
_MONTHLY: Final = frozenset({"ticks", "bars_1m", "bars_5m"})
_KEEP_HISTORY: Final = {
    # Pinned versions must stay readable: the log is never cut; gc alone decides what goes.
    "delta.enableExpiredLogCleanup": "false",
    "delta.logRetentionDuration": "interval 36500 days",
    "delta.deletedFileRetentionDuration": "interval 36500 days",
    log.FORMAT_KEY: str(TABLE_FORMAT),
}


CARRIED: Final = ("superseded", "settled")
"""What commits say of themselves that every later one repeats, until it says it anew."""


# -- opening


def open_table(folder: Storage, version: int | None = None) -> Snapshot | None:
    """The table at a version (None = latest), or None where there is no table. Raises UsageError."""
    return log.load(folder, version)


def create_table(folder: Storage, table: TableContract) -> Snapshot:
    """An empty table with the contract's schema, unless it exists."""
    found = log.load(folder)
    while found is None:
        now = utc_now() // 1_000_000
        actions = [
            _info("CREATE TABLE", {}),
            {"protocol": {"minReaderVersion": 1, "minWriterVersion": 2}},
            {"metaData": _metadata(table, str(uuid.uuid4()), partition_column(table), now)},
        ]
        try:
            return log.commit(folder, None, actions)
        except CommitTaken:
            found = log.load(folder)
    return found


def partition_column(table: TableContract) -> str | None:
    """The column that a new table is partitioned by."""
    if not table.partitioned:
        return None
    return MONTH if table.name in _MONTHLY else YEAR


def arrow_schema(table: TableContract) -> Any:
    """The Arrow schema of a contract, without the partition column."""
    return pl.DataFrame(schema=table.schema).to_arrow(compat_level=pl.CompatLevel.oldest()).schema


def _metadata(table: TableContract, table_id: str, column: str | None, created: int) -> dict[str, Any]:
    return {
        "id": table_id,
        "name": table.name,
        "format": {"provider": "parquet", "options": {}},
        "schemaString": _schema_string(table, column),
        "partitionColumns": [column] if column else [],
        "configuration": _KEEP_HISTORY,
        "createdTime": created,
    }


def _schema_string(table: TableContract, column: str | None) -> str:
    from deltalake import Schema

    stored = pl.DataFrame(schema={**table.schema, **({column: pl.Int32()} if column else {})})
    text: str = Schema.from_arrow(stored.to_arrow(compat_level=pl.CompatLevel.oldest()).schema).to_json()
    return text


# -- writing


def overwrite(
    folder: Storage,
    base: Snapshot,
    table: TableContract,
    rows: pl.DataFrame,
    outdated: Sequence[DataFile],
    note: Mapping[str, Any],
) -> Snapshot:
    """Put ``rows`` in the place of files of ``base``, in one commit. Raises CommitTaken."""
    made = write_files(folder, base, table, rows)
    try:
        return put(folder, base, table, made, outdated, note)
    except BaseException:
        discard(folder, made)
        raise


def put(
    folder: Storage,
    base: Snapshot,
    table: TableContract,
    made: Sequence[DataFile],
    outdated: Sequence[DataFile],
    note: Mapping[str, Any],
) -> Snapshot:
    """Put written files in the place of others, in one commit. Raises CommitTaken."""
    return _commit(folder, base, table, made, outdated, "WRITE", note)


def rearrange(
    folder: Storage,
    base: Snapshot,
    table: TableContract,
    made: Sequence[DataFile],
    outdated: Sequence[DataFile],
) -> Snapshot:
    """Put files in the place of others that say the same. Raises CommitTaken."""
    return _commit(folder, base, table, made, outdated, "OPTIMIZE", {"quant": "compact"}, says_new=False)


def _commit(
    folder: Storage,
    base: Snapshot,
    table: TableContract,
    made: Sequence[DataFile],
    outdated: Sequence[DataFile],
    operation: str,
    note: Mapping[str, Any],
    *,
    says_new: bool = True,
) -> Snapshot:
    column = base.partition_column
    carried = {name: base.info[name] for name in CARRIED if name in base.info}
    actions: list[dict[str, Any]] = [_info(operation, {**carried, **note})]
    if base.format < TABLE_FORMAT or not set(table.names) <= set(base.columns):
        created = int(base.metadata.get("createdTime") or 0)
        actions.append({"metaData": _metadata(table, base.table_id, column, created)})
    actions += [log.remove_action(file, column, says_new=says_new) for file in outdated]
    actions += [log.add_action(file, column, says_new=says_new) for file in made]
    return log.commit(folder, base, actions)


def _info(operation: str, note: Mapping[str, Any]) -> dict[str, Any]:
    about = {"timestamp": utc_now() // 1_000_000, "operation": operation, "engineInfo": "quant"}
    return {"commitInfo": {**about, "operationParameters": {}, **note}}


def write_files(folder: Storage, base: Snapshot, table: TableContract, rows: pl.DataFrame) -> list[DataFile]:
    """Rows as data files that no version names yet."""
    made: list[DataFile] = []
    try:
        for partition, part in _parts(table, rows.select(table.names), base.partition_column):
            made.append(_write_file(folder, table, base.partition_column, partition, part))
    except BaseException:
        discard(folder, made)
        raise
    return made


def discard(folder: Storage, made: Iterable[DataFile]) -> None:
    """Remove files that no version came to name; ``gc`` removes what is left."""
    for file in made:
        with contextlib.suppress(QuantError, OSError):
            folder.remove(file.path)


def _write_file(
    folder: Storage, table: TableContract, column: str | None, partition: str, rows: pl.DataFrame
) -> DataFile:
    buffer = io.BytesIO()
    rows.write_parquet(buffer, compression=CODEC, row_group_size=131_072)
    low, high = _bounds(table, rows)
    begin = f"{low[table.time]}-" if table.time in low else ""
    name = f"{begin}{uuid.uuid4().hex[:16]}.parquet"
    path = f"{column}={partition}/{name}" if column else name
    folder.write(path, buffer.getvalue())
    return DataFile(path, partition, buffer.tell(), rows.height, low, high)


def ordered(rows: pl.DataFrame, key: Sequence[str]) -> pl.DataFrame:
    """Rows sorted by key; those that are so already are seen to be by their first column."""
    first = rows[key[0]] if rows.height else None
    if first is not None and first.dtype == pl.Int64 and not first.has_nulls():
        values = first.to_numpy()
        if bool((values[1:] > values[:-1]).all()):
            return rows
    return rows.sort(key)


def _bounds(table: TableContract, rows: pl.DataFrame) -> tuple[dict[str, Any], dict[str, Any]]:
    """The smallest and largest values of the columns that reads are cut by."""
    columns = [c for c in ("instrument_id", table.time) if c in table.names and not rows[c].has_nulls()]
    low = {name: _plain(rows[name].min()) for name in columns if name is not None}
    high = {name: _plain(rows[name].max()) for name in columns if name is not None}
    return low, high


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, date) else value


def _parts(
    table: TableContract, rows: pl.DataFrame, column: str | None
) -> Iterator[tuple[str, pl.DataFrame]]:
    """Rows by file: whole dates up to SEGMENT_ROWS, never across partitions, each sorted by key."""
    if not rows.height:
        return
    if column is None or table.time is None:
        every = ordered(rows, table.key)
        for start in range(0, rows.height, PLAIN_ROWS):
            yield "", every.slice(start, PLAIN_ROWS)
        return
    first, last = rows[table.time].min(), rows[table.time].max()
    if isinstance(first, date) and isinstance(last, date):
        partition, few = partition_of(first, column), rows.height <= SEGMENT_ROWS
        if first == last or (few and partition == partition_of(last, column)):
            yield partition, ordered(rows, table.key)
            return
    days = rows.group_by(table.time).len().sort(table.time)
    times = rows.sort(table.time)
    for partition, start, count in _segments(days[table.time].to_list(), days["len"].to_list(), column):
        yield partition, times.slice(start, count).sort(table.key)


def _segments(days: list[date], counts: list[int], column: str) -> Iterator[tuple[str, int, int]]:
    start = count = 0
    current = partition_of(days[0], column)
    for day, rows in zip(days, counts, strict=True):
        partition = partition_of(day, column)
        if count and (partition != current or count + rows > SEGMENT_ROWS):
            yield current, start, count
            start, count = start + count, 0
        current, count = partition, count + rows
    yield current, start, count


def partition_of(day: date, column: str) -> str:
    """The partition value of a date."""
    return f"{day.year}" if column == YEAR else f"{day.year}{day.month:02d}"


# -- reading


def within(snapshot: Snapshot, table: TableContract, start: date | None, end: date | None) -> list[DataFile]:
    """The files of a version in which rows with ``start <= time <= end`` may be."""
    if table.time is None or (start is None and end is None):
        return list(snapshot.files.values())
    first, last = start or date.min, end or date.max
    column = snapshot.partition_column
    low, high = (partition_of(first, column), partition_of(last, column)) if column else ("", "")
    texts = first.isoformat(), last.isoformat()
    return [
        file
        for file in snapshot.files.values()
        if (not column or int(low) <= int(file.partition) <= int(high)) and file.meets(table.time, *texts)
    ]


def scan(folder: Storage, files: Sequence[DataFile], table: TableContract) -> pl.LazyFrame:
    """A lazy frame over data files; columns that older files lack are null."""
    if not files:
        return pl.DataFrame(schema=table.schema).lazy()
    return pl.scan_parquet(
        [folder.location(file.path) for file in sorted(files, key=lambda file: (file.partition, file.path))],
        schema=pl.Schema(table.schema),
        missing_columns="insert",
        extra_columns="ignore",
        hive_partitioning=False,
        glob=False,
        storage_options=folder.options,
    )


def parts(
    folder: Storage, files: Sequence[DataFile], table: TableContract, columns: Sequence[str], every: int = 1
) -> list[Callable[[], pl.DataFrame]]:
    """Functions that decode the rows of data files, each about PART_CELLS cells, to be called in threads; of
    ``every`` so many neighbouring files only one, the last always.
    """
    groups: list[list[DataFile]] = []
    cells = PART_CELLS
    for file in sorted(files, key=lambda file: (file.partition, file.path))[::-every]:
        if cells >= PART_CELLS:
            groups.append([])
            cells = 0
        groups[-1].append(file)
        cells += file.rows * len(columns)
    return [lambda each=each: scan(folder, each, table).select(columns).collect() for each in groups]  # type: ignore[misc]


def between(column: str, start: date | None, end: date | None) -> pl.Expr | None:
    """``start <= column <= end`` with open ends, or None."""
    parts = [pl.col(column) >= start] if start else []
    parts += [pl.col(column) <= end] if end else []
    return pl.all_horizontal(parts) if parts else None


def notes(folder: Storage, version: int) -> dict[str, Any]:
    """What a commit says about itself."""
    for line in folder.read(log.commit_name(version)).splitlines():
        action = json.loads(line)
        if "commitInfo" in action:
            return dict(action["commitInfo"])
    return {}
