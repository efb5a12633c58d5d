"""ClickHouse inside the process: an in-memory chdb that reads the files of Delta tables where they lie.

Nothing is kept in chdb, so any number of processes may ask at once. Within a process queries take turns.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import polars as pl

from quant.core.errors import MissingComponent
from quant.warehouse.contracts.tables import ColumnContract
from quant.warehouse.engines.tables import (
    QueryResult,
    QueryTable,
    explained,
    explains,
    invalid,
    named_tables,
    one_statement,
    result,
)
from quant.warehouse.object_store import ObjectFolder
from quant.warehouse.store import LocalFolder

if TYPE_CHECKING:
    from quant.warehouse.lake import Lake

DATABASE = "lake"
_TURN = threading.Lock()
_QUERY_BYTES = 64 * 1024 * 1024
"""A view names every file of a version."""
_TYPES = {
    pl.Int64: "Int64",
    pl.Float64: "Float64",
    pl.String: "String",
    pl.Boolean: "Bool",
    pl.Date: "Date32",
}


def query(sql: str, lake: Lake, versions: Mapping[str, int] | None = None) -> QueryResult:
    """Run one SELECT; every table is a view pinned to a version. Raises UsageError, MissingComponent."""
    statement = one_statement(sql)
    tables = named_tables(statement, lake, versions)
    with _TURN:
        client = _client()
        schemas = sorted({table.schema or DATABASE for table in tables} | {DATABASE})
        try:
            for schema in schemas:
                client.command(f"create database `{schema}` engine = Memory")
            for table in tables:
                client.command(_view(table))
            client.database = DATABASE
            return result(_answer(client, statement, lake), tables)
        finally:
            client.database = None
            for schema in schemas:
                client.command(f"drop database if exists `{schema}`")


def aggregate(select: str, table: QueryTable) -> Any:
    """The rows of an own SELECT (no user's) in which ``{rows}`` stands for a table's pinned files."""
    with _TURN:
        client = _client()
        client.database = None
        return client.query_arrow(select.replace("{rows}", _rows(table)), use_strings=True)


def _client() -> Any:
    try:
        import chdb  # noqa: F401
        import clickhouse_connect
    except ImportError as error:
        raise MissingComponent(
            "engine.clickhouse",
            "embedded ClickHouse is not available here",
            found=str(error),
            hint="use --engine duckdb, or install chdb (Linux and macOS)",
        ) from error
    return clickhouse_connect.get_client(dsn="chdb://memory", settings={"max_query_size": _QUERY_BYTES})


def _view(table: QueryTable) -> str:
    return f"create view `{table.schema or DATABASE}`.`{table.name}` as select * from {_rows(table)}"


def _rows(table: QueryTable) -> str:
    """The table function that reads the files of the pinned version.

    ``deltaLakeLocal`` would read the log itself, but in an embedded engine it refuses every path outside the
    process's working directory; the file list of a version says the same.
    """
    structure = _quoted(
        ", ".join(f"`{column.name}` Nullable({column_type(column)})" for column in table.contract.columns)
    )
    names = [file.path for file in table.files()]
    if not names:
        return f"null({structure})"
    if isinstance(table.folder, LocalFolder):
        # A wildcard in the folder's own name stands for itself: the data files' names are unique.
        folder = re.sub(r"[{}*?,\[\]]", "?", table.folder.root.as_posix())
        return f"file({_quoted(_one_of(folder, names))}, Parquet, {structure})"
    assert isinstance(table.folder, ObjectFolder)
    remote = table.folder.clickhouse()
    credentials = ", ".join(_quoted(each) for each in remote.credentials)
    return f"s3({_quoted(_one_of(remote.url, names))}, {credentials}, 'Parquet', {structure})"


def _one_of(folder: str, names: list[str]) -> str:
    return f"{folder}/{{{','.join(names)}}}" if len(names) > 1 else f"{folder}/{names[0]}"


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def column_type(column: ColumnContract) -> str:
    """A column's type in ClickHouse, leaving aside whether it may be null."""
    match column.dtype:
        case pl.Decimal(precision=precision, scale=scale):
            inner = f"Decimal({precision}, {scale})"
        case pl.Datetime():
            inner = "DateTime64(6, 'UTC')"
        case other:
            inner = _TYPES[type(other)]
    return inner


def _answer(client: Any, statement: str, lake: Lake) -> Any:
    try:
        if not explains(statement):
            # Anything but a SELECT has no query tree: it is refused before it can run.
            client.raw_query(f"explain query tree {statement}")
        return client.query_arrow(statement, use_strings=True)
    except Exception as error:
        raise explained(error, statement, lake, DATABASE) or invalid(str(error)) from error
