"""DuckDB over Arrow datasets of the pinned files; it can read nothing else and write nowhere."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date
from typing import TYPE_CHECKING, Any

from quant.core.errors import QuantError
from quant.warehouse.engines.tables import (
    QueryResult,
    QueryTable,
    invalid,
    named_tables,
    one_statement,
    result,
    unknown_table,
)
from quant.warehouse.lake import delta
from quant.warehouse.lake.log import DataFile

if TYPE_CHECKING:
    from quant.warehouse.lake import Lake


def query(sql: str, lake: Lake, versions: Mapping[str, int] | None = None) -> QueryResult:
    """Run one SELECT. Raises UsageError."""
    import duckdb

    statement = one_statement(sql)
    tables = named_tables(statement, lake, versions)
    with duckdb.connect(":memory:") as connection:
        for table in tables:
            _register(connection, table)
        connection.execute("set enable_external_access = false; set lock_configuration = true")
        try:
            parsed = connection.extract_statements(statement)
            if len(parsed) != 1 or parsed[0].type != duckdb.StatementType.SELECT:
                raise invalid(
                    "only SELECT is possible: the lake is not changed through SQL", found=statement[:80]
                )
            return result(connection.sql(statement).to_arrow_table(), tables)
        except duckdb.Error as error:
            raise _explained(error, statement, lake) from error


def _register(connection: Any, table: QueryTable) -> None:
    name = f"{table.schema}__{table.name}" if table.schema else table.name
    connection.register(name, _dataset(table))
    if table.schema:
        connection.execute(f'create schema if not exists "{table.schema}"')
        connection.execute(f'create view "{table.schema}"."{table.name}" as select * from "{name}"')


def _dataset(table: QueryTable) -> Any:
    """Arrow fragments with the dates they hold, so that a query by date opens only what it needs."""
    import pyarrow as pa
    import pyarrow.dataset as ds

    schema = pa.schema(delta.arrow_schema(table.contract))
    files = table.files()
    if not files:
        return schema.empty_table()
    parquet, system = ds.ParquetFileFormat(), table.folder.arrow_filesystem()
    fragments = [
        parquet.make_fragment(table.folder.arrow_path(file.path), system, _held(table, file))
        for file in files
    ]
    return ds.FileSystemDataset(fragments, schema, parquet, system)


def _held(table: QueryTable, file: DataFile) -> Any:
    """What is known of a file's rows, as an expression."""
    import pyarrow.dataset as ds

    time = table.contract.time
    low, high = file.low.get(time or ""), file.high.get(time or "")
    if time is None or low is None or high is None:
        return ds.scalar(True)
    column = ds.field(time)
    return (column >= date.fromisoformat(low)) & (column <= date.fromisoformat(high))


def _explained(error: Exception, statement: str, lake: Lake) -> QuantError:
    text = str(error)
    missing = re.search(
        r"Table with name (\S+) does not exist|schema (\S+) does not exist", text, re.IGNORECASE
    )
    if missing:
        return unknown_table(next(part for part in missing.groups() if part), lake)
    return invalid(text.split("\n\nLINE")[0], found=statement[:80])
