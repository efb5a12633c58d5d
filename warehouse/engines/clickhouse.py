"""ClickHouse inside the process: an in-memory chdb that reads the files of Delta tables where they lie.

Nothing is kept in chdb, so any number of processes may ask at once. Within a process queries take turns.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import polars as pl

from quant.core.errors import MissingComponent, QuantError
from quant.warehouse.contracts.tables import ColumnContract
from quant.warehouse.engines.tables import (
    QueryResult,
    QueryTable,
    invalid,
    named_tables,
    one_statement,
    result,
    unknown_table,
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
_LISTS = re.compile(r"\s*(describe|desc|show|exists|explain)\b", re.IGNORECASE)
_CODE = re.compile(r"Code: (\d+)")
_NOISE = re.compile(r"(Code: \d+\. )|(DB::Exception: )|(\(version [^)]*\))|(\. \([A-Z_]+\)\s*$)")
_UNKNOWN_TABLE, _UNKNOWN_DATABASE, _SYNTAX = 60, 81, 62
_PREFIX = "explain query tree "
_PLACE = re.compile(r"position (\d+)")


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
    structure = _quoted(", ".join(f"`{column.name}` {_type(column)}" for column in table.contract.columns))
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


def _type(column: ColumnContract) -> str:
    match column.dtype:
        case pl.Decimal(precision=precision, scale=scale):
            inner = f"Decimal({precision}, {scale})"
        case pl.Datetime():
            inner = "DateTime64(6, 'UTC')"
        case other:
            inner = _TYPES[type(other)]
    return f"Nullable({inner})"


def _answer(client: Any, statement: str, lake: Lake) -> Any:
    try:
        if not _LISTS.match(statement):
            # Anything but a SELECT has no query tree: it is refused before it can run.
            client.raw_query(f"{_PREFIX}{statement}")
        return client.query_arrow(statement, use_strings=True)
    except Exception as error:
        raise _explained(error, statement, lake) from error


def _explained(error: Exception, statement: str, lake: Lake) -> QuantError:
    text = str(error)
    code = _CODE.search(text)
    number = int(code[1]) if code else 0
    if number in (_UNKNOWN_TABLE, _UNKNOWN_DATABASE):
        name = re.search(r"identifier '([^']+)'|Table ([\w.`]+) does|Database ([\w`]+) does", text)
        asked = next((part for part in (name.groups() if name else ()) if part), statement[:80])
        return unknown_table(asked.replace(f"{DATABASE}.", "").replace("`", ""), lake)
    place = _PLACE.search(text)
    if number == _SYNTAX and place is not None:
        at = max(int(place[1]) - 1 - (0 if _LISTS.match(statement) else len(_PREFIX)), 0)
        near = statement[at : at + 40] or "the end"
        return invalid(
            f"the query cannot be read at character {at + 1}, near {near!r}",
            found=statement[:80],
            hint="only SELECT is possible: the lake is not changed through SQL",
        )
    return invalid(_NOISE.sub("", text), found=statement[:80])
