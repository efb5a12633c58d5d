"""SQL over what was known at an instant: the named tables as of then, in a lake that lives for one query."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from datetime import date, datetime
from pathlib import Path

import polars as pl

from quant.core.errors import UsageError
from quant.warehouse.engines.tables import (
    QueryResult,
    QueryTable,
    named_tables,
    one_statement,
    unknown_table,
)
from quant.warehouse.lake import Lake
from quant.warehouse.lake.history import years_of


def query_as_of(
    sql: str, lake: Lake, versions: Mapping[str, int] | None, as_of: datetime, *, engine: str
) -> QueryResult:
    """``query`` over rows as they were known at ``as_of``. Raises what it raises, and UsageError for the
    server, whose copies hold the newest rows only.
    """
    from quant.warehouse.engines import query

    if engine == "server":
        raise UsageError(
            "sql.as_of",
            "a server holds the newest rows only, not what was known before",
            expected="clickhouse or duckdb",
            found=engine,
            hint="--engine clickhouse reads the lake's history",
        )
    tables = named_tables(one_statement(sql), lake, versions)
    with tempfile.TemporaryDirectory(prefix="quant-as-of-") as folder:
        then = Lake(Path(folder) / "lake")
        for table in tables:
            _copy(lake, then, table, as_of)
        try:
            answer = query(sql, then, None, engine=engine)
        except UsageError as error:
            if error.fault.code == "sql.table":
                raise unknown_table(error.fault.found or "", lake) from error
            raise
    return QueryResult(answer.table, {table.label: table.version for table in tables})


def _copy(lake: Lake, then: Lake, table: QueryTable, as_of: datetime) -> None:
    """A table's rows as of the instant, a year at a time."""
    ref, contract = table.ref, table.contract

    def rows(start: date | None, end: date | None) -> pl.DataFrame:
        return lake.read(
            ref.table,
            layer=ref.layer,
            source=ref.source,
            version=table.version,
            start=start,
            end=end,
            as_of=as_of,
        )

    if contract.time is None or contract.system:
        then.append(ref, rows(None, None))
        return
    then.append(ref, pl.DataFrame(schema=contract.schema))
    for year in years_of(lake, ref, table.version):
        known = rows(date(year, 1, 1), date(year, 12, 31))
        if known.height:
            then.append(ref, known)
